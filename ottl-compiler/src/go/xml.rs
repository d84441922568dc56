//! XML in pieces, as Go's package `encoding/xml` reads it in its strict mode: start and end tags
//! that fit, text without its escapes. What is made of the pieces is not here.

use super::xml_names::{begins_name, continues_name};

/// A piece.
#[derive(Debug, PartialEq)]
pub enum Token {
    /// A start tag: its name, and the attributes.
    Start(Name, Vec<(Name, Vec<u8>)>),
    /// An end tag, or the end of an empty element.
    End,
    /// Text; whether it stood in a stretch without escapes.
    Text(Vec<u8>, bool),
    /// A comment.
    Comment(Vec<u8>),
    /// A processing instruction: its target, and what follows.
    Instruction(Vec<u8>, Vec<u8>),
    /// A directive, its comments being spaces.
    Directive(Vec<u8>),
}

/// A name: its prefix, which can be empty, and the rest.
pub type Name = (Vec<u8>, Vec<u8>);

/// Reads pieces from a text.
#[derive(Debug)]
pub struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    /// Elements that are open, from the outside in.
    open: Vec<Name>,
    /// The element of the last start tag is empty.
    close: bool,
    /// Encodings that leave ASCII as it is may be declared where the rest is ASCII.
    charsets: bool,
}

impl<'t> Reader<'t> {
    /// At the beginning of a text.
    pub fn new(text: &'t [u8]) -> Reader<'t> {
        Reader {
            text,
            at: 0,
            open: Vec::new(),
            close: false,
            charsets: false,
        }
    }

    /// Takes declarations of other encodings than UTF-8 where the text is ASCII.
    pub fn with_charsets(self) -> Reader<'t> {
        Reader {
            charsets: true,
            ..self
        }
    }

    /// Whether no element is open.
    pub fn is_closed(&self) -> bool {
        self.open.is_empty() && !self.close
    }

    /// What is left.
    pub fn rest(&self) -> &'t [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Whether nothing is left.
    pub fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn must(&mut self) -> Result<u8, String> {
        let byte = self.peek().ok_or("unexpected EOF")?;
        self.at += 1;
        Ok(byte)
    }

    fn spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\r' | b'\n' | b'\t')) {
            self.at += 1;
        }
    }

    /// The next piece.
    ///
    /// # Errors
    /// The package's text; the end of the text is one.
    pub fn next_token(&mut self) -> Result<Token, String> {
        if std::mem::take(&mut self.close) {
            self.open.pop();
            return Ok(Token::End);
        }
        if self.peek().ok_or("EOF")? != b'<' {
            return self
                .characters(None, false)
                .map(|text| Token::Text(text, false));
        }
        self.at += 1;
        match self.must()? {
            b'/' => {
                let name = self.name("expected element name after </")?;
                self.spaces();
                if self.must()? != b'>' {
                    return Err("invalid characters between </ and >".to_owned());
                }
                match self.open.pop() {
                    Some(open) if open == name => Ok(Token::End),
                    Some(open) => Err(format!(
                        "element <{}> closed by </{}>",
                        String::from_utf8_lossy(&open.1),
                        String::from_utf8_lossy(&name.1)
                    )),
                    None => Err("unexpected end element".to_owned()),
                }
            }
            b'?' => self.instruction(),
            b'!' => self.declaration(),
            _ => {
                self.at -= 1;
                self.start()
            }
        }
    }

    fn start(&mut self) -> Result<Token, String> {
        let name = self.name("expected element name after <")?;
        let mut attributes = Vec::new();
        loop {
            self.spaces();
            match self.must()? {
                b'/' => {
                    if self.must()? != b'>' {
                        return Err("expected /> in element".to_owned());
                    }
                    self.close = true;
                    break;
                }
                b'>' => break,
                _ => self.at -= 1,
            }
            let key = self.name("expected attribute name in element")?;
            self.spaces();
            if self.must()? != b'=' {
                return Err("attribute name without = in element".to_owned());
            }
            self.spaces();
            let value = match self.must()? {
                quote @ (b'"' | b'\'') => self.characters(Some(quote), false)?,
                _ => return Err("unquoted or missing attribute value in element".to_owned()),
            };
            attributes.push((key, value));
        }
        self.open.push(name.clone());
        Ok(Token::Start(name, attributes))
    }

    fn instruction(&mut self) -> Result<Token, String> {
        let target = self.bare_name("expected target name after <?")?;
        self.spaces();
        let begin = self.at;
        let (mut before, mut byte) = (0, 0);
        while (before, byte) != (b'?', b'>') {
            (before, byte) = (byte, self.must()?);
        }
        let end = self.at.saturating_sub(2).max(begin);
        let content = self.text.get(begin..end).unwrap_or_default();
        if target == b"xml" {
            let version = parameter(content, b"version=");
            if !matches!(version, b"" | b"1.0") {
                return Err("xml: unsupported version; only version 1.0 is supported".to_owned());
            }
            let encoding = parameter(content, b"encoding=");
            let plain = self.charsets
                && self.rest().is_ascii()
                && encoding_rs::Encoding::for_label(encoding)
                    .is_some_and(encoding_rs::Encoding::is_ascii_compatible);
            if !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"utf-8") && !plain {
                return Err(format!(
                    "xml: encoding {:?} declared but Decoder.CharsetReader is nil",
                    String::from_utf8_lossy(encoding)
                ));
            }
        }
        Ok(Token::Instruction(target.to_vec(), content.to_vec()))
    }

    /// What begins with `<!`.
    fn declaration(&mut self) -> Result<Token, String> {
        match self.must()? {
            b'-' => {
                if self.must()? != b'-' {
                    return Err("invalid sequence <!- not part of <!--".to_owned());
                }
                let begin = self.at;
                let mut last = [0, 0];
                loop {
                    let byte = self.must()?;
                    match (last, byte) {
                        ([b'-', b'-'], b'>') => {
                            let end = self.at.saturating_sub(3).max(begin);
                            let comment = self.text.get(begin..end).unwrap_or_default();
                            return Ok(Token::Comment(comment.to_vec()));
                        }
                        ([b'-', b'-'], _) => {
                            let text = "invalid sequence \"--\" not allowed in comments";
                            return Err(text.to_owned());
                        }
                        _ => last = [last[1], byte],
                    }
                }
            }
            b'[' => {
                for expected in b"CDATA[" {
                    if self.must()? != *expected {
                        return Err("invalid <![ sequence".to_owned());
                    }
                }
                self.characters(None, true)
                    .map(|text| Token::Text(text, true))
            }
            first => self.directive(first),
        }
    }

    /// A directive: brackets in it fit, but for those in quotes and comments.
    fn directive(&mut self, first: u8) -> Result<Token, String> {
        let mut out = vec![first];
        let mut quote = None;
        let mut depth = 0_usize;
        loop {
            let byte = self.must()?;
            if (quote, byte, depth) != (None, b'>', 0) {
                out.push(byte);
            }
            match (quote, byte) {
                (Some(open), byte) if open == byte => quote = None,
                (Some(_), _) => {}
                (None, b'>') => match depth.checked_sub(1) {
                    Some(less) => depth = less,
                    None => return Ok(Token::Directive(out)),
                },
                (None, b'\'' | b'"') => quote = Some(byte),
                (None, b'<') => {
                    let rest = self.text.get(self.at..).unwrap_or_default();
                    if !rest.starts_with(b"!--") {
                        depth += 1;
                        continue;
                    }
                    self.at += 3;
                    let mut last = [0, 0];
                    loop {
                        let byte = self.must()?;
                        if (last, byte) == ([b'-', b'-'], b'>') {
                            break;
                        }
                        last = [last[1], byte];
                    }
                    out.pop();
                    out.push(b' ');
                }
                (None, _) => {}
            }
        }
    }

    /// A name of ASCII's name characters and any others, which has to be one of XML.
    fn bare_name(&mut self, missing: &str) -> Result<&'t [u8], String> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_part =
            |byte: &&u8| byte.is_ascii_alphanumeric() || b"_:.-".contains(byte) || !byte.is_ascii();
        let len = rest.iter().take_while(is_part).count();
        let name = rest.get(..len).unwrap_or_default();
        if len == rest.len() {
            return Err("unexpected EOF".to_owned());
        }
        if len == 0 {
            return Err(missing.to_owned());
        }
        self.at += len;
        match is_name(name) {
            true => Ok(name),
            false => Err(format!(
                "invalid XML name: {}",
                String::from_utf8_lossy(name)
            )),
        }
    }

    /// A name, cut at its colon.
    fn name(&mut self, missing: &str) -> Result<Name, String> {
        let name = self.bare_name(missing)?;
        let mut parts = name.split(|byte| *byte == b':');
        match (parts.next(), parts.next(), parts.next()) {
            (_, _, Some(_)) => Err(missing.to_owned()),
            (Some(prefix), Some(local), None) if !prefix.is_empty() && !local.is_empty() => {
                Ok((prefix.to_vec(), local.to_vec()))
            }
            _ => Ok((Vec::new(), name.to_vec())),
        }
    }

    /// Text up to a tag, a quote, or the end of the stretch without escapes.
    fn characters(&mut self, quote: Option<u8>, raw: bool) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        let mut last = [0, 0];
        loop {
            let Some(byte) = self.peek() else {
                if raw {
                    return Err("unexpected EOF in CDATA section".to_owned());
                }
                break;
            };
            self.at += 1;
            if quote.is_none() && (last, byte) == ([b']', b']'], b'>') {
                if raw {
                    out.truncate(out.len().saturating_sub(2));
                    break;
                }
                return Err("unescaped ]]> not in CDATA section".to_owned());
            }
            match byte {
                b'<' if !raw && quote.is_some() => {
                    return Err("unescaped < inside quoted string".to_owned());
                }
                b'<' if !raw => {
                    self.at -= 1;
                    break;
                }
                byte if Some(byte) == quote => break,
                b'&' if !raw => {
                    let c = self.escape()?;
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    last = [0, 0];
                    continue;
                }
                b'\r' => out.push(b'\n'),
                b'\n' if last[1] == b'\r' => {}
                byte => out.push(byte),
            }
            last = [last[1], byte];
        }
        let text = std::str::from_utf8(&out).map_err(|_| "invalid UTF-8")?;
        let is_valid = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
        match text.chars().find(|c| !is_valid(*c)) {
            Some(c) => Err(format!("illegal character code U+{:04X}", u32::from(c))),
            None => Ok(out),
        }
    }

    /// The character that an escape stands for, its `&` being read.
    fn escape(&mut self) -> Result<char, String> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let invalid = || "invalid character entity".to_owned();
        let end = rest
            .iter()
            .position(|byte| *byte == b';')
            .ok_or_else(invalid)?;
        let name = rest.get(..end).unwrap_or_default();
        let found = match name {
            b"lt" => '<',
            b"gt" => '>',
            b"amp" => '&',
            b"apos" => '\'',
            b"quot" => '"',
            [b'#', b'x', digits @ ..] => number(digits, 16).ok_or_else(invalid)?,
            [b'#', digits @ ..] => number(digits, 10).ok_or_else(invalid)?,
            _ => return Err(invalid()),
        };
        self.at += end + 1;
        Ok(found)
    }
}

/// The character of a number; half a surrogate pair is none, and shown so.
fn number(digits: &[u8], radix: u32) -> Option<char> {
    let text = std::str::from_utf8(digits).ok()?;
    if text.is_empty() || !text.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let number = u64::from_str_radix(text, radix).ok()?;
    let number = u32::try_from(number).ok().filter(|n| *n <= 0x10_ffff)?;
    Some(char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER))
}

/// The value of a parameter of a declaration, without its quotes.
fn parameter<'t>(content: &'t [u8], name: &[u8]) -> &'t [u8] {
    let mut rest = content;
    while let Some(at) = rest.windows(name.len()).position(|window| window == name) {
        rest = rest.get(at + name.len()..).unwrap_or_default();
        let Some((first, after)) = rest.split_first() else {
            break;
        };
        rest = after;
        if matches!(first, b'\'' | b'"') {
            let end = rest.iter().position(|byte| byte == first);
            return end.and_then(|end| rest.get(..end)).unwrap_or_default();
        }
    }
    b""
}

fn is_name(name: &[u8]) -> bool {
    let Ok(name) = std::str::from_utf8(name) else {
        return false;
    };
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c == ':' || begins_name(c))
        && chars.all(|c| c == ':' || continues_name(c))
}
