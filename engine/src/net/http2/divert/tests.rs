//! Random connections through [`Divert`]: whatever the sizes of frames and reads
//! and however streams interleave, every body arrives whole and `h2` sees the rest.

use std::{collections::BTreeMap, task::Waker};

use proptest::prelude::*;
use tokio::io::{AsyncRead, ReadBuf};

use super::{
    frame::{DATA, END_STREAM, Frame, HEADER, PADDED},
    *,
};

/// A connection that gives scripted bytes in pieces of scripted sizes.
struct Script {
    bytes: Vec<u8>,
    at: usize,
    pieces: Vec<usize>,
    next: usize,
    written: Vec<u8>,
}

impl Script {
    fn new(bytes: Vec<u8>, pieces: Vec<usize>) -> Script {
        Script {
            bytes,
            at: 0,
            pieces,
            next: 0,
            written: Vec::new(),
        }
    }
}

impl Recv for Script {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut [MaybeUninitSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let piece = self.pieces[self.next % self.pieces.len()];
        self.next += 1;
        if piece == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let end = (self.at + piece).min(self.bytes.len());
        let mut n = 0;
        for buffer in buffers {
            let rest = &self.bytes[self.at..end];
            let k = rest.len().min(buffer.len());
            for (slot, byte) in buffer.iter_mut().zip(&rest[..k]) {
                slot.write(*byte);
            }
            self.at += k;
            n += k;
        }
        Poll::Ready(Ok(n))
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut out = vec![length[1], length[2], length[3], kind, flags];
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

const HEADERS: u8 = 1;
const PING: u8 = 6;

/// What one sender does: a message of so many bytes, cut at `cut`, padded now and then, the end
/// of the stream in the last frame or in an empty one.
#[derive(Clone, Debug)]
struct Sender {
    length: usize,
    cut: usize,
    padded: bool,
    end_apart: bool,
    diverted: bool,
}

fn senders() -> impl Strategy<Value = Vec<Sender>> {
    let length = prop_oneof![0usize..20, 0usize..70_000];
    let cut = prop_oneof![1usize..40, Just(16_384usize), Just(100_000)];
    proptest::collection::vec(
        (length, cut, any::<bool>(), any::<bool>(), 0u8..8).prop_map(
            |(length, cut, padded, end_apart, diverted)| Sender {
                length,
                cut: cut.max(length / 200 + 1),
                padded: padded && cut < 40,
                end_apart,
                diverted: diverted > 0,
            },
        ),
        1..9,
    )
}

fn message(stream: u32, length: usize) -> Vec<u8> {
    (0..length)
        .map(|i| (i as u32).wrapping_mul(31).wrapping_add(stream) as u8)
        .collect()
}

/// The frames of each stream, DATA cut as the sender cuts it.
fn frames(stream: u32, sender: &Sender) -> Vec<Vec<u8>> {
    let mut body = vec![0];
    body.extend_from_slice(&(sender.length as u32).to_be_bytes());
    body.extend_from_slice(&message(stream, sender.length));
    let mut out = vec![frame(HEADERS, 4, stream, b"headers")];
    let chunks: Vec<&[u8]> = body.chunks(sender.cut).collect();
    for (k, chunk) in chunks.iter().enumerate() {
        let end = if k + 1 == chunks.len() && !sender.end_apart {
            END_STREAM
        } else {
            0
        };
        if sender.padded && k % 3 == 1 {
            let mut payload = vec![(k % 7) as u8];
            payload.extend_from_slice(chunk);
            payload.extend(std::iter::repeat_n(0, k % 7));
            out.push(frame(DATA, PADDED | end, stream, &payload));
        } else {
            out.push(frame(DATA, end, stream, chunk));
        }
    }
    if sender.end_apart {
        out.push(frame(DATA, END_STREAM, stream, b""));
    }
    out
}

/// Puts the streams' frames in one order: round and round with pauses, or as `order` says.
fn interleave(mut streams: Vec<Vec<Vec<u8>>>, order: &[u8], round: bool) -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    for stream in &mut streams {
        stream.reverse();
    }
    let mut k = 0;
    let mut opened = 0;
    loop {
        let open: Vec<usize> = (0..streams.len())
            .filter(|&at| !streams[at].is_empty())
            .collect();
        if open.is_empty() {
            break;
        }
        let pick = order[k % order.len()] as usize;
        let mut at = open[if round && pick < 250 { k } else { pick } % open.len()];
        // RFC 9113 §5.1.1: streams are opened in the order of their numbers.
        if at >= opened {
            at = opened;
            opened += 1;
        }
        if let Some(next) = streams[at].pop() {
            bytes.extend_from_slice(&next);
        }
        if pick % 50 == 49 {
            bytes.extend_from_slice(&frame(PING, 0, 0, b"8 bytes."));
        }
        k += 1;
    }
    bytes
}

/// Plays the part of `h2`: reads frames, accepts streams. Returns the bodies and, per stream, the
/// DATA that came through.
fn run(bytes: Vec<u8>, pieces: Vec<usize>, diverted: &BTreeMap<u32, bool>) -> Played {
    let total = bytes.len();
    let script = Script::new(bytes, pieces);
    let windows = Windows {
        frame: 1 << 20,
        stream: 40_000,
        connection: 60_000,
    };
    let budget = Budget::new(1 << 30);
    let (mut divert, bodies) = Divert::new(script, windows, 1 << 20, budget.clone());
    let mut cx = Context::from_waker(Waker::noop());
    let mut expected = BTreeMap::new();
    let mut seen = Vec::new();
    let mut parsed = 24;
    let mut played = Played::default();
    let mut idle = 0;
    let mut done = false;
    while !done {
        let mut space = [0u8; 777];
        let mut buf = ReadBuf::new(&mut space);
        let at = divert.io.at;
        let polled = Pin::new(&mut divert).poll_read(&mut cx, &mut buf);
        match polled {
            Poll::Ready(Ok(())) if buf.filled().is_empty() => done = true,
            Poll::Ready(Ok(())) => {
                idle = 0;
                seen.extend_from_slice(buf.filled());
            }
            Poll::Ready(Err(error)) => panic!("{error}"),
            Poll::Pending => {
                // Bodies pass without a trace of them here.
                if divert.io.at > at {
                    idle = 0;
                }
                idle += 1;
                assert!(
                    idle < 100_000,
                    "no progress after {} of {total}",
                    divert.io.at
                );
            }
        }
        // `h2` reads all that there is before a request is accepted.
        let accepting = polled.is_pending() || done;
        while let Some(header) = seen.get(parsed..).and_then(|s| s.first_chunk::<HEADER>()) {
            let frame = Frame::parse(header);
            let Some(payload) = seen.get(parsed + HEADER..parsed + HEADER + frame.length) else {
                break;
            };
            match frame.kind {
                HEADERS if !accepting => break,
                HEADERS if diverted[&frame.stream] => {
                    expected.insert(frame.stream, bodies.expect(frame.stream));
                }
                DATA => {
                    let slot = played.through.entry(frame.stream).or_default();
                    slot.0.extend_from_slice(payload);
                    slot.1 |= frame.flags & END_STREAM != 0;
                    if slot.1
                        && let Some(body) = expected.remove(&frame.stream)
                    {
                        played.bodies.insert(frame.stream, body.finish());
                    }
                }
                PING => played.pings += 1,
                _ => {}
            }
            parsed += HEADER + frame.length;
        }
    }
    played.credited = credits(&divert.io.written);
    played.uncredited = u64::from(divert.credit.withheld());
    drop(expected);
    drop(divert);
    for body in played.bodies.values().flatten() {
        played.lengths += body.bytes.len();
    }
    played
}

fn credits(written: &[u8]) -> u64 {
    let mut at = 0;
    let mut sum = 0;
    while let Some(header) = written.get(at..).and_then(|w| w.first_chunk::<HEADER>()) {
        let frame = Frame::parse(header);
        assert_eq!(
            (frame.kind, frame.length),
            (8, 4),
            "only WINDOW_UPDATE is written"
        );
        let n = u32::from_be_bytes(written[at + 9..at + 13].try_into().unwrap());
        assert!(n > 0, "RFC 9113 §6.9: an increment of 0 is an error");
        if frame.stream == 0 {
            sum += u64::from(n);
        }
        at += HEADER + 4;
    }
    sum
}

#[derive(Default)]
struct Played {
    bodies: BTreeMap<u32, Result<Message, BodyError>>,
    through: BTreeMap<u32, (Vec<u8>, bool)>,
    pings: usize,
    credited: u64,
    uncredited: u64,
    lengths: usize,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn every_body_arrives_whole(
        senders in senders(),
        order in proptest::collection::vec(any::<u8>(), 1..40),
        round in any::<bool>(),
        pieces in proptest::collection::vec(
            prop_oneof![0usize..3, 1usize..100, 1usize..200_000], 1..20)
            .prop_filter("something must come", |p| p.iter().any(|&n| n > 0)),
    ) {
        let streams: Vec<u32> = (0..senders.len() as u32).map(|k| 2 * k + 1).collect();
        let diverted: BTreeMap<u32, bool> =
            streams.iter().copied().zip(senders.iter().map(|s| s.diverted)).collect();
        let all: Vec<_> = streams.iter().zip(&senders).map(|(id, s)| frames(*id, s)).collect();
        let payload: u64 = streams
            .iter()
            .zip(&all)
            .filter(|(id, _)| diverted[id])
            .flat_map(|(_, frames)| frames.iter().filter(|f| f[3] == DATA))
            .map(|f| (f.len() - HEADER) as u64)
            .sum();
        let played = run(interleave(all, &order, round), pieces, &diverted);
        for (id, sender) in streams.iter().zip(&senders) {
            let (through, ended) = played.through.get(id).cloned().unwrap_or_default();
            prop_assert!(ended, "stream {id} has ended");
            if sender.diverted {
                prop_assert!(through.is_empty());
                let message = played.bodies.get(id).expect("a body");
                let message = message.as_ref().map_err(|e| TestCaseError::fail(format!("{e:?}")))?;
                prop_assert!(*message.bytes == self::message(*id, sender.length));
            } else {
                prop_assert!(through.len() >= 5 + sender.length);
            }
        }
        // RFC 9113 §6.9: every byte of payload is given back, or will be with the next ones.
        prop_assert_eq!(played.credited + played.uncredited, payload);
    }
}

fn one(bytes: &[Vec<u8>], budget: usize, limit: usize) -> Result<Message, BodyError> {
    let mut all = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    all.extend_from_slice(&frame(HEADERS, 4, 1, b"headers"));
    for frame in bytes {
        all.extend_from_slice(frame);
    }
    let script = Script::new(all, vec![1 << 20]);
    let windows = Windows {
        frame: 1 << 20,
        stream: 1 << 20,
        connection: 1 << 20,
    };
    let (mut divert, bodies) = Divert::new(script, windows, limit, Budget::new(budget));
    let mut cx = Context::from_waker(Waker::noop());
    let expected = bodies.expect(1);
    for _ in 0..100 {
        let mut space = [0u8; 4096];
        let mut buf = ReadBuf::new(&mut space);
        let _ = Pin::new(&mut divert).poll_read(&mut cx, &mut buf);
    }
    if let Poll::Ready(error) = expected.poll_refused(&mut cx) {
        return Err(error);
    }
    expected.finish()
}

#[test]
fn what_is_no_single_message_is_refused() {
    let data = |payload: &[u8]| frame(DATA, END_STREAM, 1, payload);
    let whole = one(&[data(b"\x01\0\0\0\x02ab")], 100, 100).unwrap();
    assert!(whole.compressed && whole.bytes.as_slice() == b"ab");
    type Case<'a> = (&'a [u8], usize, usize, fn(&BodyError) -> bool);
    let cases: [Case<'_>; 6] = [
        (b"\0\0\0\0\x03ab", 100, 100, |e| {
            matches!(e, BodyError::Truncated { received: 7 })
        }),
        (b"\0\0\0", 100, 100, |e| {
            matches!(e, BodyError::Truncated { received: 3 })
        }),
        (b"", 100, 100, |e| {
            matches!(e, BodyError::Truncated { received: 0 })
        }),
        (b"\0\0\0\0\x02abc", 100, 100, |e| {
            matches!(e, BodyError::Trailing)
        }),
        (b"\0\0\0\0\x65", 1000, 100, |e| {
            matches!(
                e,
                BodyError::TooLarge {
                    length: 101,
                    limit: 100
                }
            )
        }),
        (b"\0\0\0\0\x65", 100, 1000, |e| {
            matches!(e, BodyError::NoRoom)
        }),
    ];
    for (payload, budget, limit, want) in cases {
        let error = one(&[data(payload)], budget, limit).unwrap_err();
        assert!(want(&error), "{payload:?}: {error:?}");
    }
}

#[test]
fn more_padding_than_payload_ends_the_connection() {
    // RFC 9113 §6.1.
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend_from_slice(&frame(DATA, PADDED, 1, &[9, 1, 2]));
    let script = Script::new(bytes, vec![1 << 20]);
    let windows = Windows {
        frame: 1 << 20,
        stream: 1 << 20,
        connection: 1 << 20,
    };
    let (mut divert, bodies) = Divert::new(script, windows, 100, Budget::new(100));
    let _expected = bodies.expect(1);
    let mut cx = Context::from_waker(Waker::noop());
    let mut space = [0u8; 4096];
    let mut buf = ReadBuf::new(&mut space);
    let mut last = Pin::new(&mut divert).poll_read(&mut cx, &mut buf);
    if matches!(last, Poll::Ready(Ok(()))) {
        last = Pin::new(&mut divert).poll_read(&mut cx, &mut buf);
    }
    assert!(matches!(last, Poll::Ready(Err(_))), "{last:?}");
}

// Whoever waits for a large body has its turn before the next one is read, where that is wanted.
#[test]
fn after_a_large_body_nothing_is_read_for_a_turn() {
    struct Count(std::sync::atomic::AtomicUsize);
    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
    for (length, one_by_one, turns) in [(200_000, true, 2), (200_000, false, 0), (20_000, true, 0)]
    {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        let mut pieces = vec![bytes.len()];
        for stream in [1, 3] {
            let mut body = vec![0];
            body.extend_from_slice(&(length as u32).to_be_bytes());
            body.extend_from_slice(&message(stream, length));
            let frame = frame(DATA, END_STREAM, stream, &body);
            // The header and the prefix, then the rest and no more.
            pieces.extend([HEADER + 5, frame.len() - HEADER - 5]);
            bytes.extend_from_slice(&frame);
        }
        let script = Script::new(bytes, pieces);
        let windows = Windows {
            frame: 1 << 20,
            stream: 1 << 20,
            connection: 1 << 22,
        };
        let (divert, bodies) = Divert::new(script, windows, 1 << 20, Budget::new(1 << 20));
        let mut divert = divert.one_by_one(one_by_one);
        let mut expected = [1, 3]
            .map(|stream| (stream, bodies.expect(stream)))
            .into_iter();
        let mut take = || {
            let (stream, body) = expected.next().unwrap();
            let body = body.finish().unwrap();
            assert_eq!(body.bytes.as_slice(), message(stream, length));
        };
        let woken = Arc::new(Count(0.into()));
        let times = || woken.0.load(std::sync::atomic::Ordering::Relaxed);
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        let mut waited = 0;
        for _ in 0..100 {
            let mut space = [0u8; 4096];
            let mut buf = ReadBuf::new(&mut space);
            let at = divert.io.at;
            let polled = Pin::new(&mut divert).poll_read(&mut cx, &mut buf);
            if polled.is_pending() {
                // However often it is asked.
                assert!(
                    Pin::new(&mut divert)
                        .poll_read(&mut cx, &mut buf)
                        .is_pending()
                );
                assert_eq!((divert.io.at, times()), (at, waited));
                take();
                waited += 1;
                assert_eq!(times(), waited, "it is woken");
            } else if buf.filled().is_empty() {
                break;
            }
        }
        assert_eq!(waited, turns, "{length} {one_by_one}");
        (waited..2).for_each(|_| take());
    }
}
