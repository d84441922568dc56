//! Calendar time in UTC or in the machine's time zone, for rotated names.
//!
//! Safety: the C library's functions here read and write only the `tm` on this
//! stack that they are given, which is all integers and a pointer that nobody
//! follows; zero is a valid value of each.
#![allow(unsafe_code)]

/// A second of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Civil {
    pub year: i32,
    pub month: i32,
    pub day: i32,
    pub hour: i32,
    pub minute: i32,
    pub second: i32,
}

fn empty() -> libc::tm {
    // SAFETY: see above.
    unsafe { std::mem::zeroed() }
}

/// The calendar's reading `seconds` after 1970 began in UTC; `None` beyond the years it has.
pub fn civil(seconds: i64, local: bool) -> Option<Civil> {
    let mut tm = empty();
    // SAFETY: see above.
    let done = unsafe {
        if local {
            libc::localtime_r(&seconds, &mut tm)
        } else {
            libc::gmtime_r(&seconds, &mut tm)
        }
    };
    (!done.is_null()).then_some(Civil {
        year: tm.tm_year + 1900,
        month: tm.tm_mon + 1,
        day: tm.tm_mday,
        hour: tm.tm_hour,
        minute: tm.tm_min,
        second: tm.tm_sec,
    })
}

/// The seconds since 1970 began in UTC; `None` for a reading that no calendar has.
pub fn seconds(reading: Civil, local: bool) -> Option<i64> {
    let mut tm = empty();
    tm.tm_year = reading.year - 1900;
    tm.tm_mon = reading.month - 1;
    tm.tm_mday = reading.day;
    tm.tm_hour = reading.hour;
    tm.tm_min = reading.minute;
    tm.tm_sec = reading.second;
    tm.tm_isdst = -1;
    // SAFETY: see above.
    let seconds = unsafe {
        if local {
            libc::mktime(&mut tm)
        } else {
            libc::timegm(&mut tm)
        }
    };
    // The C library takes 31 February for 3 March.
    (civil(seconds, local) == Some(reading)).then_some(seconds)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn readings_go_there_and_back() {
        let reading = Civil {
            year: 2026,
            month: 2,
            day: 28,
            hour: 23,
            minute: 59,
            second: 59,
        };
        assert_eq!(seconds(reading, false), Some(1_772_323_199));
        assert_eq!(civil(1_772_323_199, false), Some(reading));
        assert_eq!(seconds(Civil { day: 31, ..reading }, false), None);
        let local = civil(1_772_323_199, true).unwrap();
        assert_eq!(seconds(local, true), Some(1_772_323_199));
    }
}
