//! Values as columns hold them: a kind and 64 bits. Kinds that attributes have are the frame's;
//! here are those that only the language has, and the way from and to [`Value`].

use trunkline_proto::batch::{
    Data,
    frame::{Frame, ZEROS, bytes_of, kind, span},
};

use crate::{
    failure::Failure,
    go::{time::Time, zone::Zone},
    value::{Text, Value},
};

/// Nanoseconds since 1970, in UTC.
pub(super) const TIME: u8 = kind::FREE;
/// Nanoseconds.
pub(super) const DURATION: u8 = kind::FREE + 1;
/// The bytes of a span id.
pub(super) const SPAN_ID: u8 = kind::FREE + 2;
/// The span of 16 bytes.
pub(super) const TRACE_ID: u8 = kind::FREE + 3;
/// The index of a value that does not fit into 64 bits and a span.
pub(super) const BOXED: u8 = kind::FREE + 4;

/// A kind and its payload.
pub(super) type Cell = (u8, u64);

/// Values that lie beside the columns.
pub(super) type Boxed = Vec<Value>;

/// The span of a trace id that is all zero.
pub(super) fn zeros(len: usize) -> u64 {
    span::heap(0, len.min(ZEROS))
}

/// A cell as a value.
pub(super) fn value(heap: &[u8], data: &Data, boxed: &Boxed, (of, bits): Cell) -> Value {
    let text = || Text::from_slice(bytes_of(heap, data, bits));
    match of {
        kind::BOOL => Value::Bool(bits != 0),
        kind::INT => Value::Int(bits as i64),
        kind::DOUBLE => Value::Float(f64::from_bits(bits)),
        kind::STRING => Value::String(text()),
        kind::BYTES => Value::Bytes(text()),
        kind::MAP => Value::Map(text()),
        kind::LIST => Value::Slice(text()),
        TIME => Value::Time(Time::from_nanos(bits as i64)),
        DURATION => Value::Duration(bits as i64),
        SPAN_ID => Value::SpanId(bits.to_le_bytes()),
        TRACE_ID => {
            let bytes = bytes_of(heap, data, bits);
            Value::TraceId(bytes.try_into().unwrap_or_default())
        }
        BOXED => boxed.get(bits as usize).cloned().unwrap_or(Value::Nil),
        _ => Value::Nil,
    }
}

/// A value as a cell; what it needs of room is taken from the frame's heap.
///
/// # Errors
/// [`Failure::Batch`] when the heap is full.
pub(super) fn cell(frame: &mut Frame, boxed: &mut Boxed, value: Value) -> Result<Cell, Failure> {
    let mut put = |of, bytes: &[u8]| match frame.put(bytes) {
        Some(bits) => Ok((of, bits)),
        None => Err(full()),
    };
    Ok(match value {
        Value::Nil => (kind::NIL, 0),
        Value::Bool(value) => (kind::BOOL, value.into()),
        Value::Int(value) => (kind::INT, value as u64),
        Value::Float(value) => (kind::DOUBLE, value.to_bits()),
        Value::String(text) => put(kind::STRING, &text)?,
        Value::Bytes(bytes) => put(kind::BYTES, &bytes)?,
        Value::Map(any) => put(kind::MAP, &any)?,
        Value::Slice(any) => put(kind::LIST, &any)?,
        Value::Time(time) => match nanos(time) {
            Some(nanos) => (TIME, nanos as u64),
            None => boxed_cell(boxed, Value::Time(time)),
        },
        Value::Duration(nanos) => (DURATION, nanos as u64),
        Value::SpanId(id) => (SPAN_ID, u64::from_le_bytes(id)),
        Value::TraceId(id) => put(TRACE_ID, &id)?,
        value => boxed_cell(boxed, value),
    })
}

fn boxed_cell(boxed: &mut Boxed, value: Value) -> Cell {
    boxed.push(value);
    (BOXED, boxed.len() as u64 - 1)
}

/// A time in UTC that 64 bits of nanoseconds hold.
pub(super) fn nanos(time: Time) -> Option<i64> {
    let nanos = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
    i64::try_from(nanos)
        .ok()
        .filter(|_| matches!(time.zone, Zone::Utc))
}

pub(super) fn full() -> Failure {
    Failure::Batch(trunkline_proto::batch::Error::TooLarge)
}

/// The name of a cell's type in errors.
pub(super) fn type_name(boxed: &Boxed, (of, bits): Cell) -> &'static str {
    match of {
        kind::BOOL => Value::Bool(false).type_name(),
        kind::INT => Value::Int(0).type_name(),
        kind::DOUBLE => Value::Float(0.0).type_name(),
        kind::STRING => Value::String(Text::new()).type_name(),
        kind::BYTES => Value::Bytes(Text::new()).type_name(),
        kind::MAP => Value::Map(Text::new()).type_name(),
        kind::LIST => Value::Slice(Text::new()).type_name(),
        TIME => Value::Time(Time::from_nanos(0)).type_name(),
        DURATION => Value::Duration(0).type_name(),
        SPAN_ID => Value::SpanId([0; 8]).type_name(),
        TRACE_ID => Value::TraceId([0; 16]).type_name(),
        BOXED => boxed.get(bits as usize).map_or("nil", Value::type_name),
        _ => Value::Nil.type_name(),
    }
}
