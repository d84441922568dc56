//! Reading a time after a layout.

use super::{
    super::{
        time::{Time, days_in},
        zone::{Fixed, Zone},
    },
    DAYS, Layout, MONTHS, Part,
};

/// Why a text does not follow a layout: which element it is, and what was left of the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// As the layout spells it; empty where it is none.
    pub element: Vec<u8>,
    /// What was left there.
    pub rest: Vec<u8>,
}

impl Layout {
    /// Reads a time, in a zone where the text names none.
    ///
    /// # Errors
    /// What does not follow the layout, or is out of range.
    pub fn parse(&self, text: &[u8], zone: Zone) -> Result<Time, Mismatch> {
        let mut read = Read::default();
        let mut rest = text;
        for (at, chunk) in self.chunks.iter().enumerate() {
            skip(&mut rest, &chunk.prefix)?;
            let next = self.chunks.get(at + 1);
            let fraction_follows =
                next.is_some_and(|next| matches!(next.part, Part::Fraction { .. }));
            let hold = rest;
            let read = read.part(chunk.part, &mut rest, fraction_follows);
            read.map_err(|wrong| Mismatch {
                element: chunk.spelled.to_vec(),
                rest: match wrong {
                    Wrong::Range => rest.to_vec(),
                    Wrong::Value => hold.to_vec(),
                },
            })?;
        }
        skip(&mut rest, &self.tail)?;
        let nowhere = |rest: &[u8]| Mismatch {
            element: Vec::new(),
            rest: rest.to_vec(),
        };
        if !rest.is_empty() {
            return Err(nowhere(rest));
        }
        read.finish(zone).ok_or_else(|| nowhere(b""))
    }
}

/// Takes the text between two parts off; a space stands for any number of them.
fn skip(rest: &mut &[u8], prefix: &[u8]) -> Result<(), Mismatch> {
    let mut wanted = prefix;
    while let Some((first, after)) = wanted.split_first() {
        let matches = match (first, rest.first()) {
            (b' ', found) => found.is_none_or(|found| *found == b' '),
            (first, found) => found == Some(first),
        };
        if !matches {
            return Err(Mismatch {
                element: prefix.to_vec(),
                rest: rest.to_vec(),
            });
        }
        if *first == b' ' {
            wanted = wanted.trim_prefix_spaces();
            *rest = rest.trim_prefix_spaces();
        } else {
            wanted = after;
            *rest = rest.get(1..).unwrap_or_default();
        }
    }
    Ok(())
}

trait TrimSpaces {
    fn trim_prefix_spaces(&self) -> &Self;
}

impl TrimSpaces for [u8] {
    fn trim_prefix_spaces(&self) -> &[u8] {
        let spaces = self.iter().take_while(|byte| **byte == b' ').count();
        self.get(spaces..).unwrap_or_default()
    }
}

/// What is wrong with a part: it is not what is wanted, or too large.
enum Wrong {
    Value,
    Range,
}

/// What has been read of a text.
#[derive(Default)]
struct Read {
    year: i64,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    nanos: u32,
    is_utc: bool,
    before_noon: bool,
    after_noon: bool,
    offset: Option<i32>,
    zone: Vec<u8>,
}

impl Read {
    fn part(&mut self, part: Part, rest: &mut &[u8], fraction_follows: bool) -> Result<(), Wrong> {
        let within = |value: u32, range: std::ops::RangeInclusive<u32>| match range.contains(&value)
        {
            true => Ok(value),
            false => Err(Wrong::Range),
        };
        match part {
            Part::Year => {
                // Signs do, as in Go's number syntax.
                let year = signed(take(rest, 2)?).ok_or(Wrong::Value)?;
                self.year = year + if year >= 69 { 1900 } else { 2000 };
            }
            Part::LongYear => {
                let digits = rest.get(..4).ok_or(Wrong::Value)?;
                if !digits.first().is_some_and(u8::is_ascii_digit) {
                    return Err(Wrong::Value);
                }
                *rest = rest.get(4..).unwrap_or_default();
                self.year = signed(digits).ok_or(Wrong::Value)?;
            }
            Part::Month => self.month = Some(name(rest, &MONTHS, 3)? + 1),
            Part::LongMonth => self.month = Some(name(rest, &MONTHS, usize::MAX)? + 1),
            Part::NumMonth | Part::ZeroMonth => {
                let month = number(rest, part == Part::ZeroMonth)?;
                self.month = Some(within(month, 1..=12)?);
            }
            Part::WeekDay => drop(name(rest, &DAYS, 3)?),
            Part::LongWeekDay => drop(name(rest, &DAYS, usize::MAX)?),
            Part::Day | Part::UnderDay | Part::ZeroDay => {
                if part == Part::UnderDay && rest.first() == Some(&b' ') {
                    *rest = rest.get(1..).unwrap_or_default();
                }
                self.day = Some(number(rest, part == Part::ZeroDay)?);
            }
            Part::UnderYearDay | Part::ZeroYearDay => {
                self.day_of_year = Some(year_day(rest, part == Part::ZeroYearDay)?);
            }
            Part::Hour => self.hour = within(number(rest, false)?, 0..=23)?,
            Part::Hour12 | Part::ZeroHour12 => {
                let hour = number(rest, part == Part::ZeroHour12)?;
                self.hour = within(hour, 0..=12)?;
            }
            Part::Minute | Part::ZeroMinute => {
                let minute = number(rest, part == Part::ZeroMinute)?;
                self.minute = within(minute, 0..=59)?;
            }
            Part::Second | Part::ZeroSecond => {
                let second = number(rest, part == Part::ZeroSecond)?;
                self.second = within(second, 0..=59)?;
                // A fraction is read even where the layout has none.
                if !fraction_follows {
                    self.fraction(rest);
                }
            }
            Part::Upper12 | Part::Lower12 => {
                let noon = take(rest, 2)?;
                let upper = noon.to_ascii_uppercase();
                let wanted = if part == Part::Upper12 {
                    upper.clone()
                } else {
                    upper.to_ascii_lowercase()
                };
                match &*upper {
                    b"PM" if noon == wanted => self.after_noon = true,
                    b"AM" if noon == wanted => self.before_noon = true,
                    _ => return Err(Wrong::Value),
                }
            }
            Part::Zone => {
                if let Some(after) = rest.strip_prefix(b"UTC") {
                    *rest = after;
                    self.is_utc = true;
                } else {
                    let len = zone_name(rest).ok_or(Wrong::Value)?;
                    self.zone = take(rest, len)?.to_vec();
                }
            }
            Part::Offset { z: true, .. } if rest.first() == Some(&b'Z') => {
                *rest = rest.get(1..).unwrap_or_default();
                self.is_utc = true;
            }
            Part::Offset { colons, fields, .. } => self.offset(rest, colons, fields)?,
            Part::Fraction { trim: true, .. } => self.fraction(rest),
            Part::Fraction { digits, .. } => {
                let text = take(rest, usize::from(digits) + 1)?;
                let (separator, digits) = text.split_first().ok_or(Wrong::Value)?;
                if !matches!(separator, b'.' | b',') {
                    return Err(Wrong::Value);
                }
                let kept = digits.get(..digits.len().min(9)).unwrap_or_default();
                if !kept.iter().all(u8::is_ascii_digit) {
                    return Err(Wrong::Value);
                }
                self.nanos = nanos(kept);
            }
        }
        Ok(())
    }

    /// A fraction of a second of any length, if there is one.
    fn fraction(&mut self, rest: &mut &[u8]) {
        let [b'.' | b',', digits @ ..] = *rest else {
            return;
        };
        let len = digits.iter().take_while(|b| b.is_ascii_digit()).count();
        if len > 0 {
            self.nanos = nanos(digits.get(..len).unwrap_or_default());
            *rest = digits.get(len..).unwrap_or_default();
        }
    }

    fn offset(&mut self, rest: &mut &[u8], colons: bool, fields: u8) -> Result<(), Wrong> {
        let fields = usize::from(fields);
        let colon = usize::from(colons);
        let len = 1 + 2 * fields + colon * (fields - 1);
        let text = rest.get(..len).ok_or(Wrong::Value)?;
        let mut total = 0;
        let mut out_of_range = false;
        let mut at = 1;
        for (field, scale) in (0..fields).zip([3_600, 60, 1]) {
            if field > 0 && colons {
                if text.get(at) != Some(&b':') {
                    return Err(Wrong::Value);
                }
                at += 1;
            }
            let mut digits = text.get(at..at + 2).ok_or(Wrong::Value)?;
            let value = number(&mut digits, true)?;
            out_of_range |= value > if field == 0 { 24 } else { 60 };
            total += value as i32 * scale;
            at += 2;
        }
        *rest = rest.get(len..).unwrap_or_default();
        let sign = match text.first() {
            _ if out_of_range => return Err(Wrong::Range),
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(Wrong::Value),
        };
        self.offset = Some(sign * total);
        Ok(())
    }

    /// The time, if there is such a day.
    fn finish(self, zone: Zone) -> Option<Time> {
        let hour = match self.hour {
            hour if self.after_noon && hour < 12 => hour + 12,
            12 if self.before_noon => 0,
            hour => hour,
        };
        let (month, day) = match self.day_of_year {
            None => (self.month.unwrap_or(1), self.day.unwrap_or(1)),
            Some(of_year) => {
                let (month, day) = of_year_day(self.year, of_year)?;
                let agrees = self.month.is_none_or(|given| given == month)
                    && self.day.is_none_or(|given| given == day);
                agrees.then_some((month, day))?
            }
        };
        if day < 1 || day > days_in(self.year, month) {
            return None;
        }
        let second = i64::from(hour * 3_600 + self.minute * 60 + self.second);
        let date = |zone| Time::of_date(self.year, month, i64::from(day), second, self.nanos, zone);
        if self.is_utc {
            return Some(date(Zone::Utc));
        }
        let told = date(Zone::Utc);
        let earlier = |offset: i32| Time {
            seconds: told.seconds - i64::from(offset),
            ..told
        };
        // As in Go, one second west of Greenwich is taken for no offset.
        if let Some(offset) = self.offset.filter(|offset| *offset != -1) {
            let time = earlier(offset);
            let (name, there) = zone.at(time.seconds);
            let is_there = there == offset && (self.zone.is_empty() || name == self.zone);
            return Some(time.told_in(match is_there {
                true => zone,
                false => Zone::Fixed(Fixed::new(offset, &self.zone)),
            }));
        }
        if self.zone.is_empty() {
            return Some(date(zone));
        }
        if let Some(offset) = zone.offset_of(&self.zone, told.seconds) {
            return Some(earlier(offset).told_in(zone));
        }
        // An unknown abbreviation: the clock is taken for Greenwich's, and the name stays. Go
        // does not take the hours of GMT+3 off either.
        let hours = match self.zone.strip_prefix(b"GMT") {
            Some(hours) if !hours.is_empty() => signed(hours).unwrap_or(0) as i32,
            _ => 0,
        };
        Some(told.told_in(Zone::Fixed(Fixed::new(hours * 3_600, &self.zone))))
    }
}

/// Month and day of a day of a year.
fn of_year_day(year: i64, mut of_year: u32) -> Option<(u32, u32)> {
    for month in 1..=12 {
        let days = days_in(year, month);
        if of_year <= days {
            return (of_year > 0).then_some((month, of_year));
        }
        of_year -= days;
    }
    None
}

/// Digits behind the point, of which nine count.
fn nanos(digits: &[u8]) -> u32 {
    let nine = digits.iter().chain(std::iter::repeat(&b'0')).take(9);
    nine.fold(0, |sum, digit| {
        sum * 10 + u32::from(digit.wrapping_sub(b'0'))
    })
}

fn take<'t>(rest: &mut &'t [u8], len: usize) -> Result<&'t [u8], Wrong> {
    let (text, after) = rest.split_at_checked(len).ok_or(Wrong::Value)?;
    *rest = after;
    Ok(text)
}

/// Digits, which can have a sign.
fn signed(text: &[u8]) -> Option<i64> {
    let digits = match text {
        [b'-' | b'+', digits @ ..] => digits,
        digits => digits,
    };
    let mut value: i64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value
            .checked_mul(10)?
            .checked_add(i64::from(digit - b'0'))?;
    }
    Some(if text.first() == Some(&b'-') {
        -value
    } else {
        value
    })
}

/// One or two digits.
fn number(rest: &mut &[u8], both: bool) -> Result<u32, Wrong> {
    let (value, len) = match rest {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', ..] => {
            (u32::from(a - b'0') * 10 + u32::from(b - b'0'), 2)
        }
        [a @ b'0'..=b'9', ..] if !both => (u32::from(a - b'0'), 1),
        _ => return Err(Wrong::Value),
    };
    *rest = rest.get(len..).unwrap_or_default();
    Ok(value)
}

/// Up to three digits, or spaces before less.
fn year_day(rest: &mut &[u8], all: bool) -> Result<u32, Wrong> {
    if !all {
        let spaces = rest.iter().take(2).take_while(|byte| **byte == b' ');
        *rest = rest.get(spaces.count()..).unwrap_or_default();
    }
    let digits = rest.iter().take(3).take_while(|byte| byte.is_ascii_digit());
    let len = digits.count();
    if len == 0 || all && len < 3 {
        return Err(Wrong::Value);
    }
    let digits = take(rest, len)?;
    Ok(digits
        .iter()
        .fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
}

/// The index of the name that the text begins with, in any case.
fn name(rest: &mut &[u8], names: &[&str], len: usize) -> Result<u32, Wrong> {
    for (at, name) in names.iter().enumerate() {
        let name = name.get(..len.min(name.len())).unwrap_or_default();
        let found = rest.get(..name.len());
        if found.is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes())) {
            *rest = rest.get(name.len()..).unwrap_or_default();
            return Ok(at as u32);
        }
    }
    Err(Wrong::Value)
}

/// The length of what looks like the abbreviation of a zone: three capitals, four or five that
/// end in a T, `GMT` with hours, or signed hours.
fn zone_name(text: &[u8]) -> Option<usize> {
    let hours = |text: &[u8]| {
        let digits = text.iter().skip(1).take_while(|b| b.is_ascii_digit());
        let digits: Vec<u8> = digits.copied().collect();
        let signed_hours = matches!(text.first(), Some(b'+' | b'-')) && !digits.is_empty();
        let small = signed(&digits).is_some_and(|hours| hours <= 23);
        (signed_hours && small).then_some(1 + digits.len())
    };
    if text.len() < 3 {
        return None;
    }
    if text.starts_with(b"ChST") || text.starts_with(b"MeST") {
        return Some(4);
    }
    if let Some(after) = text.strip_prefix(b"GMT") {
        return Some(3 + hours(after).unwrap_or(0));
    }
    if matches!(text.first(), Some(b'+' | b'-')) {
        return hours(text);
    }
    let capitals = text.iter().take(6).take_while(|b| b.is_ascii_uppercase());
    match (capitals.count(), text) {
        (3, _) => Some(3),
        (4, [_, _, _, b'T', ..]) | (4, [b'W', b'I', b'T', b'A', ..]) => Some(4),
        (5, [_, _, _, _, b'T', ..]) => Some(5),
        _ => None,
    }
}
