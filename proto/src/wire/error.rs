//! What can be wrong with bytes that claim to be protobuf, and where.

use std::fmt;

/// Bytes that are not the message they should be: what is wrong, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Offset of the offending byte from the start of the request.
    pub offset: usize,
    /// What is wrong there.
    pub kind: DecodeErrorKind,
}

/// The ways in which bytes are not a valid message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeErrorKind {
    /// A field runs past the end of the message that holds it.
    Truncated,
    /// A varint longer than ten bytes or larger than 64 bits.
    Varint,
    /// A tag with field number 0, a number beyond 2^29-1, or wire type 6 or 7.
    Tag,
    /// A known field with a wire type that it cannot have.
    WireType {
        /// The field's number.
        field: u32,
        /// The message it is in.
        message: &'static str,
    },
    /// A packed list whose length is no multiple of its elements' size.
    Packed,
    /// A group that is not closed, or closed by another field's end.
    Group,
    /// Messages nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    Depth,
    /// More bytes than 32-bit offsets reach.
    TooLarge,
}

impl DecodeError {
    /// An error of this kind at this byte.
    #[cold]
    pub fn new(offset: usize, kind: DecodeErrorKind) -> Self {
        DecodeError { offset, kind }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid protobuf at byte {}: ", self.offset)?;
        match self.kind {
            DecodeErrorKind::Truncated => write!(f, "a field runs past the end of its message"),
            DecodeErrorKind::Varint => write!(f, "a varint is too long"),
            DecodeErrorKind::Tag => write!(f, "illegal tag"),
            DecodeErrorKind::WireType { field, message } => {
                write!(f, "wrong wireType for field {field} of {message}")
            }
            DecodeErrorKind::Packed => write!(f, "a packed list ends within an element"),
            DecodeErrorKind::Group => write!(f, "a group is not closed"),
            DecodeErrorKind::Depth => write!(f, "messages are nested too deeply"),
            DecodeErrorKind::TooLarge => write!(f, "the request is too large"),
        }
    }
}

impl std::error::Error for DecodeError {}
