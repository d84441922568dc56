//! Protobuf as the benchmarks need it: a writer for the generator, and a reader that walks an
//! OTLP request's structure to count its items. Nothing here is used by the gateway, so that a
//! mistake there cannot hide behind the same mistake here.

use trunkline_proto::Signal;

/// Writes protobuf fields one after the other.
#[derive(Default)]
pub struct Writer {
    /// What has been written.
    pub bytes: Vec<u8>,
}

impl Writer {
    /// A base-128 varint.
    pub fn varint(&mut self, mut v: u64) {
        while v >= 0x80 {
            self.bytes.push((v as u8) | 0x80);
            v >>= 7;
        }
        self.bytes.push(v as u8);
    }

    fn tag(&mut self, field: u32, wire_type: u32) {
        self.varint(u64::from(field << 3 | wire_type));
    }

    /// A varint field (wire type 0), written even where it is zero.
    pub fn uint(&mut self, field: u32, v: u64) {
        self.tag(field, 0);
        self.varint(v);
    }

    /// An `sint32` field.
    pub fn sint(&mut self, field: u32, v: i32) {
        self.uint(field, u64::from(((v << 1) ^ (v >> 31)) as u32));
    }

    /// A `fixed64` field (wire type 1).
    pub fn fixed64(&mut self, field: u32, v: u64) {
        self.tag(field, 1);
        self.bytes.extend_from_slice(&v.to_le_bytes());
    }

    /// A `double` field.
    pub fn double(&mut self, field: u32, v: f64) {
        self.fixed64(field, v.to_bits());
    }

    /// A `fixed32` field (wire type 5).
    pub fn fixed32(&mut self, field: u32, v: u32) {
        self.tag(field, 5);
        self.bytes.extend_from_slice(&v.to_le_bytes());
    }

    /// A length-delimited field (wire type 2) of bytes.
    pub fn blob(&mut self, field: u32, v: &[u8]) {
        self.tag(field, 2);
        self.varint(v.len() as u64);
        self.bytes.extend_from_slice(v);
    }

    /// A string field, left out where it is empty.
    pub fn string(&mut self, field: u32, v: &str) {
        if !v.is_empty() {
            self.blob(field, v.as_bytes());
        }
    }

    /// A message field written by `fill`.
    pub fn message(&mut self, field: u32, fill: impl FnOnce(&mut Writer)) {
        let mut inner = Writer::default();
        fill(&mut inner);
        self.blob(field, &inner.bytes);
    }
}

/// A request whose structure cannot be walked: where, in bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// One field: its number and, where it is length-delimited, its payload.
type Field<'a> = (u64, Option<&'a [u8]>);

/// The fields of a message, one by one.
struct Fields<'a> {
    rest: &'a [u8],
}

fn take_varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut v = 0;
    for (i, &b) in rest.iter().take(10).enumerate() {
        v |= u64::from(b & 0x7f) << (7 * i);
        if b < 0x80 {
            *rest = rest.get(i + 1..).unwrap_or_default();
            return Ok(v);
        }
    }
    Err(Malformed)
}

fn take<'a>(rest: &mut &'a [u8], n: u64) -> Result<&'a [u8], Malformed> {
    let n = usize::try_from(n).map_err(|_| Malformed)?;
    let (head, tail) = rest.split_at_checked(n).ok_or(Malformed)?;
    *rest = tail;
    Ok(head)
}

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<Field<'a>>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = take_varint(&mut self.rest)?;
        let payload = match tag & 7 {
            0 => {
                take_varint(&mut self.rest)?;
                None
            }
            1 => {
                take(&mut self.rest, 8)?;
                None
            }
            2 => {
                let n = take_varint(&mut self.rest)?;
                Some(take(&mut self.rest, n)?)
            }
            5 => {
                take(&mut self.rest, 4)?;
                None
            }
            _ => return Err(Malformed),
        };
        Ok(Some((tag >> 3, payload)))
    }
}

/// Calls `f` with the payload of each length-delimited field whose number is in `numbers`.
fn each<'a>(
    message: &'a [u8],
    numbers: &[u64],
    f: &mut dyn FnMut(&'a [u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut fields = Fields { rest: message };
    while let Some((number, payload)) = fields.next()? {
        if let Some(payload) = payload
            && numbers.contains(&number)
        {
            f(payload)?;
        }
    }
    Ok(())
}

/// How many items (spans, log records, data points, samples) an OTLP request in protobuf holds.
pub fn count_items(signal: Signal, request: &[u8]) -> Result<u64, Malformed> {
    let mut items = 0;
    each(request, &[1], &mut |resource| {
        each(resource, &[2], &mut |scope| {
            each(scope, &[2], &mut |item| {
                match signal {
                    Signal::Traces | Signal::Logs => items += 1,
                    // gauge, sum, histogram, exponential_histogram, summary
                    Signal::Metrics => each(item, &[5, 7, 9, 10, 11], &mut |data| {
                        each(data, &[1], &mut |_| {
                            items += 1;
                            Ok(())
                        })
                    })?,
                    Signal::Profiles => each(item, &[2], &mut |_| {
                        items += 1;
                        Ok(())
                    })?,
                }
                Ok(())
            })
        })
    })?;
    Ok(items)
}

/// How many items an `Export…ServiceResponse` says were rejected (`partial_success`, field 1:
/// `rejected_…`, field 1).
pub fn rejected(response: &[u8]) -> u64 {
    let mut rejected = 0;
    let _ = each(response, &[1], &mut |partial| {
        let mut rest = partial;
        while !rest.is_empty() {
            let tag = take_varint(&mut rest)?;
            match tag & 7 {
                0 => {
                    let v = take_varint(&mut rest)?;
                    if tag >> 3 == 1 {
                        rejected = v;
                    }
                }
                2 => {
                    let n = take_varint(&mut rest)?;
                    take(&mut rest, n)?;
                }
                _ => return Err(Malformed),
            }
        }
        Ok(())
    });
    rejected
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_request_is_malformed_at_every_byte_that_is_not_a_boundary() {
        let mut w = Writer::default();
        w.message(1, |w| {
            w.message(2, |w| {
                w.message(2, |w| w.blob(1, &[7; 16]));
                w.message(2, |w| w.uint(6, 300));
            });
        });
        assert_eq!(count_items(Signal::Traces, &w.bytes), Ok(2));
        for n in 1..w.bytes.len() {
            assert_eq!(
                count_items(Signal::Traces, &w.bytes[..n]),
                Err(Malformed),
                "{n}"
            );
        }
    }

    #[test]
    fn a_partial_success_says_how_many_were_rejected() {
        let mut w = Writer::default();
        w.message(1, |w| {
            w.string(2, "too old");
            w.uint(1, 300);
        });
        assert_eq!(rejected(&w.bytes), 300);
        assert_eq!(rejected(&[]), 0);
    }
}
