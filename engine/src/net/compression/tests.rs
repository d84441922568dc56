//! Behaviour of the codecs: names, round trips, caps, damage.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;
use crate::net::buffers::Buffer;

fn inflated(codec: Codec, input: &[u8], cap: usize) -> Result<Vec<u8>, InflateError> {
    let mut out = Vec::new();
    let mut granted = 0;
    let result = Inflater::new().inflate(codec, input, cap, &mut out, |more| {
        granted += more;
        Ok(())
    });
    assert!(
        granted <= cap,
        "{codec}: asked for {granted} bytes under a cap of {cap}"
    );
    assert!(
        out.len() <= granted,
        "{codec}: {} bytes written, {granted} asked for",
        out.len()
    );
    assert!(
        out.capacity() <= granted.max(64) * 2,
        "{codec}: {} bytes taken, {granted} asked for",
        out.capacity()
    );
    result.map(|()| out)
}

fn deflated(codec: Codec, level: i32, input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Deflater::new()
        .deflate(codec, level, input, &mut out)
        .unwrap();
    out
}

/// Text like telemetry: long repeats, some noise.
fn body(len: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut body = Vec::with_capacity(len + 32);
    while body.len() < len {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        body.extend_from_slice(format!("http.route=/api/orders/{};", state >> 16).as_bytes());
    }
    body.truncate(len);
    body
}

#[test]
fn names_are_those_of_the_collector_in_any_case() {
    for codec in Codec::ALL {
        assert_eq!(
            Codec::from_content_encoding(codec.content_encoding()),
            Some(codec)
        );
        assert_eq!(
            Codec::from_content_encoding(&codec.content_encoding().to_uppercase()),
            Some(codec)
        );
        assert_eq!(Codec::from_config(codec.content_encoding()), Some(codec));
        assert_eq!(
            Codec::from_config(&codec.content_encoding().to_uppercase()),
            None
        );
    }
    for (name, expected) in [
        ("", Some(Codec::Identity)),
        ("Identity", Some(Codec::Identity)),
        (" gzip ", Some(Codec::Gzip)),
        ("br", None),
        ("gzip, gzip", None),
        ("none", None),
    ] {
        assert_eq!(Codec::from_content_encoding(name), expected, "{name:?}");
    }
    assert_eq!(Codec::from_config("none"), Some(Codec::Identity));
    assert_eq!(
        Codec::from_grpc_encoding("snappy"),
        Some(Codec::XSnappyFramed)
    );
    for codec in Codec::ALL {
        if let Some((sent, name)) = codec.for_grpc() {
            assert_eq!(
                Codec::from_grpc_encoding(name),
                Some(sent),
                "what is sent is what the name means"
            );
            assert!(
                GRPC_ACCEPT_ENCODING
                    .split(',')
                    .any(|accepted| accepted == name)
            );
        }
    }
}

#[test]
fn every_codec_and_level_gives_back_what_it_was_given() {
    for codec in Codec::ALL.into_iter().chain([Codec::Identity]) {
        for level in [-2, -1, 0, 1, 3, 6, 9, 22] {
            for len in [0, 1, 100, 65_536, 65_537, 400_000] {
                let body = body(len);
                let wire = deflated(codec, level, &body);
                assert_eq!(
                    inflated(codec, &wire, len).unwrap(),
                    body,
                    "{codec} level {level}, {len} bytes"
                );
            }
        }
    }
}

#[test]
fn what_is_there_already_stays() {
    let body = body(10_000);
    let (mut deflater, mut inflater) = (Deflater::new(), Inflater::new());
    for codec in Codec::ALL {
        let mut wire = bytes::BytesMut::from(&b"head"[..]);
        deflater.deflate(codec, 0, &body, &mut wire).unwrap();
        assert!(wire.starts_with(b"head"));
        let mut out = bytes::BytesMut::from(&b"before"[..]);
        inflater
            .inflate(codec, &wire[4..], 1 << 20, &mut out, |_| Ok(()))
            .unwrap();
        assert!(out.starts_with(b"before"));
        assert_eq!(&out[6..], body);

        let mut pooled = Buffer::with_capacity(0);
        inflater
            .inflate(codec, &wire[4..], 1 << 20, &mut pooled, |_| Ok(()))
            .unwrap();
        assert_eq!(&pooled[..], body);
    }
}

/// A bomb is stopped at the cap, whatever it claims; `inflated` checks that no more is taken.
#[test]
fn more_than_the_cap_is_too_large() {
    let bomb = vec![0u8; 64 << 20];
    for codec in Codec::ALL {
        let wire = deflated(codec, 0, &bomb);
        for cap in [0, 1, 4095, 1 << 20, (64 << 20) - 1] {
            assert_eq!(
                inflated(codec, &wire, cap),
                Err(InflateError::TooLarge),
                "{codec}, cap {cap}"
            );
        }
        assert_eq!(
            inflated(codec, &wire, 64 << 20).map(|out| out.len()),
            Ok(64 << 20),
            "{codec}"
        );
    }
}

#[test]
fn a_claimed_size_is_not_believed() {
    let body = body(100_000);
    // gzip's size field: whatever it says, the body is damaged, and no more than the cap is taken.
    for claim in [0u32, 1, u32::MAX] {
        let mut wire = deflated(Codec::Gzip, 0, &body);
        let at = wire.len() - 4;
        wire[at..].copy_from_slice(&claim.to_le_bytes());
        assert!(
            matches!(
                inflated(Codec::Gzip, &wire, 1 << 20),
                Err(InflateError::Corrupt(_))
            ),
            "{claim}"
        );
    }
    // snappy: 10 bytes that claim 4 GiB.
    let claim = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0, 0];
    assert!(matches!(
        inflated(Codec::Snappy, &claim, usize::MAX >> 1),
        Err(InflateError::Corrupt(_))
    ));
    // zstd: a frame header with 8 bytes of content size (10 GiB), single segment, and nothing else.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xe0];
    frame.extend_from_slice(&(10u64 << 30).to_le_bytes());
    assert!(inflated(Codec::Zstd, &frame, 64 << 20).is_err());
}

#[test]
fn refused_memory_stops_the_body() {
    let wire = deflated(Codec::Gzip, 0, &vec![0; 8 << 20]);
    let mut left = 1 << 20;
    let result = Inflater::new().inflate(Codec::Gzip, &wire, 64 << 20, &mut Vec::new(), |more| {
        left = usize::checked_sub(left, more).ok_or(NoRoom)?;
        Ok(())
    });
    assert_eq!(result, Err(InflateError::NoRoom));
    for codec in Codec::ALL {
        let wire = deflated(codec, 0, &body(1000));
        let result =
            Inflater::new().inflate(codec, &wire, 64 << 20, &mut Vec::new(), |_| Err(NoRoom));
        assert_eq!(result, Err(InflateError::NoRoom), "{codec}");
    }
}

#[test]
fn members_follow_one_another_and_nothing_else_does() {
    let (first, second) = (body(300_000), body(5));
    for codec in [Codec::Gzip, Codec::Zstd, Codec::Lz4] {
        let mut wire = deflated(codec, 0, &first);
        wire.extend_from_slice(&deflated(codec, 0, b""));
        wire.extend_from_slice(&deflated(codec, 0, &second));
        let whole = [&first[..], &second].concat();
        assert_eq!(
            inflated(codec, &wire, whole.len()).unwrap(),
            whole,
            "{codec}"
        );
        assert_eq!(
            inflated(codec, &wire, whole.len() - 1),
            Err(InflateError::TooLarge),
            "{codec}"
        );
        wire.push(b'x');
        assert!(
            matches!(
                inflated(codec, &wire, 1 << 20),
                Err(InflateError::Corrupt(_))
            ),
            "{codec}"
        );
    }
    // As Go's zlib reader: what follows is not read.
    let mut wire = deflated(Codec::Zlib, 0, &first);
    wire.push(b'x');
    assert_eq!(inflated(Codec::Zlib, &wire, 1 << 20).unwrap(), first);
}

#[test]
fn deflate_is_zlib_and_bare_deflate_too() {
    let body = body(1000);
    let zlib = deflated(Codec::Deflate, 0, &body);
    assert_eq!(zlib, deflated(Codec::Zlib, 0, &body));
    let bare = &zlib[2..zlib.len() - 4];
    assert_eq!(inflated(Codec::Deflate, bare, 1000).unwrap(), body);
    assert!(inflated(Codec::Zlib, bare, 1000).is_err());
}

#[test]
fn snappy_is_read_in_both_formats() {
    let body = body(200_000);
    let framed = deflated(Codec::XSnappyFramed, 0, &body);
    assert_eq!(inflated(Codec::Snappy, &framed, 200_000).unwrap(), body);
    let block = deflated(Codec::Snappy, 0, &body);
    assert!(inflated(Codec::XSnappyFramed, &block, 200_000).is_err());
}

/// The texts of collector_observed.md §4.
#[test]
fn damaged_bodies_say_what_the_collector_says() {
    let gzip = deflated(Codec::Gzip, 0, &body(1000));
    for (codec, input, phrase) in [
        (Codec::Gzip, &gzip[..gzip.len() / 2], "unexpected EOF"),
        (
            Codec::Gzip,
            &b"not gzip at all, surely"[..],
            "gzip: invalid header",
        ),
        (Codec::Gzip, b"", "EOF"),
        (
            Codec::Zstd,
            b"not zstd",
            "invalid input: magic number mismatch",
        ),
        (
            Codec::Snappy,
            b"\xff\xff\xff\xff\xff\xff",
            "snappy: corrupt input",
        ),
        (
            Codec::XSnappyFramed,
            b"not framed at all",
            "snappy: corrupt input",
        ),
        (Codec::Deflate, b"not zlib", "zlib: invalid header"),
        (Codec::Zlib, b"not zlib", "zlib: invalid header"),
        (Codec::Lz4, b"not lz4", "lz4: bad magic number"),
    ] {
        let error = inflated(codec, input, 1 << 20).unwrap_err().to_string();
        assert!(error.starts_with(phrase), "{codec}: {error}");
    }
}

#[test]
fn a_body_cut_anywhere_is_an_error() {
    let body = body(3000);
    // Framed snappy has no end mark: a cut between two chunks cannot be seen.
    for codec in Codec::ALL
        .into_iter()
        .filter(|codec| *codec != Codec::XSnappyFramed)
    {
        let wire = deflated(codec, 0, &body);
        for cut in 1..wire.len() {
            assert!(
                matches!(
                    inflated(codec, &wire[..cut], 1 << 20),
                    Err(InflateError::Corrupt(_))
                ),
                "{codec}: {cut} of {} bytes passed",
                wire.len()
            );
        }
    }
}

fn any_codec() -> impl Strategy<Value = Codec> {
    prop::sample::select(Codec::ALL.to_vec())
}

proptest! {
    #[test]
    fn any_bytes_come_back(codec in any_codec(), level in -2..=9i32, body in prop::collection::vec(any::<u8>(), 0..5000)) {
        let wire = deflated(codec, level, &body);
        prop_assert_eq!(inflated(codec, &wire, body.len()).unwrap(), body);
    }

    /// Damage ends in an error or in bytes within the cap, never in a panic.
    #[test]
    fn damage_is_survived(
        codec in any_codec(),
        len in 0..20_000usize,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cap in 0..40_000usize,
    ) {
        let mut wire = deflated(codec, 0, &body(len));
        for (at, value) in flips {
            if !wire.is_empty() {
                let at = at.index(wire.len());
                wire[at] = value;
            }
        }
        if let Ok(out) = inflated(codec, &wire, cap) {
            prop_assert!(out.len() <= cap);
        }
    }

    #[test]
    fn noise_is_survived(codec in any_codec(), input in prop::collection::vec(any::<u8>(), 0..400), cap in 0..10_000usize) {
        let _ = inflated(codec, &input, cap);
    }
}
