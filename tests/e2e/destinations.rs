//! Where exporters and receivers meet the network: several addresses of one name,
//! unix sockets, many cores behind one of them.

use std::{
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use trunkline_tests::{
    Answer, Backend, Gateway, Launch, Port, Runtime, Signal,
    backend::Protocol,
    binary, both_runtimes,
    config::{Config, Relay},
    grpc::Client,
    io::Target,
    otlp,
    skip::skip,
    status,
};

/// The name that the gateway's own `/etc/hosts` gives two addresses.
const NAME: &str = "backends.test";

/// Starts a gateway for which [`NAME`] is 127.0.0.1 and 127.0.0.2, in a mount namespace of its own.
async fn where_a_name_has_two_addresses(runtime: Runtime, config: &Config) -> Gateway {
    let folder = tempfile::tempdir().unwrap();
    let (hosts, script) = (folder.path().join("hosts"), folder.path().join("gateway"));
    std::fs::write(
        &hosts,
        format!("127.0.0.1 localhost\n127.0.0.1 {NAME}\n127.0.0.2 {NAME}\n"),
    )
    .unwrap();
    let text = format!(
        "#!/bin/sh\nexec unshare --mount sh -c 'mount --bind \"$0\" /etc/hosts && exec \"$@\"' {} {} \"$@\"\n",
        hosts.display(),
        binary::trunkline().display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    Launch::configured(script, &config.yaml())
        .arg("--runtime")
        .arg(runtime.flag())
        // One core, so that requests take turns strictly.
        .arg("--cores")
        .arg("1")
        .start()
        .await
}

/// Whether this process may have mounts of its own; else the test is skipped.
fn may_mount(test: &str) -> bool {
    let mut command = Command::new("unshare");
    command.args(["--mount", "mount", "--bind", "/etc/hosts", "/etc/hosts"]);
    let permitted = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let permitted = permitted.is_ok_and(|status| status.success());
    if !permitted {
        skip(
            test,
            "mount_namespace",
            "this process may not have mounts of its own",
        );
    }
    permitted
}

/// A backend on each of the two addresses, at one port.
fn two_backends(protocol: Protocol) -> (Port, [Backend; 2]) {
    let port = Port::free();
    let at = |last| {
        Backend::at(
            protocol,
            SocketAddr::from(([127, 0, 0, last], port.number())),
            None,
        )
    };
    let backends = [at(1), at(2)];
    (port, backends)
}

async fn export(client: &Client, requests: u64) {
    for number in 0..requests {
        client
            .export(Signal::Traces, &otlp::numbered(Signal::Traces, number, 1))
            .await
            .ok();
    }
}

both_runtimes! {
    // collector.md 2.3: round_robin by default over every address of a name, whatever scheme it is written with;
    // pick_first stays with one.
    async fn requests_take_turns_over_the_addresses_of_a_name(runtime: Runtime) {
        if !may_mount("requests_take_turns_over_the_addresses_of_a_name") {
            return;
        }
        for (scheme, key, fewest) in [
            ("", "", 10),
            ("http://", "", 10),
            ("dns:///", "", 10),
            ("dns://127.0.0.53/", ", balancer_name: round_robin", 10),
            ("", ", balancer_name: pick_first", 0),
        ] {
            let (port, backends) = two_backends(Protocol::Grpc);
            let (grpc, http) = (Port::free(), Port::free());
            let config = Config::new(&grpc, &http).signals(&[Signal::Traces]).exporter(
                "otlp_grpc",
                &format!("{{endpoint: '{scheme}{NAME}:{port}', tls: {{insecure: true}}, compression: none{key}}}"),
            );
            let _gateway = where_a_name_has_two_addresses(runtime, &config).await;
            export(&Client::connect(&grpc).await, 20).await;
            let mut counts = backends.map(|backend| (backend.count(), backend.connections()));
            counts.sort_unstable();
            assert_eq!(counts[0].0, fewest, "{scheme}{key}: {counts:?}");
            assert_eq!(counts[1].0, 20 - fewest, "{scheme}{key}: {counts:?}");
            assert!(counts.iter().all(|(_, connections)| *connections <= 1), "{scheme}{key}: {counts:?}");
        }
    }

    // otlp_http takes turns as well.
    async fn requests_over_http_take_turns_too(runtime: Runtime) {
        if !may_mount("requests_over_http_take_turns_too") {
            return;
        }
        let (port, backends) = two_backends(Protocol::Http);
        let (grpc, http) = (Port::free(), Port::free());
        let config = Config::new(&grpc, &http)
            .signals(&[Signal::Traces])
            .exporter("otlp_http", &format!("{{endpoint: 'http://{NAME}:{port}', compression: none}}"));
        let _gateway = where_a_name_has_two_addresses(runtime, &config).await;
        export(&Client::connect(&grpc).await, 20).await;
        assert_eq!(backends.map(|backend| backend.count()), [10, 10]);
    }

    // An address where nobody listens costs no request anything while another works; the one that is lost later, too.
    async fn an_address_that_does_not_answer_is_passed_over(runtime: Runtime) {
        if !may_mount("an_address_that_does_not_answer_is_passed_over") {
            return;
        }
        for lost in [0, 1] {
            let (port, [first, second]) = two_backends(Protocol::Grpc);
            let (grpc, http) = (Port::free(), Port::free());
            let config = Config::new(&grpc, &http).signals(&[Signal::Traces]).exporter(
                "otlp_grpc",
                &format!(
                    "{{endpoint: '{NAME}:{port}', tls: {{insecure: true}}, retry_on_failure: {{enabled: {}}}}}",
                    // A request in flight may break with its connection; before that none needs a second attempt.
                    lost == 1
                ),
            );
            if lost == 0 {
                drop(first);
                let _gateway = where_a_name_has_two_addresses(runtime, &config).await;
                export(&Client::connect(&grpc).await, 10).await;
                assert_eq!(second.count(), 10);
                continue;
            }
            let _gateway = where_a_name_has_two_addresses(runtime, &config).await;
            let client = Client::connect(&grpc).await;
            export(&client, 10).await;
            assert_eq!((first.count(), second.count()), (5, 5));
            drop(second);
            export(&client, 10).await;
            assert_eq!(first.count(), 15);
        }
    }

    // unix:// endpoints (collector.md 2.3), with the outcome carried back.
    async fn the_exporter_speaks_over_a_unix_socket(runtime: Runtime) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("backend.sock");
        let backend = Backend::unix(&socket);
        let endpoint = format!("endpoint: 'unix://{}'", socket.display());
        let relay = Relay::with(runtime, Backend::grpc(), |config, unused| config.grpc_to(unused, &[&endpoint])).await;
        let client = relay.client().await;
        for signal in Signal::ALL {
            let body = otlp::items(signal, 5);
            client.export(signal, &body).await.ok();
            let last = backend.recorded().pop().unwrap();
            assert_eq!((last.signal(), &last.body), (signal, &body));
        }
        let large = otlp::large(Signal::Traces, 8 << 20);
        client.export(Signal::Traces, &large).await.ok();
        assert_eq!(backend.recorded().pop().unwrap().body, large);
        backend.answer_next(Answer::Status(status::Status::new(status::PERMISSION_DENIED, "no")));
        assert_eq!(client.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.code(), status::PERMISSION_DENIED);
        // A socket whose server is gone and comes again.
        drop(backend);
        std::fs::remove_file(&socket).unwrap();
        let again = Backend::unix(&socket);
        client.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
        assert_eq!((again.count(), relay.backend.count()), (1, 0));
    }

    // A unix socket has one acceptor; its connections go round the cores, each of which exports for itself.
    async fn connections_of_a_unix_socket_reach_every_core(runtime: Runtime) {
        const CORES: usize = 3;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| format!("endpoint: '{}', transport: unix", folder.path().join(name).display());
        let backend = Backend::grpc();
        let config = Config::new(&Port::free(), &Port::free())
            .protocols(&at("grpc.sock"), &at("http.sock"))
            .signals(&[Signal::Traces])
            .grpc_to(&backend, &[]);
        let gateway = config.launch(runtime).arg("--cores").arg(CORES.to_string()).start().await;
        let mut open = Vec::new();
        for round in 0..2 * CORES {
            let client = Client::connect(Target::Unix(folder.path().join("grpc.sock"))).await;
            client.export(Signal::Traces, &otlp::items(Signal::Traces, 2)).await.ok();
            open.push(client);
            assert_eq!(backend.connections(), CORES.min(round + 1), "connections come from core after core");
        }
        // What is in hand on every core is finished, and the sockets go.
        backend.hold();
        let waiting: Vec<_> = open
            .into_iter()
            .map(|client| tokio::spawn(async move { client.export(Signal::Traces, &otlp::items(Signal::Traces, 2)).await.ok() }))
            .collect();
        backend.wait_for_waiting(2 * CORES).await;
        gateway.signal(nix::sys::signal::Signal::SIGTERM);
        backend.release();
        for call in waiting {
            call.await.unwrap();
        }
        assert_eq!(gateway.exited().await.code(), 0);
        assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "a socket was left behind");
    }
}
