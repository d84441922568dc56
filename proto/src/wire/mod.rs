//! Protobuf as it is on the wire: reading fields in place, and writing them.
//! Nothing here knows what OTLP's messages mean; see [`crate::batch`] for that.

mod ahead;
mod error;
mod reader;
mod writer;

pub(crate) use ahead::{ask_around, ask_for};
pub use error::{DecodeError, DecodeErrorKind};
pub use reader::{Field, Fields, MAX_DEPTH, WireType, read_field, read_varint};
pub use writer::{
    begin_message, end_message, put_bytes, put_double, put_fixed32, put_fixed64, put_sint, put_tag,
    put_uint, put_varint, tag_len, varint_len, zigzag,
};
