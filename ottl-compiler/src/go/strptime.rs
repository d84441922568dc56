//! Dates in formats of strptime, as the reference's library reads and writes them: a format is
//! turned into a layout of Go's, word by word, so that words of the format that mean something
//! there (`Jan`, `PM`) do here too. Reading is lenient: it tries other layouts where an element
//! does not fit.

use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use super::{layout::Layout, locale::Locale, time::Time, zone::Zone};

/// More directives than anybody needs: each is a call within a call.
const MAX_DIRECTIVES: usize = 200;

/// Layouts that are tried for one text; what a text leads to endlessly ends here.
const MAX_ATTEMPTS: usize = 100;

/// Layouts that one parser remembers.
const KNOWN: usize = 4;

/// The layout of each directive.
const LAYOUTS: &[(char, &str)] = &[
    ('Y', "2006"),
    ('y', "06"),
    ('m', "01"),
    ('o', "_1"),
    ('q', "1"),
    ('b', "Jan"),
    ('h', "Jan"),
    ('B', "January"),
    ('d', "02"),
    ('e', "_2"),
    ('g', "2"),
    ('a', "Mon"),
    ('A', "Monday"),
    ('H', "15"),
    ('l', "3"),
    ('I', "03"),
    ('p', "PM"),
    ('P', "pm"),
    ('M', "04"),
    ('S', "05"),
    ('L', "999"),
    ('f', "999999"),
    ('s', "999999999"),
    ('Z', "MST"),
    ('z', "Z0700"),
    ('w', "-070000"),
    ('i', "-07"),
    ('j', "-07:00"),
    ('k', "-07:00:00"),
    ('D', "01/02/2006"),
    ('x', "01/02/2006"),
    ('F', "2006-01-02"),
    ('T', "15:04:05"),
    ('X', "15:04:05"),
    ('r', "03:04:05 pm"),
    ('R', "15:04"),
    ('n', "\n"),
    ('t', "\t"),
    ('%', "%"),
    ('c', "Mon Jan 02 15:04:05 2006"),
];

/// The elements that directives are read as, one way after the other; the others are read as
/// they are written.
const LENIENT: &[(char, &[&[&str]])] = &[
    ('m', &[&["1"]]),
    ('o', &[&["1"]]),
    ('q', &[&["1"]]),
    ('d', &[&["2"]]),
    ('e', &[&["2"]]),
    ('g', &[&["2"]]),
    ('I', &[&["3"]]),
    ('M', &[&["4"]]),
    ('S', &[&["5"]]),
    ('D', DATES),
    ('x', DATES),
    ('F', &[&["2006", "-", "1", "-", "2"]]),
    ('T', &[&["15", ":", "4", ":", "5"]]),
    ('X', &[&["15", ":", "4", ":", "5"]]),
    ('r', &[&["3", ":", "4", ":", "5", " ", "pm"]]),
    ('R', &[&["15", ":", "4"]]),
    (
        'c',
        &[&[
            "Mon", " ", "Jan", " ", "2", " ", "15", ":", "4", ":", "5", " ", "2006",
        ]],
    ),
    ('z', &[&["Z0700"], &["Z07:00"], &["Z07"]]),
];

const DATES: &[&[&str]] = &[&["1", "/", "2", "/", "2006"], &["1", "/", "2", "/", "06"]];

/// A format taken apart: the text before each directive, the directives, and the text behind.
#[derive(Debug)]
struct Pieces {
    directives: Vec<(Box<str>, char)>,
    tail: Box<str>,
}

/// Takes a format apart and checks it.
fn pieces(format: &str) -> Result<Pieces, String> {
    if format.is_empty() {
        return Err("format cannot be nil".to_owned());
    }
    if format.contains(|c: char| c.is_ascii_digit()) {
        return Err("format string should not contain decimals".to_owned());
    }
    // A fraction of a second is one only behind a separator; at the start it is just text.
    for (at, directive) in format.match_indices('%') {
        let before = format
            .get(..at)
            .and_then(|before| before.chars().next_back());
        let fraction = format.get(at + 1..).and_then(|after| after.chars().next());
        if let (Some(before), Some(fraction @ ('L' | 'f' | 's'))) = (before, fraction)
            && !matches!(before, '.' | ',')
        {
            return Err(format!(
                "invalid fractional seconds directive: '{before}{directive}{fraction}'. must be \
                 preceded with '.' or ','"
            ));
        }
    }
    let mut directives = Vec::new();
    let mut unknown = Vec::new();
    let mut literal = String::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.next_if(|next| c == '%' && *next != '\n') {
            None => literal.push(c),
            Some(directive) => {
                if !LAYOUTS.iter().any(|(known, _)| *known == directive) {
                    unknown.push(directive);
                }
                let literal = std::mem::take(&mut literal).into_boxed_str();
                directives.push((literal, directive));
            }
        }
    }
    if !unknown.is_empty() {
        let told = unknown
            .iter()
            .map(|directive| format!("unsupported ctimefmt.toNative() directive: %{directive}"));
        return Err(format!(
            "invalid strptime format: [{}]",
            told.collect::<Vec<_>>().join(" ")
        ));
    }
    if directives.len() > MAX_DIRECTIVES {
        return Err(format!("a format has at most {MAX_DIRECTIVES} directives"));
    }
    Ok(Pieces {
        directives,
        tail: literal.into_boxed_str(),
    })
}

/// The layout that times are written after.
///
/// # Errors
/// The reference's text for a format that it does not take.
pub fn layout(format: &str) -> Result<Layout, String> {
    let pieces = pieces(format)?;
    let mut layout = String::new();
    for (before, directive) in &pieces.directives {
        layout += before;
        layout += native(*directive);
    }
    layout += &pieces.tail;
    Ok(Layout::new(layout.as_bytes()))
}

fn native(directive: char) -> &'static str {
    let found = LAYOUTS.iter().find(|(known, _)| *known == directive);
    found.map_or("", |(_, layout)| layout)
}

/// Reads times of one format.
#[derive(Debug)]
pub struct Parser {
    format: Box<str>,
    pieces: Pieces,
    zone: Zone,
    locale: Option<Locale>,
    /// Layouts that texts have followed, and which of them the last one did.
    known: [OnceLock<(Vec<u8>, Layout)>; KNOWN],
    last: AtomicUsize,
}

/// Why a text could not be read.
struct Failed {
    /// The element of the layout that does not fit, if that is why.
    element: Vec<u8>,
    /// What was left of the text there, if that is known.
    rest: Option<Vec<u8>>,
    cause: String,
}

impl Parser {
    /// A parser of texts that are in a zone where they name none: `location`, or Greenwich when
    /// the format ends in `Z`, or the process's. Names are those of a locale, or English.
    ///
    /// # Errors
    /// The reference's text for a format, location or locale that it does not take.
    pub fn new(
        format: &str,
        location: Option<&str>,
        locale: Option<&str>,
    ) -> Result<Parser, String> {
        if format.is_empty() {
            return Err("format cannot be nil".to_owned());
        }
        let zone = match location.filter(|location| !location.is_empty()) {
            Some(location) => Zone::load(location).ok_or_else(|| {
                format!("failed to load location {location}: unknown time zone {location}")
            })?,
            None if format.ends_with('Z') && !format.ends_with("%Z") => Zone::Utc,
            None => Zone::local(),
        };
        let locale = locale.map(Locale::find).transpose()?;
        Ok(Parser {
            pieces: pieces(format)?,
            format: format.into(),
            zone,
            locale,
            known: [const { OnceLock::new() }; KNOWN],
            last: AtomicUsize::new(0),
        })
    }

    /// Reads a time.
    ///
    /// # Errors
    /// What does not fit.
    pub fn parse(&self, text: &[u8]) -> Result<Time, String> {
        let last = self.known.get(self.last.load(Relaxed));
        if let Some((layout_text, layout)) = last.and_then(OnceLock::get)
            && let Ok(time) = self.read(layout_text, layout, text)
        {
            return Ok(time);
        }
        let mut search = Search {
            parser: self,
            text,
            attempts: MAX_ATTEMPTS,
        };
        search.directive(Vec::new(), 0).map_err(|failed| {
            let (text, element) = (
                String::from_utf8_lossy(text),
                String::from_utf8_lossy(&failed.element),
            );
            match failed.rest {
                Some(rest) if !element.is_empty() => format!(
                    "parsing time {text:?} as {:?}: cannot parse {:?} as {element:?}",
                    self.format,
                    String::from_utf8_lossy(&rest),
                ),
                _ => format!(
                    "parsing time {text:?} as {:?}: {}",
                    self.format, failed.cause
                ),
            }
        })
    }

    /// Keeps a layout that a text has followed.
    fn remember(&self, layout_text: Vec<u8>, layout: Layout) {
        for (at, place) in self.known.iter().enumerate() {
            let (known, _) = place.get_or_init(|| (layout_text.clone(), layout.clone()));
            if *known == layout_text {
                self.last.store(at, Relaxed);
                return;
            }
        }
    }

    /// Reads a time after a layout.
    fn read(&self, layout_text: &[u8], layout: &Layout, text: &[u8]) -> Result<Time, Failed> {
        let translated;
        let text = match &self.locale {
            Some(locale) => {
                let result = locale.translate(layout_text, text);
                translated = result.map_err(|element| Failed {
                    cause: "the text does not match the layout".to_owned(),
                    element,
                    rest: None,
                })?;
                &translated
            }
            None => text,
        };
        let parse = |zone| {
            layout.parse(text, zone).map_err(|mismatch| Failed {
                element: mismatch.element,
                rest: Some(mismatch.rest),
                cause: "extra text, or day out of range".to_owned(),
            })
        };
        let time = parse(self.zone)?;
        let (name, offset) = time.zone.at(time.seconds);
        let at_home = name == self.zone.at(time.seconds).0;
        let time = if offset != 0 || name == b"UTC" || at_home {
            time
        } else {
            // An abbreviation that means nothing here: it can be the name of a zone.
            let name = String::from_utf8_lossy(name);
            let zone = Zone::load(&name).ok_or_else(|| Failed {
                element: Vec::new(),
                rest: None,
                cause: format!("failed to load location {name}: unknown time zone {name}"),
            })?;
            parse(zone).unwrap_or(time)
        };
        Ok(with_year(time, super::time::now()))
    }
}

/// A time of the year 0 is of this year, or of the last one if it would lie more than a week
/// ahead.
fn with_year(time: Time, now: Time) -> Time {
    if time.date().0 > 0 {
        return time;
    }
    let (_, month, day) = time.date();
    let (hour, minute, second) = time.clock();
    let second = i64::from(hour * 3_600 + minute * 60 + second);
    let (year, now_month, now_day) = now.date();
    let (now_hour, now_minute, now_second) = now.clock();
    let in_year = |year| Time::of_date(year, month, i64::from(day), second, time.nanos, time.zone);
    let found = in_year(year);
    let week_ahead = Time::of_date(
        year,
        now_month,
        i64::from(now_day) + 7,
        i64::from(now_hour * 3_600 + now_minute * 60 + now_second),
        now.nanos,
        now.zone,
    );
    match found.instant() > week_ahead.instant() {
        // The day is that of the year first taken: the 29th of February can have moved on.
        true => {
            let (year, month, day) = found.date();
            Time::of_date(
                year - 1,
                month,
                i64::from(day),
                second,
                time.nanos,
                time.zone,
            )
        }
        false => found,
    }
}

struct Search<'p> {
    parser: &'p Parser,
    text: &'p [u8],
    attempts: usize,
}

impl Search<'_> {
    /// Reads the text with directive `at` and those behind it in every way there is, those
    /// before it being `layout`.
    fn directive(&mut self, mut layout: Vec<u8>, at: usize) -> Result<Time, Failed> {
        let parser = self.parser;
        let Some((before, directive)) = parser.pieces.directives.get(at) else {
            layout.extend_from_slice(parser.pieces.tail.as_bytes());
            return self.attempt(layout);
        };
        layout.extend_from_slice(before.as_bytes());
        let written: &[&str] = &[native(*directive)];
        let written = &[written][..];
        let ways = LENIENT.iter().find(|(known, _)| known == directive);
        let ways = ways.map_or(written, |(_, ways)| ways);
        let mut last = None;
        for way in ways {
            let mut elements: Vec<Vec<u8>> = way
                .iter()
                .map(|element| element.as_bytes().to_vec())
                .collect();
            loop {
                let mut layout = layout.clone();
                layout.extend(elements.iter().flatten());
                let mut failed = match self.directive(layout, at + 1) {
                    Ok(time) => return Ok(time),
                    Err(failed) => failed,
                };
                let found = elements
                    .iter()
                    .position(|element| !failed.element.is_empty() && *element == failed.element);
                let Some(found) = found else {
                    return Err(failed);
                };
                failed.element = format!("%{directive}").into_bytes();
                let spaces = failed.rest.as_deref().map_or(&b""[..], leading_spaces);
                let starts = elements.get(found).and_then(|element| element.first());
                let takes_spaces = starts.is_some_and(|c| c.is_ascii_digit() || *c == b'Z');
                if spaces.is_empty() || !takes_spaces || self.attempts == 0 {
                    last = Some(failed);
                    break;
                }
                elements.insert(found, spaces.to_vec());
            }
        }
        Err(last.unwrap_or(Failed {
            element: Vec::new(),
            rest: None,
            cause: "no layout fits".to_owned(),
        }))
    }

    fn attempt(&mut self, layout_text: Vec<u8>) -> Result<Time, Failed> {
        let left = self.attempts.checked_sub(1);
        self.attempts = left.ok_or_else(|| Failed {
            element: Vec::new(),
            rest: None,
            cause: "no layout fits".to_owned(),
        })?;
        let layout = Layout::new(&layout_text);
        let time = self.parser.read(&layout_text, &layout, self.text)?;
        self.parser.remember(layout_text, layout);
        Ok(time)
    }
}

fn leading_spaces(text: &[u8]) -> &[u8] {
    let is_space = |byte: &&u8| matches!(**byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c);
    let len = text.iter().take_while(is_space).count();
    text.get(..len).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_time_without_a_year_is_of_this_one_or_the_last() {
        let at = |year, month, day| Time::of_date(year, month, day, 0, 0, Zone::Utc);
        for (given, now, found) in [
            (at(0, 3, 1), at(2024, 3, 2), (2024, 3, 1)),
            (at(0, 3, 9), at(2024, 3, 2), (2024, 3, 9)),
            (at(0, 3, 10), at(2024, 3, 2), (2023, 3, 10)),
            (at(0, 12, 31), at(2024, 1, 1), (2023, 12, 31)),
            (at(0, 2, 29), at(2023, 6, 1), (2023, 3, 1)),
            (at(7, 2, 28), at(2023, 6, 1), (7, 2, 28)),
        ] {
            assert_eq!(with_year(given, now).date(), found);
        }
    }

    #[test]
    fn layouts_that_fitted_are_kept_and_bounded() {
        let parser = Parser::new("%D %d %z", None, None).unwrap();
        for text in [
            "1/2/2024 3 +01:00",
            "1/2/24 3 +01",
            "1/2/24  3 +0100",
            "1/2/2024 3 Z",
            " 1/2/24 3 Z",
            " 1/2/2024 3 +01:00",
        ] {
            parser.parse(text.as_bytes()).unwrap();
        }
        assert!(parser.known.iter().all(|known| known.get().is_some()));
    }

    #[test]
    fn no_text_is_tried_forever() {
        let parser = Parser::new("%m-%m", None, None).unwrap();
        assert!(parser.parse(b" 5-6").is_err());
    }
}
