//! Printed settings as YAML (four spaces, keys sorted, as the Collector's
//! `print-config`) and as JSON.

use serde_json::{Map, Number, Value as Json};

use super::{GoDuration, Printed};
use crate::config::{node::Value, yaml::plain};

const REDACTED: &str = "[REDACTED]";

/// How settings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Secrets as they are instead of `[REDACTED]`.
    pub unredacted: bool,
}

impl Mode {
    fn secret(self, text: &str) -> &str {
        if self.unredacted { text } else { REDACTED }
    }
}

/// As YAML, ending in a newline.
pub fn yaml(value: &Printed, mode: Mode) -> String {
    let mut out = String::new();
    match value {
        Printed::Map(entries) if !entries.is_empty() => map(entries, 0, 0, mode, &mut out),
        Printed::List(items) if !items.is_empty() => list(items, 0, mode, &mut out),
        other => {
            out.push_str(&scalar(other, mode));
            out.push('\n');
        }
    }
    out
}

/// Writes a map whose keys stand at `column`; what they hold stands four further
/// in than `base`, which is where the map's own line begins.
fn map(entries: &[(String, Printed)], column: usize, base: usize, mode: Mode, out: &mut String) {
    for (i, (key, value)) in entries.iter().enumerate() {
        // The first key of a map in a list stands on the line of the dash.
        if !(i == 0 && out.ends_with("- ")) {
            out.push_str(&" ".repeat(column));
        }
        out.push_str(&text(key));
        out.push(':');
        match value {
            Printed::Map(entries) if !entries.is_empty() => {
                out.push('\n');
                map(entries, base + 4, base + 4, mode, out);
            }
            Printed::List(items) if !items.is_empty() => {
                out.push('\n');
                list(items, base + 4, mode, out);
            }
            other => {
                out.push(' ');
                out.push_str(&scalar(other, mode));
                out.push('\n');
            }
        }
    }
}

fn list(items: &[Printed], column: usize, mode: Mode, out: &mut String) {
    for (i, item) in items.iter().enumerate() {
        if !(i == 0 && out.ends_with("- ")) {
            out.push_str(&" ".repeat(column));
        }
        out.push_str("- ");
        match item {
            Printed::Map(entries) if !entries.is_empty() => {
                map(entries, column + 2, column, mode, out);
            }
            Printed::List(items) if !items.is_empty() => list(items, column + 2, mode, out),
            other => {
                out.push_str(&scalar(other, mode));
                out.push('\n');
            }
        }
    }
}

fn scalar(value: &Printed, mode: Mode) -> String {
    match value {
        Printed::Map(_) => "{}".into(),
        Printed::List(_) => "[]".into(),
        Printed::Secret(secret) if secret.is_empty() => "\"\"".into(),
        Printed::Secret(secret) => text(mode.secret(secret)),
        Printed::Text(value) => text(value),
        Printed::Duration(nanos) => GoDuration::nanos(*nanos).to_string(),
        other => scalar_text(other).unwrap_or_else(|| "null".into()),
    }
}

/// A scalar without quotes; `None` for `null`, lists and maps.
pub fn scalar_text(value: &Printed) -> Option<String> {
    Some(match value {
        Printed::Bool(b) => b.to_string(),
        Printed::Integer(i) => i.to_string(),
        Printed::Float(f) if f.is_nan() => ".nan".into(),
        Printed::Float(f) if f.is_infinite() => if *f > 0.0 { ".inf" } else { "-.inf" }.into(),
        Printed::Float(f) => f.to_string(),
        Printed::Text(text) => text.clone(),
        Printed::Secret(_) => REDACTED.into(),
        Printed::Duration(nanos) => GoDuration::nanos(*nanos).to_string(),
        Printed::Null | Printed::List(_) | Printed::Map(_) => return None,
    })
}

/// Text, quoted where YAML would read something else.
fn text(value: &str) -> String {
    let reads_otherwise = !matches!(plain(value), Value::Text(_))
        || matches!(
            value.to_ascii_lowercase().as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off" | "<<"
        );
    let special = value.starts_with(|c: char| "-?:,[]{}#&*!|>'\"%@` ".contains(c))
        || value.ends_with([' ', ':'])
        || value.contains(": ")
        || value.contains(" #")
        || value.chars().any(char::is_control);
    // `-x` and `:x` are plain text; `- x`, `-` and `:` are not.
    let harmless = value.len() > 1
        && value.starts_with(['-', ':', '?'])
        && value.get(1..2).is_some_and(|c| c != " ")
        && !value.contains(": ")
        && !value.contains(" #")
        && !value.ends_with([' ', ':'])
        && !value.chars().any(char::is_control);
    if reads_otherwise {
        format!("\"{value}\"")
    } else if special && !harmless {
        if value.chars().any(char::is_control) {
            serde_json::to_string(value).unwrap_or_default()
        } else {
            format!("'{}'", value.replace('\'', "''"))
        }
    } else {
        value.to_owned()
    }
}

/// As JSON; durations are nanoseconds.
pub fn json(value: &Printed, mode: Mode) -> Json {
    match value {
        Printed::Null => Json::Null,
        Printed::Bool(b) => Json::Bool(*b),
        Printed::Integer(i) => match (i64::try_from(*i), u64::try_from(*i)) {
            (Ok(i), _) => Json::from(i),
            (_, Ok(u)) => Json::from(u),
            _ => Json::Null,
        },
        Printed::Float(f) => Number::from_f64(*f).map_or(Json::Null, Json::Number),
        Printed::Text(text) => Json::from(text.as_str()),
        Printed::Secret(secret) if secret.is_empty() => Json::from(""),
        Printed::Secret(secret) => Json::from(mode.secret(secret)),
        Printed::Duration(nanos) => Json::from(*nanos),
        Printed::List(items) => items.iter().map(|item| json(item, mode)).collect(),
        Printed::Map(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                map.insert(key.clone(), json(value, mode));
            }
            Json::Object(map)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_would_read_otherwise_are_quoted() {
        for (value, printed) in [
            ("localhost:4317", "localhost:4317"),
            ("5", "\"5\""),
            ("true", "\"true\""),
            ("", "\"\""),
            ("[REDACTED]", "'[REDACTED]'"),
            ("/v1/traces", "/v1/traces"),
            ("a: b", "'a: b'"),
            ("*", "'*'"),
        ] {
            assert_eq!(text(value), printed, "{value}");
        }
    }
}
