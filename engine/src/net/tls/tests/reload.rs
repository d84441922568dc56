//! Certificates and authorities whose files change while they are in use.

use super::*;

#[test]
fn a_new_certificate_is_served_after_the_interval_and_a_broken_one_is_not() {
    let authority = Authority::new();
    // A client of its own each time: a resumed session shows the certificate it began with.
    let served = |server: &ServerTls| {
        let client = client(&authority.client(), H2).unwrap();
        shake(server, &client, "localhost")
            .unwrap()
            .server_certificate
    };

    // The shortest interval: every handshake looks.
    let mut settings = authority.server();
    settings.tls.reload_interval = Duration::from_nanos(1);
    let following = server(&settings, H2).unwrap();
    let fixed = server(&authority.server(), H2).unwrap();
    let first = served(&following);
    assert_eq!(served(&fixed), first);

    authority.issue("server", "localhost");
    let second = served(&following);
    assert_ne!(second, first);
    assert_eq!(served(&fixed), first, "interval zero: never by itself");
    fixed.reload().unwrap();
    assert_eq!(served(&fixed), second);

    fs::write(authority.path("server.key"), "broken").unwrap();
    assert_eq!(
        served(&following),
        second,
        "what does not load changes nothing"
    );
    assert!(
        following
            .reload()
            .unwrap_err()
            .to_string()
            .starts_with("failed to load TLS cert and key")
    );
}

#[test]
fn client_authorities_follow_their_file() {
    let (authority, other) = (Authority::new(), Authority::new());
    let settings = Server {
        client_ca_file: authority.path("ca.pem"),
        client_ca_file_reload: true,
        ..authority.server()
    };
    let server = server(&settings, H2).unwrap();
    let known_ca = fs::read(authority.path("ca.pem")).unwrap();
    fs::write(authority.dir.path().join("server-ca.pem"), &known_ca).unwrap();
    let client_of = |authority_of_client: &Authority| {
        let tls = Tls {
            ca_file: authority.path("server-ca.pem"),
            ..authority_of_client.pair("client")
        };
        client(
            &Client {
                tls,
                ..Client::default()
            },
            H2,
        )
        .unwrap()
    };
    let (ours, theirs) = (client_of(&authority), client_of(&other));
    assert!(shake(&server, &ours, "localhost").is_ok());
    assert!(shake(&server, &theirs, "localhost").is_err());

    fs::write(
        authority.path("ca.pem"),
        fs::read(other.path("ca.pem")).unwrap(),
    )
    .unwrap();
    server.reload().unwrap();
    assert!(
        shake(&server, &ours, "localhost").is_err(),
        "not even by resuming its session"
    );
    assert!(shake(&server, &theirs, "localhost").is_ok());

    fs::write(authority.path("ca.pem"), "broken").unwrap();
    assert!(server.reload().is_err());
    assert!(shake(&server, &theirs, "localhost").is_ok());
}

#[test]
fn a_clients_certificate_follows_its_files() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = server(
        &Server {
            client_ca_file: authority.path("ca.pem"),
            ..authority.server()
        },
        H2,
    )
    .unwrap();
    let mut tls = Tls {
        ca_file: authority.path("ca.pem"),
        ..other.pair("client")
    };
    tls.reload_interval = Duration::from_nanos(1);
    let client = client(
        &Client {
            tls,
            ..Client::default()
        },
        H2,
    )
    .unwrap();
    assert!(shake(&server, &client, "localhost").is_err());
    for file in ["client.pem", "client.key"] {
        fs::copy(authority.path(file), other.path(file)).unwrap();
    }
    assert!(shake(&server, &client, "localhost").is_ok());
}
