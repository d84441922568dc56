//! Numbers and times as Go spells them.

use crate::telemetry::clock;
use std::time::{Duration, UNIX_EPOCH};

/// A double as JSON of Go has it: shortest digits, an exponent below 10⁻⁶ and from 10²¹ on,
/// and names for what is no number.
pub fn json(value: f64) -> String {
    special(value, "Infinity").unwrap_or_else(|| exponent(value, -6, 0))
}

/// A double as Go's `%v` has it: shortest digits, an exponent of two digits at least below 10⁻⁴
/// and from 10²¹ on.
pub fn v(value: f64) -> String {
    special(value, "Inf").map_or_else(
        || exponent(value, -4, 2),
        |text| match text.as_str() {
            "Inf" => "+Inf".to_owned(),
            _ => text,
        },
    )
}

/// A double as Go's `%f` has it: six digits.
pub fn f(value: f64) -> String {
    special(value, "Inf").map_or_else(
        || format!("{value:.6}"),
        |text| match text.as_str() {
            "Inf" => "+Inf".to_owned(),
            _ => text,
        },
    )
}

fn special(value: f64, infinity: &str) -> Option<String> {
    if value.is_nan() {
        return Some("NaN".to_owned());
    }
    value.is_infinite().then(|| {
        let sign = if value < 0.0 { "-" } else { "" };
        format!("{sign}{infinity}")
    })
}

fn exponent(value: f64, least: i32, digits: usize) -> String {
    let scientific = format!("{value:e}");
    let (mantissa, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    if value == 0.0 || (least..21).contains(&power) {
        return format!("{value}");
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:0digits$}", power.abs())
}

/// Nanoseconds since 1970 as Go's `time.Time.String` has them in UTC:
/// `2018-12-13 14:51:00.3 +0000 UTC`.
pub fn time(nanos: u64) -> String {
    let time = clock::rfc3339_nano(UNIX_EPOCH + Duration::from_nanos(nanos));
    let time = time.strip_suffix('Z').unwrap_or(&time);
    format!("{} +0000 UTC", time.replacen('T', " ", 1))
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_spelled_as_go_spells_them() {
        // value, JSON, %v, %f
        for (value, json, v, f) in [
            (0.0, "0", "0", "0.000000"),
            (637.704, "637.704", "637.704", "637.704000"),
            (
                1e20,
                "100000000000000000000",
                "100000000000000000000",
                "100000000000000000000.000000",
            ),
            (1e21, "1e+21", "1e+21", "1000000000000000000000.000000"),
            (0.00001, "0.00001", "1e-05", "0.000010"),
            (1e-7, "1e-7", "1e-07", "0.000000"),
            (
                7.999999999999998,
                "7.999999999999998",
                "7.999999999999998",
                "8.000000",
            ),
            (f64::INFINITY, "Infinity", "+Inf", "+Inf"),
            (f64::NEG_INFINITY, "-Infinity", "-Inf", "-Inf"),
            (f64::NAN, "NaN", "NaN", "NaN"),
        ] {
            assert_eq!(super::json(value), json);
            assert_eq!(super::v(value), v);
            assert_eq!(super::f(value), f);
        }
    }

    #[test]
    fn times_are_spelled_as_go_spells_them() {
        assert_eq!(super::time(0), "1970-01-01 00:00:00 +0000 UTC");
        assert_eq!(
            super::time(1_544_712_660_300_000_000),
            "2018-12-13 14:51:00.3 +0000 UTC"
        );
    }
}
