//! `ParseCLF`: lines of access logs in the Common Log Format and the Combined Log Format.

use std::sync::Arc;

use regex::bytes::Regex;

use super::{
    Prepared,
    dates::{literal, unprepared},
};
use crate::{
    failure::Failure,
    go::{regexp, text},
    program::{Args, Argument},
    value::{Text, Value, map_literal},
};

/// How a line is read.
struct Format {
    name: &'static str,
    line: Regex,
}

/// What a field in quotes holds, escapes among it.
const QUOTED: &str = r#""((?:[^"\\]|\\.)*)""#;

/// The format.
pub(super) fn prepare(args: &[Argument]) -> Result<Option<Prepared>, String> {
    let (name, more) = match literal(args, 1).as_deref() {
        None | Some("clf") => ("clf", String::new()),
        Some("combined") => ("combined", format!(" {QUOTED} {QUOTED}")),
        Some(other) => {
            return Err(format!(
                "invalid format {other:?}: must be \"clf\" or \"combined\""
            ));
        }
    };
    let line = regexp::compile(&format!(
        r"^(\S+) (\S+) (\S+) \[([^\]]+)\] {QUOTED} (\S+) (\S+){more}$"
    ))?;
    Ok(Some(Arc::new(Format { name, line })))
}

/// `ParseCLF(target, format?)`
pub(super) fn parse_clf(args: &Args<'_>) -> Result<Value, Failure> {
    let line = args.text(0)?;
    let format = args.prepared::<Format>().ok_or_else(unprepared)?;
    if line.is_empty() {
        return Err(Failure::Function(
            "cannot parse empty CLF message".to_owned(),
        ));
    }
    let Some(found) = format.line.captures(text::trim_space(line)) else {
        return Err(Failure::Function(format!(
            "invalid CLF message: does not match expected {:?} format",
            format.name
        )));
    };
    let field = |at| found.get(at).map_or(&b""[..], |field| field.as_bytes());
    let mut entries: Vec<(Text, Value)> = Vec::with_capacity(12);
    let mut put = |key: &str, value| entries.push((Text::from_slice(key.as_bytes()), value));
    put("clf.remote_host", Value::text(field(1)));
    put("clf.rfc931", Value::text(field(2)));
    put("clf.auth_user", Value::text(field(3)));
    put("clf.timestamp", Value::text(field(4)));
    let request = unescaped(field(5));
    put("clf.request", Value::text(&request));
    let mut parts = request.splitn(3, |byte| *byte == b' ');
    if let (Some(method), Some(uri), Some(protocol)) = (parts.next(), parts.next(), parts.next()) {
        put("clf.method", Value::text(method));
        put("clf.request_uri", Value::text(uri));
        put("clf.protocol", Value::text(protocol));
    }
    let integer = |at, what: &str| {
        let number = text::parse_int(field(at)).map(Value::Int);
        number.ok_or_else(|| {
            Failure::Function(format!(
                "invalid {what} {:?}",
                String::from_utf8_lossy(field(at))
            ))
        })
    };
    put("clf.status", integer(6, "status code")?);
    if field(7) != b"-" {
        put("clf.bytes", integer(7, "bytes value")?);
    }
    if format.name == "combined" {
        put("clf.referer", Value::text(unescaped(field(8))));
        put("clf.user_agent", Value::text(unescaped(field(9))));
    }
    map_literal(entries.iter().map(|(key, value)| (key, value)))
}

/// A field without the escapes of Apache's `mod_log_config`; what is none stays.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    loop {
        rest = match rest {
            [] => return out,
            [b'\\', b'x', high, low, after @ ..] if hex(*high).is_some() && hex(*low).is_some() => {
                out.push((hex(*high).unwrap_or(0) << 4) | hex(*low).unwrap_or(0));
                after
            }
            [b'\\', escaped, after @ ..] => {
                match escaped {
                    b'\\' | b'"' => out.push(*escaped),
                    b'n' => out.push(b'\n'),
                    b't' => out.push(b'\t'),
                    b'r' => out.push(b'\r'),
                    b'b' => out.push(8),
                    b'f' => out.push(12),
                    b'v' => out.push(11),
                    other => out.extend_from_slice(&[b'\\', *other]),
                }
                after
            }
            [byte, after @ ..] => {
                out.push(*byte);
                after
            }
        };
    }
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}
