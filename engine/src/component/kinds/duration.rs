//! Lengths of time in Go's notation: read, printed, kept in nanoseconds.

use std::{fmt, time::Duration};

use super::unconvertible;
use crate::{
    component::declaration::{Printed, Setting, Shape},
    config::{
        diagnostics::Decoder,
        node::{Node, Value},
    },
};

/// A length of time as Go writes it (`1h30m`, `200ms`); a bare number is
/// nanoseconds. May be negative; rules decide what that means.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration {
    nanos: i64,
}

impl GoDuration {
    /// No time.
    pub const ZERO: GoDuration = GoDuration { nanos: 0 };

    /// From nanoseconds.
    pub const fn nanos(nanos: i64) -> Self {
        GoDuration { nanos }
    }

    /// From milliseconds.
    pub const fn millis(millis: i64) -> Self {
        GoDuration {
            nanos: millis.saturating_mul(1_000_000),
        }
    }

    /// From seconds.
    pub const fn secs(secs: i64) -> Self {
        GoDuration {
            nanos: secs.saturating_mul(1_000_000_000),
        }
    }

    /// Nanoseconds.
    pub const fn as_nanos(self) -> i64 {
        self.nanos
    }

    /// The duration; negative counts as none.
    pub fn get(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.nanos).unwrap_or(0))
    }

    /// The duration when it is more than none: where 0 means "no limit".
    pub fn positive(self) -> Option<Duration> {
        (self.nanos > 0).then(|| self.get())
    }

    /// Reads Go's notation.
    ///
    /// # Errors
    /// The phrase of the Collector's message, without the input.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const INVALID: &str = "time: invalid duration";
        let (negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, text.get(1..).unwrap_or("")),
            Some(b'+') => (false, text.get(1..).unwrap_or("")),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(GoDuration::ZERO);
        }
        if rest.is_empty() {
            return Err(INVALID);
        }
        let mut total: i128 = 0;
        while !rest.is_empty() {
            let cut = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();
            let (whole, after) = rest.split_at(cut(rest));
            let (fraction, after) = match after.strip_prefix('.') {
                Some(after) => after.split_at(cut(after)),
                None => ("", after),
            };
            if whole.is_empty() && fraction.is_empty() {
                return Err(INVALID);
            }
            let end = after
                .find(|c: char| c == '.' || c.is_ascii_digit())
                .unwrap_or(after.len());
            let (unit, after) = after.split_at(end);
            let unit: i128 = match unit {
                "" => return Err("time: missing unit in duration"),
                "ns" => 1,
                "us" | "µs" | "μs" => 1_000,
                "ms" => 1_000_000,
                "s" => 1_000_000_000,
                "m" => 60_000_000_000,
                "h" => 3_600_000_000_000,
                _ => return Err("time: unknown unit"),
            };
            let whole: i128 = match whole {
                "" => 0,
                digits => digits.parse().map_err(|_| INVALID)?,
            };
            // Digits beyond the eighteenth are far below a nanosecond.
            let fraction = fraction.get(..fraction.len().min(18)).unwrap_or("");
            let part: i128 = match fraction {
                "" => 0,
                digits => {
                    digits.parse::<i128>().map_err(|_| INVALID)? * unit
                        / 10_i128.pow(digits.len() as u32)
                }
            };
            total = whole
                .checked_mul(unit)
                .and_then(|whole| total.checked_add(whole)?.checked_add(part))
                .filter(|total| *total <= i128::from(i64::MAX) + 1)
                .ok_or(INVALID)?;
            rest = after;
        }
        let total = if negative { -total } else { total };
        i64::try_from(total)
            .map(GoDuration::nanos)
            .map_err(|_| INVALID)
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.nanos.unsigned_abs();
        if self.nanos < 0 {
            f.write_str("-")?;
        }
        let number = |value: u64, scale: u64| {
            let (whole, fraction) = (value / scale, value % scale);
            let digits = scale.ilog10() as usize;
            let text = format!("{whole}.{fraction:0digits$}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        match nanos {
            0 => f.write_str("0s"),
            n if n < 1_000 => write!(f, "{n}ns"),
            n if n < 1_000_000 => write!(f, "{}µs", number(n, 1_000)),
            n if n < 1_000_000_000 => write!(f, "{}ms", number(n, 1_000_000)),
            n => {
                let (hours, minutes) = (n / 3_600_000_000_000, n / 60_000_000_000 % 60);
                if hours > 0 {
                    write!(f, "{hours}h{minutes}m")?;
                } else if minutes > 0 {
                    write!(f, "{minutes}m")?;
                }
                write!(f, "{}s", number(n % 60_000_000_000, 1_000_000_000))
            }
        }
    }
}

impl fmt::Debug for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Setting for GoDuration {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        match &node.value {
            Value::Null => {
                if node.original.is_some() {
                    self.nanos = 0;
                }
            }
            Value::Integer(value) => match i64::try_from(*value) {
                Ok(nanos) => self.nanos = nanos,
                Err(_) => cx.error(node, "time: invalid duration", None),
            },
            // What does not fit becomes the smallest number, as on the Collector's machines.
            Value::Float(value) => {
                let fits = value.abs() < i64::MAX as f64;
                self.nanos = if fits { *value as i64 } else { i64::MIN };
            }
            Value::Text(text) => match GoDuration::parse(text) {
                Ok(duration) => *self = duration,
                Err(phrase) => {
                    let hint = "write a number with a unit, as 500ms, 5s, 1m30s; units: ns, us, ms, s, m, h";
                    cx.error(node, phrase, Some(hint.to_owned()));
                }
            },
            _ => unconvertible(node, "time.Duration", cx),
        }
    }
    fn clear(&mut self) {
        self.nanos = 0;
    }
    fn print(&self) -> Printed {
        Printed::Duration(self.nanos)
    }
    fn shape(&self) -> Shape {
        Shape::Duration
    }
}
