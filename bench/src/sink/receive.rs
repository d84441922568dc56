//! What happens to a request whatever protocol brought it: counted, looked into, refused.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use memchr::memmem;
use serde_json::{Value, json};
use trunkline_proto::{Signal, status};

use super::{Scratch, Seen};
use crate::error::Error;
use crate::generate::{MARK, MARK_HEX, Random};
use crate::relay::Inflater;
use crate::wire;

/// Zstd bodies larger than this when inflated are refused.
const MAX_BODY: usize = 64 << 20;

/// Refusals: with which code, and how often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fail {
    /// A gRPC status code or an HTTP status.
    pub code: u16,
    /// Part of the requests, 0 to 1.
    pub ratio: f64,
}

impl Fail {
    /// `14:0.1`, `UNAVAILABLE:0.1`, `503:1`.
    pub fn parse(text: &str) -> Result<Fail, Error> {
        let (code, ratio) = text.split_once(':').unwrap_or((text, "1"));
        let code = match status::NAMES
            .iter()
            .position(|n| n.eq_ignore_ascii_case(code))
        {
            Some(at) => at as u16,
            None => code.parse().unwrap_or(0),
        };
        match ratio.parse::<f64>() {
            Ok(ratio) if (0.0..=1.0).contains(&ratio) && (1..600).contains(&code) => {
                Ok(Fail { code, ratio })
            }
            _ => Err(Error::Usage(format!(
                "{text:?} is not CODE:RATIO (like UNAVAILABLE:0.1, 503:0.5)"
            ))),
        }
    }
}

/// What the sink was asked to do.
pub struct Options {
    pub verify: bool,
    pub inflate: bool,
    pub delay: Duration,
    pub fail: Option<Fail>,
    pub retry_after: Option<u32>,
    pub seed: u64,
}

#[derive(Default)]
struct Counts {
    requests: [Cell<u64>; 4],
    items: [Cell<u64>; 4],
    /// Bodies as they came, without gRPC's prefix.
    bytes: Cell<u64>,
    compressed: Cell<u64>,
    not_looked_into: Cell<u64>,
    malformed: Cell<u64>,
    refused: Cell<u64>,
    connections: Cell<u64>,
}

/// Takes requests in.
pub struct Receiver {
    pub options: Options,
    counts: RefCell<Counts>,
    seen: RefCell<Seen>,
    random: RefCell<Random>,
    inflater: Inflater,
    scratch: Scratch,
}

/// What to answer.
pub enum Verdict {
    Accepted,
    /// On purpose.
    Refused(u16),
    Malformed,
}

/// How a body is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Protobuf,
    Json,
}

fn add(cell: &Cell<u64>, n: u64) {
    cell.set(cell.get() + n);
}

impl Receiver {
    pub fn new(options: Options) -> Self {
        Receiver {
            random: RefCell::new(Random::new(options.seed)),
            options,
            counts: RefCell::default(),
            seen: RefCell::default(),
            inflater: Inflater::new(),
            scratch: Scratch::default(),
        }
    }

    /// A connection was made.
    pub fn connected(&self) {
        add(&self.counts.borrow().connections, 1);
    }

    /// Bodies went by that nothing looks into.
    pub fn passed(&self, signal: Signal, bodies: u64) {
        let counts = self.counts.borrow();
        add(&counts.not_looked_into, bodies);
        if let Some(requests) = counts.requests.get(signal.index()) {
            add(requests, bodies);
        }
    }

    /// Takes a body in; `encoding` is the name of its compression, if it has one.
    pub fn take(&self, signal: Signal, form: Form, encoding: Option<&str>, body: &[u8]) -> Verdict {
        let counts = self.counts.borrow();
        if let Some(fail) = self.options.fail
            && self.random.borrow_mut().unit() < fail.ratio
        {
            add(&counts.refused, 1);
            return Verdict::Refused(fail.code);
        }
        let mut scratch = self.scratch.borrow_mut();
        let plain = match encoding {
            None | Some("identity") => body,
            Some(_) if !self.options.inflate => {
                add(&counts.not_looked_into, 1);
                add(&counts.compressed, 1);
                self.accepted(&counts, signal, 0, body);
                return Verdict::Accepted;
            }
            Some(name) => {
                add(&counts.compressed, 1);
                scratch.clear();
                if self.inflate(name, body, &mut scratch).is_err() {
                    add(&counts.malformed, 1);
                    return Verdict::Malformed;
                }
                scratch.as_slice()
            }
        };
        let items = match form {
            Form::Protobuf => wire::count_items(signal, plain).ok(),
            Form::Json => crate::json::count_items(signal, plain),
        };
        let Some(items) = items else {
            add(&counts.malformed, 1);
            return Verdict::Malformed;
        };
        if self.options.verify {
            self.note_sequences(plain);
        }
        self.accepted(&counts, signal, items, body);
        Verdict::Accepted
    }

    fn accepted(&self, counts: &Counts, signal: Signal, items: u64, body: &[u8]) {
        let at = signal.index();
        if let (Some(requests), Some(all)) = (counts.requests.get(at), counts.items.get(at)) {
            add(requests, 1);
            add(all, items);
        }
        add(&counts.bytes, body.len() as u64);
    }

    fn inflate(&self, name: &str, body: &[u8], into: &mut Vec<u8>) -> Result<(), Error> {
        match name {
            "gzip" => self.inflater.gunzip(body, into),
            "zstd" => {
                let plain =
                    zstd::bulk::decompress(body, MAX_BODY).map_err(Error::io("inflating"))?;
                into.extend_from_slice(&plain);
                Ok(())
            }
            other => Err(Error::Measure(format!("cannot inflate {other}"))),
        }
    }

    /// The marks may stand anywhere: no structure is needed to find them, so a gateway that
    /// moves items about is verified as well as one that does not.
    fn note_sequences(&self, plain: &[u8]) {
        let mut seen = self.seen.borrow_mut();
        for at in memmem::find_iter(plain, &MARK) {
            if let Some(n) = plain.get(at + 8..).and_then(|b| b.first_chunk::<8>()) {
                seen.add(u64::from_be_bytes(*n));
            }
        }
        for at in memmem::find_iter(plain, MARK_HEX) {
            let digits = plain
                .get(at + 16..at + 32)
                .and_then(|d| std::str::from_utf8(d).ok());
            if let Some(n) = digits.and_then(|d| u64::from_str_radix(d, 16).ok()) {
                seen.add(n);
            }
        }
    }

    /// The counts.
    pub fn stats(&self) -> Value {
        let counts = self.counts.borrow();
        let seen = self.seen.borrow();
        let per_signal = |all: &[Cell<u64>; 4]| -> Value {
            Signal::ALL
                .iter()
                .zip(all)
                .map(|(s, n)| (s.name().to_owned(), json!(n.get())))
                .collect()
        };
        let mut stats = json!({
            "connections": counts.connections.get(),
            "requests": per_signal(&counts.requests),
            "items": per_signal(&counts.items),
            "bytes": counts.bytes.get(),
            "compressed": counts.compressed.get(),
            "not_looked_into": counts.not_looked_into.get(),
            "malformed": counts.malformed.get(),
            "refused_on_purpose": counts.refused.get(),
        });
        if self.options.verify {
            stats["verified"] = json!({
                "unique": seen.unique,
                "duplicates": seen.duplicates,
                "strange": seen.strange,
                "end": seen.end,
                "missing": seen.end - seen.unique,
            });
        }
        stats
    }

    /// Ranges of sequence numbers that have not come.
    pub fn missing(&self) -> Value {
        const LIMIT: usize = 100_000;
        let ranges = self.seen.borrow().missing(LIMIT);
        json!({ "end": self.seen.borrow().end, "complete": ranges.len() < LIMIT, "missing": ranges })
    }

    /// Begins again from zero.
    pub fn reset(&self) {
        *self.counts.borrow_mut() = Counts::default();
        *self.seen.borrow_mut() = Seen::default();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_given_by_number_or_by_name() {
        let cases = [
            ("14:0.1", 14, 0.1),
            ("unavailable:0.1", 14, 0.1),
            ("503:1", 503, 1.0),
            ("429", 429, 1.0),
        ];
        for (text, code, ratio) in cases {
            assert_eq!(Fail::parse(text).unwrap(), Fail { code, ratio }, "{text}");
        }
        for text in ["", "OK:1", "14:2", "14:-1", "x:1", "999:1"] {
            assert!(Fail::parse(text).is_err(), "{text}");
        }
    }
}
