//! The commands together, as processes on the loopback interface: what is sent arrives, once,
//! through relay and copy; what the sink refuses is counted; the reports say so.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

const BENCH: &str = env!("CARGO_BIN_EXE_trunkline-bench");
const ANY: &str = "127.0.0.1:0";

/// A command that serves until it is dropped.
struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Server {
    /// Starts a command, reading the addresses of its `listeners` from what it prints.
    fn start(listeners: usize, args: &[&str]) -> (Server, Vec<String>) {
        let mut child = Command::new(BENCH)
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let addresses = (0..listeners)
            .map(|_| {
                let mut line = String::new();
                output.read_line(&mut line).unwrap();
                line.trim().rsplit(' ').next().unwrap().to_owned()
            })
            .collect();
        (Server { child, output }, addresses)
    }

    /// Sends SIGTERM and gives the last line printed.
    fn stop(mut self) -> String {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        let last = self.output.by_ref().lines().map_while(Result::ok).last();
        assert!(self.child.wait().unwrap().success());
        last.unwrap_or_default()
    }
}

use std::io::Read;

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn load(args: &[&str]) -> Value {
    let output = Command::new(BENCH)
        .args([
            "load",
            "--json",
            "-",
            "--warm-up",
            "20ms",
            "--duration",
            "200ms",
            "--batch",
            "50",
        ])
        .args(args)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn everything_accepted_arrives_once_in_every_form() {
    let (sink, at) = Server::start(
        3,
        &[
            "sink",
            "--grpc",
            ANY,
            "--http",
            ANY,
            "--control",
            ANY,
            "--verify",
            "--inflate",
        ],
    );
    let (grpc, http, control) = (&at[0], &at[1], &at[2]);
    let (relay, to) = Server::start(
        1,
        &[
            "relay",
            "--listen",
            ANY,
            "--to",
            grpc,
            "--frame-size",
            "16384",
        ],
    );
    let (inflating, to_inflating) =
        Server::start(1, &["relay", "--listen", ANY, "--to", grpc, "--inflate"]);
    let cases: [(&str, &[&str]); 9] = [
        (grpc, &[]),
        (grpc, &["--signal", "logs", "--compression", "gzip"]),
        (grpc, &["--signal", "metrics", "--compression", "zstd"]),
        (http, &["--protocol", "http"]),
        (
            http,
            &[
                "--protocol",
                "http",
                "--encoding",
                "json",
                "--signal",
                "metrics",
            ],
        ),
        (
            http,
            &[
                "--protocol",
                "http",
                "--encoding",
                "json",
                "--compression",
                "gzip",
            ],
        ),
        (&to[0], &["--frame-size", "16384", "--batch", "200"]),
        (
            &to[0],
            &[
                "--rate",
                "20000",
                "--per-resource",
                "1",
                "--connections",
                "3",
            ],
        ),
        (
            &to_inflating[0],
            &["--compression", "gzip", "--signal", "logs"],
        ),
    ];
    for (to, args) in cases {
        let before = stats(control);
        let report = load(&[&["--to", to, "--verify", "--control", control], args].concat());
        let what = format!("{args:?}: {report}");
        assert!(report["items"].as_u64().unwrap() > 0, "{what}");
        assert_eq!(report["failed_requests"], 0, "{what}");
        assert_eq!(report["verified"]["lost"], 0, "{what}");
        assert_eq!(report["verified"]["sink"]["duplicates"], 0, "{what}");
        assert_eq!(report["verified"]["sink"]["missing"], 0, "{what}");
        let accepted = report["verified"]["accepted"].as_u64().unwrap();
        let arrived: u64 = ["traces", "metrics", "logs"]
            .iter()
            .map(|s| {
                stats(control)["items"][s].as_u64().unwrap() - before["items"][s].as_u64().unwrap()
            })
            .sum();
        assert_eq!(arrived, accepted, "{what}");
        assert_eq!(stats(control)["malformed"], 0, "{what}");
        ask(control, "POST", "/reset");
    }
    relay.stop();
    inflating.stop();
    sink.stop();
}

#[test]
fn an_inflating_relay_sends_plain_bodies_on() {
    let (sink, at) = Server::start(1, &["sink", "--grpc", ANY]);
    let (relay, to) = Server::start(1, &["relay", "--listen", ANY, "--to", &at[0], "--inflate"]);
    let report = load(&["--to", &to[0], "--compression", "gzip"]);
    relay.stop();
    let stats: Value = serde_json::from_str(&sink.stop()).unwrap();
    assert!(report["items"].as_u64().unwrap() > 0);
    assert_eq!(stats["compressed"], 0, "{stats}");
    assert!(stats["items"]["traces"].as_u64().unwrap() >= report["items"].as_u64().unwrap());
}

#[test]
fn refusals_are_counted_by_their_code() {
    let (sink, at) = Server::start(
        2,
        &[
            "sink",
            "--grpc",
            ANY,
            "--http",
            ANY,
            "--fail",
            "UNAVAILABLE:0.5",
        ],
    );
    let report = load(&["--to", &at[0]]);
    let failed = report["failed_requests"].as_u64().unwrap();
    assert!(
        failed > 0 && report["requests"].as_u64().unwrap() > 0,
        "{report}"
    );
    assert_eq!(report["failures"]["grpc 14"], failed, "{report}");
    let stats: Value = serde_json::from_str(&sink.stop()).unwrap();
    assert!(
        stats["refused_on_purpose"].as_u64().unwrap() >= failed,
        "{stats}"
    );
}

#[test]
fn items_refused_for_good_are_not_taken_for_lost() {
    let (sink, at) = Server::start(
        2,
        &[
            "sink",
            "--grpc",
            ANY,
            "--control",
            ANY,
            "--verify",
            "--fail",
            "3:0.3",
        ],
    );
    let report = load(&["--to", &at[0], "--verify", "--control", &at[1]]);
    assert_eq!(report["verified"]["lost"], 0, "{report}");
    assert!(report["failed_requests"].as_u64().unwrap() > 0, "{report}");
    sink.stop();
}

#[test]
fn copy_carries_bodies_and_answers() {
    let (sink, at) = Server::start(2, &["sink", "--grpc", ANY, "--raw", ANY]);
    let (copy, to) = Server::start(1, &["copy", "--listen", ANY, "--to", &at[1]]);
    let report = load(&["--to", &to[0], "--protocol", "raw", "--connections", "2"]);
    assert!(report["items"].as_u64().unwrap() > 0, "{report}");
    copy.stop();
    let stats: Value = serde_json::from_str(&sink.stop()).unwrap();
    assert!(
        stats["not_looked_into"].as_u64() >= report["requests"].as_u64(),
        "{stats}"
    );
}

#[test]
fn the_reports_show_the_gateway() {
    let (sink, at) = Server::start(1, &["sink", "--grpc", ANY]);
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    let pid = sink.child.id().to_string();
    let report = load(&[
        "--to",
        &at[0],
        "--pid",
        &pid,
        "--html",
        page.to_str().unwrap(),
    ]);
    sink.stop();
    assert!(
        report["gateway"]["resident_max"].as_u64().unwrap() > 1 << 20,
        "{report}"
    );
    assert!(
        report["gateway"]["cores_busy"].as_f64().unwrap() > 0.0,
        "{report}"
    );
    assert!(report["latency"]["p99_ms"].as_f64() >= report["latency"]["p50_ms"].as_f64());
    assert_eq!(report["latency"]["count"], report["requests"], "{report}");
    let page = std::fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("<svg").count(), 5);
    for wrong in ["NaN", "http://", "src="] {
        assert!(!page.contains(wrong), "{wrong}");
    }
}

#[test]
fn a_comparison_measures_in_pairs_and_names_who_is_absent() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("compare.json");
    let html = folder.path().join("compare.html");
    let other = format!("other={BENCH} relay --listen {{listen}} --to {{sink}}");
    let output = Command::new(BENCH)
        .args([
            "compare",
            "--row",
            "plain",
            "--pairs",
            "2",
            "--duration",
            "600ms",
            "--warm-up",
            "20ms",
        ])
        .args([
            "--latency",
            "--starts",
            "1",
            "--otelcol",
            "/nonexistent/otelcol",
            "--peer",
            &other,
        ])
        .args([
            "--peers",
            "relay,otelcol,other",
            "--json",
            json.to_str().unwrap(),
        ])
        .args(["--html", html.to_str().unwrap()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    let row = &report["rows"][0];
    assert_eq!(row["divided_by"], "relay");
    let other = &row["gateways"][1];
    assert_eq!(other["name"], "other");
    assert_eq!(other["ratio"]["count"], 2, "{other}");
    assert_eq!(
        other["ratio"]["counts"], false,
        "two pairs are too few to count"
    );
    assert!(
        other["start_s"]["median"].as_f64().unwrap() > 0.0,
        "{other}"
    );
    assert!(
        other["half_rate"]["added_p99_ms"]["median"].is_f64(),
        "{other}"
    );
    assert_eq!(row["absent"][0]["name"], "otelcol");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("otelcol took no part") && text.contains("does not count"),
        "{text}"
    );
    assert!(std::fs::read_to_string(html).unwrap().contains("<svg"));
}

#[test]
fn wrong_command_lines_end_with_2_and_say_why() {
    let cases: [(&[&str], &str); 6] = [
        (&["nonsense"], "no command"),
        (&["load"], "--to"),
        (
            &["load", "--to", "127.0.0.1:1", "--signal", "profiles"],
            "traces, metrics, logs",
        ),
        (
            &["load", "--to", "127.0.0.1:1", "--encoding", "json"],
            "http only",
        ),
        (
            &["relay", "--to", "127.0.0.1:1", "--frame-size", "100"],
            "16384",
        ),
        (
            &["compare", "--row", "plain", "--peers", "nobody"],
            "nobody",
        ),
    ];
    for (args, want) in cases {
        let output = Command::new(BENCH).args(args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(want), "{args:?}: {said}");
    }
}

fn ask(address: &str, method: &str, path: &str) -> String {
    use std::io::Write;
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    body.to_owned()
}

fn stats(control: &str) -> Value {
    serde_json::from_str(&ask(control, "GET", "/stats")).unwrap()
}

#[test]
fn a_comparison_that_is_told_to_end_takes_its_processes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    // The gateway leaves its process id and turns into the relay.
    let script = folder.path().join("gateway");
    let pid_file = folder.path().join("pid");
    let text = format!(
        "#!/bin/sh\necho $$ > {}.part && mv {0}.part {0}\nexec {BENCH} relay \"$@\"\n",
        pid_file.display()
    );
    std::fs::write(&script, text).unwrap();
    let peer = format!(
        "other=/bin/sh {} --listen {{listen}} --to {{sink}}",
        script.display()
    );
    let mut compare = Command::new(BENCH)
        .args([
            "compare",
            "--peers",
            "relay,other",
            "--pairs",
            "1000",
            "--peer",
            &peer,
        ])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let wait = |what: &str, done: &dyn Fn() -> bool| {
        while !done() {
            assert!(std::time::Instant::now() < deadline, "{what}");
            std::thread::yield_now();
        }
    };
    wait("the gateway starts", &|| pid_file.exists());
    let pid: u32 = std::fs::read_to_string(&pid_file)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let own = nix::unistd::Pid::from_raw(compare.id() as i32);
    nix::sys::signal::kill(own, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(compare.wait().unwrap().code(), Some(130));
    let gone = || {
        // A zombie that nobody waits for any more has ended too.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    };
    wait("the gateway ends", &gone);
}
