//! Converters between types. `Int`, `Double`, `Bool` and `String` are what their parameter makes
//! of its value.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};

use crate::{
    failure::Failure,
    program::{Args, Argument},
    value::{Text, Value, entries},
};

/// The value as the parameter made it.
pub(super) fn identity(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(args.value(0).clone())
}

/// `Hex(target)`
pub(super) fn hex(args: &Args<'_>) -> Result<Value, Failure> {
    match args.value(0) {
        Value::Bytes(bytes) => Ok(Value::text(hex::encode(bytes))),
        _ => Ok(Value::text("")),
    }
}

/// `ParseInt(target, base)`
pub(super) fn parse_int(args: &Args<'_>) -> Result<Value, Failure> {
    let text = String::from_utf8_lossy(args.text(0)?).into_owned();
    let base = args.int(1)?;
    let wrong = |what: &str| Failure::Parse(format!("strconv.ParseInt: parsing {text:?}: {what}"));
    if text.is_empty() {
        return Err(Failure::Function(
            "invalid target value for ParseInt function, target cannot be empty".to_owned(),
        ));
    }
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, text.get(1..).unwrap_or_default()),
        [b'+', ..] => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text.as_str()),
    };
    let lower = digits.to_ascii_lowercase();
    let (digits, radix) = match base {
        0 => {
            let (rest, radix) = match lower.as_bytes() {
                [b'0', b'x', ..] => (lower.get(2..), 16),
                [b'0', b'b', ..] => (lower.get(2..), 2),
                [b'0', b'o', ..] => (lower.get(2..), 8),
                [b'0', _, ..] => (lower.get(1..), 8),
                _ => (Some(lower.as_str()), 10),
            };
            let rest = rest.unwrap_or_default();
            // Underscores stand between digits, or behind the prefix.
            let prefixed = rest.len() < lower.len();
            let bad =
                rest.ends_with('_') || rest.contains("__") || (!prefixed && rest.starts_with('_'));
            if bad {
                return Err(wrong("invalid syntax"));
            }
            (rest.replace('_', ""), radix)
        }
        2..=36 => (lower.clone(), base as u32),
        _ => return Err(wrong(&format!("invalid base {base}"))),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(wrong("invalid syntax"));
    }
    let value = i128::from_str_radix(&digits, radix).unwrap_or(i128::MAX);
    let value = if negative { -value } else { value };
    i64::try_from(value)
        .map(Value::Int)
        .map_err(|_| wrong("value out of range"))
}

/// The bytes of an id: as they are, or in hex.
fn id<const N: usize>(args: &Args<'_>, name: &str) -> Result<[u8; N], Failure> {
    id_of(args.value(0), name)
}

fn id_of<const N: usize>(value: &Value, name: &str) -> Result<[u8; N], Failure> {
    let bytes: &[u8] = match value {
        Value::Bytes(bytes) => bytes,
        _ => &[],
    };
    if let Ok(id) = bytes.try_into() {
        return Ok(id);
    }
    let mut id = [0; N];
    match hex::decode_to_slice(bytes, &mut id) {
        Ok(()) => Ok(id),
        Err(_) => Err(Failure::Function(format!(
            "{name} must be {N} bytes or {} hex characters",
            2 * N
        ))),
    }
}

/// A literal must be an id.
fn check_id<const N: usize>(args: &[Argument], name: &str) -> Result<(), String> {
    match args.first().and_then(Argument::literal) {
        Some(value) => match id_of::<N>(value, name) {
            Ok(_) => Ok(()),
            Err(failure) => Err(failure.to_string()),
        },
        None => Ok(()),
    }
}

pub(super) fn check_16(args: &[Argument]) -> Result<(), String> {
    check_id::<16>(args, "id")
}

pub(super) fn check_8(args: &[Argument]) -> Result<(), String> {
    check_id::<8>(args, "id")
}

/// `TraceID(target)`
pub(super) fn trace_id(args: &Args<'_>) -> Result<Value, Failure> {
    id(args, "trace id").map(Value::TraceId)
}

/// `SpanID(target)`
pub(super) fn span_id(args: &Args<'_>) -> Result<Value, Failure> {
    id(args, "span id").map(Value::SpanId)
}

/// `ProfileID(target)`
pub(super) fn profile_id(args: &Args<'_>) -> Result<Value, Failure> {
    id(args, "profile id").map(Value::ProfileId)
}

/// `Base64Encode(target, variant?)`
pub(super) fn base64_encode(args: &Args<'_>) -> Result<Value, Failure> {
    let text = args.text(0)?;
    let variant = if args.has(1) {
        args.text(1)?
    } else {
        b"base64"
    };
    Ok(Value::text(match variant {
        b"base64" => STANDARD.encode(text),
        b"base64-raw" => STANDARD_NO_PAD.encode(text),
        b"base64-url" => URL_SAFE.encode(text),
        b"base64-raw-url" => URL_SAFE_NO_PAD.encode(text),
        other => {
            return Err(Failure::Function(format!(
                "unsupported base64 variant: {}",
                String::from_utf8_lossy(other)
            )));
        }
    }))
}

/// `Log(target)`
pub(super) fn log(args: &Args<'_>) -> Result<Value, Failure> {
    match args.value(0) {
        Value::Float(value) if *value > 0.0 => Ok(Value::Float(libm::log(*value))),
        Value::Float(value) if value.is_nan() => Ok(Value::Float(*value)),
        Value::Float(value) => Err(Failure::Function(format!("invalid input: {value}"))),
        _ => Err(Failure::Function("invalid input: <nil>".to_owned())),
    }
}

/// `Keys(target)`
pub(super) fn keys(args: &Args<'_>) -> Result<Value, Failure> {
    let keys = match args.value(0) {
        Value::Map(any) => {
            let entries = entries(any)?;
            entries.iter().map(|(key, _)| Value::text(key)).collect()
        }
        Value::RawMap(entries) => entries
            .iter()
            .map(|(key, _)| Value::String(key.clone()))
            .collect(),
        _ => Vec::new(),
    };
    as_slice(keys)
}

/// `Values(target)`
pub(super) fn values(args: &Args<'_>) -> Result<Value, Failure> {
    let values = match args.value(0) {
        Value::Map(any) => {
            let entries = entries(any)?;
            let values = entries.iter().map(|(_, any)| Value::decode(any));
            values.collect::<Result<_, _>>()?
        }
        Value::RawMap(entries) => entries.iter().map(|(_, value)| value.clone()).collect(),
        _ => Vec::new(),
    };
    as_slice(values)
}

/// A list of telemetry: unlike a literal it holds maps and lists of telemetry, too, and no map
/// literal takes it.
pub(super) fn as_slice(values: Vec<Value>) -> Result<Value, Failure> {
    let mut any = Vec::new();
    Value::List(values).encode(&mut any)?;
    Ok(Value::Slice(Text::from_vec(any)))
}
