//! Values on the command line: sizes, durations, addresses. The options themselves are read by
//! each command.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use crate::error::Error;

/// `1048576`, `16k`, `1m`.
pub fn size(text: &str) -> Result<usize, Error> {
    let lower = text.to_ascii_lowercase();
    let (digits, factor) = match lower.strip_suffix(['k', 'm', 'g']) {
        Some(d) if lower.ends_with('k') => (d, 1 << 10),
        Some(d) if lower.ends_with('m') => (d, 1 << 20),
        Some(d) => (d, 1 << 30),
        None => (lower.as_str(), 1),
    };
    digits
        .parse::<usize>()
        .ok()
        .and_then(|n| n.checked_mul(factor))
        .ok_or_else(|| Error::Usage(format!("{text:?} is not a size (like 16384, 16k, 1m)")))
}

/// `5`, `5s`, `200ms`, `2m`.
pub fn duration(text: &str) -> Result<Duration, Error> {
    let (digits, unit) = match text {
        t if t.ends_with("ms") => (t.trim_end_matches("ms"), 0.001),
        t if t.ends_with("us") => (t.trim_end_matches("us"), 0.000_001),
        t if t.ends_with('s') => (t.trim_end_matches('s'), 1.0),
        t if t.ends_with('m') => (t.trim_end_matches('m'), 60.0),
        t => (t, 1.0),
    };
    digits
        .parse::<f64>()
        .ok()
        .and_then(|n| Duration::try_from_secs_f64(n * unit).ok())
        .ok_or_else(|| Error::Usage(format!("{text:?} is not a duration (like 5s, 200ms)")))
}

/// `127.0.0.1:4317` or `localhost:4317`; the first address the name has.
pub fn address(text: &str) -> Result<SocketAddr, Error> {
    text.to_socket_addrs()
        .ok()
        .and_then(|mut all| all.next())
        .ok_or_else(|| Error::Usage(format!("{text:?} is not an address (like 127.0.0.1:4317)")))
}

/// A frame size that HTTP/2 allows in SETTINGS_MAX_FRAME_SIZE (RFC 9113, section 6.5.2).
pub fn frame_size(text: &str) -> Result<u32, Error> {
    let n = size(text)?;
    match u32::try_from(n) {
        Ok(n) if (16_384..=16_777_215).contains(&n) => Ok(n),
        _ => Err(Error::Usage(format!(
            "a frame size is between 16384 and 16777215 bytes, not {n}"
        ))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_read_with_and_without_units() {
        for (text, want) in [
            ("16384", 16_384),
            ("16k", 16_384),
            ("1M", 1 << 20),
            ("2g", 2 << 30),
        ] {
            assert_eq!(size(text).unwrap(), want, "{text}");
        }
        for text in ["", "k", "-1", "1.5k", "99999999999999999999"] {
            assert!(size(text).is_err(), "{text}");
        }
        for (text, want) in [
            ("5", 5_000),
            ("5s", 5_000),
            ("200ms", 200),
            ("2m", 120_000),
            ("0.5s", 500),
        ] {
            assert_eq!(
                duration(text).unwrap(),
                Duration::from_millis(want),
                "{text}"
            );
        }
        for text in ["", "s", "-1s", "x"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn frame_sizes_outside_what_http2_allows_are_refused() {
        assert_eq!(frame_size("1m").unwrap(), 1 << 20);
        for text in ["16383", "16777216"] {
            assert!(frame_size(text).is_err(), "{text}");
        }
    }
}
