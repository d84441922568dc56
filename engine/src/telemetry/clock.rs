//! Times as the Collector's logs and pages write them: UTC timestamps of RFC 3339
//! and Go's notation of durations.

use std::{
    fmt::Write,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A point in time, broken down to UTC's calendar.
struct Utc {
    year: i64,
    month: i64,
    day: i64,
    second_of_day: u64,
    nanos: u32,
}

/// Days since 1970-01-01 to year, month, day of the Gregorian calendar, by counting
/// in eras of 400 years that start on 1 March (algorithm: H. Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

fn utc(time: SystemTime) -> Utc {
    // A clock before 1970 is shown as 1970: nothing here depends on it.
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let days = i64::try_from(since.as_secs() / 86_400).unwrap_or(0);
    let (year, month, day) = civil_from_days(days);
    Utc {
        year,
        month,
        day,
        second_of_day: since.as_secs() % 86_400,
        nanos: since.subsec_nanos(),
    }
}

fn write_seconds(out: &mut String, utc: &Utc) {
    let (minutes, second) = (utc.second_of_day / 60, utc.second_of_day % 60);
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{second:02}",
        utc.year,
        utc.month,
        utc.day,
        minutes / 60,
        minutes % 60,
    );
}

/// Appends `time` as log lines have it: `2026-01-02T15:04:05.678Z`.
pub fn write_millis(out: &mut String, time: SystemTime) {
    let utc = utc(time);
    write_seconds(out, &utc);
    let _ = write!(out, ".{:03}Z", utc.nanos / 1_000_000);
}

/// `time` with as many digits of its nanoseconds as are not zero at the end (Go's
/// `RFC3339Nano`): `2026-01-02T15:04:05.67Z`.
pub fn rfc3339_nano(time: SystemTime) -> String {
    let utc = utc(time);
    let mut out = String::with_capacity(30);
    write_seconds(&mut out, &utc);
    if utc.nanos > 0 {
        let digits = format!("{:09}", utc.nanos);
        let _ = write!(out, ".{}", digits.trim_end_matches('0'));
    }
    out.push('Z');
    out
}

/// A duration in Go's notation (`time.Duration.String`): `1h2m3.5s`, `8.02s`, `150ms`, `0s`.
pub fn go_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let fraction = |value: u128, unit: u128, digits: usize| {
        let rest = value % unit;
        if rest == 0 {
            return (value / unit).to_string();
        }
        let rest = format!("{rest:0digits$}");
        format!("{}.{}", value / unit, rest.trim_end_matches('0'))
    };
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{}µs", fraction(nanos, 1_000, 3)),
        1_000_000..1_000_000_000 => format!("{}ms", fraction(nanos, 1_000_000, 6)),
        _ => {
            let minutes = nanos / 60_000_000_000;
            let seconds = fraction(nanos % 60_000_000_000, 1_000_000_000, 9);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_utc_rfc3339() {
        for (seconds, nanos, millis, nano) in [
            (0, 0, "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00Z"),
            (
                951_782_399,
                0,
                "2000-02-28T23:59:59.000Z",
                "2000-02-28T23:59:59Z",
            ),
            (
                951_782_400,
                1_000,
                "2000-02-29T00:00:00.000Z",
                "2000-02-29T00:00:00.000001Z",
            ),
            (
                1_709_164_800,
                543_916_170,
                "2024-02-29T00:00:00.543Z",
                "2024-02-29T00:00:00.54391617Z",
            ),
            (
                1_735_689_599,
                999_999_999,
                "2024-12-31T23:59:59.999Z",
                "2024-12-31T23:59:59.999999999Z",
            ),
            (
                4_107_542_400,
                0,
                "2100-03-01T00:00:00.000Z",
                "2100-03-01T00:00:00Z",
            ),
        ] {
            let time = UNIX_EPOCH + Duration::new(seconds, nanos);
            let mut out = String::new();
            write_millis(&mut out, time);
            assert_eq!(out, millis);
            assert_eq!(rfc3339_nano(time), nano);
        }
    }

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (150_000_000, "150ms"),
            (1_000_000_000, "1s"),
            (3_562_720_342, "3.562720342s"),
            (8_020_000_000, "8.02s"),
            (60_000_000_000, "1m0s"),
            (3_723_500_000_000, "1h2m3.5s"),
            (90_000_000_000_000, "25h0m0s"),
        ] {
            assert_eq!(go_duration(Duration::from_nanos(nanos)), text);
        }
    }
}
