//! Requests unlike those that are generated, of which a gateway may not depend: attributes of other
//! names, in another order from item to item, with other values in every item, of other types.

use bytes::Bytes;
use trunkline_proto::{
    Batch, Signal,
    batch::{Error, Level, Value},
};

/// What is unlike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Nothing.
    Generated,
    /// The names of all attributes.
    Names,
    /// The order of the attributes, in every item another.
    Shuffled,
    /// Every string, which stands there only once.
    Distinct,
    /// [`MIXED`]: an integer, a string, a double or a bool.
    Mixed,
}

/// What attributes of mixed types are called.
const MIXED: [&[u8]; 2] = [b"http.response.status_code", b"code.line.number"];

/// The other name of an attribute.
pub fn other_name(key: &str) -> String {
    let mut words: Vec<&str> = key.split(['.', '_']).collect();
    words.reverse();
    format!("acme.{}", words.join("-"))
}

/// A request with other attributes at a level.
///
/// # Errors
/// The request is not valid.
pub fn vary(
    variant: Variant,
    signal: Signal,
    level: Level,
    payload: &Bytes,
) -> Result<Bytes, Error> {
    let mut batch = Batch::from_protobuf(signal, payload.clone())?;
    let data = batch.open()?;
    let mut number = 0u64;
    for row in data.rows(level)? {
        let mut list: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for attribute in data.attributes(level, row)? {
            number += 1;
            let key = match variant {
                Variant::Names => other_name(&String::from_utf8_lossy(attribute.key)).into(),
                _ => attribute.key.to_vec(),
            };
            let any = attribute.value.unwrap_or_default();
            list.push((key, value(variant, attribute.key, any, number)?));
        }
        if variant == Variant::Shuffled {
            for last in (1..list.len()).rev() {
                number = number
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                list.swap(last, (number >> 33) as usize % (last + 1));
            }
        }
        let mut attributes = Vec::with_capacity(list.len());
        for (key, any) in &list {
            attributes.push((key.as_slice(), Value::read(any)?));
        }
        data.set_attributes(level, row, &attributes)?;
    }
    Ok(batch.to_protobuf())
}

fn value(variant: Variant, key: &[u8], any: &[u8], number: u64) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    match (variant, Value::read(any)?) {
        (Variant::Distinct, Value::String(text)) => {
            let text = [text, format!("-{number:06}").as_bytes()].concat();
            Value::String(&text).write(&mut out);
        }
        (Variant::Mixed, Value::Int(value)) if MIXED.contains(&key) => match number / 16 % 4 {
            0 => Value::Int(value).write(&mut out),
            1 => Value::String(value.to_string().as_bytes()).write(&mut out),
            2 => Value::Double(value as f64).write(&mut out),
            _ => Value::Bool(true).write(&mut out),
        },
        _ => out.extend_from_slice(any),
    }
    Ok(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::generate::{Compression, Encoding, Pool, Shape};

    #[test]
    fn requests_are_unlike_and_have_as_many_attributes() {
        let pool = Pool::new(Shape {
            signal: Signal::Traces,
            batch: 40,
            per_resource: 7,
            bodies: 1,
            seed: 1,
            encoding: Encoding::Protobuf,
            compression: Compression::None,
            verify: false,
            grpc: false,
        });
        let (payload, ..) = pool.unwrap().take().unwrap();
        let count = |payload: &Bytes| {
            let mut batch = Batch::from_protobuf(Signal::Traces, payload.clone()).unwrap();
            let data = batch.open().unwrap();
            let rows = data.rows(Level::Item).unwrap();
            let mut of = rows.iter();
            of.try_fold(0, |sum, row| {
                Ok::<_, Error>(sum + data.attributes(Level::Item, *row)?.len())
            })
            .unwrap()
        };
        for variant in [
            Variant::Names,
            Variant::Shuffled,
            Variant::Distinct,
            Variant::Mixed,
        ] {
            let varied = vary(variant, Signal::Traces, Level::Item, &payload).unwrap();
            assert_ne!(varied, payload, "{variant:?}");
            assert_eq!(count(&varied), count(&payload), "{variant:?}");
        }
        assert_eq!(other_name("http.status_code"), "acme.code-status-http");
    }
}
