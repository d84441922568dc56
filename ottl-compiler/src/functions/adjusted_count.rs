//! `AdjustedCount`: how many spans a sampled one stands for, by the threshold that samplers leave
//! in the member `ot` of its trace state.
//! <https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/>

use trunkline_proto::batch::{Field, FieldValue};

use crate::{contexts::Context, failure::Failure, program::Args, run::Row, value::Value};

const SYNTAX: &str = "invalid syntax";
const SIZE: &str = "invalid tracestate size";

/// `AdjustedCount()`: 1 for a span without a threshold.
pub(super) fn adjusted_count(row: &mut Row<'_>, _: &Args<'_>) -> Result<Value, Failure> {
    let (level, span) = row.place(Context::Span)?;
    let state = match row.data().field(level, span, Field::TraceState)? {
        Some(FieldValue::Bytes(state)) => state,
        _ => b"",
    };
    match threshold(state) {
        Ok(threshold) => Ok(Value::Float(count(threshold.unwrap_or(0)))),
        Err(cause) => Err(Failure::Function(format!(
            "failed to parse w3c tracestate: {cause}"
        ))),
    }
}

/// Of 2⁵⁶ spans as many as the threshold were left out.
fn count(threshold: u64) -> f64 {
    let all = (1u64 << 56) as f64;
    1.0 / (((1u64 << 56) - threshold) as f64 / all)
}

/// The threshold of a trace state, in parts of 2⁵⁶.
fn threshold(state: &[u8]) -> Result<Option<u64>, &'static str> {
    if state.len() > 1024 {
        return Err(SIZE);
    }
    let members: Vec<&[u8]> = match state {
        b"" => Vec::new(),
        state => state.split(|byte| *byte == b',').map(trim).collect(),
    };
    let mut found = Vec::new();
    for member in members.iter().filter(|member| !member.is_empty()) {
        let at = member.iter().position(|byte| *byte == b'=').ok_or(SYNTAX)?;
        let (key, value) = (&member[..at], &member[at + 1..]);
        if !is_key(key) || !is_value(value) {
            return Err(SYNTAX);
        }
        found.push((key, value));
    }
    if members.len() >= 32 {
        return Err(SIZE);
    }
    let mut threshold = None;
    for (key, value) in found {
        let tenant = key.iter().position(|byte| *byte == b'@');
        if key.len() > 256 || tenant.is_some_and(|at| at > 241 || key.len() - at - 1 > 14) {
            return Err(SIZE);
        }
        if key == b"ot" {
            threshold = of_otel(value)?;
        }
    }
    Ok(threshold)
}

fn trim(member: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = member.iter().position(|byte| !blank(byte));
    let end = member.iter().rposition(|byte| !blank(byte));
    match (start, end) {
        (Some(start), Some(end)) => member.get(start..=end).unwrap_or_default(),
        _ => b"",
    }
}

/// The threshold (`th`) among the fields of the member `ot`; the randomness (`rv`) must be right.
fn of_otel(value: &[u8]) -> Result<Option<u64>, &'static str> {
    if value.len() > 256 {
        return Err(SIZE);
    }
    let mut fields = Vec::new();
    for field in value.split(|byte| *byte == b';') {
        let at = field.iter().position(|byte| *byte == b':').ok_or(SYNTAX)?;
        let (key, value) = (&field[..at], &field[at + 1..]);
        let rest = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let char = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if !key.first().is_some_and(u8::is_ascii_lowercase)
            || !key.iter().all(rest)
            || !value.iter().all(char)
        {
            return Err(SYNTAX);
        }
        fields.push((key, value));
    }
    let mut threshold = None;
    for (key, value) in fields {
        match key {
            b"th" if value.len() > 14 => return Err("t-value exceeds 14 hex digits"),
            b"th" if value.is_empty() => return Err("t-value is empty"),
            b"th" => threshold = Some(hex(value)? << (4 * (14 - value.len()))),
            b"rv" if value.len() != 14 => return Err("r-value must have 14 hex digits"),
            b"rv" => {
                hex(value)?;
            }
            _ => {}
        }
    }
    Ok(threshold)
}

fn hex(digits: &[u8]) -> Result<u64, &'static str> {
    let text = std::str::from_utf8(digits).map_err(|_| SYNTAX)?;
    match digits.iter().all(u8::is_ascii_hexdigit) {
        true => u64::from_str_radix(text, 16).map_err(|_| SYNTAX),
        false => Err(SYNTAX),
    }
}

/// W3C Trace Context, section 3.3.1.3.1.
fn is_key(key: &[u8]) -> bool {
    let first = |key: &[u8], digit: bool| {
        key.first()
            .is_some_and(|byte| byte.is_ascii_lowercase() || digit && byte.is_ascii_digit())
    };
    let rest = |key: &[u8]| {
        key.iter().skip(1).all(|byte| {
            byte.is_ascii_lowercase()
                || byte.is_ascii_digit()
                || matches!(byte, b'_' | b'-' | b'*' | b'/')
        })
    };
    match key.iter().position(|byte| *byte == b'@') {
        Some(at) => {
            let (tenant, system) = (&key[..at], &key[at + 1..]);
            first(tenant, true) && rest(tenant) && first(system, false) && rest(system)
        }
        None => first(key, false) && rest(key),
    }
}

/// W3C Trace Context, section 3.3.1.3.2.
fn is_value(value: &[u8]) -> bool {
    let char = |byte: &u8| matches!(byte, 0x20..=0x7e) && !matches!(byte, b',' | b'=');
    value.len() <= 256 && value.iter().all(char) && value.last().is_some_and(|last| *last != b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_stands_for_as_many_as_its_threshold_left_out() {
        for (state, expected) in [
            ("", Ok(1.0)),
            ("a=1,b=2", Ok(1.0)),
            ("ot=rv:00000000000000", Ok(1.0)),
            ("ot=th:0", Ok(1.0)),
            ("ot=th:8", Ok(2.0)),
            ("ot=th:c", Ok(4.0)),
            ("ot=th:C", Ok(4.0)),
            ("ot=th:80000000000000", Ok(2.0)),
            ("a=1, ot=rv:00000000000001;th:8;x:y ,t@s=2", Ok(2.0)),
            (",,ot=th:8,", Ok(2.0)),
            ("ot=th:8,ot=th:c", Ok(4.0)),
            ("ot=th:8,ot=a:b", Ok(1.0)),
            ("ot=", Err(SYNTAX)),
            ("ot=th:8;", Err(SYNTAX)),
            ("ot=th", Err(SYNTAX)),
            ("ot=th:xyz", Err(SYNTAX)),
            ("ot=th:", Err("t-value is empty")),
            (
                "ot=th:123456789012345",
                Err("t-value exceeds 14 hex digits"),
            ),
            ("ot=rv:1;th:8", Err("r-value must have 14 hex digits")),
            ("ot", Err(SYNTAX)),
            ("A=1", Err(SYNTAX)),
            ("1@a=1", Ok(1.0)),
            ("a@1=1", Err(SYNTAX)),
        ] {
            let given = threshold(state.as_bytes()).map(|found| count(found.unwrap_or(0)));
            assert_eq!(given, expected, "{state}");
        }
        assert_eq!(threshold(&[b'a'; 1025]), Err(SIZE));
        assert_eq!(threshold("a=1,".repeat(31).as_bytes()), Err(SIZE));
        assert_eq!(threshold("a=1,".repeat(30).as_bytes()), Ok(None));
        assert_eq!(count((1 << 56) - 1), (1u64 << 56) as f64);
    }
}
