//! Comma-separated values as Go's package `encoding/csv` reads them, and what the reference makes
//! of a text of several lines.

/// The fields of a text. A text is one record: what is behind a line break goes on with the last
/// field. A line that ends in an error counts up to the field with the error, unless that is its
/// first.
///
/// # Errors
/// The package's text.
pub fn read(text: &[u8], delimiter: char, lazy_quotes: bool) -> Result<Vec<Vec<u8>>, String> {
    if matches!(
        delimiter,
        '"' | '\r' | '\n' | '\0' | char::REPLACEMENT_CHARACTER
    ) {
        return Err("read csv line: csv: invalid field or comment delimiter".to_owned());
    }
    let mut buffer = [0; 4];
    let mut reader = Reader {
        rest: text,
        delimiter: delimiter.encode_utf8(&mut buffer).as_bytes(),
        lazy_quotes,
    };
    let mut record: Option<Vec<Vec<u8>>> = None;
    while let Some((fields, error)) = reader.line() {
        if let (Some(error), true) = (error, fields.is_empty()) {
            return Err(format!("read csv line: {error}"));
        }
        let Some(record) = &mut record else {
            record = Some(fields);
            continue;
        };
        let mut fields = fields.into_iter();
        if let (Some(last), Some(first)) = (record.last_mut(), fields.next()) {
            last.push(b'\n');
            last.extend(first);
        }
        record.extend(fields);
    }
    record.ok_or_else(|| "no csv lines found".to_owned())
}

struct Reader<'t> {
    rest: &'t [u8],
    delimiter: &'t [u8],
    lazy_quotes: bool,
}

impl Reader<'_> {
    /// The next line, ending in a line feed alone; the last one can end without.
    fn next_line(&mut self) -> Option<Vec<u8>> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        let (line, rest) = match end {
            Some(at) => self.rest.split_at(at + 1),
            None => (self.rest, &b""[..]),
        };
        self.rest = rest;
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        let mut line = bare.strip_suffix(b"\r").unwrap_or(bare).to_vec();
        line.extend(end.map(|_| b'\n'));
        Some(line)
    }

    /// The fields of the next record that is not empty, and what is wrong with it.
    fn line(&mut self) -> Option<(Vec<Vec<u8>>, Option<&'static str>)> {
        const BARE: &str = "bare \" in non-quoted field";
        const QUOTE: &str = "extraneous or missing \" in quoted-field";
        let mut line = self.next_line()?;
        while matches!(&*line, b"" | b"\n") {
            line = self.next_line()?;
        }
        let mut fields = Vec::new();
        let mut at = 0;
        loop {
            let rest = line.get(at..).unwrap_or_default();
            if rest.first() != Some(&b'"') {
                let end = find(rest, self.delimiter);
                let field = match end {
                    Some(end) => rest.get(..end).unwrap_or_default(),
                    None => rest.strip_suffix(b"\n").unwrap_or(rest),
                };
                if !self.lazy_quotes && field.contains(&b'"') {
                    return Some((fields, Some(BARE)));
                }
                fields.push(field.to_vec());
                match end {
                    Some(end) => at += end + self.delimiter.len(),
                    None => return Some((fields, None)),
                }
                continue;
            }
            at += 1;
            let mut field = Vec::new();
            loop {
                let rest = line.get(at..).unwrap_or_default();
                if let Some(quote) = rest.iter().position(|byte| *byte == b'"') {
                    field.extend_from_slice(rest.get(..quote).unwrap_or_default());
                    at += quote + 1;
                    let after = rest.get(quote + 1..).unwrap_or_default();
                    if after.first() == Some(&b'"') {
                        field.push(b'"');
                        at += 1;
                    } else if after.starts_with(self.delimiter) {
                        at += self.delimiter.len();
                        fields.push(field);
                        break;
                    } else if matches!(after, b"" | b"\n") {
                        fields.push(field);
                        return Some((fields, None));
                    } else if self.lazy_quotes {
                        field.push(b'"');
                    } else {
                        return Some((fields, Some(QUOTE)));
                    }
                } else if !rest.is_empty() {
                    // The field goes on in the next line.
                    field.extend_from_slice(rest);
                    line = self.next_line().unwrap_or_default();
                    at = 0;
                } else if self.lazy_quotes {
                    fields.push(field);
                    return Some((fields, None));
                } else {
                    return Some((fields, Some(QUOTE)));
                }
            }
        }
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
