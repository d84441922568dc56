//! A message of OTLP as it lies in the bytes, read field by field with the wire's
//! reader: nothing is decoded that is not shown, and the text of values
//! (`AnyValue`) as the Collector spells it.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use trunkline_proto::{
    batch::{KeyValue, Value},
    wire::{DecodeError, Field, Fields, MAX_DEPTH, WireType, read_varint},
};

use super::numbers;

/// An encoded message that was checked: every field lies within it.
#[derive(Clone, Debug)]
pub struct Message<'a>(Cow<'a, [u8]>);

impl<'a> Message<'a> {
    /// A request that was checked at the door.
    pub fn new(bytes: &'a [u8]) -> Message<'a> {
        Message(Cow::Borrowed(bytes))
    }

    fn fields(&self, number: u32) -> impl Iterator<Item = Field> + '_ {
        Fields::all(&self.0)
            .flatten()
            .filter(move |field| field.number == number)
    }

    /// The last value of a number field; 0 without one.
    pub fn uint(&self, number: u32) -> u64 {
        self.optional(number).unwrap_or(0)
    }

    /// The last value of a number field that may be absent.
    pub fn optional(&self, number: u32) -> Option<u64> {
        self.fields(number).last().map(|field| field.uint(&self.0))
    }

    /// A double that may be absent.
    pub fn double(&self, number: u32) -> Option<f64> {
        self.optional(number).map(f64::from_bits)
    }

    /// The last value of a string or bytes field.
    pub fn bytes(&self, number: u32) -> &[u8] {
        self.fields(number)
            .filter(|field| field.wire == WireType::Len)
            .last()
            .map_or(&[], |field| field.bytes(&self.0))
    }

    /// The last value of a string field.
    pub fn text(&self, number: u32) -> Cow<'_, str> {
        String::from_utf8_lossy(self.bytes(number))
    }

    /// An id in hex; empty when it is all zeros.
    pub fn id(&self, number: u32) -> String {
        let bytes = self.bytes(number);
        if bytes.iter().all(|byte| *byte == 0) {
            return String::new();
        }
        hex::encode(bytes)
    }

    /// Every string of a list.
    pub fn texts(&self, number: u32) -> Vec<Cow<'_, str>> {
        self.fields(number)
            .map(|field| String::from_utf8_lossy(field.bytes(&self.0)))
            .collect()
    }

    /// A message field; pieces are merged.
    pub fn message(&self, number: u32) -> Message<'_> {
        let mut pieces = self
            .fields(number)
            .filter(|field| field.wire == WireType::Len);
        let (Some(first), second) = (pieces.next(), pieces.next()) else {
            return Message::new(&[]);
        };
        match second {
            None => Message(Cow::Borrowed(first.bytes(&self.0))),
            Some(second) => {
                let mut merged = first.bytes(&self.0).to_vec();
                merged.extend_from_slice(second.bytes(&self.0));
                for piece in pieces {
                    merged.extend_from_slice(piece.bytes(&self.0));
                }
                Message(Cow::Owned(merged))
            }
        }
    }

    /// Every message of a list.
    pub fn messages(&self, number: u32) -> Vec<Message<'_>> {
        self.fields(number)
            .filter(|field| field.wire == WireType::Len)
            .map(|field| Message(Cow::Borrowed(field.bytes(&self.0))))
            .collect()
    }

    /// The last of these fields that is there: which member of a oneof is set.
    pub fn member(&self, members: &[u32]) -> Option<u32> {
        Fields::all(&self.0)
            .flatten()
            .filter(|field| members.contains(&field.number))
            .last()
            .map(|field| field.number)
    }

    /// A list of numbers, packed or not, of eight bytes each or varints.
    pub fn numbers(&self, number: u32) -> Vec<u64> {
        let mut numbers = Vec::new();
        for field in self.fields(number) {
            if field.wire != WireType::Len {
                numbers.push(field.uint(&self.0));
                continue;
            }
            let packed = field.bytes(&self.0);
            let mut at = 0;
            while let Some((value, end)) = read_varint(packed, at) {
                numbers.push(value);
                at = end;
            }
        }
        numbers
    }

    /// A list of eight-byte numbers, packed or not.
    pub fn fixed(&self, number: u32) -> Vec<u64> {
        let mut numbers = Vec::new();
        for field in self.fields(number) {
            if field.wire != WireType::Len {
                numbers.push(field.uint(&self.0));
                continue;
            }
            let (chunks, _) = field.bytes(&self.0).as_chunks();
            numbers.extend(chunks.iter().map(|chunk| u64::from_le_bytes(*chunk)));
        }
        numbers
    }

    /// Attributes in their order: key, type, text.
    ///
    /// # Errors
    /// An attribute is not valid.
    pub fn attributes(&self, number: u32) -> Result<Vec<Attribute>, DecodeError> {
        self.fields(number)
            .map(|field| Attribute::read(field.bytes(&self.0)))
            .collect()
    }

    /// Type and text of the message as an `AnyValue`.
    ///
    /// # Errors
    /// It is not valid.
    pub fn value(&self) -> Result<(&'static str, String), DecodeError> {
        let value = Value::read(&self.0)?;
        Ok((type_name(&value), as_string(&value)?))
    }
}

/// An attribute as it is shown.
pub struct Attribute {
    /// Its key.
    pub key: String,
    /// What pdata calls the type of its value.
    pub kind: &'static str,
    /// Its value.
    pub text: String,
}

impl Attribute {
    fn read(bytes: &[u8]) -> Result<Attribute, DecodeError> {
        let merged = KeyValue::merged_value(bytes)?;
        let value = Value::read(&merged)?;
        Ok(Attribute {
            key: String::from_utf8_lossy(KeyValue::read(bytes)?.key).into_owned(),
            kind: type_name(&value),
            text: as_string(&value)?,
        })
    }
}

fn type_name(value: &Value<'_>) -> &'static str {
    match value {
        Value::Empty | Value::StringIndex(_) => "Empty",
        Value::String(_) => "Str",
        Value::Bool(_) => "Bool",
        Value::Int(_) => "Int",
        Value::Double(_) => "Double",
        Value::Bytes(_) => "Bytes",
        Value::List(_) => "Slice",
        Value::Map(_) => "Map",
    }
}

/// A value's text: itself, or JSON for lists and maps.
fn as_string(value: &Value<'_>) -> Result<String, DecodeError> {
    Ok(match value {
        Value::Empty | Value::StringIndex(_) => String::new(),
        Value::String(text) => String::from_utf8_lossy(text).into_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Double(value) => numbers::json(*value),
        Value::Bytes(bytes) => STANDARD.encode(bytes),
        Value::List(_) | Value::Map(_) => {
            let mut out = String::new();
            json(value, &mut out, MAX_DEPTH)?;
            out
        }
    })
}

/// Go's JSON of a value: keys of maps sorted, of several equal ones the last, and no escapes
/// for HTML.
fn json(value: &Value<'_>, out: &mut String, depth: usize) -> Result<(), DecodeError> {
    use trunkline_proto::wire::DecodeErrorKind;
    let depth = depth
        .checked_sub(1)
        .ok_or_else(|| DecodeError::new(0, DecodeErrorKind::Depth))?;
    match value {
        Value::Empty | Value::StringIndex(_) => out.push_str("null"),
        Value::String(text) => quote(&String::from_utf8_lossy(text), out),
        // JSON has no such numbers; Go gives up, here their names are shown.
        Value::Double(value) if !value.is_finite() => quote(&numbers::json(*value), out),
        Value::Bool(_) | Value::Int(_) | Value::Double(_) => out.push_str(&as_string(value)?),
        Value::Bytes(bytes) => quote(&STANDARD.encode(bytes), out),
        Value::List(_) => {
            out.push('[');
            for (n, element) in value.list().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                json(&Value::read(element)?, out, depth)?;
            }
            out.push(']');
        }
        Value::Map(_) => {
            let mut entries = std::collections::BTreeMap::new();
            for entry in value.map() {
                entries.insert(
                    KeyValue::read(entry)?.key.to_vec(),
                    KeyValue::merged_value(entry)?,
                );
            }
            out.push('{');
            for (n, (key, value)) in entries.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                quote(&String::from_utf8_lossy(key), out);
                out.push(':');
                json(&Value::read(value)?, out, depth)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn quote(text: &str, out: &mut String) {
    use std::fmt::Write;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '\u{2028}' | '\u{2029}' => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
