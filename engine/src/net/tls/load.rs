//! Reading PEM from files and from the configuration, with the Collector's
//! texts for what can be wrong with it.

use std::{fs, io, sync::Arc};

use rustls::{
    RootCertStore,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::CertifiedKey,
};

use super::{Tls, TlsError};

/// The largest PEM file that is read, bytes; a bundle of all public authorities is some 200 KiB.
const LARGEST: u64 = 8 << 20;

/// A file's bytes; errors as Go words them.
pub(super) fn read(path: &str) -> Result<Vec<u8>, TlsError> {
    let open = |e: io::Error| {
        // "No such file or directory (os error 2)" is "no such file or directory" in Go.
        let text = e.to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        let mut chars = text.chars();
        let first = chars.next().map(|c| c.to_ascii_lowercase());
        TlsError(format!(
            "open {path}: {}{}",
            first.map(String::from).unwrap_or_default(),
            chars.as_str()
        ))
    };
    if fs::metadata(path).map_err(open)?.len() > LARGEST {
        return Err(TlsError(format!(
            "open {path}: larger than {LARGEST} bytes"
        )));
    }
    fs::read(path).map_err(open)
}

/// The certificates of PEM text that can be read; as in Go, others are passed over.
fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem)
        .filter_map(Result::ok)
        .collect()
}

/// The store of these authorities and, where wanted, the system's.
fn store(pem: &[u8], system: bool) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates(pem));
    if added == 0 {
        return None;
    }
    if system {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    Some(roots)
}

/// Authorities, and the certificates trusted as they are: those given by the user.
pub(super) struct Roots {
    pub(super) store: Arc<RootCertStore>,
    pub(super) given: Vec<CertificateDer<'static>>,
}

impl Roots {
    fn new(pem: &[u8], system: bool) -> Option<Roots> {
        Some(Roots {
            store: Arc::new(store(pem, system)?),
            given: certificates(pem),
        })
    }
}

/// The authorities that servers are checked against: those given, else the system's. A system
/// without any is no error here; every handshake then fails.
pub(super) fn server_roots(settings: &Tls) -> Result<Roots, TlsError> {
    let system = settings.include_system_ca_certs_pool;
    match (settings.ca_file.as_str(), settings.ca_pem.as_str()) {
        ("", "") => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            Ok(Roots { store: Arc::new(roots), given: Vec::new() })
        }
        ("", pem) => Roots::new(pem.as_bytes(), system)
            .ok_or_else(|| TlsError("failed to load CA CertPool PEM: failed to parse cert".to_owned())),
        (path, "") => {
            let what = "failed to load CA CertPool File";
            let pem = read(path).map_err(|e| e.within(&format!("failed to load cert {path}")).within(what))?;
            Roots::new(&pem, system).ok_or_else(|| TlsError(format!("{what}: failed to parse cert")))
        }
        _ => Err(TlsError(
            "failed to load CA CertPool: provide either a CA file or the PEM-encoded string, but not both".to_owned(),
        )),
    }
}

/// The authorities that clients are checked against, from the bytes of `client_ca_file`.
pub(super) fn client_roots(
    path: &str,
    pem: Result<Vec<u8>, TlsError>,
    system: bool,
) -> Result<Roots, TlsError> {
    let what = "failed to load client CA CertPool";
    let pem = pem.map_err(|e| e.within(&format!("failed to load CA {path}")).within(what))?;
    Roots::new(&pem, system).ok_or_else(|| TlsError(format!("{what}: failed to parse CA {path}")))
}

/// This side's certificate chain and key; `None` where the configuration has neither.
pub(super) fn certified_key(settings: &Tls) -> Result<Option<Arc<CertifiedKey>>, TlsError> {
    let fail = |text: &str| Err(TlsError(text.to_owned()));
    let has_cert = !settings.cert_file.is_empty() || !settings.cert_pem.is_empty();
    let has_key = !settings.key_file.is_empty() || !settings.key_pem.is_empty();
    if has_cert != has_key {
        return fail("for auth via TLS, provide both certificate and key, or neither");
    }
    if !has_cert {
        return Ok(None);
    }
    let either = |path: &str, text: &str, what: &str| match (path, text) {
        ("", text) => Ok(text.as_bytes().to_vec()),
        (path, "") => read(path),
        _ => Err(TlsError(format!(
            "for auth via TLS, provide either a {what} or the PEM-encoded string, but not both"
        ))),
    };
    let cert = either(&settings.cert_file, &settings.cert_pem, "certificate")?;
    let key = either(&settings.key_file, &settings.key_pem, "key")?;
    pair(&cert, &key)
        .map(Some)
        .map_err(|e| e.within("failed to load TLS cert and key PEMs"))
}

fn pair(cert: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, TlsError> {
    let fail = |text: String| TlsError(format!("tls: {text}"));
    let chain = certificates(cert);
    if chain.is_empty() {
        return Err(fail(
            "failed to find any PEM data in certificate input".to_owned(),
        ));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|e| match e {
        pem::Error::NoItemsFound => fail("failed to find any PEM data in key input".to_owned()),
        e => fail(format!("failed to parse private key: {e}")),
    })?;
    let key = ring::sign::any_supported_type(&key)
        .map_err(|e| fail(format!("failed to parse private key: {e}")))?;
    let pair = CertifiedKey::new(chain, key);
    match pair.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok(Arc::new(pair))
        }
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(fail("private key does not match public key".to_owned()))
        }
        Err(e) => Err(fail(format!("failed to parse certificate: {e}"))),
    }
}
