//! Protobuf as it is on the wire: reading fields in place, and writing them.
//! Nothing here knows what OTLP's messages mean; see [`crate::batch`] for that.

mod error;
mod reader;
mod writer;

pub use error::{DecodeError, DecodeErrorKind};
pub use reader::{Field, Fields, MAX_DEPTH, WireType, peek, read_field, read_varint, skip_plain};
pub use writer::{
    begin_message, end_message, put_bytes, put_double, put_fixed32, put_fixed64, put_sint, put_tag,
    put_uint, put_varint, tag_len, varint_len, zigzag,
};
