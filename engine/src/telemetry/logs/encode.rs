//! Fields and strings of a log line as JSON, in the two spacings of the Collector's
//! encoders (`"key": value, ` on the console, `"key":value,` in JSON).

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};

use super::Encoding;

/// Takes an event's message and its fields, these already encoded.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) message: String,
    /// `"a": 1, "b": "x"` without the braces.
    pub(super) json: String,
    spaced: bool,
}

impl Fields {
    pub(super) fn clear(&mut self, encoding: Encoding) {
        self.message.clear();
        self.json.clear();
        self.spaced = encoding == Encoding::Console;
    }

    /// Takes the text of a panic or a large line back to an ordinary size.
    pub(super) fn shrink(&mut self) {
        self.message.shrink_to(4096);
        self.json.shrink_to(4096);
    }

    fn key(&mut self, name: &str) {
        push_key(&mut self.json, name, self.spaced);
    }
}

/// Appends `"name": ` after a comma where one is needed.
pub(super) fn push_key(out: &mut String, name: &str, spaced: bool) {
    if !out.is_empty() && !out.ends_with('{') {
        out.push_str(if spaced { ", " } else { "," });
    }
    push_string(out, name);
    out.push_str(if spaced { ": " } else { ":" });
}

/// Appends `text` as a JSON string.
pub(super) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    // Writing to a String cannot fail.
    let _ = Escaped(out).write_str(text);
    out.push('"');
}

/// Writes into a JSON string, between its quotes.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                '\r' => self.0.push_str("\\r"),
                '\t' => self.0.push_str("\\t"),
                c if u32::from(c) < 0x20 => write!(self.0, "\\u{:04x}", u32::from(c))?,
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

const MESSAGE: &str = "message";

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == MESSAGE {
            let _ = write!(self.message, "{value:?}");
            return;
        }
        self.key(field.name());
        self.json.push('"');
        let _ = write!(Escaped(&mut self.json), "{value:?}");
        self.json.push('"');
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == MESSAGE {
            self.message.push_str(value);
            return;
        }
        self.key(field.name());
        push_string(&mut self.json, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.key(field.name());
        let _ = write!(self.json, "{value}");
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.key(field.name());
        let _ = write!(self.json, "{value}");
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.key(field.name());
        let _ = write!(self.json, "{value}");
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.key(field.name());
        let _ = write!(self.json, "{value}");
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.key(field.name());
        let _ = write!(self.json, "{value}");
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.key(field.name());
        // JSON has no word for these; the Collector writes them as strings.
        let _ = match value {
            value if value.is_nan() => write!(self.json, "\"NaN\""),
            f64::INFINITY => write!(self.json, "\"+Inf\""),
            f64::NEG_INFINITY => write!(self.json, "\"-Inf\""),
            value => write!(self.json, "{value}"),
        };
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.key(field.name());
        self.json.push('"');
        let _ = write!(Escaped(&mut self.json), "{value}");
        self.json.push('"');
    }
}
