//! OTLP/JSON to the protobuf wire form: simd-json's tape, walked by the schema.
//!
//! Objects are walked from their last key to their first and written backwards (see
//! `reverse`), so lengths need no second pass, the last of duplicate keys is seen first
//! and wins, and the fields come out in the order of the body. What lives here is the
//! walk; one value's reading is in `scalar`.

use std::cell::RefCell;

use bytes::Bytes;
use simd_json::{Buffers, ErrorType, Node, StaticNode, Tape};

use super::error::{JsonError, JsonErrorKind};
use super::reverse::Reverse;
use super::scalar;
use super::schema::{self, Card, Kind, Message};
use crate::Signal;
use crate::wire::MAX_DEPTH;

/// JSON nesting that simd-json follows: an array and an object for each message, and
/// some for keys that are skipped.
const MAX_JSON_DEPTH: usize = 2 * MAX_DEPTH + 64;

/// Bodies over so many bytes do not leave their buffers behind: these are many times as
/// large.
const KEEP: usize = 2 << 20;

/// Marks, among an object's oneof members, that one has been written.
const ONEOF_SEEN: u32 = 1 << 31;

/// Reads OTLP/JSON bodies, one after another, in buffers that it keeps.
pub struct Decoder {
    buffers: Buffers,
    tape: Tape<'static>,
    children: Vec<Child>,
    out: Reverse,
}

/// A field found in an object (by its index in the schema), or an element found in an
/// array (by its index there), to be written later.
#[derive(Clone, Copy)]
struct Child {
    field: u32,
    at: u32,
}

thread_local! {
    static DECODER: RefCell<Decoder> = RefCell::new(Decoder::new());
}

/// Reads one OTLP/JSON request into the protobuf wire form, in buffers kept per thread.
///
/// `body` is the text, which is unescaped in place: afterwards it is of no use. The
/// result is an `Export*ServiceRequest`; `{}` and `null` are an empty one.
///
/// Accepted is what the OTLP specification or the Collector accepts: keys in camelCase
/// or snake_case in any order, unknown keys (skipped with what they hold), enums by
/// number or name, integers as numbers or strings, `NaN` and `Infinity` as strings, ids
/// in hex of either case, base64 of either alphabet with or without padding, `null` for
/// an absent value, text after the request's object.
///
/// # Errors
///
/// [`JsonError`], with the byte offset or the key path, where the text is not JSON, a
/// value is not of its field's type, or messages nest deeper than [`MAX_DEPTH`] (some 50
/// lists or 32 maps within each other).
pub fn to_protobuf(signal: Signal, body: &mut [u8]) -> Result<Bytes, JsonError> {
    DECODER.with(|decoder| match decoder.try_borrow_mut() {
        Ok(mut decoder) => decoder.to_protobuf(signal, body),
        Err(_) => Decoder::new().to_protobuf(signal, body),
    })
}

/// The most memory, in bytes, that reading this body takes beside the body itself, for
/// admission control to charge before it is taken: JSON of many small values costs many
/// times its length.
pub fn memory_needed(body: &[u8]) -> usize {
    // simd-json reserves a node and an index for each structural character or scalar;
    // each scalar is followed by one of these characters, so twice their number bounds
    // them all, strings (which may contain them) included.
    let structural = body
        .iter()
        .filter(|byte| matches!(byte, b',' | b':' | b'{' | b'}' | b'[' | b']' | b'"'))
        .count();
    let nodes = (structural + 1) * 2;
    nodes * (size_of::<Node<'_>>() + size_of::<u32>() + size_of::<Child>()) + 4 * body.len()
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder with empty buffers.
    pub fn new() -> Self {
        Decoder {
            buffers: Buffers::with_max_depth(0, MAX_JSON_DEPTH),
            tape: Tape(Vec::new()),
            children: Vec::new(),
            out: Reverse::default(),
        }
    }

    /// As the free function [`to_protobuf`], in this decoder's buffers.
    ///
    /// # Errors
    ///
    /// As [`to_protobuf`].
    pub fn to_protobuf(&mut self, signal: Signal, body: &mut [u8]) -> Result<Bytes, JsonError> {
        self.message(schema::request(signal), body)
    }

    pub(super) fn message(
        &mut self,
        message: &'static Message,
        body: &mut [u8],
    ) -> Result<Bytes, JsonError> {
        check_start(body)?;
        replace_lone_surrogates(body);
        let length = body.len();
        let base = body.as_ptr() as usize;
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let mut result = simd_json::fill_tape(body, &mut self.buffers, &mut tape);
        if let (Err(error), Some(Node::Object { count, .. })) = (&result, tape.0.first())
            && error.character() == Some('}')
            && count + 1 == tape.0.len()
        {
            // The request's object is whole and text follows it, which the Collector
            // does not look at.
            result = Ok(());
        }
        let result = match result {
            Ok(()) => {
                self.out.clear(length);
                self.children.clear();
                let mut walk = Walk {
                    nodes: &tape.0,
                    base,
                    out: &mut self.out,
                    children: &mut self.children,
                };
                walk.root(message)
            }
            Err(error) => Err(syntax(&error)),
        };
        self.tape = tape.reset();
        let result = result.map(|()| Bytes::copy_from_slice(self.out.written()));
        if length > KEEP {
            *self = Self::new();
        }
        result
    }
}

/// Refuses a body that is no object before it is parsed, in the Collector's words.
fn check_start(body: &[u8]) -> Result<(), JsonError> {
    let start = body
        .iter()
        .position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    match start.and_then(|at| body.get(at).map(|byte| (at, *byte))) {
        None => Err(JsonError::new(JsonErrorKind::Empty)),
        Some((_, b'{' | b'n')) => Ok(()),
        Some((at, byte)) => {
            let found = if byte.is_ascii() {
                char::from(byte)
            } else {
                '\u{fffd}'
            };
            Err(JsonError::at(JsonErrorKind::NotAnObject(found), at))
        }
    }
}

/// Turns `\ud800` without its other half into `\ufffd`, as the Collector's parser does;
/// simd-json would refuse the body. JavaScript writes such halves for cut strings.
fn replace_lone_surrogates(body: &mut [u8]) {
    let mut from = 0;
    while let Some(at) = body
        .get(from..)
        .and_then(|rest| memchr::memmem::find(rest, b"\\u"))
    {
        let at = from + at;
        // A backslash that is itself escaped escapes nothing.
        let escapes = body[..at]
            .iter()
            .rev()
            .take_while(|byte| **byte == b'\\')
            .count();
        if escapes % 2 == 1 {
            from = at + 2;
            continue;
        }
        match surrogate(body, at) {
            Some(0xD800..=0xDBFF) if matches!(surrogate(body, at + 6), Some(0xDC00..=0xDFFF)) => {
                from = at + 12;
            }
            Some(_) => {
                body[at + 2..at + 6].copy_from_slice(b"fffd");
                from = at + 6;
            }
            None => from = at + 2,
        }
    }
}

/// The surrogate escaped at `at`, if one is.
fn surrogate(body: &[u8], at: usize) -> Option<u16> {
    let digits = body.get(at..at + 6)?.strip_prefix(b"\\u")?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let unit = u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (0xD800..=0xDFFF).contains(&unit).then_some(unit)
}

#[cold]
fn syntax(error: &simd_json::Error) -> JsonError {
    let what = match error.error() {
        ErrorType::DepthLimitExceeded => {
            return JsonError::at(JsonErrorKind::TooDeep, error.index());
        }
        ErrorType::ExpectedObjectColon => "ReadObject: expect : after object field",
        ErrorType::ExpectedObjectContent | ErrorType::ExpectedObjectKey => {
            "ReadObject: expect \" after { or ,, or }"
        }
        ErrorType::ExpectedArrayContent | ErrorType::ExpectedArrayComma => {
            "ReadArray: expect , or ]"
        }
        ErrorType::ExpectedTrue | ErrorType::ExpectedFalse | ErrorType::ExpectedNull => {
            "expect true, false or null"
        }
        ErrorType::InvalidNumber | ErrorType::InvalidExponent | ErrorType::ExpectedNumber => {
            "invalid number"
        }
        ErrorType::InvalidUtf8 => "the text is not UTF-8",
        ErrorType::InvalidEscape => "ReadString: invalid escape char after \\",
        ErrorType::InvalidUnicodeEscape | ErrorType::InvalidUnicodeCodepoint => {
            "ReadString: invalid \\u escape"
        }
        ErrorType::UnterminatedString => "ReadString: unterminated string",
        ErrorType::TrailingData => "text after the value",
        ErrorType::InputTooLarge => "the text is over 4 GiB",
        ErrorType::Syntax | ErrorType::Eof => "the text ends before the value does",
        _ => "not JSON",
    };
    // simd-json gives 0 where it does not know the place.
    match error.index() {
        0 => JsonError::new(JsonErrorKind::Syntax(what)),
        index => JsonError::at(JsonErrorKind::Syntax(what), index),
    }
}

struct Walk<'w, 'b> {
    nodes: &'w [Node<'b>],
    /// The address of the body's first byte, to name offsets in errors.
    base: usize,
    out: &'w mut Reverse,
    /// A stack: the fields found in the objects that are being written.
    children: &'w mut Vec<Child>,
}

impl Walk<'_, '_> {
    fn root(&mut self, message: &'static Message) -> Result<(), JsonError> {
        match self.nodes.first() {
            Some(Node::Object { .. }) => self.message(message, 0, MAX_DEPTH + 1),
            _ => Ok(()),
        }
    }

    /// The node after the value at `at`, all that it holds included.
    #[inline]
    fn after(&self, at: usize) -> usize {
        match self.nodes.get(at) {
            Some(Node::Object { count, .. } | Node::Array { count, .. }) => at + 1 + count,
            _ => at + 1,
        }
    }

    fn offset(&self, text: &str) -> usize {
        (text.as_ptr() as usize).wrapping_sub(self.base)
    }

    /// Writes the fields of the object at `at`.
    fn message(
        &mut self,
        message: &'static Message,
        at: usize,
        depth: usize,
    ) -> Result<(), JsonError> {
        let len = match self.nodes.get(at) {
            Some(Node::Object { len, .. }) => *len,
            // An element `null` of a list is an empty message, as in the Collector.
            Some(Node::Static(StaticNode::Null)) => 0,
            Some(other) => {
                return Err(JsonError::new(JsonErrorKind::Type {
                    expected: "an object",
                    found: scalar::type_of(other),
                }));
            }
            None => 0,
        };
        let Some(depth) = depth.checked_sub(1) else {
            return Err(JsonError::new(JsonErrorKind::TooDeep));
        };
        if len == 2 && std::ptr::eq(message, &schema::KEY_VALUE) && self.attribute(at) {
            return Ok(());
        }
        let bottom = self.children.len();
        let mut key_at = at + 1;
        let mut hint = 0;
        for _ in 0..len {
            let Some(Node::String(key)) = self.nodes.get(key_at) else {
                break;
            };
            let value_at = key_at + 1;
            if !matches!(
                self.nodes.get(value_at),
                Some(Node::Static(StaticNode::Null))
            ) && let Some(field) = message.find(key, hint)
            {
                hint = field + 1;
                self.children.push(Child {
                    field: field as u32,
                    at: value_at as u32,
                });
            }
            key_at = self.after(value_at);
        }
        let mut seen = 0u32;
        while self.children.len() > bottom {
            let Some(child) = self.children.pop() else {
                break;
            };
            let at = child.at as usize;
            let Some(field) = message.fields.get(child.field as usize) else {
                continue;
            };
            let bit = match field.card {
                Card::Implicit | Card::Optional => 1 << child.field,
                Card::Oneof => ONEOF_SEEN,
                // Given twice, they merge, on the wire as in the Collector's reader.
                Card::Single | Card::Always | Card::Repeated => 0,
            };
            if seen & bit != 0 {
                continue;
            }
            seen |= bit;
            self.field(field, at, depth).map_err(|error| {
                let key = match at.checked_sub(1).and_then(|key| self.nodes.get(key)) {
                    Some(Node::String(key)) => Some(self.offset(key)),
                    _ => None,
                };
                error.in_field(field.name).or_offset(key)
            })?;
        }
        Ok(())
    }

    /// Writes an attribute that is as most are: a key, then a value that is one string.
    /// Says whether it was, else nothing is written.
    #[inline]
    fn attribute(&mut self, at: usize) -> bool {
        let Some(
            [
                Node::String("key"),
                Node::String(key),
                Node::String("value"),
                Node::Object { len: 1, count: 2 },
                Node::String("stringValue"),
                Node::String(value),
            ],
        ) = self.nodes.get(at + 1..at + 7)
        else {
            return false;
        };
        let end = self.out.len();
        self.out.bytes(value.as_bytes());
        self.out.varint(value.len() as u64);
        self.tag(1, 2);
        self.out.varint((self.out.len() - end) as u64);
        self.tag(2, 2);
        if !key.is_empty() {
            self.out.bytes(key.as_bytes());
            self.out.varint(key.len() as u64);
            self.tag(1, 2);
        }
        true
    }

    fn field(
        &mut self,
        field: &'static schema::Field,
        at: usize,
        depth: usize,
    ) -> Result<(), JsonError> {
        if field.card == Card::Repeated {
            return self.list(field, at, depth);
        }
        match field.kind {
            Kind::Message(message) => self.submessage(field.number, message, at, depth),
            Kind::String | Kind::Bytes | Kind::Id(_) => {
                let before = self.out.len();
                self.text(field.kind, at)?;
                if self.out.len() > before || field.card != Card::Implicit {
                    self.out.varint((self.out.len() - before) as u64);
                    self.tag(field.number, 2);
                }
                Ok(())
            }
            kind => {
                let Some(node) = self.nodes.get(at) else {
                    return Ok(());
                };
                let bits = scalar::bits(kind, node).map_err(|e| self.wrong(e, at))?;
                if bits != 0 || field.card != Card::Implicit {
                    let wire_type = self.number(kind, bits);
                    self.tag(field.number, wire_type);
                }
                Ok(())
            }
        }
    }

    fn submessage(
        &mut self,
        number: u32,
        message: &'static Message,
        at: usize,
        depth: usize,
    ) -> Result<(), JsonError> {
        let before = self.out.len();
        self.message(message, at, depth)?;
        self.out.varint((self.out.len() - before) as u64);
        self.tag(number, 2);
        Ok(())
    }

    /// Writes the list at `at`: messages and strings one by one, numbers packed.
    fn list(
        &mut self,
        field: &'static schema::Field,
        at: usize,
        depth: usize,
    ) -> Result<(), JsonError> {
        let (len, count) = match self.nodes.get(at) {
            Some(Node::Array { len, count }) => (*len, *count),
            Some(other) => {
                return Err(JsonError::new(JsonErrorKind::Type {
                    expected: "an array",
                    found: scalar::type_of(other),
                }));
            }
            None => return Ok(()),
        };
        if let Kind::Message(message) = field.kind {
            let bottom = self.children.len();
            let mut element = at + 1;
            for index in 0..len {
                self.children.push(Child {
                    field: index as u32,
                    at: element as u32,
                });
                element = self.after(element);
            }
            while self.children.len() > bottom {
                let Some(child) = self.children.pop() else {
                    break;
                };
                self.submessage(field.number, message, child.at as usize, depth)
                    .map_err(|error| error.in_element(child.field as usize))?;
            }
            return Ok(());
        }
        if len != count {
            return Err(JsonError::new(JsonErrorKind::Type {
                expected: "an array of plain values",
                found: "an array or object in it",
            }));
        }
        let start = self.out.len();
        for index in (0..len).rev() {
            let at = at + 1 + index;
            let result = match field.kind {
                Kind::String => {
                    let before = self.out.len();
                    self.text(field.kind, at).map(|()| {
                        self.out.varint((self.out.len() - before) as u64);
                        self.tag(field.number, 2);
                    })
                }
                kind => match self.nodes.get(at) {
                    Some(node) => scalar::bits(kind, node)
                        .map(|bits| {
                            self.number(kind, bits);
                        })
                        .map_err(|e| self.wrong(e, at)),
                    None => Ok(()),
                },
            };
            result.map_err(|error| error.in_element(index))?;
        }
        if !matches!(field.kind, Kind::String) && len > 0 {
            self.out.varint((self.out.len() - start) as u64);
            self.tag(field.number, 2);
        }
        Ok(())
    }

    /// Writes the bytes of the string at `at`, without tag and length.
    #[inline]
    fn text(&mut self, kind: Kind, at: usize) -> Result<(), JsonError> {
        let text = match self.nodes.get(at) {
            Some(Node::String(text)) => *text,
            // Only in a list; in an object it is absence.
            Some(Node::Static(StaticNode::Null)) => "",
            Some(other) => {
                return Err(JsonError::new(JsonErrorKind::Type {
                    expected: "a string",
                    found: scalar::type_of(other),
                }));
            }
            None => return Ok(()),
        };
        match kind {
            Kind::Id(size) => scalar::id(text, size, self.out),
            Kind::Bytes => scalar::base64(text, self.out),
            _ => {
                self.out.bytes(text.as_bytes());
                Ok(())
            }
        }
        .map_err(|kind| self.wrong(kind, at))
    }

    /// Writes a number's bits and says which wire type they have.
    #[inline]
    fn number(&mut self, kind: Kind, bits: u64) -> u32 {
        match kind {
            Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => {
                self.out.bytes(&bits.to_le_bytes());
                1
            }
            Kind::Fixed32 => {
                self.out.bytes(&(bits as u32).to_le_bytes());
                5
            }
            _ => {
                self.out.varint(bits);
                0
            }
        }
    }

    #[inline]
    fn tag(&mut self, number: u32, wire_type: u32) {
        self.out.varint(u64::from(number << 3 | wire_type));
    }

    #[cold]
    fn wrong(&self, kind: JsonErrorKind, at: usize) -> JsonError {
        match self.nodes.get(at) {
            Some(Node::String(text)) => JsonError::at(kind, self.offset(text)),
            _ => JsonError::new(kind),
        }
    }
}
