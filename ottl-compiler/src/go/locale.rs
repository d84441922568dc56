//! Names of days, months and halves of the day in other languages, made English, so that a
//! layout can read them. The names are those of the Unicode CLDR as the reference has them, one
//! line of `data/locales.txt` for locales that share all of them.

const LOCALES: &str = include_str!("../../data/locales.txt");

use super::layout::{DAYS, MONTHS};

/// The names of one locale; none where it has none of that kind.
#[derive(Debug)]
pub struct Locale {
    short_days: Vec<&'static str>,
    days: Vec<&'static str>,
    short_months: Vec<&'static str>,
    months: Vec<&'static str>,
    halves: Vec<&'static str>,
}

impl Locale {
    /// The locale of a BCP 47 tag, as it is spelled.
    ///
    /// # Errors
    /// The reference's text for one that there is not.
    pub fn find(tag: &str) -> Result<Locale, String> {
        let lines = LOCALES.lines().filter(|line| !line.starts_with('#'));
        for line in lines {
            let mut fields = line.split('\t');
            let tags = fields.next().unwrap_or_default();
            if !tags.split(' ').any(|known| known == tag) {
                continue;
            }
            let mut names = || match fields.next() {
                None | Some("") => Vec::new(),
                Some(names) => names.split('|').collect(),
            };
            return Ok(Locale {
                short_days: names(),
                days: names(),
                short_months: names(),
                months: names(),
                halves: names(),
            });
        }
        Err(format!(
            "unsupported locale '{tag}', value must be a supported BCP 47 language tag"
        ))
    }

    /// A text that follows a layout, its names made English.
    ///
    /// # Errors
    /// The element of the layout that the text does not follow; empty when the locale has no
    /// names for it.
    pub fn translate(&self, layout: &[u8], text: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
        let mut to = Translation {
            text,
            at: 0,
            out: Vec::with_capacity(text.len()),
        };
        let mut at = 0;
        while let Some(rest) = layout.get(at..).filter(|rest| !rest.is_empty()) {
            if let Some((element, known, english)) = self.names(rest) {
                to.name(element, known, english)?;
                at += element.len();
                continue;
            }
            match rest {
                [b'_', ..] if to.underscores(layout, &mut at)? => continue,
                [digit @ b'3'..=b'5', ..] if at == 0 || layout.get(at - 1) != Some(&b'0') => {
                    to.digits(*digit)?;
                    at += 1;
                    continue;
                }
                _ => {}
            }
            to.byte();
            at += 1;
        }
        to.out
            .extend_from_slice(text.get(to.at..).unwrap_or_default());
        Ok(to.out)
    }

    /// The element that stands for a name at the start of a layout, its names here and how many
    /// letters of the English ones it takes.
    fn names(&self, layout: &[u8]) -> Option<(&'static [u8], &[&'static str], English)> {
        let short = |len: usize| !layout.get(len).is_some_and(u8::is_ascii_lowercase);
        Some(match layout {
            [b'J', b'a', b'n', b'u', b'a', b'r', b'y', ..] => {
                (b"January", &self.months, English::Months(9))
            }
            [b'J', b'a', b'n', ..] if short(3) => (b"Jan", &self.short_months, English::Months(3)),
            [b'M', b'o', b'n', b'd', b'a', b'y', ..] => (b"Monday", &self.days, English::Days(9)),
            [b'M', b'o', b'n', ..] if short(3) => (b"Mon", &self.short_days, English::Days(3)),
            [b'P', b'M' | b'm', ..] => (b"PM", &self.halves, English::Halves(["AM", "PM"])),
            [b'p', b'M' | b'm', ..] => (b"pm", &self.halves, English::Halves(["am", "pm"])),
            _ => return None,
        })
    }
}

/// Which English names, and how many letters of them.
#[derive(Clone, Copy)]
enum English {
    Months(usize),
    Days(usize),
    Halves([&'static str; 2]),
}

impl English {
    fn name(self, at: usize) -> &'static str {
        let (name, len) = match self {
            English::Months(len) => (MONTHS.get(at), len),
            English::Days(len) => (DAYS.get(at), len),
            English::Halves(names) => return names.get(at).copied().unwrap_or_default(),
        };
        let name = name.copied().unwrap_or_default();
        name.get(..len.min(name.len())).unwrap_or_default()
    }
}

/// A text half translated.
struct Translation<'t> {
    text: &'t [u8],
    at: usize,
    out: Vec<u8>,
}

impl Translation<'_> {
    /// The bytes that are left, as of the first that is no space; spaces go to the output only
    /// when something follows.
    fn behind_spaces(&self) -> (usize, &[u8]) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let spaces = rest.iter().take_while(|byte| is_space(**byte)).count();
        (spaces, rest.get(spaces..).unwrap_or_default())
    }

    fn put_spaces(&mut self, spaces: usize) {
        self.out.extend(std::iter::repeat_n(b' ', spaces));
    }

    /// A name: the longest of those that match.
    fn name(
        &mut self,
        element: &[u8],
        known: &[&'static str],
        english: English,
    ) -> Result<(), Vec<u8>> {
        if known.is_empty() {
            return Err(Vec::new());
        }
        let (spaces, rest) = self.behind_spaces();
        let mut found: Option<(usize, usize)> = None;
        for (at, name) in known.iter().enumerate() {
            let longer = found.is_none_or(|(_, len)| name.len() > len);
            let there = rest
                .get(..name.len())
                .filter(|_| longer && !rest.is_empty());
            if there.is_some_and(|there| same_in_any_case(there, name)) {
                found = Some((at, name.len()));
            }
        }
        let (at, len) = found.ok_or(element)?;
        self.put_spaces(spaces);
        self.out.extend_from_slice(english.name(at).as_bytes());
        self.at += spaces + len;
        Ok(())
    }

    /// One or two digits.
    fn digits(&mut self, element: u8) -> Result<(), Vec<u8>> {
        let (spaces, rest) = self.behind_spaces();
        let len = rest
            .iter()
            .take(2)
            .take_while(|b| b.is_ascii_digit())
            .count();
        if len == 0 {
            return Err(vec![element]);
        }
        let digits = rest.get(..len).unwrap_or_default().to_vec();
        self.put_spaces(spaces);
        self.out.extend(digits);
        self.at += spaces + len;
        Ok(())
    }

    /// Elements that begin with `_`: as many bytes as they have, up to a space. Whether there
    /// was one.
    fn underscores(&mut self, layout: &[u8], at: &mut usize) -> Result<bool, Vec<u8>> {
        let mut found = false;
        let left = |to: &Self| to.text.len().saturating_sub(to.at);
        let rest = layout.get(*at..).unwrap_or_default();
        let element: &[u8] = match rest {
            [b'_', b'2', b'0', b'0', b'6', ..] => b"_2006",
            [b'_', b'2', ..] => b"_2",
            _ => b"",
        };
        if !element.is_empty() && left(self) >= element.len() {
            *at += element.len();
            self.until_space(element)?;
            found = true;
        }
        // As in the reference's library, whatever stands before the `_2` here.
        if let [_, b'_', b'2', ..] = layout.get(*at..).unwrap_or_default()
            && left(self) >= 3
        {
            *at += 3;
            self.until_space(b"__2")?;
            found = true;
        }
        Ok(found)
    }

    fn until_space(&mut self, element: &[u8]) -> Result<(), Vec<u8>> {
        let (spaces, rest) = self.behind_spaces();
        let most = rest.iter().take(element.len());
        let len = most.take_while(|byte| !is_space(**byte)).count();
        if len == 0 {
            return Err(element.to_vec());
        }
        let found = rest.get(..len).unwrap_or_default().to_vec();
        self.put_spaces(spaces);
        self.out.extend(found);
        self.at += spaces + len;
        Ok(())
    }

    /// One byte as it is. As in the reference's library, one that is not ASCII is taken for a
    /// character of its own, and as many bytes are passed as that has in UTF-8.
    fn byte(&mut self) {
        if let Some(byte) = self.text.get(self.at) {
            let mut buffer = [0; 2];
            let encoded = char::from(*byte).encode_utf8(&mut buffer).as_bytes();
            self.out.extend_from_slice(encoded);
            self.at += encoded.len();
        }
    }
}

/// What Go takes for a space when it is one byte.
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ' | 0x85 | 0xa0)
}

fn same_in_any_case(text: &[u8], name: &str) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    let mut pairs = text.chars().zip(name.chars());
    text.chars().count() == name.chars().count()
        && pairs.all(|(a, b)| {
            a == b || a.to_lowercase().eq(b.to_lowercase()) || a.to_uppercase().eq(b.to_uppercase())
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_become_english() {
        for (tag, layout, text, expected) in [
            (
                "de",
                "Monday, 2. January 2006",
                "mittwoch, 3. MÄRZ 2021",
                Ok("Wednesday, 3. March 2021"),
            ),
            ("pt-BR", "Jan 2", "fev. 11", Ok("Feb 11")),
            ("ja", "January 2", "11月 2", Ok("November 2")),
            ("en", "3:04 PM", " 7:05 pm", Ok(" 7:05 PM")),
            ("de", "Jan 2", "Foo 2", Err("Jan")),
            ("ab", "PM", "am", Err("")),
        ] {
            let translated = Locale::find(tag)
                .unwrap()
                .translate(layout.as_bytes(), text.as_bytes());
            let expected = expected.map(Into::into).map_err(Into::into);
            assert_eq!(translated, expected, "{tag}: {text}");
        }
        assert!(Locale::find("xx").is_err());
        assert!(Locale::find("EN").is_err());
    }
}
