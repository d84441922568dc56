//! Random requests, on the wire in every legal disorder, mean the same in JSON: read by
//! prost they are the same message before and after. And one request with every field
//! of the protocol set, so that the schema lacks none.

use proptest::prelude::*;
use prost::Message as _;

use super::schema::{self, Card, Kind, Message};
use super::tests::{json, wire};
use crate::Signal;
use crate::otlp;

/// Choices taken from bytes that proptest drew, so that it can shrink them.
pub(crate) struct Choices<'a>(pub(crate) std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    fn done(&self) -> bool {
        self.0.len() == 0
    }

    fn number(&mut self) -> u64 {
        match self.below(4) {
            0 => u64::from(self.byte()),
            1 => u64::MAX - u64::from(self.byte()),
            2 => 1 << self.below(64),
            _ => u64::from_le_bytes(std::array::from_fn(|_| self.byte())),
        }
    }
}

/// A random request of a signal, as `random` writes it.
pub(crate) fn random_request(signal: Signal, bytes: &[u8]) -> Vec<u8> {
    let mut request = Vec::new();
    random(
        schema::request(signal),
        &mut Choices(bytes.iter()),
        12,
        &mut request,
    );
    request
}

/// Writes a random message of this schema: fields in any order, single ones several
/// times, lists in parts, numbers packed or not, unknown fields between.
fn random(schema: &'static Message, choices: &mut Choices<'_>, depth: usize, out: &mut Vec<u8>) {
    // JSON states these as `{}` where they are absent; here they are never absent.
    for field in schema.fields.iter().filter(|f| f.card == Card::Always) {
        part(field.number, b"", out);
    }
    for _ in 0..1 + choices.below(7) {
        if choices.done() {
            return;
        }
        if choices.below(16) == 0 {
            let number = 100 + choices.below(1000) as u32;
            part(number, b"unknown", out);
        }
        let Some(field) = schema.fields.get(choices.below(schema.fields.len())) else {
            continue;
        };
        match field.kind {
            Kind::Message(inner) if depth > 0 => {
                let mut bytes = Vec::new();
                random(inner, choices, depth - 1, &mut bytes);
                part(field.number, &bytes, out);
            }
            Kind::Message(_) => {}
            Kind::String => {
                const TEXTS: [&str; 6] = [
                    "",
                    "name",
                    "é\u{1F600}",
                    "\"\\\n\u{1}",
                    "\u{7f}\u{2028}",
                    "0",
                ];
                part(field.number, TEXTS[choices.below(6)].as_bytes(), out);
            }
            Kind::Bytes => {
                let bytes: Vec<u8> = (0..choices.below(9)).map(|_| choices.byte()).collect();
                part(field.number, &bytes, out);
            }
            Kind::Id(size) => {
                let mut id = vec![choices.byte(); size];
                id[0] = 1;
                part(
                    field.number,
                    if choices.below(4) == 0 { b"" } else { &id },
                    out,
                );
            }
            kind if field.card == Card::Repeated && choices.below(2) == 0 => {
                let mut packed = Vec::new();
                for _ in 0..choices.below(4) {
                    scalar(kind, choices, &mut packed);
                }
                part(field.number, &packed, out);
            }
            kind => {
                let wire_type = match kind {
                    Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => 1,
                    Kind::Fixed32 => 5,
                    _ => 0,
                };
                prost::encoding::encode_varint(u64::from(field.number << 3 | wire_type), out);
                scalar(kind, choices, out);
            }
        }
    }
}

fn scalar(kind: Kind, choices: &mut Choices<'_>, out: &mut Vec<u8>) {
    match kind {
        Kind::Double => {
            let value = match choices.below(8) {
                0 => f64::NAN,
                1 => f64::INFINITY,
                2 => f64::NEG_INFINITY,
                3 => -0.0,
                4 => f64::from(choices.byte()),
                5 => f64::from_bits(choices.number()),
                6 => 10f64.powi(i32::from(choices.byte()) - 100),
                _ => 0.1 * f64::from(choices.byte()),
            };
            // JSON knows one NaN only.
            let value = if value.is_nan() { f64::NAN } else { value };
            out.extend_from_slice(&value.to_le_bytes());
        }
        Kind::Fixed64 | Kind::Sfixed64 => out.extend_from_slice(&choices.number().to_le_bytes()),
        Kind::Fixed32 => out.extend_from_slice(&(choices.number() as u32).to_le_bytes()),
        _ => prost::encoding::encode_varint(choices.number(), out),
    }
}

fn part(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    prost::encoding::encode_varint(u64::from(number << 3 | 2), out);
    prost::encoding::encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// What prost makes of the bytes, written again in its own order.
fn canonical(signal: Signal, bytes: &[u8]) -> Result<(Vec<u8>, String), prost::DecodeError> {
    macro_rules! via {
        ($message:ty) => {{
            let message = <$message>::decode(bytes)?;
            (message.encode_to_vec(), format!("{message:?}"))
        }};
    }
    Ok(match signal {
        Signal::Traces => via!(otlp::ExportTraceServiceRequest),
        Signal::Metrics => via!(otlp::ExportMetricsServiceRequest),
        Signal::Logs => via!(otlp::ExportLogsServiceRequest),
        Signal::Profiles => via!(otlp::ExportProfilesServiceRequest),
    })
}

proptest! {
    #[test]
    fn a_request_means_the_same_in_json(
        signal in prop::sample::select(Signal::ALL.to_vec()),
        bytes in prop::collection::vec(any::<u8>(), 0..1500),
    ) {
        let mut request = Vec::new();
        random(schema::request(signal), &mut Choices(bytes.iter()), 12, &mut request);
        let text = json(signal, &request);
        let back = wire(signal, &text).unwrap();
        let (before, shown) = canonical(signal, &request).unwrap();
        let (after, shown_after) = canonical(signal, &back).unwrap();
        prop_assert_eq!(before, after, "{}\n{}\n{}", shown, text, shown_after);
        // And the text is a fixed point.
        prop_assert_eq!(json(signal, &back), text);
    }

    #[test]
    fn no_bytes_make_either_direction_panic(
        signal in prop::sample::select(Signal::ALL.to_vec()),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        text in r#"[\{\}\[\]",:a0\\u.eE+-]{0,60}"#,
    ) {
        let mut out = Vec::new();
        let _ = super::from_protobuf(signal, &bytes, &mut out);
        let _ = super::to_protobuf(signal, &mut bytes.clone());
        let _ = super::to_protobuf(signal, &mut text.into_bytes());
    }

    #[test]
    fn a_damaged_request_is_refused_or_read_without_panic(
        signal in prop::sample::select(Signal::ALL.to_vec()),
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut request = Vec::new();
        random(schema::request(signal), &mut Choices(bytes.iter()), 8, &mut request);
        let mut text = json(signal, &request).into_bytes();
        for (at, byte) in &damage {
            if !request.is_empty() {
                let at = at.index(request.len());
                request[at] = *byte;
            }
            let at = at.index(text.len());
            text[at] = *byte;
        }
        // prost refuses invalid UTF-8 and depth, which is written here; beside that it
        // reads whatever it is given where this does.
        let mut out = Vec::new();
        if super::from_protobuf(signal, &request, &mut out).is_ok() {
            prop_assert!(std::str::from_utf8(&out).is_ok());
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
        }
        if let Ok(wire) = super::to_protobuf(signal, &mut text) {
            prop_assert!(canonical(signal, &wire).is_ok());
        }
    }
}
