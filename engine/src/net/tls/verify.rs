//! Who the other side is: verifiers of servers' and clients' certificates, on
//! top of rustls's own.
//!
//! rustls's webpki never takes a certificate marked as an authority (`CA:TRUE`)
//! for a server's or client's own; Go does, and a self-signed certificate made
//! by `openssl req -x509` is marked so. Such a certificate is accepted here
//! exactly when the user listed that very certificate as trusted, with the
//! checks of validity and name that are left.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    client::{WebPkiServerVerifier, verify_server_name},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::{
        ParsedCertificate, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use super::{
    Server, TlsError,
    load::{self, Roots},
    reload::Due,
};

/// The signature checks, the same for everyone.
macro_rules! signatures {
    ($self:ident => $provider:expr) => {
        fn verify_tls12_signature(
            &$self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(message, cert, signed, &$provider.signature_verification_algorithms)
        }

        fn verify_tls13_signature(
            &$self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, cert, signed, &$provider.signature_verification_algorithms)
        }

        fn supported_verify_schemes(&$self) -> Vec<SignatureScheme> {
            $provider.signature_verification_algorithms.supported_schemes()
        }
    };
}

/// Checks servers against authorities.
pub(super) struct Servers {
    /// `None` where there is no authority at all.
    webpki: Option<Arc<WebPkiServerVerifier>>,
    given: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Servers {
    pub(super) fn new(roots: Roots, provider: Arc<CryptoProvider>) -> Result<Servers, TlsError> {
        let webpki = if roots.store.is_empty() {
            None
        } else {
            let builder =
                WebPkiServerVerifier::builder_with_provider(roots.store, provider.clone());
            Some(builder.build().map_err(|e| TlsError(e.to_string()))?)
        };
        Ok(Servers {
            webpki,
            given: roots.given,
            provider,
        })
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Servers")
    }
}

impl ServerCertVerifier for Servers {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(webpki) = &self.webpki else {
            return Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        };
        match webpki.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            Err(error) if is_authority(&error) && self.given.contains(end_entity) => {
                check_validity(end_entity, now)?;
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            result => result,
        }
    }

    signatures!(self => self.provider);
}

/// Accepts every server: `insecure_skip_verify`.
pub(super) struct Anyone(Arc<CryptoProvider>);

impl Anyone {
    pub(super) fn new(provider: Arc<CryptoProvider>) -> Anyone {
        Anyone(provider)
    }
}

impl fmt::Debug for Anyone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Anyone")
    }
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    signatures!(self => self.0);
}

/// Checks clients against the authorities of `client_ca_file`, as they are now.
pub(super) struct Clients {
    path: String,
    system: bool,
    provider: Arc<CryptoProvider>,
    due: Due,
    current: RwLock<Authorities>,
}

/// What clients are checked against, and the bytes it came from.
struct Authorities {
    pem: Vec<u8>,
    webpki: Arc<dyn ClientCertVerifier>,
    given: Arc<Vec<CertificateDer<'static>>>,
}

/// At most so often a handshake looks at the file (the Collector's figure).
const CLIENT_CA_INTERVAL: Duration = Duration::from_secs(1);

impl Clients {
    pub(super) fn load(
        settings: &Server,
        provider: Arc<CryptoProvider>,
    ) -> Result<Clients, TlsError> {
        let path = settings.client_ca_file.clone();
        let system = settings.tls.include_system_ca_certs_pool;
        let current = authorities(&path, load::read(&path), system, &provider)?;
        let interval = if settings.client_ca_file_reload {
            CLIENT_CA_INTERVAL
        } else {
            Duration::ZERO
        };
        Ok(Clients {
            path,
            system,
            provider,
            due: Due::every(interval),
            current: RwLock::new(current),
        })
    }

    pub(super) fn reload(&self) -> Result<(), TlsError> {
        let pem = load::read(&self.path);
        let unchanged = |pem: &Vec<u8>| {
            self.current
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .pem
                == *pem
        };
        if pem.as_ref().is_ok_and(unchanged) {
            return Ok(());
        }
        let loaded = authorities(&self.path, pem, self.system, &self.provider)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }
}

fn authorities(
    path: &str,
    pem: Result<Vec<u8>, TlsError>,
    system: bool,
    provider: &Arc<CryptoProvider>,
) -> Result<Authorities, TlsError> {
    let kept = pem.clone().unwrap_or_default();
    let roots = load::client_roots(path, pem, system)?;
    let webpki = WebPkiClientVerifier::builder_with_provider(roots.store, provider.clone())
        // The hints would be those of the moment of loading; without hints a client sends what it has.
        .clear_root_hint_subjects()
        .build()
        .map_err(|e| TlsError(format!("failed to load client CA CertPool: {e}")))?;
    Ok(Authorities {
        pem: kept,
        webpki,
        given: Arc::new(roots.given),
    })
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clients({})", self.path)
    }
}

impl ClientCertVerifier for Clients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.due.now()
            && let Err(error) = self.reload()
        {
            tracing::warn!(%error, "client CA file not reloaded; the authorities in use stay");
        }
        let (webpki, given) = {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            (current.webpki.clone(), current.given.clone())
        };
        match webpki.verify_client_cert(end_entity, intermediates, now) {
            Err(error) if is_authority(&error) && given.contains(end_entity) => {
                check_validity(end_entity, now)?;
                Ok(ClientCertVerified::assertion())
            }
            result => result,
        }
    }

    signatures!(self => self.provider);
}

/// Is this webpki's objection to a certificate marked as an authority?
fn is_authority(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => {
            inner.to_string() == "CaUsedAsEndEntity"
        }
        _ => false,
    }
}

/// RFC 5280 §4.1.2.5: now lies between `notBefore` and `notAfter`.
fn check_validity(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let bad = Error::InvalidCertificate(CertificateError::BadEncoding);
    let (from, until) = validity(certificate).ok_or(bad)?;
    let now = now.as_secs();
    if now < from {
        return Err(Error::InvalidCertificate(CertificateError::NotValidYet));
    }
    if now > until {
        return Err(Error::InvalidCertificate(CertificateError::Expired));
    }
    Ok(())
}

/// `notBefore` and `notAfter` in seconds since 1970 of a certificate in DER
/// (RFC 5280 §4.1): the fifth field of TBSCertificate, after version, serial number,
/// signature and issuer.
fn validity(certificate: &[u8]) -> Option<(u64, u64)> {
    let (_, certificate, _) = der(certificate)?;
    let (_, mut rest, _) = der(certificate)?;
    if rest.first() == Some(&0xa0) {
        rest = der(rest)?.2;
    }
    for _ in ["serial number", "signature", "issuer"] {
        rest = der(rest)?.2;
    }
    let (_, times, _) = der(rest)?;
    let (tag, from, rest) = der(times)?;
    let from = time(tag, from)?;
    let (tag, until, _) = der(rest)?;
    Some((from, time(tag, until)?))
}

/// Tag, value and what follows of the DER element at the start.
fn der(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (
                digits
                    .iter()
                    .fold(0, |length, digit| length << 8 | usize::from(*digit)),
                rest,
            )
        }
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((tag, value, rest))
}

/// UTCTime (`YYMMDDHHMMSSZ`, years 1950 to 2049) or GeneralizedTime (`YYYYMMDDHHMMSSZ`).
fn time(tag: u8, text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        0x17 => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: u64 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        0x18 => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let mut two = rest
        .as_bytes()
        .chunks_exact(2)
        .map(|two| std::str::from_utf8(two).ok()?.parse::<u64>().ok());
    let mut next = || two.next().flatten();
    let (month, day, hour, minute, second) = (next()?, next()?, next()?, next()?, next()?);
    if rest.len() != 10 || !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1970 {
        // Before 1970 counts as the beginning of time.
        return (year < 1970).then_some(0);
    }
    // Days since 1970 in the proleptic Gregorian calendar, the year beginning in March.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days =
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}
