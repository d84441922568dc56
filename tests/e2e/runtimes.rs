//! Which reactor the cores run on: what `--runtime` and `auto` choose where
//! io_uring may be used and where it may not, and that one mode never uses the
//! other's system calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Command, Stdio},
};

use trunkline_tests::{
    Backend, Gateway, Port, Runtime, Signal, both_runtimes, eventually, grpc, http, otlp,
    runtime::{block_on, io_uring_permitted},
    sandbox::Sandbox,
    skip::skip,
};

use trunkline_tests::config::{Config, Relay};

/// Thread names by thread id.
fn threads(gateway: &Gateway) -> BTreeMap<u32, String> {
    std::fs::read_dir(format!("/proc/{}/task", gateway.pid()))
        .unwrap()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = std::fs::read_to_string(entry.path().join("comm")).ok()?;
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                name.trim().to_owned(),
            ))
        })
        .collect()
}

async fn traffic(relay: &Relay, requests: u64) {
    let client = relay.client().await;
    for number in 0..requests {
        client
            .export(Signal::Traces, &otlp::numbered(Signal::Traces, number, 5))
            .await
            .ok();
    }
}

/// Starts without `--runtime`, in a sandbox or not, and shows that it serves.
async fn auto(sandbox: Option<Sandbox>) -> (String, Vec<String>) {
    let (backend, grpc, http) = (Backend::grpc(), Port::free(), Port::free());
    let config = Config::new(&grpc, &http)
        .grpc_to(&backend, &[])
        .signals(&[Signal::Traces]);
    let mut launch = trunkline_tests::Launch::bare(&config.yaml())
        .arg("--runtime")
        .arg("auto");
    if let Some(sandbox) = sandbox {
        launch = launch.sandbox(sandbox);
    }
    let gateway = launch.start().await;
    let client = grpc::Client::connect(&grpc).await;
    for _ in 0..10 {
        client
            .export(Signal::Traces, &otlp::items(Signal::Traces, 5))
            .await
            .ok();
    }
    assert_eq!(backend.count(), 10);
    let descriptors = gateway.descriptors();
    let finished = gateway.stop().await;
    assert_eq!(finished.code(), 0);
    (finished.log, descriptors)
}

/// A line of the log that names the reactor that was chosen and why.
fn says_epoll_and_why(log: &str, why: &[&str]) {
    let said = log
        .lines()
        .any(|line| line.contains("epoll") && why.iter().any(|word| line.contains(word)));
    assert!(said, "no line names epoll and one of {why:?}:\n{log}");
}

#[test]
fn auto_takes_io_uring_where_it_may() {
    if !io_uring_permitted() {
        return skip(
            "auto_takes_io_uring_where_it_may",
            "io_uring",
            "the kernel does not permit io_uring here",
        );
    }
    block_on(async {
        let (log, descriptors) = auto(None).await;
        assert!(log.contains("io_uring"), "{log}");
        assert!(
            descriptors.iter().any(|link| link.contains("[io_uring]")),
            "{descriptors:?}"
        );
    });
}

#[test]
fn auto_takes_epoll_under_a_seccomp_filter_and_says_why() {
    block_on(async {
        let (log, descriptors) = auto(Some(Sandbox::NoIoUring)).await;
        says_epoll_and_why(&log, &["io_uring", "EPERM", "not permitted"]);
        assert!(
            !descriptors.iter().any(|link| link.contains("[io_uring]")),
            "{descriptors:?}"
        );
    });
}

#[test]
fn auto_takes_epoll_with_little_locked_memory_and_says_why() {
    block_on(async {
        let (log, descriptors) = auto(Some(Sandbox::Memlock(64 << 10))).await;
        says_epoll_and_why(&log, &["MEMLOCK", "memlock", "locked memory"]);
        assert!(
            !descriptors.iter().any(|link| link.contains("[io_uring]")),
            "{descriptors:?}"
        );
    });
}

#[test]
fn io_uring_that_cannot_be_had_is_an_error_at_start() {
    block_on(async {
        for sandbox in [Sandbox::NoIoUring, Sandbox::Memlock(64 << 10)] {
            let config = Config::new(&Port::free(), &Port::free())
                .exporter("nop", "{}")
                .signals(&[Signal::Traces]);
            let finished = config.launch(Runtime::IoUring).sandbox(sandbox).run().await;
            assert_eq!(finished.code(), 1, "{sandbox:?}:\n{}", finished.log);
            assert!(
                finished.log.contains("Error: ") && finished.log.contains("io_uring"),
                "{sandbox:?}:\n{}",
                finished.log
            );
        }
    });
}

both_runtimes! {
    // The log names the reactor; descriptors show it: rings in one mode, none in the other.
    async fn the_chosen_reactor_is_said_and_used(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        traffic(&relay, 20).await;
        assert!(relay.gateway.log().contains(runtime.flag()), "{}", relay.gateway.log());
        let rings = relay.gateway.descriptors().iter().filter(|link| link.contains("[io_uring]")).count();
        assert_eq!(rings > 0, runtime == Runtime::IoUring, "{rings} rings");
        let cores = threads(&relay.gateway).into_values().filter(|name| name.starts_with("core-")).count();
        assert!(cores > 0, "no thread is named after its core");
    }

    // In io_uring mode no core thread calls epoll; in epoll mode no thread calls io_uring.
    async fn no_thread_uses_the_other_reactors_calls(runtime: Runtime) {
        if Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            return skip("no_thread_uses_the_other_reactors_calls", "strace", "strace is not installed");
        }
        let relay = Relay::start(runtime, |config| config).await;
        let trace = relay.gateway.folder().join("trace");
        let mut strace = Command::new("strace")
            .args(["-f", "-q", "-e", "trace=/^(epoll_.*|io_uring_.*)$", "-o"])
            .arg(&trace)
            .args(["-p", &relay.gateway.pid().to_string()])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Attached when its own calls show.
        let seen = || std::fs::read_to_string(&trace).unwrap_or_default();
        let client = relay.client().await;
        eventually("strace", async || {
            if let Some(status) = strace.try_wait().unwrap() {
                panic!("strace ended: {status}");
            }
            client.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
            (!seen().is_empty()).then_some(())
        })
        .await;
        for _ in 0..4 {
            traffic(&relay, 20).await;
        }
        let names = threads(&relay.gateway);
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(strace.id() as i32), nix::sys::signal::Signal::SIGINT).unwrap();
        strace.wait().unwrap();
        let mut calls: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let text = seen();
        for line in text.lines() {
            let Some((thread, call)) = line.split_once(' ') else { continue };
            let name = thread.parse().ok().and_then(|id: u32| names.get(&id)).map_or("gone", String::as_str);
            let family = if call.contains("io_uring_") { "io_uring" } else { "epoll" };
            calls.entry(family).or_default().insert(name.to_owned());
        }
        let on_cores = |family: &str| calls.get(family).into_iter().flatten().any(|name| name.starts_with("core-"));
        match runtime {
            Runtime::IoUring => assert!(on_cores("io_uring") && !on_cores("epoll"), "{calls:?}"),
            Runtime::Epoll => assert!(on_cores("epoll") && !calls.contains_key("io_uring"), "{calls:?}"),
        }
    }

    // One executor a core that this process may use; --cores overrides.
    async fn there_are_as_many_cores_as_asked_for(runtime: Runtime) {
        for cores in [1, 3] {
            let (backend, grpc, http) = (Backend::grpc(), Port::free(), Port::free());
            let config = Config::new(&grpc, &http).grpc_to(&backend, &[]);
            let gateway = config.launch(runtime).arg("--cores").arg(cores.to_string()).start().await;
            let running = threads(&gateway).into_values().filter(|name| name.starts_with("core-")).collect::<BTreeSet<_>>();
            assert_eq!(running.len(), cores, "{running:?}");
            grpc::Client::connect(&grpc).await.export(Signal::Traces, &otlp::items(Signal::Traces, 1)).await.ok();
        }
    }

    // The admin page names the processor that a core is pinned to, as the kernel sees it, and how long it was busy.
    async fn the_admin_page_shows_where_cores_run(runtime: Runtime) {
        let mine = std::fs::read_to_string("/proc/self/status").unwrap();
        let affinity = |status: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
            line.unwrap().trim().to_owned()
        };
        let number = |text: &str| text.parse::<usize>().unwrap();
        let ranges = affinity(&mine);
        let ranges = ranges.split(',').map(|range| range.split_once('-').unwrap_or((range, range)));
        let all: usize = ranges.map(|(first, last)| number(last) - number(first) + 1).sum();
        for cores in [all, 1] {
            let admin = Port::free();
            let config = Config::new(&Port::free(), &Port::free())
                .exporter("nop", "{}")
                .extension("zpages", &format!("{{endpoint: '{}'}}", admin.address()));
            let gateway = config.launch(runtime).arg("--cores").arg(cores.to_string()).start().await;
            let request = http::Request::post("/api/v1/status").method("GET").body(http::Body::None);
            let status: serde_json::Value = serde_json::from_str(&http::send(&admin, &request).await.text()).unwrap();
            let shown = status["cores"].as_array().unwrap();
            assert_eq!(shown.len(), cores);
            for core in shown {
                let name = format!("core-{}", core["index"]);
                let thread = *threads(&gateway).iter().find(|(_, of)| **of == name).unwrap().0;
                let thread = std::fs::read_to_string(format!("/proc/{}/task/{thread}/status", gateway.pid())).unwrap();
                let pinned = core["cpu"].as_u64().map_or(affinity(&mine), |cpu| cpu.to_string());
                assert_eq!(affinity(&thread), pinned, "{core}");
                assert_eq!(core["cpu"].is_number(), cores == all, "{core}");
                assert!(core["cpu_seconds"].as_f64().unwrap() >= 0.0, "{core}");
            }
        }
    }

    // One connection can use all cores: with requests in hand on one, the others take whole requests; one request
    // at a time moves nothing. Shown by threads' CPU time under the scheduler's eyes, not by a clock.
    async fn one_connection_reaches_every_core(runtime: Runtime) {
        let body = otlp::items(Signal::Traces, 6000);
        assert!(body.len() > 200 << 10, "large enough for a core to take one after the other");
        // Whether anything works on the requests or not.
        for works in [false, true] {
            let (backend, grpc, http) = (Backend::grpc(), Port::free(), Port::free());
            let mut config = Config::new(&grpc, &http).signals(&[Signal::Traces]).grpc_to(&backend, &[]);
            if works {
                config = config.processor("attributes", "{actions: [{key: a, value: b, action: upsert}]}");
            }
            let _gateway = config.launch(runtime).arg("--cores").arg("2").start().await;
            let client = grpc::Client::connect(&grpc).await;
            // A backend connection a core: two when both have exported.
            eventually("both cores at work", async || {
                let calls: Vec<_> = (0..32)
                    .map(|_| {
                        let (client, body) = (client.clone(), body.clone());
                        tokio::spawn(async move { client.export(Signal::Traces, &body).await.ok() })
                    })
                    .collect();
                for call in calls {
                    call.await.unwrap();
                }
                (backend.connections() >= 2).then_some(())
            })
            .await;
        }
        let lone = Backend::grpc();
        let (grpc, http) = (Port::free(), Port::free());
        let config = Config::new(&grpc, &http).grpc_to(&lone, &[]);
        let _gateway = config.launch(runtime).arg("--cores").arg("2").start().await;
        let client = grpc::Client::connect(&grpc).await;
        for _ in 0..100 {
            client.export(Signal::Traces, &body).await.ok();
        }
        assert_eq!(lone.connections(), 1, "a request moved although its core had nothing else to do");
    }
}
