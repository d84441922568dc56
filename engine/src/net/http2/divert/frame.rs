//! HTTP/2 frames as far as bodies need them: the header of a frame (RFC 9113
//! §4.1) and the two frames that are written here and not by `h2`. What frames
//! mean for a connection is the reader's and the writer's business.

/// Length of a frame header in bytes.
pub(super) const HEADER: usize = 9;
/// Frame type DATA (§6.1).
pub(super) const DATA: u8 = 0;
/// Frame type WINDOW_UPDATE (§6.9).
const WINDOW_UPDATE: u8 = 8;
/// DATA flag: the sender has said all on this stream.
pub(super) const END_STREAM: u8 = 1;
/// DATA flag: the payload begins with the length of the padding that ends it.
pub(super) const PADDED: u8 = 8;

/// A frame's header.
pub(super) struct Frame {
    /// Bytes of payload behind the header.
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

impl Frame {
    pub(super) fn parse(header: &[u8; HEADER]) -> Frame {
        let [a, b, c, kind, flags, s0, s1, s2, s3] = *header;
        Frame {
            length: u32::from_be_bytes([0, a, b, c]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes([s0, s1, s2, s3]) & 0x7fff_ffff,
        }
    }
}

/// Appends a WINDOW_UPDATE of `n` bytes; stream 0 is the connection.
pub(super) fn window_update(out: &mut Vec<u8>, stream: u32, n: u32) {
    out.extend_from_slice(&[0, 0, 4, WINDOW_UPDATE, 0]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(&n.to_be_bytes());
}

/// Appends an empty DATA frame that ends a stream.
pub(super) fn end_of_stream(out: &mut Vec<u8>, stream: u32) {
    out.extend_from_slice(&[0, 0, 0, DATA, END_STREAM]);
    out.extend_from_slice(&stream.to_be_bytes());
}
