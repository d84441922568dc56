//! Handshakes in memory between loaded configurations; certificates made here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{fs, path::Path, sync::Arc, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ClientConnection, ProtocolVersion, ServerConnection};
use tempfile::TempDir;

use super::*;

mod reload;

/// An authority with a server's and a client's certificate, in files.
struct Authority {
    dir: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Authority {
            dir: tempfile::tempdir().unwrap(),
            issuer,
        };
        fs::write(authority.dir.path().join("ca.pem"), authority.issuer.pem()).unwrap();
        authority.issue("server", "localhost");
        authority.issue("client", "agent");
        authority
    }

    fn issue(&self, file: &str, name: &str) {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec![name.to_owned()])
            .unwrap()
            .signed_by(&key, &self.issuer)
            .unwrap();
        fs::write(self.dir.path().join(format!("{file}.pem")), cert.pem()).unwrap();
        fs::write(
            self.dir.path().join(format!("{file}.key")),
            key.serialize_pem(),
        )
        .unwrap();
    }

    fn path(&self, file: &str) -> String {
        path(self.dir.path(), file)
    }

    fn server(&self) -> Server {
        Server {
            tls: self.pair("server"),
            ..Server::default()
        }
    }

    fn client(&self) -> Client {
        Client {
            tls: Tls {
                ca_file: self.path("ca.pem"),
                ..Tls::default()
            },
            ..Client::default()
        }
    }

    fn pair(&self, file: &str) -> Tls {
        Tls {
            cert_file: self.path(&format!("{file}.pem")),
            key_file: self.path(&format!("{file}.key")),
            ..Tls::default()
        }
    }
}

fn path(dir: &Path, file: &str) -> String {
    dir.join(file).to_str().unwrap().to_owned()
}

struct Shaken {
    version: ProtocolVersion,
    suite: String,
    group: String,
    alpn: Option<Vec<u8>>,
    server_certificate: Vec<u8>,
}

/// A whole handshake and one byte each way; an error of either side is the result.
fn shake(server: &ServerTls, client: &ClientTls, host: &str) -> Result<Shaken, String> {
    let name = client.server_name(host).map_err(|e| e.to_string())?;
    let mut client = ClientConnection::new(client.config.clone(), name).unwrap();
    let mut server = ServerConnection::new(server.config.clone()).unwrap();
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut wire = &wire[..];
        while !wire.is_empty() {
            server.read_tls(&mut wire).unwrap();
            server
                .process_new_packets()
                .map_err(|e| format!("server: {e}"))?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut wire = &wire[..];
        while !wire.is_empty() {
            client.read_tls(&mut wire).unwrap();
            client
                .process_new_packets()
                .map_err(|e| format!("client: {e}"))?;
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    assert_eq!(client.alpn_protocol(), server.alpn_protocol());
    Ok(Shaken {
        version: client.protocol_version().unwrap(),
        suite: format!("{:?}", client.negotiated_cipher_suite().unwrap().suite()),
        group: format!(
            "{:?}",
            client.negotiated_key_exchange_group().unwrap().name()
        ),
        alpn: client.alpn_protocol().map(<[u8]>::to_vec),
        server_certificate: client.peer_certificates().unwrap()[0].to_vec(),
    })
}

const H2: &[&[u8]] = &[b"h2", b"http/1.1"];

#[test]
fn a_client_that_knows_the_authority_gets_through() {
    let authority = Authority::new();
    let server = server(&authority.server(), H2).unwrap();
    let client = client(&authority.client(), H2).unwrap();
    let shaken = shake(&server, &client, "localhost").unwrap();
    assert_eq!(shaken.version, ProtocolVersion::TLSv1_3);
    assert_eq!(shaken.alpn.as_deref(), Some(&b"h2"[..]));
    assert!(server.warnings.is_empty() && client.warnings.is_empty());
}

#[test]
fn who_the_server_is_is_checked_unless_told_otherwise() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = server(&authority.server(), H2).unwrap();
    let shake = |settings: &Client, host: &str| {
        shake(&server, &client(settings, H2).unwrap(), host).map(|_| ())
    };
    let known = authority.client();
    for (settings, host, expected) in [
        (known.clone(), "localhost", Ok(())),
        (known.clone(), "example.com", Err("not valid for name")),
        (
            Client {
                server_name_override: "localhost".into(),
                ..known.clone()
            },
            "example.com",
            Ok(()),
        ),
        (
            Client {
                server_name_override: "other.example".into(),
                ..known.clone()
            },
            "localhost",
            Err("not valid for name"),
        ),
        (other.client(), "localhost", Err("certificate")),
        (Client::default(), "localhost", Err("UnknownIssuer")),
        (
            Client {
                insecure_skip_verify: true,
                ..other.client()
            },
            "example.com",
            Ok(()),
        ),
        (
            Client {
                insecure_skip_verify: true,
                ..Client::default()
            },
            "10.0.0.1",
            Ok(()),
        ),
        (known, "[::1]", Err("not valid for name")),
    ] {
        match (shake(&settings, host), expected) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(phrase)) => assert!(error.contains(phrase), "{host}: {error}"),
            (got, expected) => panic!("{settings:?} to {host}: {got:?} instead of {expected:?}"),
        }
    }
}

#[test]
fn pem_text_does_what_files_do() {
    let authority = Authority::new();
    let text = |file: &str| fs::read_to_string(authority.path(file)).unwrap();
    let settings = Server {
        tls: Tls {
            cert_pem: text("server.pem"),
            key_pem: text("server.key"),
            ..Tls::default()
        },
        ..Server::default()
    };
    let server = server(&settings, H2).unwrap();
    let settings = Client {
        tls: Tls {
            ca_pem: text("ca.pem"),
            ..Tls::default()
        },
        ..Client::default()
    };
    shake(&server, &client(&settings, H2).unwrap(), "localhost").unwrap();
}

#[test]
fn a_server_with_client_authorities_wants_a_certificate_of_theirs() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = server(
        &Server {
            client_ca_file: authority.path("ca.pem"),
            ..authority.server()
        },
        H2,
    )
    .unwrap();
    let with = |pair: Tls| {
        let settings = Client {
            tls: Tls {
                ca_file: authority.path("ca.pem"),
                ..pair
            },
            ..Client::default()
        };
        shake(&server, &client(&settings, H2).unwrap(), "localhost").map(|_| ())
    };
    assert_eq!(with(authority.pair("client")), Ok(()));
    assert!(with(Tls::default()).is_err());
    assert!(with(other.pair("client")).is_err());
}

/// `openssl req -x509` marks what it makes as an authority; Go takes it all the same.
#[test]
fn a_self_signed_certificate_that_is_listed_is_accepted_for_its_name_and_time() {
    let dir = tempfile::tempdir().unwrap();
    let make = |file: &str, until: i32| {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(1999, 12, 31);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap();
        fs::write(dir.path().join(format!("{file}.pem")), cert.pem()).unwrap();
        fs::write(dir.path().join(format!("{file}.key")), key.serialize_pem()).unwrap();
        Tls {
            cert_file: path(dir.path(), &format!("{file}.pem")),
            key_file: path(dir.path(), &format!("{file}.key")),
            ca_file: path(dir.path(), &format!("{file}.pem")),
            ..Tls::default()
        }
    };
    let (good, old) = (make("good", 2049), make("old", 2001));
    let far = make("far", 2120);
    let run = |tls: &Tls, host: &str| {
        let settings = Server {
            tls: tls.clone(),
            client_ca_file: tls.cert_file.clone(),
            ..Server::default()
        };
        let server = server(&settings, H2).unwrap();
        let client = client(
            &Client {
                tls: tls.clone(),
                ..Client::default()
            },
            H2,
        )
        .unwrap();
        shake(&server, &client, host).map(|_| ())
    };
    assert_eq!(run(&good, "localhost"), Ok(()));
    assert_eq!(run(&far, "localhost"), Ok(()));
    assert!(
        run(&good, "example.com")
            .unwrap_err()
            .contains("not valid for name")
    );
    assert!(run(&old, "localhost").unwrap_err().contains("xpired"));
    // Trusted is the certificate listed, not any that looks like it.
    let server = server(
        &Server {
            tls: good,
            ..Server::default()
        },
        H2,
    )
    .unwrap();
    let client = client(
        &Client {
            tls: Tls {
                ca_file: far.ca_file,
                ..Tls::default()
            },
            ..Client::default()
        },
        H2,
    );
    assert!(shake(&server, &client.unwrap(), "localhost").is_err());
}

#[test]
fn versions_suites_and_curves_go_by_gos_names() {
    let authority = Authority::new();
    let go = |change: &dyn Fn(&mut Tls)| {
        let mut settings = authority.server();
        change(&mut settings.tls);
        let server = server(&settings, H2).map_err(|e| e.to_string())?;
        shake(
            &server,
            &client(&authority.client(), H2).unwrap(),
            "localhost",
        )
        .map(|shaken| (shaken, server.warnings))
    };
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };

    let (shaken, _) = go(&|tls| tls.max_version = "1.2".into()).unwrap();
    assert_eq!(shaken.version, ProtocolVersion::TLSv1_2);
    let (shaken, warnings) = go(&|tls| tls.min_version = "1.0".into()).unwrap();
    assert_eq!(
        (shaken.version, warnings.len()),
        (ProtocolVersion::TLSv1_3, 1)
    );
    let (shaken, warnings) = go(&|tls| {
        tls.max_version = "1.2".into();
        tls.cipher_suites = names(&[
            "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        ]);
    })
    .unwrap();
    assert_eq!(
        shaken.suite,
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
    );
    assert!(
        warnings[0].contains("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
        "{warnings:?}"
    );
    let (shaken, warnings) = go(&|tls| tls.curve_preferences = names(&["P521", "P384"])).unwrap();
    assert_eq!((shaken.group.as_str(), warnings.len()), ("secp384r1", 1));

    for (change, text) in [
        (
            &(|tls: &mut Tls| tls.cipher_suites = vec!["TLS_NOPE".into()]) as &dyn Fn(&mut Tls),
            "failed to load TLS config: invalid TLS cipher suite: \"TLS_NOPE\"",
        ),
        (
            &|tls| tls.curve_preferences = vec!["P225".into()],
            "failed to load TLS config: invalid curve type: P225. Expected values are [",
        ),
        (
            &|tls| tls.curve_preferences = vec!["P521".into()],
            "failed to load TLS config: none of the TLS curves P521 ",
        ),
        (
            &|tls| tls.min_version = "1.4".into(),
            "failed to load TLS config: invalid TLS min_version: unsupported TLS version: \"1.4\"",
        ),
        (
            &|tls| tls.max_version = "1.1".into(),
            "failed to load TLS config: invalid TLS",
        ),
        (
            &|tls| (tls.min_version, tls.max_version) = ("1.3".into(), "1.2".into()),
            "failed to load TLS config: invalid TLS configuration: min_version cannot be greater than max_version",
        ),
    ] {
        let error = go(change).map(|_| ()).unwrap_err();
        assert!(error.starts_with(text), "{error}");
    }
}

#[test]
fn what_does_not_load_is_said_as_the_collector_says_it() {
    let authority = Authority::new();
    fs::write(authority.dir.path().join("garbage.pem"), "garbage").unwrap();
    let garbage = authority.path("garbage.pem");
    let server_error = |settings: Server| server(&settings, H2).unwrap_err().to_string();
    let client_error = |tls: Tls| {
        client(
            &Client {
                tls,
                ..Client::default()
            },
            H2,
        )
        .unwrap_err()
        .to_string()
    };
    let pair = authority.pair("server");
    for (got, expected) in [
        (
            server_error(Server { tls: Tls { cert_file: "/nope.pem".into(), ..pair.clone() }, ..Server::default() }),
            "failed to load TLS config: failed to load TLS cert and key: open /nope.pem: no such file or directory".to_owned(),
        ),
        (
            server_error(Server { tls: Tls { cert_file: garbage.clone(), ..pair.clone() }, ..Server::default() }),
            "failed to load TLS config: failed to load TLS cert and key: failed to load TLS cert and key PEMs: tls: failed to find any PEM data in certificate input".to_owned(),
        ),
        (
            server_error(Server { tls: Tls { key_file: garbage.clone(), ..pair.clone() }, ..Server::default() }),
            "failed to load TLS config: failed to load TLS cert and key: failed to load TLS cert and key PEMs: tls: failed to find any PEM data in key input".to_owned(),
        ),
        (
            server_error(Server { tls: Tls { key_file: authority.path("client.key"), ..pair.clone() }, ..Server::default() }),
            "failed to load TLS config: failed to load TLS cert and key: failed to load TLS cert and key PEMs: tls: private key does not match public key".to_owned(),
        ),
        (
            server_error(Server { client_ca_file: "/nope.pem".into(), ..authority.server() }),
            "failed to load client CA CertPool: failed to load CA /nope.pem: open /nope.pem: no such file or directory".to_owned(),
        ),
        (
            server_error(Server { client_ca_file: garbage.clone(), ..authority.server() }),
            format!("failed to load client CA CertPool: failed to parse CA {garbage}"),
        ),
        (server_error(Server::default()), "TLS configuration must include both certificate and key for server connections".to_owned()),
        (
            client_error(Tls { ca_file: "/nope.pem".into(), ..Tls::default() }),
            "failed to load TLS config: failed to load CA CertPool File: failed to load cert /nope.pem: open /nope.pem: no such file or directory".to_owned(),
        ),
        (
            client_error(Tls { ca_pem: "garbage".into(), ..Tls::default() }),
            "failed to load TLS config: failed to load CA CertPool PEM: failed to parse cert".to_owned(),
        ),
        (
            client_error(Tls { key_file: String::new(), ..pair }),
            "failed to load TLS config: failed to load TLS cert and key: for auth via TLS, provide both certificate and key, or neither".to_owned(),
        ),
    ] {
        assert_eq!(got, expected);
    }
}

#[test]
fn cores_share_what_one_of_them_loads() {
    let authority = Authority::new();
    let shared = SharedClient::new(authority.client(), H2);
    let config = |shared: &SharedClient| Arc::as_ptr(&shared.get().unwrap().config) as usize;
    let first = config(&shared);
    // It was read before: the files are not needed any more.
    drop(authority);
    let others = [(); 3].map(|()| {
        let shared = shared.clone();
        std::thread::spawn(move || config(&shared))
    });
    assert!(
        others
            .into_iter()
            .all(|other| other.join().unwrap() == first)
    );

    let missing = Client {
        tls: Tls {
            ca_file: "/nope.pem".into(),
            ..Tls::default()
        },
        ..Client::default()
    };
    let shared = SharedClient::new(missing.clone(), H2);
    assert_eq!(shared.get().err(), client(&missing, H2).err());
    assert!(shared.get().is_err());
}

#[test]
fn plain_text_is_insecure_without_an_authority() {
    assert!(!Client::default().is_plain());
    assert!(
        Client {
            insecure: true,
            ..Client::default()
        }
        .is_plain()
    );
    let ca = Tls {
        ca_file: "x".into(),
        ..Tls::default()
    };
    assert!(
        !Client {
            insecure: true,
            tls: ca,
            ..Client::default()
        }
        .is_plain()
    );
}

/// tokio-rustls runs over any stream; configurations are shared between cores.
#[test]
fn configurations_can_cross_cores() {
    fn crosses<T: Send + Sync + Clone>(_: &T) {}
    let authority = Authority::new();
    crosses(&Arc::new(server(&authority.server(), H2).unwrap()));
    crosses(&client(&authority.client(), H2).unwrap());
}
