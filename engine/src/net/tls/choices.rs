//! Go's names for versions, cipher suites and curves, and what of them there is
//! here. A name that Go does not know is an error; one that only this build
//! lacks is left out with a warning as long as another remains, so that a
//! configuration that starts with the Collector starts here.

use std::sync::Arc;

use rustls::{
    CipherSuite, NamedGroup, SupportedCipherSuite, SupportedProtocolVersion,
    crypto::{CryptoProvider, ring},
    version::{TLS12, TLS13},
};

use super::{Tls, TlsError};

pub(super) struct Chosen {
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) versions: Vec<&'static SupportedProtocolVersion>,
}

/// `tls.CipherSuites()` and `tls.InsecureCipherSuites()` of Go 1.26 by name, with the suite here
/// where there is one.
const CIPHER_SUITES: &[(&str, Option<CipherSuite>)] = &[
    (
        "TLS_AES_128_GCM_SHA256",
        Some(CipherSuite::TLS13_AES_128_GCM_SHA256),
    ),
    (
        "TLS_AES_256_GCM_SHA384",
        Some(CipherSuite::TLS13_AES_256_GCM_SHA384),
    ),
    (
        "TLS_CHACHA20_POLY1305_SHA256",
        Some(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        Some(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        Some(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        Some(CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        Some(CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        Some(CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        Some(CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
    ),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", None),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", None),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", None),
    ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", None),
    ("TLS_RSA_WITH_RC4_128_SHA", None),
    ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", None),
    ("TLS_RSA_WITH_AES_128_CBC_SHA", None),
    ("TLS_RSA_WITH_AES_256_CBC_SHA", None),
    ("TLS_RSA_WITH_AES_128_CBC_SHA256", None),
    ("TLS_RSA_WITH_AES_128_GCM_SHA256", None),
    ("TLS_RSA_WITH_AES_256_GCM_SHA384", None),
    ("TLS_ECDHE_ECDSA_WITH_RC4_128_SHA", None),
    ("TLS_ECDHE_RSA_WITH_RC4_128_SHA", None),
    ("TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", None),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", None),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", None),
];

/// The Collector's curves, with the group here where there is one.
const CURVES: &[(&str, Option<NamedGroup>)] = &[
    ("P256", Some(NamedGroup::secp256r1)),
    ("P384", Some(NamedGroup::secp384r1)),
    ("P521", None),
    ("X25519", Some(NamedGroup::X25519)),
    ("X25519MLKEM768", None),
];

pub(super) fn choose(settings: &Tls, warnings: &mut Vec<String>) -> Result<Chosen, TlsError> {
    let mut provider = ring::default_provider();
    if !settings.cipher_suites.is_empty() {
        let wanted = known(
            CIPHER_SUITES,
            &settings.cipher_suites,
            "cipher suite",
            warnings,
            |name| format!("invalid TLS cipher suite: {name:?}"),
        )?;
        // As in Go, the list is about TLS 1.2, and the order of preference is the library's.
        provider.cipher_suites.retain(|suite| {
            matches!(suite, SupportedCipherSuite::Tls13(_)) || wanted.contains(&suite.suite())
        });
    }
    if !settings.curve_preferences.is_empty() {
        let wanted = known(
            CURVES,
            &settings.curve_preferences,
            "curve",
            warnings,
            |name| {
                format!(
                    "invalid curve type: {name}. Expected values are [P256 P384 P521 X25519 X25519MLKEM768]"
                )
            },
        )?;
        let all = std::mem::take(&mut provider.kx_groups);
        provider.kx_groups = wanted
            .iter()
            .filter_map(|name| all.iter().find(|group| group.name() == *name).copied())
            .collect();
    }
    Ok(Chosen {
        provider: Arc::new(provider),
        versions: versions(settings, warnings)?,
    })
}

/// The wanted of `table`, in the order given, without duplicates.
fn known<T: Copy + PartialEq>(
    table: &[(&str, Option<T>)],
    wanted: &[String],
    what: &str,
    warnings: &mut Vec<String>,
    unknown: impl Fn(&str) -> String,
) -> Result<Vec<T>, TlsError> {
    let (mut found, mut lacking, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for name in wanted {
        match table.iter().find(|(known, _)| known == name) {
            Some((_, Some(value))) if found.contains(value) => {}
            Some((_, Some(value))) => found.push(*value),
            Some((_, None)) => lacking.push(name.as_str()),
            None => errors.push(unknown(name)),
        }
    }
    if !errors.is_empty() {
        return Err(TlsError(errors.join("\n")));
    }
    let supported = || {
        let names: Vec<_> = table
            .iter()
            .filter(|(_, value)| value.is_some())
            .map(|(name, _)| *name)
            .collect();
        names.join(", ")
    };
    if found.is_empty() {
        return Err(TlsError(format!(
            "none of the TLS {what}s {} is supported here; supported are {}",
            lacking.join(", "),
            supported()
        )));
    }
    if !lacking.is_empty() {
        warnings.push(format!(
            "TLS {what} {} is not supported here and left out",
            lacking.join(", ")
        ));
    }
    Ok(found)
}

fn versions(
    settings: &Tls,
    warnings: &mut Vec<String>,
) -> Result<Vec<&'static SupportedProtocolVersion>, TlsError> {
    let number = |text: &str, default: u8, key: &str| match text {
        "" => Ok(default),
        "1.0" => Ok(0),
        "1.1" => Ok(1),
        "1.2" => Ok(2),
        "1.3" => Ok(3),
        _ => Err(TlsError(format!(
            "invalid TLS {key}: unsupported TLS version: {text:?}"
        ))),
    };
    let min = number(&settings.min_version, 2, "min_version")?;
    let max = number(&settings.max_version, 3, "max_version")?;
    if max < min && max != 3 {
        return Err(TlsError(
            "invalid TLS configuration: min_version cannot be greater than max_version".to_owned(),
        ));
    }
    if max < 2 {
        return Err(TlsError(format!(
            "invalid TLS max_version: {} is not supported here; use 1.2 or 1.3",
            settings.max_version
        )));
    }
    if min < 2 {
        warnings.push(format!(
            "TLS min_version {} is not supported here and read as 1.2",
            settings.min_version
        ));
    }
    let mut versions = Vec::new();
    if min <= 2 {
        versions.push(&TLS12);
    }
    if max >= 3 {
        versions.push(&TLS13);
    }
    Ok(versions)
}
