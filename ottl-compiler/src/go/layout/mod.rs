//! Layouts of dates as Go's package `time` has them: a text in which the parts of one certain
//! moment (`2006-01-02 15:04:05`) stand for those of any other; how a time is written after one
//! (here), and how a text is read after one (`read`). What makes layouts of strptime formats is
//! not here.

mod read;

use std::io::Write as _;

use super::time::Time;

pub use read::Mismatch;

/// A layout, taken apart.
#[derive(Clone, Debug)]
pub struct Layout {
    chunks: Vec<Chunk>,
    /// What is behind the last part.
    tail: Box<[u8]>,
}

/// A part, and the text before it.
#[derive(Clone, Debug)]
struct Chunk {
    prefix: Box<[u8]>,
    part: Part,
    /// As the layout has it.
    spelled: Box<[u8]>,
}

/// A part of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Year,
    LongYear,
    Month,
    LongMonth,
    NumMonth,
    ZeroMonth,
    WeekDay,
    LongWeekDay,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    Upper12,
    Lower12,
    /// The abbreviation of the zone.
    Zone,
    /// The offset of the zone.
    Offset {
        /// Whether no offset is `Z`.
        z: bool,
        colons: bool,
        /// 1: hours, 2: and minutes, 3: and seconds.
        fields: u8,
    },
    /// Of a second, so many digits behind that separator; trailing zeros are left out or not.
    Fraction {
        digits: u8,
        separator: u8,
        trim: bool,
    },
}

/// The parts of fixed spelling, longer ones before those they begin with.
const PARTS: &[(&[u8], Part)] = &[
    (b"January", Part::LongMonth),
    (b"Jan", Part::Month),
    (b"Monday", Part::LongWeekDay),
    (b"Mon", Part::WeekDay),
    (b"MST", Part::Zone),
    (b"01", Part::ZeroMonth),
    (b"02", Part::ZeroDay),
    (b"03", Part::ZeroHour12),
    (b"04", Part::ZeroMinute),
    (b"05", Part::ZeroSecond),
    (b"06", Part::Year),
    (b"002", Part::ZeroYearDay),
    (b"15", Part::Hour),
    (b"1", Part::NumMonth),
    (b"2006", Part::LongYear),
    (b"2", Part::Day),
    (b"__2", Part::UnderYearDay),
    (b"_2", Part::UnderDay),
    (b"3", Part::Hour12),
    (b"4", Part::Minute),
    (b"5", Part::Second),
    (b"PM", Part::Upper12),
    (b"pm", Part::Lower12),
    (b"-070000", offset(false, false, 3)),
    (b"-07:00:00", offset(false, true, 3)),
    (b"-0700", offset(false, false, 2)),
    (b"-07:00", offset(false, true, 2)),
    (b"-07", offset(false, false, 1)),
    (b"Z070000", offset(true, false, 3)),
    (b"Z07:00:00", offset(true, true, 3)),
    (b"Z0700", offset(true, false, 2)),
    (b"Z07:00", offset(true, true, 2)),
    (b"Z07", offset(true, false, 1)),
];

const fn offset(z: bool, colons: bool, fields: u8) -> Part {
    Part::Offset { z, colons, fields }
}

/// The names of months.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The names of the days of a week.
pub const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// The part at the start of a text, and its length.
fn part(text: &[u8]) -> Option<(Part, usize)> {
    if let [separator @ (b'.' | b','), digit @ (b'0' | b'9'), ..] = text {
        let digits = text.iter().skip(1).take_while(|byte| *byte == digit);
        let len = 1 + digits.count();
        if text.get(len).is_some_and(u8::is_ascii_digit) {
            return None;
        }
        let fraction = Part::Fraction {
            digits: (len - 1).min(255) as u8,
            separator: *separator,
            trim: *digit == b'9',
        };
        return Some((fraction, len));
    }
    // A `_` before a year is just that.
    if text.starts_with(b"_2006") {
        return None;
    }
    let (spelled, part) = PARTS
        .iter()
        .find(|(spelled, _)| text.starts_with(spelled))?;
    let short_name = matches!(part, Part::Month | Part::WeekDay);
    if short_name && text.get(3).is_some_and(u8::is_ascii_lowercase) {
        return None;
    }
    Some((*part, spelled.len()))
}

impl Layout {
    /// Takes a layout apart.
    pub fn new(layout: &[u8]) -> Layout {
        let mut chunks = Vec::new();
        let (mut start, mut at) = (0, 0);
        while at < layout.len() {
            let rest = layout.get(at..).unwrap_or_default();
            let Some((part, len)) = part(rest) else {
                at += 1;
                continue;
            };
            chunks.push(Chunk {
                prefix: layout.get(start..at).unwrap_or_default().into(),
                part,
                spelled: rest.get(..len).unwrap_or_default().into(),
            });
            at += len;
            start = at;
        }
        Layout {
            chunks,
            tail: layout.get(start..).unwrap_or_default().into(),
        }
    }

    /// Appends a time.
    pub fn format(&self, time: Time, out: &mut Vec<u8>) {
        let (year, month, day) = time.date();
        let (hour, minute, second) = time.clock();
        let hour12 = match hour % 12 {
            0 => 12,
            hour => hour,
        };
        let month_name = MONTHS.get(month as usize - 1).unwrap_or(&"");
        let day_name = DAYS.get(time.weekday() as usize).unwrap_or(&"");
        let short = |name: &'static str| name.get(..3).unwrap_or_default();
        for chunk in &self.chunks {
            out.extend_from_slice(&chunk.prefix);
            // Writing to memory does not fail.
            let _ = match chunk.part {
                Part::Year => write!(out, "{:02}", year.abs() % 100),
                Part::LongYear if year < 0 => write!(out, "-{:04}", -year),
                Part::LongYear => write!(out, "{year:04}"),
                Part::Month => write!(out, "{}", short(month_name)),
                Part::LongMonth => write!(out, "{month_name}"),
                Part::NumMonth => write!(out, "{month}"),
                Part::ZeroMonth => write!(out, "{month:02}"),
                Part::WeekDay => write!(out, "{}", short(day_name)),
                Part::LongWeekDay => write!(out, "{day_name}"),
                Part::Day => write!(out, "{day}"),
                Part::UnderDay => write!(out, "{day:2}"),
                Part::ZeroDay => write!(out, "{day:02}"),
                Part::UnderYearDay => write!(out, "{:3}", time.day_of_year()),
                Part::ZeroYearDay => write!(out, "{:03}", time.day_of_year()),
                Part::Hour => write!(out, "{hour:02}"),
                Part::Hour12 => write!(out, "{hour12}"),
                Part::ZeroHour12 => write!(out, "{hour12:02}"),
                Part::Minute => write!(out, "{minute}"),
                Part::ZeroMinute => write!(out, "{minute:02}"),
                Part::Second => write!(out, "{second}"),
                Part::ZeroSecond => write!(out, "{second:02}"),
                Part::Upper12 => write!(out, "{}", if hour < 12 { "AM" } else { "PM" }),
                Part::Lower12 => write!(out, "{}", if hour < 12 { "am" } else { "pm" }),
                Part::Zone => match time.zone.at(time.seconds) {
                    (b"", offset) => put_offset(offset, false, 2, out),
                    (name, _) => out.write_all(name),
                },
                Part::Offset { z, colons, fields } => match time.offset() {
                    0 if z => write!(out, "Z"),
                    offset => put_offset(offset, colons, fields, out),
                },
                Part::Fraction {
                    digits,
                    separator,
                    trim,
                } => {
                    put_fraction(time.nanos, digits, separator, trim, out);
                    Ok(())
                }
            };
        }
        out.extend_from_slice(&self.tail);
    }
}

/// Hours, minutes and seconds of an offset.
fn put_offset(offset: i32, colons: bool, fields: u8, out: &mut Vec<u8>) -> std::io::Result<()> {
    let sign = if offset / 60 < 0 { '-' } else { '+' };
    let (minutes, seconds) = ((offset / 60).abs(), offset.abs() % 60);
    let colon = if colons { ":" } else { "" };
    write!(out, "{sign}{:02}", minutes / 60)?;
    if fields > 1 {
        write!(out, "{colon}{:02}", minutes % 60)?;
    }
    if fields > 2 {
        write!(out, "{colon}{seconds:02}")?;
    }
    Ok(())
}

fn put_fraction(nanos: u32, digits: u8, separator: u8, trim: bool, out: &mut Vec<u8>) {
    if trim && nanos == 0 {
        return;
    }
    let all = format!("{nanos:09}");
    let mut kept = all.get(..usize::from(digits).min(9)).unwrap_or(&all);
    if trim {
        kept = kept.trim_end_matches('0');
        if kept.is_empty() {
            // As in Go, zeros right before the separator go too when nothing is left of it.
            return;
        }
    }
    out.push(separator);
    out.extend_from_slice(kept.as_bytes());
}
