//! TLS of servers and clients: keys, defaults and rules of the Collector's
//! `configtls`. Loading and reloading certificates is not here.

use crate::component::{GoDuration, Opaque, Problems, declare};

declare! {
    /// What server and client TLS have in common.
    pub struct Tls as "configtls.Config", check Tls::rules {
        /// File with the certificates (PEM) that the other side's certificate is checked against. Empty: the system's.
        ca_file: String = String::new(), omit "";
        /// The same as PEM text.
        ca_pem: Opaque = Opaque::default(), omit "";
        /// File with this side's certificate chain (PEM).
        cert_file: String = String::new(), omit "";
        /// The same as PEM text.
        cert_pem: Opaque = Opaque::default(), omit "";
        /// File with the certificate's private key (PEM).
        key_file: String = String::new(), omit "";
        /// The same as PEM text.
        key_pem: Opaque = Opaque::default(), omit "";
        /// Oldest version to accept: `1.0` to `1.3`. Empty: `1.2`. Versions below 1.2 are read as 1.2.
        min_version: String = String::new(), omit "";
        /// Newest version to accept. Empty: `1.3`.
        max_version: String = String::new(), omit "";
        /// Cipher suites for TLS 1.2, by their Go names. Empty: the safe ones.
        cipher_suites: Vec<String> = Vec::new(), omit "";
        /// Allow cipher suites that Go calls insecure.
        include_insecure_cipher_suites: bool = false, omit "", no_effect "insecure cipher suites are not built in";
        /// Key exchange groups: `X25519`, `P256`, `P384`, `P521`. Empty: all of them.
        curve_preferences: Vec<String> = Vec::new(), omit "";
        /// How often certificate files are read again. 0: never.
        reload_interval: GoDuration = GoDuration::ZERO, omit "";
        /// Add the system's certificates to those of `ca_file` or `ca_pem`.
        include_system_ca_certs_pool: bool = false, omit "";
        /// Keys that live in a TPM. Not supported: with `enabled` the start fails.
        tpm: Tpm = Tpm::default(), omit "";
    }
}

impl Tls {
    fn rules(&self, problems: &mut Problems) {
        let both = |file: &str, pem: &Opaque| !file.is_empty() && !pem.is_empty();
        if both(&self.ca_file, &self.ca_pem) {
            return problems
                .push("provide either a CA file or the PEM-encoded string, but not both");
        }
        if both(&self.cert_file, &self.cert_pem) {
            return problems.push("provide either certificate file or PEM, but not both");
        }
        if both(&self.key_file, &self.key_pem) {
            return problems.push("provide either key file or PEM, but not both");
        }
        if self.has_certificate() != self.has_key() {
            return problems.push(
                "TLS configuration must include both certificate and key (CertFile/CertPem and KeyFile/KeyPem)",
            );
        }
        let version = |text: &str, default: u8| match text {
            "" => Ok(default),
            "1.0" => Ok(0),
            "1.1" => Ok(1),
            "1.2" => Ok(2),
            "1.3" => Ok(3),
            other => Err(format!("unsupported TLS version: {other:?}")),
        };
        let min = match version(&self.min_version, 2) {
            Ok(version) => version,
            Err(e) => return problems.push(format!("invalid TLS min_version: {e}")),
        };
        let max = match version(&self.max_version, 3) {
            Ok(version) => version,
            Err(e) => return problems.push(format!("invalid TLS max_version: {e}")),
        };
        if max < min {
            problems
                .push("invalid TLS configuration: min_version cannot be greater than max_version")
        }
    }

    /// Is a certificate given, as file or text?
    pub fn has_certificate(&self) -> bool {
        !self.cert_file.is_empty() || !self.cert_pem.is_empty()
    }

    /// Is a private key given, as file or text?
    pub fn has_key(&self) -> bool {
        !self.key_file.is_empty() || !self.key_pem.is_empty()
    }
}

declare! {
    /// A private key in a TPM.
    pub struct Tpm as "configtls.TPMConfig" {
        /// Use it.
        enabled: bool = false, omit "";
        /// The device.
        path: String = String::new(), omit "";
        /// The owner's password.
        owner_auth: String = String::new(), omit "";
        /// The key's password.
        auth: String = String::new(), omit "";
    }
}

declare! {
    /// TLS of a server: needs a certificate and its key.
    pub struct ServerTls as "configtls.ServerConfig", check ServerTls::rules {
        /// What servers and clients have in common.
        config: Tls = Tls::default(), squash "config";
        /// File with the certificates (PEM) that clients' certificates are checked against; given, every client must present one.
        client_ca_file: String = String::new(), omit "";
        /// Read `client_ca_file` again when it changes.
        client_ca_file_reload: bool = false, omit "";
    }
}

impl ServerTls {
    fn rules(&self, problems: &mut Problems) {
        if !self.config.has_certificate() && !self.config.has_key() {
            problems.push(
                "TLS configuration must include both certificate and key for server connections",
            );
        }
    }
}

declare! {
    /// TLS of a client: on unless `insecure`.
    pub struct ClientTls as "configtls.ClientConfig" {
        /// What servers and clients have in common.
        config: Tls = Tls::default(), squash "config";
        /// Do not use TLS. (An endpoint with `https://` still does.)
        insecure: bool = false, omit "";
        /// Use TLS, but do not check the server's certificate.
        insecure_skip_verify: bool = false, omit "";
        /// The name to ask for and to check instead of the endpoint's host.
        server_name_override: String = String::new(), omit "";
    }
}
