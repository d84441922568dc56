//! Points in time and durations as Go's package `time` has them: a range of billions of years,
//! durations that saturate when two times are subtracted, and their texts.

use std::{
    fmt::Write as _,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    layout::{Layout, MONTHS},
    zone::Zone,
};

/// Nanoseconds of a second.
const NANOS: i64 = 1_000_000_000;

/// Seconds from the first of March of the year -292277022400, from which Go's calendar counts, to
/// 1970.
const ABSOLUTE: u64 = 9_223_372_028_741_760_000;

/// Seconds from the first of January of the year 1, from which Go counts, to 1970.
const YEAR_ONE: i64 = 62_135_596_800;

/// A point in time, with the zone that it is told in.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds beyond that, below a second.
    pub nanos: u32,
    /// The zone that it is told in.
    pub zone: Zone,
}

impl PartialEq for Time {
    /// The same instant, whatever the zone.
    fn eq(&self, other: &Time) -> bool {
        self.instant() == other.instant()
    }
}

impl Time {
    /// Seconds and nanoseconds since 1970, which need not be below a second, in UTC.
    pub const fn unix(seconds: i64, nanos: i64) -> Time {
        Time {
            seconds: seconds.wrapping_add(nanos.div_euclid(NANOS)),
            nanos: nanos.rem_euclid(NANOS) as u32,
            zone: Zone::Utc,
        }
    }

    /// The same time, told in another zone.
    pub fn told_in(self, zone: Zone) -> Time {
        Time { zone, ..self }
    }

    /// What a calendar and a clock of the zone show: months from 1, and any number of days and
    /// seconds, which are counted on from there.
    pub fn of_date(year: i64, month: u32, day: i64, second: i64, nanos: u32, zone: Zone) -> Time {
        let days = days_before(year, month).saturating_add(day - 1);
        let shown = days.saturating_mul(86_400).saturating_add(second);
        Time {
            seconds: zone.from_shown(shown),
            nanos,
            zone,
        }
    }

    /// Seconds east of Greenwich in its own zone.
    pub fn offset(self) -> i32 {
        self.zone.offset(self.seconds)
    }

    /// Nanoseconds since 1970, in UTC.
    pub fn from_nanos(nanos: i64) -> Time {
        Time::unix(0, nanos)
    }

    /// Nanoseconds since 1970; beyond what 64 bits hold it wraps, as in Go.
    pub fn unix_nanos(self) -> i64 {
        self.seconds
            .wrapping_mul(NANOS)
            .wrapping_add(i64::from(self.nanos))
    }

    /// For comparing: seconds since the year 1, where those that do not fit have wrapped.
    pub fn instant(self) -> (i64, u32) {
        (self.seconds.wrapping_add(YEAR_ONE), self.nanos)
    }

    /// A duration later.
    pub fn plus(self, nanos: i64) -> Time {
        let sum = i64::from(self.nanos) + nanos.rem_euclid(NANOS);
        let seconds = self.seconds.wrapping_add(nanos.div_euclid(NANOS));
        Time {
            seconds: seconds.wrapping_add(sum.div_euclid(NANOS)),
            nanos: sum.rem_euclid(NANOS) as u32,
            zone: self.zone,
        }
    }

    /// The time since another, in nanoseconds; at most what 64 bits hold.
    pub fn since(self, other: Time) -> i64 {
        let seconds = i128::from(self.instant().0) - i128::from(other.instant().0);
        let nanos = seconds * i128::from(NANOS) + i128::from(self.nanos) - i128::from(other.nanos);
        nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }

    /// Year, month (1 to 12) and day of the month in its own zone.
    pub fn date(self) -> (i64, u32, u32) {
        // Howard Hinnant's days-to-civil: years begin in March, eras are 400 years.
        let days = self.shown().0 + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year + era * 400 + i64::from(month <= 2);
        (year, month as u32, day as u32)
    }

    /// Hour, minute and second of the day in its own zone.
    pub fn clock(self) -> (u32, u32, u32) {
        let second = self.shown().1;
        (second / 3_600, second / 60 % 60, second % 60)
    }

    /// The day of the week in its own zone; 0 is Sunday.
    pub fn weekday(self) -> u32 {
        // The first of January 1970 was a Thursday.
        (self.shown().0 + 4).rem_euclid(7) as u32
    }

    /// The day of the year in its own zone; 1 is the first.
    pub fn day_of_year(self) -> u32 {
        let (days, _) = self.shown();
        (days - days_before(self.date().0, 1) + 1) as u32
    }

    /// Days since 1970 and seconds of the day in its own zone. What a time without sign from
    /// [`ABSOLUTE`] on does not hold wraps, as in Go.
    fn shown(self) -> (i64, u32) {
        let local = self.seconds.wrapping_add(i64::from(self.offset()));
        let absolute = (local as u64).wrapping_add(ABSOLUTE);
        let days = (absolute / 86_400) as i64 - (ABSOLUTE / 86_400) as i64;
        (days, (absolute % 86_400) as u32)
    }

    /// `2006-01-02T15:04:05.999999999Z07:00`. `None` for a year that it has no four digits for.
    pub fn rfc3339(self) -> Option<String> {
        let (year, month, day) = self.date();
        let (hour, minute, second) = self.clock();
        if !(0..=9999).contains(&year) {
            return None;
        }
        let mut out = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
        if self.nanos > 0 {
            let digits = format!("{:09}", self.nanos);
            let _ = write!(out, ".{}", digits.trim_end_matches('0'));
        }
        match self.offset() {
            0 => out.push('Z'),
            offset => {
                let sign = if offset < 0 { '-' } else { '+' };
                let minutes = offset.abs() / 60;
                let _ = write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
            }
        }
        Some(out)
    }

    /// The time cut down to a multiple of a duration since the year 1; as it is for none.
    pub fn truncate(self, nanos: i64) -> Time {
        if nanos <= 0 {
            return self;
        }
        let since = i128::from(self.instant().0) * i128::from(NANOS) + i128::from(self.nanos);
        let over = since.rem_euclid(i128::from(nanos)) as i64;
        self.plus(-over)
    }
}

/// This moment, told in the process's zone.
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    // A clock before 1970 is taken for one that was never set.
    let since = since.unwrap_or_default();
    Time::unix(since.as_secs() as i64, i64::from(since.subsec_nanos())).told_in(Zone::local())
}

/// `2006-01-02 15:04:05.999999999 -0700 MST`, as `Time.String` has it.
pub fn text(time: Time) -> Vec<u8> {
    let mut out = Vec::new();
    Layout::new(b"2006-01-02 15:04:05.999999999 -0700 MST").format(time, &mut out);
    out
}

/// The Go expression that makes a time.
pub fn go_syntax(time: Time) -> Vec<u8> {
    let (year, month, day) = time.date();
    let (hour, minute, second) = time.clock();
    let month = MONTHS.get(month as usize - 1).unwrap_or(&"");
    let zone = match time.zone {
        Zone::Utc => "time.UTC".to_owned(),
        zone => {
            let name = String::from_utf8_lossy(zone.at(time.seconds).0).into_owned();
            format!("time.Location({name:?})")
        }
    };
    let nanos = time.nanos;
    format!("time.Date({year}, time.{month}, {day}, {hour}, {minute}, {second}, {nanos}, {zone})")
        .into_bytes()
}

/// A duration as `Duration.String` has it: `1h2m3.5s`.
pub fn duration_text(nanos: i64) -> String {
    let size = nanos.unsigned_abs();
    let sign = if nanos < 0 { "-" } else { "" };
    let fraction = |scale: u64| {
        let (whole, part) = (size / scale, size % scale);
        let digits = scale.ilog10() as usize;
        match part {
            0 => whole.to_string(),
            part => format!("{whole}.{part:0digits$}")
                .trim_end_matches('0')
                .to_owned(),
        }
    };
    match size {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{size}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", fraction(1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", fraction(1_000_000)),
        _ => {
            let all = size / 1_000_000_000;
            let (hours, minutes, seconds) = (all / 3_600, all / 60 % 60, all % 60);
            let part = format!("{:09}", size % 1_000_000_000);
            let part = part.trim_end_matches('0');
            let point = if part.is_empty() { "" } else { "." };
            match (hours, minutes) {
                (0, 0) => format!("{sign}{seconds}{point}{part}s"),
                (0, minutes) => format!("{sign}{minutes}m{seconds}{point}{part}s"),
                _ => format!("{sign}{hours}h{minutes}m{seconds}{point}{part}s"),
            }
        }
    }
}

/// Days from 1970 to the first of a month (from 1).
fn days_before(year: i64, month: u32) -> i64 {
    // The way back from `Time::date`: years begin in March.
    let year = year - i64::from(month <= 2);
    let month = i64::from((month + 9) % 12);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Days of a month (from 1).
pub fn days_in(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A duration in Go's syntax: `1h2m3.5s`, in nanoseconds.
///
/// # Errors
/// Go's text.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let (negative, mut rest) = match text.as_bytes() {
        [b'-', ..] => (true, text.get(1..).unwrap_or_default()),
        [b'+', ..] => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, after) = rest.split_at(digits(rest));
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(digits(after)),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let unit_len = after
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        let scale: u64 = match unit {
            "" => return Err(format!("time: missing unit in duration {text:?}")),
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return Err(format!("time: unknown unit {unit:?} in duration {text:?}")),
        };
        let whole: u64 = match whole {
            "" => 0,
            whole => whole.parse().map_err(|_| invalid())?,
        };
        let value = whole.checked_mul(scale).ok_or_else(invalid)?;
        // Digits beyond what a number holds do not count, as in Go.
        let mut part: f64 = 0.0;
        if !fraction.is_empty() {
            let kept = fraction.get(..fraction.len().min(18)).unwrap_or_default();
            let digits: f64 = kept.parse().unwrap_or(0.0);
            part = digits * (scale as f64 / 10f64.powi(kept.len() as i32));
        }
        total = value
            .checked_add(part as u64)
            .and_then(|value| total.checked_add(value))
            .filter(|total| *total <= 1 << 63)
            .ok_or_else(invalid)?;
        rest = after;
    }
    match (negative, i64::try_from(total)) {
        (false, Ok(total)) => Ok(total),
        (false, Err(_)) => Err(invalid()),
        (true, _) => Ok((total as i64).wrapping_neg()),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::zone::Fixed, *};

    #[test]
    fn dates_are_counted_as_they_are_told() {
        for (year, month, day) in [
            (1970, 1, 1),
            (2020, 2, 29),
            (0, 2, 29),
            (1969, 12, 31),
            (-1, 3, 1),
        ] {
            let time = Time::of_date(year, month, i64::from(day), 3_661, 5, Zone::Utc);
            assert_eq!(time.date(), (year, month, day));
            assert_eq!(time.clock(), (1, 1, 1));
        }
        assert_eq!(
            Time::of_date(2021, 2, 29, 0, 0, Zone::Utc).date(),
            (2021, 3, 1)
        );
        assert_eq!(
            Time::of_date(2020, 12, 31, 0, 0, Zone::Utc).day_of_year(),
            366
        );
    }

    #[test]
    fn times_are_told_as_go_tells_them() {
        for (seconds, nanos, offset, text) in [
            (
                1_581_452_772,
                321,
                0,
                Some("2020-02-11T20:26:12.000000321Z"),
            ),
            (0, 0, 3_600, Some("1970-01-01T01:00:00+01:00")),
            (
                -1,
                500_000_000,
                -19_800,
                Some("1969-12-31T18:29:59.5-05:30"),
            ),
            (951_782_400, 0, 0, Some("2000-02-29T00:00:00Z")),
            (-62_135_596_800, 0, 0, Some("0001-01-01T00:00:00Z")),
            (253_402_300_800, 0, 0, None),
        ] {
            let time = Time {
                seconds,
                nanos,
                zone: Zone::Fixed(Fixed::new(offset, b"")),
            };
            assert_eq!(time.rfc3339().as_deref(), text, "{seconds}");
        }
        assert_eq!(Time::unix(1_581_452_772, 0).weekday(), 2);
        let apart = Time::unix(9_999_999_999_999, 0).since(Time::unix(-9_999_999_999_999, 0));
        assert_eq!(apart, i64::MAX);
        let hour = Time::unix(1_581_452_772, 321).truncate(3_600_000_000_000);
        assert_eq!(hour.rfc3339().as_deref(), Some("2020-02-11T20:00:00Z"));
    }

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, nanos) in [
            ("1h2m3.5s", Ok(3_723_500_000_000)),
            ("-1.5h", Ok(-5_400_000_000_000)),
            ("0", Ok(0)),
            (".5s", Ok(500_000_000)),
            ("1µs", Ok(1_000)),
            ("2562047h47m16.854775807s", Ok(i64::MAX)),
            ("1", Err("time: missing unit in duration \"1\"")),
            ("1d", Err("time: unknown unit \"d\" in duration \"1d\"")),
            ("", Err("time: invalid duration \"\"")),
            ("s", Err("time: invalid duration \"s\"")),
            ("3000000h", Err("time: invalid duration \"3000000h\"")),
        ] {
            let read = parse_duration(text);
            assert_eq!(
                read.as_ref().map_err(String::as_str),
                nanos.as_ref().map_err(|e| *e)
            );
        }
    }
}
