//! HTTP/2 by the frame: for tests that decide themselves which bytes go into one
//! write, or that look at what a server says of its windows. It keeps no state
//! beside the socket, and headers are written without a table (RFC 7541 §6.2.2).

use bytes::{Buf, Bytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    Signal, grpc,
    io::{BoxStream, Target},
    wait,
};

/// Frame types (RFC 9113 §6).
pub const DATA: u8 = 0;
/// See [`DATA`].
pub const HEADERS: u8 = 1;
/// See [`DATA`].
pub const SETTINGS: u8 = 4;
/// See [`DATA`].
pub const GOAWAY: u8 = 7;
/// See [`DATA`].
pub const WINDOW_UPDATE: u8 = 8;

/// The last frame of its stream, and the acknowledgement of SETTINGS.
pub const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream; 0 is the connection.
    pub stream: u32,
    /// Its payload.
    pub payload: Bytes,
}

impl Frame {
    /// A frame in the making.
    pub fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Bytes>) -> Frame {
        Frame {
            kind,
            flags,
            stream,
            payload: payload.into(),
        }
    }

    /// The head of an Export call.
    pub fn call(stream: u32, signal: Signal) -> Frame {
        let mut block = Vec::new();
        for (name, value) in [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", grpc::path(signal)),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ] {
            block.push(0);
            for text in [name, value] {
                // Seven bits suffice for all of these.
                block.push(u8::try_from(text.len()).unwrap());
                block.extend_from_slice(text.as_bytes());
            }
        }
        Frame::new(HEADERS, END_HEADERS, stream, block)
    }

    /// DATA.
    pub fn data(stream: u32, payload: impl Into<Bytes>, end: bool) -> Frame {
        Frame::new(DATA, if end { END_STREAM } else { 0 }, stream, payload)
    }

    /// Whether its stream ends with it.
    pub fn ends(&self) -> bool {
        [DATA, HEADERS].contains(&self.kind) && self.flags & END_STREAM != 0
    }

    /// The identifiers and values of SETTINGS.
    pub fn settings(&self) -> Vec<(u16, u32)> {
        let mut payload = self.payload.clone();
        let mut found = Vec::new();
        while payload.len() >= 6 {
            found.push((payload.get_u16(), payload.get_u32()));
        }
        found
    }

    /// The increment of WINDOW_UPDATE.
    pub fn increment(&self) -> u32 {
        self.payload.clone().get_u32()
    }

    fn write(&self, out: &mut Vec<u8>) {
        let length = u32::try_from(self.payload.len()).unwrap();
        out.extend_from_slice(&length.to_be_bytes()[1..]);
        out.extend_from_slice(&[self.kind, self.flags]);
        out.extend_from_slice(&self.stream.to_be_bytes());
        out.extend_from_slice(&self.payload);
    }
}

/// A connection.
pub struct Connection {
    stream: BoxStream,
}

impl Connection {
    /// Connects, and says what a client says first (RFC 9113 §3.4), with windows that no test
    /// exhausts.
    pub async fn open(target: impl Into<Target>) -> Connection {
        let mut connection = Connection {
            stream: target.into().connect().await.unwrap(),
        };
        connection
            .stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        connection
            .write(&[Frame::new(SETTINGS, 0, 0, Bytes::new())])
            .await;
        connection
    }

    /// Writes frames with one call to the kernel, as far as it takes them.
    pub async fn write(&mut self, frames: &[Frame]) {
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut bytes));
        self.stream.write_all(&bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next frame; `None` when the connection is gone.
    pub async fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        wait::within("a frame", self.stream.read_exact(&mut head))
            .await
            .ok()?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        wait::within("a frame's payload", self.stream.read_exact(&mut payload))
            .await
            .ok()?;
        let stream = u32::from_be_bytes(stream) & 0x7fff_ffff;
        Some(Frame::new(kind, flags, stream, payload))
    }

    /// Reads until a frame is the one that is looked for.
    ///
    /// # Panics
    /// When the connection ends before.
    pub async fn read_until(&mut self, mut wanted: impl FnMut(&Frame) -> bool) -> Frame {
        loop {
            let frame = self.read().await.expect("the connection ended");
            if wanted(&frame) {
                return frame;
            }
        }
    }
}
