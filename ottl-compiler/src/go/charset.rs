//! Character sets under the names of the IANA registry, and what their texts are in UTF-8. Those
//! of one byte a character are tables (`data/charsets.txt`), those of several are decoded by
//! `encoding_rs`, which follows the same standard as the reference's library; what that does
//! its own way (UTF-16, HZ) is here.

use encoding_rs::Encoding;

const CHARSETS: &str = include_str!("../../data/charsets.txt");

/// How bytes become a text.
#[derive(Debug)]
pub enum Charset {
    /// They are one.
    Raw,
    /// UTF-8 in which U+FFFD stands for what is wrong.
    Utf8,
    /// ASCII in which U+FFFD stands for what is wrong.
    Ascii,
    /// UTF-16.
    Utf16 {
        /// Of two bytes, the higher comes first.
        big_endian: bool,
        /// A byte order mark says otherwise, and is no character.
        by_mark: bool,
    },
    /// HZ-GB-2312.
    Hz,
    /// A byte is a character.
    Table(Box<[char; 256]>),
    /// What the library decodes.
    Library(&'static Encoding),
}

impl Charset {
    /// The character set of a name, in any case.
    ///
    /// # Errors
    /// The reference's text for one that there is not.
    pub fn find(name: &str) -> Result<Charset, String> {
        let little = Charset::Utf16 {
            big_endian: false,
            by_mark: false,
        };
        match &*name.to_lowercase() {
            "utf-16" | "utf16" => return Ok(little),
            "utf-8" | "utf8" | "ascii" | "us-ascii" | "" => return Ok(Charset::Utf8),
            "utf-8-raw" | "utf8-raw" | "nop" => return Ok(Charset::Raw),
            _ => {}
        }
        let unknown = || format!("unsupported encoding '{name}'");
        let wanted = name.trim().to_lowercase();
        let kind = line(&wanted).ok_or_else(unknown)?;
        Ok(match kind {
            "US-ASCII" => Charset::Ascii,
            "UTF-8" => Charset::Utf8,
            "UTF-16LE (Ignore BOM)" => little,
            "UTF-16BE (Ignore BOM)" => Charset::Utf16 {
                big_endian: true,
                by_mark: false,
            },
            "UTF-16BE (Use BOM)" => Charset::Utf16 {
                big_endian: true,
                by_mark: true,
            },
            "HZ-GB2312" => Charset::Hz,
            "Shift JIS" => Charset::Library(encoding_rs::SHIFT_JIS),
            "EUC-JP" => Charset::Library(encoding_rs::EUC_JP),
            "ISO-2022-JP" => Charset::Library(encoding_rs::ISO_2022_JP),
            "EUC-KR" => Charset::Library(encoding_rs::EUC_KR),
            "GBK" => Charset::Library(encoding_rs::GBK),
            "GB18030" => Charset::Library(encoding_rs::GB18030),
            "Big5" => Charset::Library(encoding_rs::BIG5),
            // These differ only in the order in which the text is shown.
            "ISO-8859-6E" | "ISO-8859-6I" => table(line("iso-8859-6").unwrap_or_default()),
            "ISO-8859-8E" | "ISO-8859-8I" => table(line("iso-8859-8").unwrap_or_default()),
            kind => table(kind),
        })
    }

    /// The text that bytes are.
    pub fn decode(&self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Charset::Raw => bytes.to_vec(),
            Charset::Utf8 => String::from_utf8_lossy(bytes).into_owned().into_bytes(),
            Charset::Ascii => chars(bytes.iter().map(|byte| match byte.is_ascii() {
                true => char::from(*byte),
                false => char::REPLACEMENT_CHARACTER,
            })),
            Charset::Table(table) => chars(
                bytes
                    .iter()
                    .map(|byte| table.get(usize::from(*byte)).copied().unwrap_or_default()),
            ),
            Charset::Utf16 {
                big_endian,
                by_mark,
            } => utf16(bytes, *big_endian, *by_mark),
            Charset::Hz => hz(bytes),
            Charset::Library(encoding) => {
                let (text, _) = encoding.decode_without_bom_handling(bytes);
                text.into_owned().into_bytes()
            }
        }
    }
}

/// What the file says of a name.
fn line(name: &str) -> Option<&'static str> {
    let lines = CHARSETS.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once('\t'))
        .find(|(names, _)| names.split(' ').any(|known| known == name))
        .map(|(_, kind)| kind)
}

/// A table of the bytes that are not the character of their number.
fn table(others: &str) -> Charset {
    let mut table: Box<[char; 256]> = Box::new(std::array::from_fn(|at| char::from(at as u8)));
    for (byte, c) in others.split(' ').filter_map(|pair| pair.split_once('=')) {
        let number = |hex: &str| u32::from_str_radix(hex, 16).unwrap_or_default();
        if let Some(place) = table.get_mut(number(byte) as usize) {
            *place = char::from_u32(number(c)).unwrap_or(char::REPLACEMENT_CHARACTER);
        }
    }
    Charset::Table(table)
}

fn chars(chars: impl Iterator<Item = char>) -> Vec<u8> {
    chars.collect::<String>().into_bytes()
}

/// As the reference's library does it, any surrogate takes a low one behind it along.
fn utf16(bytes: &[u8], big_endian: bool, by_mark: bool) -> Vec<u8> {
    let (bytes, big_endian) = match bytes {
        [0xfe, 0xff, rest @ ..] if by_mark => (rest, true),
        [0xff, 0xfe, rest @ ..] if by_mark => (rest, false),
        _ => (bytes, big_endian),
    };
    let mut units = bytes.chunks(2).map(|pair| match pair {
        [a, b] if big_endian => u16::from_be_bytes([*a, *b]),
        [a, b] => u16::from_le_bytes([*a, *b]),
        // A byte alone is wrong, as a surrogate alone is.
        _ => 0xd800,
    });
    let mut units = units.by_ref().peekable();
    let mut out = String::new();
    while let Some(unit) = units.next() {
        let low = match unit {
            0xd800..=0xdfff => units.next_if(|next| matches!(next, 0xdc00..=0xdfff)),
            _ => None,
        };
        let decoded = match low {
            Some(low) => char::decode_utf16([unit, low]).next().and_then(Result::ok),
            None => char::from_u32(u32::from(unit)),
        };
        out.push(decoded.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    out.into_bytes()
}

/// ASCII with stretches of two-byte characters between `~{` and `~}`.
fn hz(bytes: &[u8]) -> Vec<u8> {
    let mut out = String::new();
    let mut rest = bytes;
    let mut in_chinese = false;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let next = after.first().copied();
        let skip_next = after.get(1..).unwrap_or_default();
        match (first, next) {
            (b'~', Some(next)) => {
                rest = skip_next;
                match next {
                    b'{' => in_chinese = true,
                    b'}' => in_chinese = false,
                    b'~' => out.push('~'),
                    b'\n' => {}
                    _ => out.push(char::REPLACEMENT_CHARACTER),
                }
            }
            (0x80.., _) | (b'~', None) => out.push(char::REPLACEMENT_CHARACTER),
            (byte, _) if !in_chinese => out.push(char::from(*byte)),
            (_, None) => out.push(char::REPLACEMENT_CHARACTER),
            (high, Some(low)) => {
                let pair = [high | 0x80, low | 0x80];
                let valid = (0x21..0x7e).contains(high) && (0x21..0x7f).contains(&low);
                match encoding_rs::GBK.decode_without_bom_handling(&pair) {
                    (text, false) if valid => out.push_str(&text),
                    _ => out.push(char::REPLACEMENT_CHARACTER),
                }
                if low <= 0x80 {
                    rest = skip_next;
                }
            }
        }
    }
    out.into_bytes()
}
