//! `Sprintf` of Go's package `fmt` over the values of the language: verbs, flags, widths and
//! indexes of arguments, and the marks that stand for mistakes (`%!d(string=x)`). How scalars
//! look is in `scalar`. What Go shows of telemetry's own lists and maps and of times under
//! odd verbs is where they lie in memory; here it is what they are.

mod scalar;

use scalar::Flags;

use crate::{
    go::{text, time},
    value::{Typed, Value, json},
};

/// No result is longer; a width can come from a value.
const MAX_LEN: usize = 1 << 22;

/// The largest width or precision, as in Go.
const MAX_WIDTH: i64 = 1_000_000;

/// The text of a format with these values.
///
/// # Errors
/// When it would become too long.
pub fn sprintf(format: &[u8], values: &[Value]) -> Result<Vec<u8>, String> {
    let mut printer = Printer {
        out: Vec::with_capacity(format.len() + 16),
        flags: Flags::default(),
        erroring: false,
    };
    printer.format(format, values)?;
    Ok(printer.out)
}

struct Printer {
    out: Vec<u8>,
    flags: Flags,
    /// Within the mark of a mistake values are shown without their own methods.
    erroring: bool,
}

/// Where a format is read, and which value is next.
struct Cursor<'f> {
    format: &'f [u8],
    at: usize,
    next: usize,
    values: usize,
    reordered: bool,
    good_index: bool,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    /// An index of a value in brackets; whether there was one.
    fn index(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let rest = self.format.get(self.at..).unwrap_or_default();
        let close = rest.iter().position(|byte| *byte == b']');
        let Some(close) = close.filter(|_| rest.len() >= 3) else {
            self.good_index = false;
            self.at += 1;
            return false;
        };
        let digits = rest.get(1..close).unwrap_or_default();
        self.at += close + 1;
        let number = match number(digits) {
            (Some(number), len) if len == digits.len() => number,
            _ => {
                self.good_index = false;
                return false;
            }
        };
        match usize::try_from(number - 1).ok() {
            Some(index) if index < self.values => self.next = index,
            _ => self.good_index = false,
        }
        true
    }

    /// A number written in the format.
    fn number(&mut self) -> Option<usize> {
        let (number, len) = number(self.format.get(self.at..).unwrap_or_default());
        // As in Go, nothing of a format counts behind a number that is too large.
        self.at = match (number, len) {
            (None, 1..) => self.format.len(),
            _ => self.at + len,
        };
        number.and_then(|number| usize::try_from(number).ok())
    }

    /// A number that a value is.
    fn star(&mut self, values: &[Value]) -> Option<i64> {
        self.at += 1;
        let value = values.get(self.next)?;
        self.next += 1;
        match value {
            Value::Int(value) | Value::GoInt(value) | Value::Duration(value) => {
                Some(*value).filter(|value| value.abs() <= MAX_WIDTH)
            }
            _ => None,
        }
    }
}

/// Digits at the start, and how many; no number where they are too large.
fn number(text: &[u8]) -> (Option<i64>, usize) {
    let mut value = 0;
    let mut len = 0;
    for digit in text.iter().take_while(|byte| byte.is_ascii_digit()) {
        if value > MAX_WIDTH {
            return (None, len);
        }
        value = value * 10 + i64::from(digit - b'0');
        len += 1;
    }
    ((len > 0).then_some(value), len)
}

impl Printer {
    fn format(&mut self, format: &[u8], values: &[Value]) -> Result<(), String> {
        let mut cursor = Cursor {
            format,
            at: 0,
            next: 0,
            values: values.len(),
            reordered: false,
            good_index: true,
        };
        loop {
            if self.out.len() > MAX_LEN {
                return Err("the formatted text is too long".to_owned());
            }
            let rest = format.get(cursor.at..).unwrap_or_default();
            let literal = rest.iter().take_while(|byte| **byte != b'%').count();
            self.out
                .extend_from_slice(rest.get(..literal).unwrap_or_default());
            if literal == rest.len() {
                break;
            }
            cursor.at += literal + 1;
            if !self.verb(&mut cursor, values) {
                break;
            }
        }
        if !cursor.reordered && cursor.next < values.len() {
            self.extra(values.get(cursor.next..).unwrap_or_default());
        }
        Ok(())
    }

    /// One verb with its flags; whether the format goes on.
    fn verb(&mut self, cursor: &mut Cursor<'_>, values: &[Value]) -> bool {
        self.flags = Flags::default();
        cursor.good_index = true;
        while let Some(flag) = cursor.peek() {
            match flag {
                b'#' => self.flags.sharp = true,
                b'0' => self.flags.zero = true,
                b'+' => self.flags.plus = true,
                b'-' => self.flags.minus = true,
                b' ' => self.flags.space = true,
                _ => break,
            }
            cursor.at += 1;
        }
        let mut after_index = cursor.index();
        if cursor.peek() == Some(b'*') {
            match cursor.star(values) {
                Some(width) => {
                    self.flags.width = Some(width.unsigned_abs() as usize);
                    if width < 0 {
                        self.flags.minus = true;
                        self.flags.zero = false;
                    }
                }
                None => self.out.extend_from_slice(b"%!(BADWIDTH)"),
            }
            after_index = false;
        } else {
            self.flags.width = cursor.number();
            if after_index && self.flags.width.is_some() {
                cursor.good_index = false;
            }
        }
        if cursor.peek() == Some(b'.') && cursor.at + 1 < cursor.format.len() {
            cursor.at += 1;
            if after_index {
                cursor.good_index = false;
            }
            after_index = cursor.index();
            if cursor.peek() == Some(b'*') {
                let precision = cursor.star(values);
                let precision = precision.and_then(|value| usize::try_from(value).ok());
                self.flags.precision = precision;
                if precision.is_none() {
                    self.out.extend_from_slice(b"%!(BADPREC)");
                }
                after_index = false;
            } else {
                self.flags.precision = Some(cursor.number().unwrap_or(0));
            }
        }
        if !after_index {
            cursor.index();
        }
        let rest = cursor.format.get(cursor.at..).unwrap_or_default();
        let Some(chunk) = rest.utf8_chunks().next() else {
            self.out.extend_from_slice(b"%!(NOVERB)");
            return false;
        };
        let (verb, len) = match chunk.valid().chars().next() {
            Some(verb) => (verb, verb.len_utf8()),
            None => (char::REPLACEMENT_CHARACTER, 1),
        };
        cursor.at += len;
        match values.get(cursor.next) {
            _ if verb == '%' => self.out.push(b'%'),
            _ if !cursor.good_index => self.mark(verb, "BADINDEX"),
            None => self.mark(verb, "MISSING"),
            Some(value) => {
                if matches!(verb, 'v' | 'w') {
                    self.flags.sharp_v = std::mem::take(&mut self.flags.sharp);
                    self.flags.plus_v = std::mem::take(&mut self.flags.plus);
                }
                self.value(value, verb, 0);
                cursor.next += 1;
            }
        }
        true
    }

    fn mark(&mut self, verb: char, what: &str) {
        self.put(format!("%!{verb}({what})"));
    }

    fn put(&mut self, text: impl AsRef<[u8]>) {
        self.out.extend_from_slice(text.as_ref());
    }

    /// Values that no verb has taken.
    fn extra(&mut self, values: &[Value]) {
        self.flags = Flags::default();
        self.put("%!(EXTRA ");
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                self.put(", ");
            }
            if matches!(value, Value::Nil) {
                self.put("<nil>");
            } else {
                self.put(type_name(value));
                self.put("=");
                self.value(value, 'v', 0);
            }
        }
        self.put(")");
    }

    /// A value under a verb that it does not take.
    fn bad_verb(&mut self, value: &Value, verb: char) {
        self.put(format!("%!{verb}("));
        if matches!(value, Value::Nil) {
            self.put("<nil>");
        } else {
            self.put(type_name(value));
            self.put("=");
            let erroring = std::mem::replace(&mut self.erroring, true);
            self.value(value, 'v', 0);
            self.erroring = erroring;
        }
        self.put(")");
    }

    /// A value within others so deep. They are no deeper than literals and telemetry nest.
    fn value(&mut self, value: &Value, verb: char, depth: usize) {
        if depth > crate::value::MAX_DEPTH {
            return self.put("…");
        }
        match (value, verb) {
            (Value::Nil, 'T' | 'v') if depth == 0 => return self.flags.pad("<nil>", &mut self.out),
            (Value::Nil, _) if depth == 0 => return self.bad_verb(value, verb),
            (Value::Nil, _) if self.flags.sharp_v => return self.put("interface {}(nil)"),
            (Value::Nil, _) => return self.put("<nil>"),
            (_, 'T') if depth == 0 => {
                return self
                    .flags
                    .string(type_name(value).as_bytes(), &mut self.out);
            }
            (Value::TraceId(_) | Value::SpanId(_) | Value::ProfileId(_), 'p') if depth == 0 => {
                return self.bad_verb(value, verb);
            }
            _ => {}
        }
        if self.by_method(value, verb) {
            return;
        }
        let taken = match value {
            Value::Bool(value) => match verb {
                't' | 'v' => {
                    self.flags
                        .pad(if *value { "true" } else { "false" }, &mut self.out);
                    true
                }
                _ => false,
            },
            Value::Int(value) | Value::GoInt(value) | Value::Duration(value) => {
                let bits = value.unsigned_abs();
                self.flags.integer(*value < 0, bits, verb, &mut self.out)
            }
            Value::Float(value) => self.flags.float(*value, verb, &mut self.out),
            Value::String(text) => self.flags.text(text, verb, &mut self.out),
            Value::Bytes(bytes) => match verb {
                'v' | 'd' => {
                    let name = if depth == 0 { "[]byte" } else { "[]uint8" };
                    self.bytes(bytes, name, verb);
                    true
                }
                's' | 'x' | 'X' | 'q' => self.flags.text(bytes, verb, &mut self.out),
                _ => {
                    self.numbers(bytes, verb);
                    true
                }
            },
            Value::TraceId(id) | Value::ProfileId(id) => {
                self.array(id, type_name(value), verb);
                true
            }
            Value::SpanId(id) => {
                self.array(id, type_name(value), verb);
                true
            }
            Value::List(items) => {
                self.list(items, "[]interface {}", verb, depth);
                true
            }
            Value::Typed(Typed::Uints(items)) => {
                self.uints(items, verb);
                true
            }
            Value::Typed(items) => {
                self.list(&items.values(), items.name(), verb, depth);
                true
            }
            Value::RawMap(entries) => {
                self.map(entries, verb, depth);
                true
            }
            // What Go shows of these says nothing.
            Value::Map(_) | Value::Slice(_) | Value::Part(..) | Value::Nil => {
                let mut shown = Vec::new();
                if json::write(value, &mut shown).is_err() {
                    shown = type_name(value).into();
                }
                self.flags.string(&shown, &mut self.out);
                true
            }
            Value::Time(time) => {
                self.flags.string(&time::text(*time), &mut self.out);
                true
            }
        };
        if !taken {
            self.bad_verb(value, verb);
        }
    }

    /// Times, durations and ids have texts of their own.
    fn by_method(&mut self, value: &Value, verb: char) -> bool {
        if self.erroring {
            return false;
        }
        if verb == 'w' && !matches!(value, Value::Bytes(_)) {
            self.bad_verb(value, verb);
            return true;
        }
        let shown = match value {
            Value::Time(time) if self.flags.sharp_v => {
                let shown = time::go_syntax(*time);
                self.flags.string(&shown, &mut self.out);
                return true;
            }
            Value::Time(time) => time::text(*time),
            Value::Duration(nanos) => time::duration_text(*nanos).into_bytes(),
            Value::TraceId(id) | Value::ProfileId(id) => id_text(id),
            Value::SpanId(id) => id_text(id),
            _ => return false,
        };
        let stringable = matches!(verb, 'v' | 's' | 'x' | 'X' | 'q') && !self.flags.sharp_v;
        stringable && self.flags.text(&shown, verb, &mut self.out)
    }

    fn bytes(&mut self, bytes: &[u8], name: &str, verb: char) {
        if !self.flags.sharp_v {
            return self.numbers(bytes, verb);
        }
        self.put(name);
        self.put("{");
        self.hex_numbers(bytes);
        self.put("}");
    }

    fn hex_numbers(&mut self, bytes: &[u8]) {
        for (at, byte) in bytes.iter().enumerate() {
            if at > 0 {
                self.put(", ");
            }
            let sharp = std::mem::replace(&mut self.flags.sharp, true);
            self.flags
                .integer(false, u64::from(*byte), 'x', &mut self.out);
            self.flags.sharp = sharp;
        }
    }

    /// Bytes as numbers, or as marks where a verb is none for numbers.
    fn numbers(&mut self, bytes: &[u8], verb: char) {
        self.put("[");
        for (at, byte) in bytes.iter().enumerate() {
            if at > 0 {
                self.put(" ");
            }
            self.uint(u64::from(*byte), "uint8", verb);
        }
        self.put("]");
    }

    fn uint(&mut self, value: u64, name: &str, verb: char) {
        if !self.flags.integer(false, value, verb, &mut self.out) {
            self.put(format!("%!{verb}({name}="));
            self.flags.integer(false, value, 'v', &mut self.out);
            self.put(")");
        }
    }

    fn uints(&mut self, items: &[u64], verb: char) {
        if self.flags.sharp_v {
            let shown: Vec<String> = items.iter().map(|item| format!("{item:#x}")).collect();
            return self.put(format!("[]uint64{{{}}}", shown.join(", ")));
        }
        self.put("[");
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.put(" ");
            }
            self.uint(*item, "uint64", verb);
        }
        self.put("]");
    }

    /// An id under a verb for which it has no text.
    fn array(&mut self, bytes: &[u8], name: &str, verb: char) {
        if matches!(verb, 's' | 'q' | 'x' | 'X') {
            self.flags.text(bytes, verb, &mut self.out);
        } else if self.flags.sharp_v {
            self.put(name);
            self.put("{");
            self.hex_numbers(bytes);
            self.put("}");
        } else {
            self.numbers(bytes, verb);
        }
    }

    fn list(&mut self, items: &[Value], name: &str, verb: char, depth: usize) {
        let (open, between, close) = match self.flags.sharp_v {
            true => (format!("{name}{{"), ", ", "}"),
            false => ("[".to_owned(), " ", "]"),
        };
        self.put(open);
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.put(between);
            }
            self.value(item, verb, depth + 1);
        }
        self.put(close);
    }

    fn map(&mut self, entries: &[(crate::value::Text, Value)], verb: char, depth: usize) {
        let (open, between, close) = match self.flags.sharp_v {
            true => ("map[string]interface {}{", ", ", "}"),
            false => ("map[", " ", "]"),
        };
        self.put(open);
        let mut entries: Vec<_> = entries.iter().collect();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        for (at, (key, value)) in entries.into_iter().enumerate() {
            if at > 0 {
                self.put(between);
            }
            self.value(&Value::String(key.clone()), verb, depth + 1);
            self.put(":");
            self.value(value, verb, depth + 1);
        }
        self.put(close);
    }
}

/// Go's name of a value's type.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Bytes(_) => "[]uint8",
        Value::List(_) => "[]interface {}",
        Value::RawMap(_) => "map[string]interface {}",
        Value::TraceId(_) => "pcommon.TraceID",
        Value::SpanId(_) => "pcommon.SpanID",
        Value::ProfileId(_) => "pprofile.ProfileID",
        value => value.type_name(),
    }
}

/// An id in hex; nothing for one that is all zeros.
fn id_text(id: &[u8]) -> Vec<u8> {
    match id.iter().all(|byte| *byte == 0) {
        true => Vec::new(),
        false => hex::encode(id).into_bytes(),
    }
}

/// A text in quotes as Go writes them, in ASCII or not.
pub(crate) fn quoted(text: &[u8], quote: char, ascii: bool) -> Vec<u8> {
    let mut out = String::from(quote);
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                c if c == quote || c == '\\' => out.extend(['\\', c]),
                '\x07' => out.push_str("\\a"),
                '\x08' => out.push_str("\\b"),
                '\x0c' => out.push_str("\\f"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\x0b' => out.push_str("\\v"),
                c if text::is_printable(c) && (!ascii || c.is_ascii()) => out.push(c),
                c if c < ' ' || c == '\x7f' => out.push_str(&format!("\\x{:02x}", c as u32)),
                c if (c as u32) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", c as u32)),
                c => out.push_str(&format!("\\U{:08x}", c as u32)),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out.push(quote);
    out.into_bytes()
}
