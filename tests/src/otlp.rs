//! Requests to send, written field by field, and a reader just deep enough to
//! count items and list span ids. Every level carries a field that this version
//! of OTLP does not know, so that whoever decodes and encodes again is caught.

use bytes::Bytes;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::Signal;

/// The number of the unknown field on every level. (1000 is not free: the Collector
/// still reads its deprecated spans of instrumentation libraries from there.)
pub const UNKNOWN: u32 = 1234;

/// A protobuf message in the making.
#[derive(Clone, Debug, Default)]
pub struct Message(Vec<u8>);

impl Message {
    /// An empty message.
    pub fn new() -> Message {
        Message::default()
    }

    /// A length-delimited field: bytes, a string, a message.
    pub fn bytes(mut self, field: u32, value: impl AsRef<[u8]>) -> Message {
        encode_key(field, WireType::LengthDelimited, &mut self.0);
        encode_varint(value.as_ref().len() as u64, &mut self.0);
        self.0.extend_from_slice(value.as_ref());
        self
    }

    /// A varint field.
    pub fn varint(mut self, field: u32, value: u64) -> Message {
        encode_key(field, WireType::Varint, &mut self.0);
        encode_varint(value, &mut self.0);
        self
    }

    /// A fixed64 field.
    pub fn fixed64(mut self, field: u32, value: u64) -> Message {
        encode_key(field, WireType::SixtyFourBit, &mut self.0);
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// The unknown field.
    pub fn unknown(self) -> Message {
        self.bytes(UNKNOWN, "kept")
    }

    /// The bytes.
    pub fn done(self) -> Bytes {
        self.0.into()
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// A KeyValue with a string value.
pub fn attribute(key: &str, value: &str) -> Message {
    Message::new()
        .bytes(1, key)
        .bytes(2, Message::new().bytes(1, value))
}

fn resource() -> Message {
    Message::new()
        .bytes(1, attribute("service.name", "checkout"))
        .bytes(1, attribute("host.name", "node-7"))
        .unknown()
}

fn scope() -> Message {
    Message::new()
        .bytes(1, "library")
        .bytes(2, "1.2.3")
        .unknown()
}

/// Wraps items into one scope of one resource of one request.
fn request(items: impl Iterator<Item = Message>) -> Bytes {
    let mut scoped = Message::new().bytes(1, scope());
    for item in items {
        scoped = scoped.bytes(2, item);
    }
    let resourced = Message::new()
        .bytes(1, resource())
        .bytes(2, scoped.bytes(3, "https://schema/1").unknown());
    Message::new()
        .bytes(1, resourced.unknown())
        .unknown()
        .done()
}

/// A request with `items` items of a signal, the ids counted from `first`.
pub fn numbered(signal: Signal, first: u64, items: u64) -> Bytes {
    match signal {
        Signal::Traces => request((first..first + items).map(span)),
        Signal::Metrics => request((first..first + items).map(metric)),
        Signal::Logs => request((first..first + items).map(log_record)),
        Signal::Profiles => profiles(items),
    }
}

/// A request with `items` items of a signal.
pub fn items(signal: Signal, items: u64) -> Bytes {
    numbered(signal, 1, items)
}

/// A request of one item that takes at least `bytes` and at most 1 KiB more.
pub fn large(signal: Signal, bytes: usize) -> Bytes {
    let filler: String = ('a'..='z').cycle().take(bytes).collect();
    let (field, item) = match signal {
        Signal::Traces => (9, span(1)),
        Signal::Logs => (6, log_record(1)),
        Signal::Metrics => (UNKNOWN + 1, metric(1)),
        Signal::Profiles => (UNKNOWN + 1, Message::new()),
    };
    request(std::iter::once(
        item.bytes(field, attribute("filler", &filler)),
    ))
}

fn span(number: u64) -> Message {
    Message::new()
        .bytes(1, [&[7; 8][..], &number.to_be_bytes()].concat())
        .bytes(2, number.to_be_bytes())
        .bytes(5, "GET /cart")
        .varint(6, 2)
        .fixed64(7, 1_700_000_000_000_000_000)
        .fixed64(8, 1_700_000_000_000_000_000 + number)
        .bytes(9, attribute("http.request.method", "GET"))
        .bytes(9, attribute("url.path", "/cart"))
        .bytes(15, Message::new().varint(3, 1))
        .unknown()
}

fn log_record(number: u64) -> Message {
    Message::new()
        .fixed64(1, 1_700_000_000_000_000_000 + number)
        .varint(2, 9)
        .bytes(3, "INFO")
        .bytes(5, Message::new().bytes(1, "an order was placed"))
        .bytes(6, attribute("order.id", &number.to_string()))
        .unknown()
}

/// A gauge with one data point.
fn metric(number: u64) -> Message {
    let point = Message::new()
        .bytes(7, attribute("route", "/cart"))
        .fixed64(3, 1_700_000_000_000_000_000)
        .fixed64(6, number)
        .unknown();
    Message::new()
        .bytes(1, "queue.length")
        .bytes(3, "1")
        .bytes(5, Message::new().bytes(1, point))
        .unknown()
}

/// One profile with so many samples, over a dictionary whose tables hold their zero entries.
fn profiles(samples: u64) -> Bytes {
    let mut profile = Message::new();
    for _ in 0..samples {
        profile = profile.bytes(2, Message::new().varint(1, 0).unknown());
    }
    let scoped = Message::new().bytes(1, scope()).bytes(2, profile.unknown());
    let resourced = Message::new().bytes(1, resource()).bytes(2, scoped);
    let mut dictionary = Message::new();
    for table in 1..=4 {
        dictionary = dictionary.bytes(table, "");
    }
    Message::new()
        .bytes(1, resourced)
        .bytes(2, dictionary.bytes(5, "").bytes(6, "").bytes(7, ""))
        .unknown()
        .done()
}

/// The length-delimited fields `number` of a message.
///
/// # Panics
/// When the bytes are not protobuf.
pub fn fields(message: &[u8], number: u32) -> Vec<&[u8]> {
    let mut rest = message;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (field, wire) = prost::encoding::decode_key(&mut rest).unwrap();
        match wire {
            WireType::Varint => {
                prost::encoding::decode_varint(&mut rest).unwrap();
            }
            WireType::SixtyFourBit => rest = &rest[8..],
            WireType::ThirtyTwoBit => rest = &rest[4..],
            WireType::LengthDelimited => {
                let length = prost::encoding::decode_varint(&mut rest).unwrap() as usize;
                let (value, after) = rest.split_at(length);
                if field == number {
                    found.push(value);
                }
                rest = after;
            }
            other => panic!("wire type {other:?}"),
        }
    }
    found
}

/// The spans, metrics, log records or profiles of a request.
pub fn entities(body: &[u8]) -> Vec<&[u8]> {
    let mut found = vec![body];
    for number in [1, 2, 2] {
        found = found
            .into_iter()
            .flat_map(|message| fields(message, number))
            .collect();
    }
    found
}

/// Number of items in a request: spans, data points, log records, samples.
pub fn count(signal: Signal, body: &[u8]) -> u64 {
    let entities = entities(body);
    let count = match signal {
        Signal::Traces | Signal::Logs => entities.len(),
        Signal::Metrics => entities
            .iter()
            .flat_map(|metric| [5, 7, 9, 10, 11].map(|data| fields(metric, data)))
            .flatten()
            .map(|data| fields(data, 1).len())
            .sum(),
        Signal::Profiles => entities
            .iter()
            .map(|profile| fields(profile, 2).len())
            .sum(),
    };
    count as u64
}

/// The numbers that [`numbered`] gave the spans of a request.
pub fn span_numbers(body: &[u8]) -> Vec<u64> {
    entities(body)
        .into_iter()
        .map(|span| {
            fields(span, 2)
                .first()
                .map_or(0, |id| u64::from_be_bytes((*id).try_into().unwrap()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_counted() {
        for signal in Signal::ALL {
            assert_eq!(count(signal, &items(signal, 5)), 5, "{signal:?}");
        }
        assert_eq!(span_numbers(&numbered(Signal::Traces, 10, 3)), [10, 11, 12]);
        assert!(large(Signal::Traces, 5000).len() >= 5000);
    }
}
