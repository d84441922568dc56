//! The header with which senders of profiles say which development version of
//! the signal they speak. The same over gRPC and HTTP.

use http::HeaderMap;

/// The header.
pub const VERSION_HEADER: &str = "otlp-profiles-development-version";
/// The version spoken here.
pub const VERSION: &str = "1";

/// Checks the header: absent counts as the version spoken here; repeated, malformed or another
/// version is refused before anything is decoded (collector.md §2.1).
///
/// # Errors
/// The text to refuse the request with.
pub fn check_version(headers: &HeaderMap) -> Result<(), String> {
    let mut values = headers.get_all(VERSION_HEADER).iter();
    let Some(value) = values.next() else {
        return Ok(());
    };
    if values.next().is_some() {
        return Err(format!("{VERSION_HEADER} must contain exactly one value"));
    }
    if value.as_bytes() == VERSION.as_bytes() {
        return Ok(());
    }
    Err(format!(
        "invalid or unsupported {VERSION_HEADER}: supported version is {VERSION}"
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_one_or_not_said() {
        for (values, good) in [
            (&[][..], true),
            (&["1"], true),
            (&["2"], false),
            (&["01"], false),
            (&[""], false),
            (&["x"], false),
            (&["1", "1"], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(VERSION_HEADER, value.parse().unwrap());
            }
            assert_eq!(check_version(&headers).is_ok(), good, "{values:?}");
        }
    }
}
