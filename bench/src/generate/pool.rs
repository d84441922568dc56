//! Bodies ready to be sent: generated, written, compressed and framed before the clock starts.
//! With verification each item carries a sequence number, put in place just before sending.

use std::cell::Cell;
use std::io;

use bytes::Bytes;
use memchr::memmem;
use trunkline_proto::Signal;

use super::model::Request;
use super::random::Random;
use super::{MARK, MARK_HEX, json, logs, metrics, protobuf, spans};
use crate::error::Error;

/// How a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// OTLP/protobuf.
    Protobuf,
    /// OTLP/JSON.
    Json,
}

/// What a body is compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, level 6.
    Gzip,
    /// zstd, level 3.
    Zstd,
}

impl Compression {
    /// The name in `grpc-encoding` and `content-encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "identity",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        }
    }
}

/// What the requests look like.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Spans, data points or log records; profiles are not generated.
    pub signal: Signal,
    /// Items a request.
    pub batch: usize,
    /// Items a resource.
    pub per_resource: usize,
    /// Distinct bodies, sent in turn.
    pub bodies: usize,
    /// Where the random numbers start.
    pub seed: u64,
    /// How requests are written.
    pub encoding: Encoding,
    /// What they are compressed with.
    pub compression: Compression,
    /// Whether each item carries a sequence number.
    pub verify: bool,
    /// Whether bodies begin with gRPC's five-byte prefix.
    pub grpc: bool,
}

/// One body.
pub struct Body {
    /// As it is sent (with verification: before the sequence numbers are in place).
    pub ready: Bytes,
    /// Items in it.
    pub items: u64,
    /// With verification: the body before compression and framing.
    plain: Vec<u8>,
    /// Where in `plain` the sequence numbers lie.
    sequence_at: Vec<usize>,
}

/// Bodies, and which comes next.
pub struct Pool {
    shape: Shape,
    bodies: Vec<Body>,
    next: Cell<usize>,
    next_sequence: Cell<u64>,
}

impl Pool {
    /// Generates the bodies.
    ///
    /// # Errors
    /// When a shape has nothing in it, or a generated request does not carry its ids.
    pub fn new(shape: Shape) -> Result<Pool, Error> {
        if shape.batch == 0 || shape.bodies == 0 || shape.per_resource == 0 {
            return Err(Error::Usage(
                "batch, bodies and items per resource must be at least 1".to_owned(),
            ));
        }
        let mut r = Random::new(shape.seed);
        let bodies = (0..shape.bodies)
            .map(|_| body(&shape, &mut r))
            .collect::<Result<_, _>>()?;
        Ok(Pool {
            shape,
            bodies,
            next: Cell::new(0),
            next_sequence: Cell::new(0),
        })
    }

    /// The next body to send: its bytes, its items, and the first of its sequence numbers.
    pub fn take(&self) -> Result<(Bytes, u64, u64), Error> {
        let at = self.next.get();
        self.next.set((at + 1) % self.bodies.len().max(1));
        let Some(body) = self.bodies.get(at) else {
            return Err(Error::Measure("the pool is empty".to_owned()));
        };
        let first = self.next_sequence.get();
        self.next_sequence.set(first + body.items);
        if !self.shape.verify {
            return Ok((body.ready.clone(), body.items, first));
        }
        let mut plain = body.plain.clone();
        for (&at, sequence) in body.sequence_at.iter().zip(first..) {
            if in_hex(&self.shape) {
                put(&mut plain, at, hex(&sequence.to_be_bytes()).as_bytes());
            } else {
                put(&mut plain, at, &sequence.to_be_bytes());
            }
        }
        Ok((pack(&self.shape, &plain)?, body.items, first))
    }

    /// Bytes a body has on the wire, on average.
    pub fn mean_size(&self) -> f64 {
        let total: usize = self.bodies.iter().map(|b| b.ready.len()).sum();
        total as f64 / self.bodies.len().max(1) as f64
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

fn in_hex(shape: &Shape) -> bool {
    shape.encoding == Encoding::Json || shape.signal == Signal::Metrics
}

fn body(shape: &Shape, r: &mut Random) -> Result<Body, Error> {
    let mark = shape.verify.then_some(MARK);
    let (n, per) = (shape.batch, shape.per_resource);
    let request = match shape.signal {
        Signal::Traces => Request::Traces(spans::request(r, n, per, mark)),
        Signal::Metrics => Request::Metrics(metrics::request(r, n, per, mark)),
        Signal::Logs => Request::Logs(logs::request(r, n, per, mark)),
        Signal::Profiles => return Err(Error::Usage("profiles are not generated".to_owned())),
    };
    let plain = match shape.encoding {
        Encoding::Protobuf => protobuf::encode(&request),
        Encoding::Json => json::encode(&request),
    };
    let ready = pack(shape, &plain)?;
    let mut sequence_at = Vec::new();
    if shape.verify {
        let mark: &[u8] = if in_hex(shape) { MARK_HEX } else { &MARK };
        sequence_at.extend(memmem::find_iter(&plain, mark).map(|at| at + mark.len()));
        if sequence_at.len() != n {
            return Err(Error::Measure(format!(
                "a request of {n} items carries {} sequence numbers",
                sequence_at.len()
            )));
        }
    }
    Ok(Body {
        ready,
        items: n as u64,
        plain: if shape.verify { plain } else { Vec::new() },
        sequence_at,
    })
}

/// Compresses and frames a body.
fn pack(shape: &Shape, plain: &[u8]) -> Result<Bytes, Error> {
    let mut out = vec![0; if shape.grpc { 5 } else { 0 }];
    match shape.compression {
        Compression::None => out.extend_from_slice(plain),
        Compression::Gzip => {
            let level = libdeflater::CompressionLvl::default();
            let mut codec = libdeflater::Compressor::new(level);
            let at = out.len();
            out.resize(at + codec.gzip_compress_bound(plain.len()), 0);
            let n = codec
                .gzip_compress(plain, out.get_mut(at..).unwrap_or_default())
                .map_err(|e| Error::Measure(format!("compressing a body: {e}")))?;
            out.truncate(at + n);
        }
        Compression::Zstd => out.extend_from_slice(
            &zstd::bulk::compress(plain, 3).map_err(Error::io("compressing a body"))?,
        ),
    }
    if shape.grpc {
        let too_long = |_| {
            Error::Io(
                "framing a body".to_owned(),
                io::ErrorKind::FileTooLarge.into(),
            )
        };
        let n = u32::try_from(out.len() - 5).map_err(too_long)?;
        put(
            &mut out,
            0,
            &[u8::from(shape.compression != Compression::None)],
        );
        put(&mut out, 1, &n.to_be_bytes());
    }
    Ok(Bytes::from(out))
}

/// A trace id of a mark and a sequence number.
pub fn marked(mark: [u8; 8], sequence: u64) -> [u8; 16] {
    let mut id = [0; 16];
    put(&mut id, 0, &mark);
    put(&mut id, 8, &sequence.to_be_bytes());
    id
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digit = |n: u8| DIGITS.get(usize::from(n)).copied().unwrap_or('0');
    bytes
        .iter()
        .flat_map(|b| [digit(b >> 4), digit(b & 15)])
        .collect()
}
