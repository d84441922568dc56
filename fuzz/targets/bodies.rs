//! Bodies as a client sends them, the first byte says in what:
//!
//! - 0 to 7: compressed; the second byte is the cap (a power of two). What is inflated never
//!   takes more room than the cap or than was granted, and can be deflated and inflated again;
//! - 8 and 9: a whole HTTP/2 connection; the second byte chooses the sizes in which it arrives.
//!   `h2` behind the diverter takes it as the receiver does: no panic, and it comes to an end;
//! - 10: headers of a gRPC request.

#![no_main]

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use socket2::MaybeUninitSlice;
use tokio::io::AsyncWrite;
use trunkline::{
    net::{
        admission::Budget,
        compression::{Codec, Deflater, InflateError, Inflater, NoRoom},
        http2::divert::{Divert, Recv, Windows},
    },
    receivers::otlp::grpc,
};

fuzz_target!(|data: &[u8]| {
    let [kind, choice, body @ ..] = data else {
        return;
    };
    match kind % 11 {
        0 => inflate(Codec::Identity, *choice, body),
        codec @ 1..=7 => inflate(Codec::ALL[usize::from(codec - 1)], *choice, body),
        8 => connection(*choice, body.to_vec()),
        // So that frames are reached at once: the preface and empty settings go before.
        9 => {
            let start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
            connection(*choice, [start, body].concat());
        }
        _ => headers(body),
    }
});

fn inflate(codec: Codec, cap: u8, body: &[u8]) {
    let allowed = cap;
    let cap = 1usize << (cap % 23);
    // Now and then memory runs out before the cap is reached.
    let allowed = if allowed & 0x80 == 0 { cap } else { cap / 2 };
    let mut granted = 0;
    let mut out = Vec::new();
    let result = Inflater::new().inflate(codec, body, cap, &mut out, |more| {
        granted += more;
        if granted > allowed {
            return Err(NoRoom);
        }
        Ok(())
    });
    match result {
        Ok(()) => {
            assert!(out.len() <= cap, "{} over {cap}", out.len());
            assert!(granted >= out.len() && granted <= cap, "{granted} {cap}");
        }
        Err(InflateError::Corrupt(text)) => {
            assert!(!text.is_empty());
            return;
        }
        Err(InflateError::TooLarge | InflateError::NoRoom) => return,
    }
    if out.len() > 1 << 16 {
        return;
    }
    let mut packed = Vec::new();
    if Deflater::new()
        .deflate(codec, 0, &out, &mut packed)
        .is_err()
    {
        panic!("{codec}: what was inflated can be deflated");
    }
    let mut again = Vec::new();
    let result = Inflater::new().inflate(codec, &packed, out.len(), &mut again, |_| Ok(()));
    assert_eq!(result, Ok(()), "{codec}");
    assert!(again == out, "{codec}: the same comes back");
}

fn headers(body: &[u8]) {
    let mut map = http::HeaderMap::new();
    for line in body.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
            continue;
        };
        if let (Ok(name), Ok(value)) = (
            http::HeaderName::from_bytes(name),
            http::HeaderValue::from_bytes(value),
        ) {
            map.append(name, value);
        }
    }
    let _ = grpc::grpc_timeout(&map);
    let _ = grpc::metadata(&map);
    if let Ok(text) = std::str::from_utf8(body) {
        let _ = grpc::signal_of(text);
        let _ = Codec::from_content_encoding(text);
        let _ = Codec::from_grpc_encoding(text);
    }
}

/// A connection that gives the input in pieces.
struct Script {
    bytes: Vec<u8>,
    at: usize,
    piece: usize,
    pause: bool,
}

impl Recv for Script {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut [MaybeUninitSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.pause = !self.pause;
        if self.pause {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let end = self.bytes.len().min(self.at + self.piece);
        let before = self.at;
        for buffer in buffers {
            let rest = &self.bytes[self.at..end];
            let count = rest.len().min(buffer.len());
            for (slot, byte) in buffer.iter_mut().zip(&rest[..count]) {
                slot.write(*byte);
            }
            self.at += count;
        }
        Poll::Ready(Ok(self.at - before))
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Serves the connection as `net::http2::server` does, without a runtime: every request whose
/// path ends in an odd byte has its body read beside `h2`, the others through it.
fn connection(choice: u8, bytes: Vec<u8>) {
    let pieces = [1, 2, 9, 10, 64, 1000, 20_000, 1 << 20];
    let most = 1000 + 10 * bytes.len();
    let script = Script {
        bytes,
        at: 0,
        piece: pieces[usize::from(choice) % pieces.len()],
        pause: false,
    };
    let windows = Windows {
        frame: 1 << 20,
        stream: 40_000,
        connection: 70_000,
    };
    let budget = Budget::new(1 << 20);
    let (divert, bodies) = Divert::new(script, windows, 1 << 18, budget.clone());
    let mut cx = Context::from_waker(Waker::noop());
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(40_000)
        .initial_connection_window_size(70_000)
        .max_frame_size(1 << 20)
        .max_header_list_size(16 << 10)
        .max_concurrent_streams(20);
    {
        let mut handshake = pin!(builder.handshake::<_, Bytes>(divert));
        let mut polls = 0;
        let mut connection = loop {
            match handshake.as_mut().poll(&mut cx) {
                Poll::Ready(Ok(connection)) => break connection,
                Poll::Ready(Err(_)) => return,
                Poll::Pending => {
                    polls += 1;
                    assert!(polls < most, "the handshake does not end");
                }
            }
        };
        let mut open = Vec::new();
        let mut polls = 0;
        loop {
            match connection.poll_accept(&mut cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    let (head, stream) = request.into_parts();
                    let odd = head.uri.path().bytes().last().is_none_or(|b| b & 1 == 1);
                    let expected = odd.then(|| bodies.expect(stream.stream_id().as_u32()));
                    open.push((stream, respond, expected));
                }
                Poll::Ready(_) => break,
                Poll::Pending => {}
            }
            open.retain_mut(|(stream, respond, expected)| {
                if let Some(expected) = expected {
                    if expected.poll_refused(&mut cx).is_ready() {
                        respond.send_reset(h2::Reason::CANCEL);
                        return false;
                    }
                }
                match stream.poll_data(&mut cx) {
                    Poll::Ready(Some(Ok(data))) => {
                        let _ = stream.flow_control().release_capacity(data.len());
                        true
                    }
                    Poll::Ready(Some(Err(_))) => false,
                    Poll::Pending => true,
                    Poll::Ready(None) => {
                        if let Some(expected) = expected.take() {
                            if let Ok(message) = expected.finish() {
                                assert!(message.bytes.len() <= 1 << 18);
                            }
                        }
                        let _ = respond.send_response(http::Response::new(()), true);
                        false
                    }
                }
            });
            polls += 1;
            assert!(polls < most, "the connection does not end");
        }
    }
    assert_eq!(
        budget.used(),
        0,
        "everything that was charged is given back"
    );
}
