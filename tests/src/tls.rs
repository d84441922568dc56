//! Certificates for one test: an authority, a server's and a client's, as files
//! for the gateway's configuration and as rustls settings for the other side.

use std::{path::PathBuf, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::{ClientConfig, RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A certificate with its key.
struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

/// An authority and what it signed. The files go with it.
pub struct Certificates {
    folder: tempfile::TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
    server: Identity,
    client: Identity,
}

impl Certificates {
    /// A new authority; `ca.pem`, `server.pem`, `server.key`, `client.pem`, `client.key`.
    pub fn new() -> Certificates {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        let sign = |name: &str, purpose| sign(folder.path(), &authority, name, purpose);
        let server = sign("server", ExtendedKeyUsagePurpose::ServerAuth);
        let client = sign("client", ExtendedKeyUsagePurpose::ClientAuth);
        Certificates {
            folder,
            authority,
            server,
            client,
        }
    }

    /// The path of one of the files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces the server's files by a new certificate of the same authority, and gives that.
    pub fn renew_server(&self) -> CertificateDer<'static> {
        sign(
            self.folder.path(),
            &self.authority,
            "server",
            ExtendedKeyUsagePurpose::ServerAuth,
        )
        .certificate
    }

    /// The server certificate written first.
    pub fn server_certificate(&self) -> &CertificateDer<'static> {
        &self.server.certificate
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        roots
    }

    /// A client that trusts the authority, with or without a certificate of its own.
    pub fn client(&self, identified: bool, alpn: &[&str]) -> Arc<ClientConfig> {
        let builder =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(self.roots());
        let mut config = if identified {
            builder
                .with_client_auth_cert(
                    vec![self.client.certificate.clone()],
                    self.client.key.clone_key(),
                )
                .unwrap()
        } else {
            builder.with_no_client_auth()
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    /// A server with the certificate, which asks clients for theirs or does not.
    pub fn server(&self, mutual: bool, alpn: &[&str]) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if mutual {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()), provider)
                    .build()
                    .unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder
            .with_single_cert(
                vec![self.server.certificate.clone()],
                self.server.key.clone_key(),
            )
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

impl Default for Certificates {
    fn default() -> Certificates {
        Certificates::new()
    }
}

fn sign(
    folder: &std::path::Path,
    authority: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
    purpose: ExtendedKeyUsagePurpose,
) -> Identity {
    let mut params =
        CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    params.extended_key_usages = vec![purpose];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    std::fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
    std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    Identity {
        certificate: certificate.der().clone(),
        key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
    }
}

/// The certificate that the server at `port` shows to a client.
///
/// # Panics
/// When it shows none.
pub async fn served_certificate(
    port: &crate::Port,
    config: Arc<ClientConfig>,
) -> CertificateDer<'static> {
    let stream = tokio::net::TcpStream::connect(port.address())
        .await
        .unwrap();
    let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
    let stream = tokio_rustls::TlsConnector::from(config)
        .connect(name, stream)
        .await
        .unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0]
        .clone()
        .into_owned()
}
