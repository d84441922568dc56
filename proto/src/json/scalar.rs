//! One JSON value read as one protobuf scalar: numbers, enums, hex ids, base64.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use simd_json::{Node, StaticNode};

use super::error::JsonErrorKind;
use super::reverse::Reverse;
use super::schema::Kind;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// The JSON type of a node, for errors.
pub(super) fn type_of(node: &Node<'_>) -> &'static str {
    match node {
        Node::String(_) => "a string",
        Node::Object { .. } => "an object",
        Node::Array { .. } => "an array",
        Node::Static(StaticNode::Null) => "null",
        Node::Static(StaticNode::Bool(_)) => "a boolean",
        Node::Static(_) => "a number",
    }
}

fn wrong_type(expected: &'static str, node: &Node<'_>) -> JsonErrorKind {
    JsonErrorKind::Type {
        expected,
        found: type_of(node),
    }
}

/// The bits of a number, a boolean or an enum as they go on the wire: the varint's
/// value, or the little-endian fixed bits.
#[inline]
pub(super) fn bits(kind: Kind, node: &Node<'_>) -> Result<u64, JsonErrorKind> {
    Ok(match kind {
        Kind::Bool => match node {
            Node::Static(StaticNode::Bool(value)) => u64::from(*value),
            other => return Err(wrong_type("a boolean", other)),
        },
        Kind::Double => double(node)?.to_bits(),
        Kind::Int64 | Kind::Sfixed64 => signed(node, "int64")? as u64,
        Kind::Uint64 | Kind::Fixed64 => unsigned(node, "uint64")?,
        Kind::Int32 => int32(node)? as i64 as u64,
        Kind::Sint32 => {
            let value = int32(node)?;
            u64::from(((value << 1) ^ (value >> 31)) as u32)
        }
        Kind::Uint32 | Kind::Fixed32 => {
            let value = unsigned(node, "uint32")?;
            if value > u64::from(u32::MAX) {
                return Err(JsonErrorKind::Number { expected: "uint32" });
            }
            value
        }
        Kind::Enum(names) => match node {
            Node::String(name) => match names.iter().find(|(known, _)| known == name) {
                Some((_, value)) => *value as i64 as u64,
                None => return Err(JsonErrorKind::EnumName),
            },
            other => int32(other)? as i64 as u64,
        },
        Kind::String | Kind::Bytes | Kind::Id(_) | Kind::Message(_) => {
            return Err(wrong_type("a number", node));
        }
    })
}

fn int32(node: &Node<'_>) -> Result<i32, JsonErrorKind> {
    i32::try_from(signed(node, "int32")?).map_err(|_| JsonErrorKind::Number { expected: "int32" })
}

fn signed(node: &Node<'_>, expected: &'static str) -> Result<i64, JsonErrorKind> {
    let wrong = JsonErrorKind::Number { expected };
    match node {
        Node::Static(StaticNode::I64(value)) => Ok(*value),
        Node::Static(StaticNode::U64(value)) => i64::try_from(*value).map_err(|_| wrong),
        Node::Static(StaticNode::F64(value)) => whole(*value).ok_or(wrong),
        Node::String(text) => match text.parse() {
            Ok(value) => Ok(value),
            Err(_) => text.parse().ok().and_then(whole).ok_or(wrong),
        },
        other => Err(wrong_type("a number", other)),
    }
}

fn unsigned(node: &Node<'_>, expected: &'static str) -> Result<u64, JsonErrorKind> {
    let wrong = JsonErrorKind::Number { expected };
    match node {
        Node::Static(StaticNode::U64(value)) => Ok(*value),
        Node::Static(StaticNode::I64(value)) => u64::try_from(*value).map_err(|_| wrong),
        Node::Static(StaticNode::F64(value)) => whole(*value)
            .and_then(|value| u64::try_from(value).ok())
            .ok_or(wrong),
        Node::String(text) => match text.parse() {
            Ok(value) => Ok(value),
            Err(_) => text
                .parse()
                .ok()
                .and_then(whole)
                .and_then(|value| u64::try_from(value).ok())
                .ok_or(wrong),
        },
        other => Err(wrong_type("a number", other)),
    }
}

/// proto3 JSON takes `1.0` and `1e3` for an integer where nothing is lost.
fn whole(value: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (value.trunc() == value && value.abs() <= EXACT).then_some(value as i64)
}

fn double(node: &Node<'_>) -> Result<f64, JsonErrorKind> {
    match node {
        Node::Static(StaticNode::F64(value)) => Ok(*value),
        Node::Static(StaticNode::I64(value)) => Ok(*value as f64),
        Node::Static(StaticNode::U64(value)) => Ok(*value as f64),
        // `NaN`, `Infinity` and `-Infinity` are among what this reads, in any case.
        Node::String(text) => text
            .parse()
            .map_err(|_| JsonErrorKind::Number { expected: "double" }),
        other => Err(wrong_type("a number", other)),
    }
}

/// Writes an id from its hex digits, of either case; an empty string is no id.
///
/// OTLP maps trace and span ids to hex instead of base64; a wrong length is refused,
/// as the Collector does.
#[inline]
pub(super) fn id(text: &str, size: usize, out: &mut Reverse) -> Result<(), JsonErrorKind> {
    if text.is_empty() {
        return Ok(());
    }
    if text.len() != 2 * size {
        return Err(JsonErrorKind::IdLength {
            expected: 2 * size,
            found: text.len(),
        });
    }
    hex::decode_to_slice(text, out.slot(size)).map_err(|_| JsonErrorKind::IdDigits)
}

/// Writes bytes from base64: either alphabet, padded or not, as proto3 JSON allows.
pub(super) fn base64(text: &str, out: &mut Reverse) -> Result<(), JsonErrorKind> {
    let digits = text.trim_end_matches('=').len();
    let size = digits / 4 * 3 + (digits % 4 * 3) / 4;
    let engine = match memchr::memchr2(b'-', b'_', text.as_bytes()) {
        Some(_) => &BASE64_URL,
        None => &BASE64,
    };
    match engine.decode_slice(text, out.slot(size)) {
        Ok(n) if n == size => Ok(()),
        _ => Err(JsonErrorKind::Base64),
    }
}
