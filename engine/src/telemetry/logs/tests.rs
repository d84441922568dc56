//! Lines compared with the Collector's.

use std::sync::Mutex;

use super::*;

/// Runs `log` with a logger of `config` and gives back the lines.
fn lines(config: &LogsConfig, log: impl FnOnce(&LogHandle)) -> Vec<String> {
    let memory = Arc::new(Mutex::new(Vec::new()));
    let (layer, handle) =
        LogLayer::with_outputs(config, vec![Output::Memory(memory.clone())]).unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || log(&handle));
    handle.flush(Duration::from_secs(10));
    let text = String::from_utf8(memory.lock().unwrap().clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn resource() -> Vec<(String, String)> {
    [("service.version", "0.1.0"), ("service.name", "otelcol")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into()
}

/// The parts of a console line.
fn parts(line: &str) -> Vec<&str> {
    line.split('\t').collect()
}

#[test]
fn console_lines_have_time_level_caller_message_and_fields() {
    let config = LogsConfig {
        resource: resource(),
        ..LogsConfig::default()
    };
    let fields = ComponentFields {
        id: "otlp/a".to_owned(),
        kind: "receiver",
        pipeline: None,
        signal: None,
    };
    let lines = lines(&config, |_| {
        tracing::info!("Version" = "0.1.0", "NumCPU" = 2, "Starting otelcol...");
        log_component!(warn, fields, endpoint = %"127.0.0.1:4317", "Starting GRPC server");
        tracing::debug!("not at this level");
    });
    assert_eq!(lines.len(), 2, "{lines:?}");
    let start = parts(&lines[0]);
    assert_eq!(start[0].len(), "2026-11-21T07:56:40.535Z".len());
    assert!(start[0].ends_with('Z'));
    assert_eq!(start[1], "info");
    assert!(start[2].starts_with("logs/tests.rs:"), "{}", start[2]);
    assert_eq!(start[3], "Starting otelcol...");
    assert_eq!(
        start[4],
        r#"{"resource": {"service.name": "otelcol", "service.version": "0.1.0"}, "Version": "0.1.0", "NumCPU": 2}"#
    );
    let server = parts(&lines[1]);
    assert_eq!(server[1], "warn");
    assert_eq!(
        server[4],
        r#"{"resource": {"service.name": "otelcol", "service.version": "0.1.0"}, "otelcol.component.id": "otlp/a", "otelcol.component.kind": "receiver", "endpoint": "127.0.0.1:4317"}"#
    );
}

#[test]
fn json_lines_have_the_keys_of_the_collector_in_its_order() {
    let initial = serde_json::json!({"zeta": 1, "alpha": ["x", 2, {"b": true}], "none": null});
    let config = LogsConfig {
        encoding: Encoding::Json,
        level: LogLevel::Debug,
        initial_fields: initial.as_object().unwrap().clone(),
        resource: resource(),
        ..LogsConfig::default()
    };
    let lines = lines(&config, |_| {
        tracing::debug!(
            error = "a \"quoted\"\nline\u{1}",
            ratio = 0.5,
            ok = true,
            otelcol.signal = "logs",
            "said \t it"
        );
    });
    let line = &lines[0];
    let (head, rest) = line.split_once(",\"caller\":\"").unwrap();
    assert!(head.starts_with(r#"{"level":"debug","ts":"20"#), "{head}");
    let (caller, rest) = rest.split_once('"').unwrap();
    assert!(caller.starts_with("logs/tests.rs:"));
    assert_eq!(
        rest,
        concat!(
            r#","msg":"said \t it","alpha":["x",2,{"b":true}],"none":null,"zeta":1,"#,
            r#""resource":{"service.name":"otelcol","service.version":"0.1.0"},"#,
            r#""error":"a \"quoted\"\nline\u0001","ratio":0.5,"ok":true,"otelcol.signal":"logs"}"#
        )
    );
    assert!(serde_json::from_str::<serde_json::Value>(line).is_ok());
}

#[test]
fn parts_that_are_switched_off_are_absent() {
    let config = LogsConfig {
        disable_caller: true,
        ..LogsConfig::default()
    };
    let no_caller = lines(&config, |_| tracing::info!("plain"));
    assert_eq!(parts(&no_caller[0])[1..], ["info", "plain"]);

    let config = LogsConfig {
        encoding: Encoding::Json,
        ..LogsConfig::default()
    };
    let plain = lines(&config, |_| tracing::info!(target: NO_CALLER, "Traces"));
    assert!(plain[0].ends_with(r#"Z","msg":"Traces"}"#), "{}", plain[0]);
}

#[test]
fn libraries_speak_only_when_they_warn() {
    let config = LogsConfig {
        level: LogLevel::Debug,
        ..LogsConfig::default()
    };
    let lines = lines(&config, |_| {
        tracing::info!(target: "h2::codec", "frame");
        tracing::warn!(target: "rustls", "handshake");
    });
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("handshake"));
}

#[test]
fn repeated_lines_are_sampled() {
    let sampling = Sampling {
        tick: Duration::from_secs(600),
        initial: 2,
        thereafter: 5,
    };
    let repeat = |_: &LogHandle| (0..12).for_each(|n| tracing::info!(n, "again"));
    let config = LogsConfig {
        sampling: Some(sampling),
        ..LogsConfig::default()
    };
    assert_eq!(lines(&config, repeat).len(), 4);
    let config = LogsConfig {
        sampling: None,
        ..LogsConfig::default()
    };
    assert_eq!(lines(&config, repeat).len(), 12);
}

#[test]
fn a_reload_changes_outputs_and_level_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.log").to_str().unwrap().to_owned();
    let before = lines(&LogsConfig::default(), |handle| {
        let missing = LogsConfig {
            output_paths: vec!["/nowhere/x.log".to_owned()],
            ..LogsConfig::default()
        };
        assert_eq!(
            handle.reload(&missing).unwrap_err().to_string(),
            r#"failed to create logger: open sink "/nowhere/x.log": open /nowhere/x.log: no such file or directory"#
        );
        tracing::info!("before");
        handle.flush(Duration::from_secs(10));
        let config = LogsConfig {
            level: LogLevel::Error,
            output_paths: vec![format!("file://{path}")],
            ..LogsConfig::default()
        };
        handle.reload(&config).unwrap();
        tracing::info!("hidden");
        tracing::error!("after");
    });
    assert!(
        before.len() == 1 && before[0].contains("before"),
        "{before:?}"
    );
    let after = std::fs::read_to_string(path).unwrap();
    assert!(
        after.lines().count() == 1 && after.contains("\terror\t") && after.contains("after"),
        "{after}"
    );
}

#[test]
fn what_cannot_be_opened_is_said_as_the_collector_says_it() {
    let text = |path: &str| Output::open(path).unwrap_err().to_string();
    assert_eq!(
        text("http://x"),
        r#"failed to create logger: open sink "http://x": no sink found for scheme "http""#
    );
    assert_eq!(
        Encoding::parse("xml").unwrap_err().to_string(),
        r#"failed to create logger: no encoder registered for name "xml""#
    );
    assert_eq!(
        LogLevel::parse("loud").unwrap_err().to_string(),
        r#"unrecognized level: "loud""#
    );
    assert_eq!(LogLevel::parse("WARN").unwrap(), LogLevel::Warn);
}
