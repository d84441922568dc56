//! What is written, beside what the Collector 0.164 wrote for the same requests.

use std::fs;

use trunkline_proto::json;

use super::{config::Config, *};
use crate::exporters::testing;

/// The protocol's published examples.
const EXAMPLES: [(Signal, &str); 3] = [
    (
        Signal::Traces,
        include_str!("../../../../tests/data/otlp-json/trace.json"),
    ),
    (
        Signal::Metrics,
        include_str!("../../../../tests/data/otlp-json/metrics.json"),
    ),
    (
        Signal::Logs,
        include_str!("../../../../tests/data/otlp-json/logs.json"),
    ),
];

/// Everything that has a line of its own somewhere.
const ALL: [(Signal, &str); 4] = [
    (Signal::Traces, include_str!("testdata/traces.json")),
    (Signal::Metrics, include_str!("testdata/metrics.json")),
    (Signal::Logs, include_str!("testdata/logs.json")),
    (Signal::Profiles, include_str!("testdata/profiles.json")),
];

fn batch(signal: Signal, text: &str) -> Batch {
    let mut text = text.as_bytes().to_vec();
    let bytes = json::to_protobuf(signal, &mut text).unwrap();
    Batch::from_protobuf(signal, bytes).unwrap()
}

/// What the exporter writes to a file for these requests.
fn written(requests: &[(Signal, &str)], change: impl FnOnce(&mut Config)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let mut config = Config {
        use_internal_logger: false,
        output_paths: Some(vec![path.to_str().unwrap().to_owned()]),
        ..Config::default()
    };
    change(&mut config);
    let core = testing::core();
    let console = open(&config).unwrap();
    testing::run(async {
        for (signal, text) in requests {
            let id = testing::id("debug");
            let exporter = build(&id, &config, *signal, &core, console.clone()).unwrap();
            let outcome = exporter
                .consume(batch(*signal, text), &testing::context())
                .await;
            assert_eq!(outcome, Outcome::Accepted);
        }
    });
    let page = testing::scrape(&core);
    assert!(page.contains("otelcol_exporter_sent_log_records_total{exporter=\"debug\"}"));
    fs::read_to_string(path).unwrap()
}

#[test]
fn basic_is_a_line_a_request() {
    assert_eq!(
        written(&EXAMPLES, |_| {}),
        "Traces\t{\"resource spans\": 1, \"spans\": 1}\n\
         Metrics\t{\"resource metrics\": 1, \"metrics\": 4, \"data points\": 4}\n\
         Logs\t{\"resource logs\": 1, \"log records\": 1}\n"
    );
}

#[test]
fn normal_is_a_line_an_item() {
    let normal = written(&EXAMPLES, |config| config.verbosity = Level::Normal);
    assert_eq!(normal, include_str!("testdata/normal.txt"));
    let normal = written(&ALL, |config| config.verbosity = Level::Normal);
    assert_eq!(normal, include_str!("testdata/all.normal.txt"));
}

#[test]
fn detailed_is_every_field() {
    let detailed = written(&EXAMPLES, |config| config.verbosity = Level::Detailed);
    assert_eq!(detailed, include_str!("testdata/detailed.txt"));
    let detailed = written(&ALL, |config| config.verbosity = Level::Detailed);
    assert_eq!(detailed, include_str!("testdata/all.detailed.txt"));
}

/// Of each text the first few in a second, and then every so many.
#[test]
fn what_repeats_is_sampled() {
    let logs = [EXAMPLES[2]; 10];
    for (initial, thereafter, lines) in [(2, 1, 10), (2, 0, 2), (1, 3, 4)] {
        let text = written(&logs, |config| {
            config.sampling_initial = initial;
            config.sampling_thereafter = thereafter;
        });
        assert_eq!(text.lines().count(), lines, "{initial} {thereafter}");
    }
}

/// Through Trunkline's own log: the Collector's lines, which have no caller.
#[test]
fn the_internal_logger_says_which_exporter_speaks() {
    use crate::telemetry::logs::{LogLayer, LogsConfig};
    use tracing_subscriber::layer::SubscriberExt;

    let memory = Arc::new(std::sync::Mutex::new(Vec::new()));
    let outputs = vec![Output::Memory(memory.clone())];
    let (layer, handle) = LogLayer::with_outputs(&LogsConfig::default(), outputs).unwrap();
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        let config = Config {
            verbosity: Level::Normal,
            ..Config::default()
        };
        let core = testing::core();
        let id = testing::id("debug/x");
        let console = open(&config).unwrap();
        let exporter = build(&id, &config, Signal::Metrics, &core, console).unwrap();
        let (signal, text) = EXAMPLES[1];
        testing::run(async {
            exporter
                .consume(batch(signal, text), &testing::context())
                .await
        });
    });
    handle.flush(Duration::from_secs(10));
    let text = String::from_utf8(memory.lock().unwrap().clone()).unwrap();
    let fields = r#""otelcol.component.id": "debug/x", "otelcol.component.kind": "exporter", "otelcol.signal": "metrics""#;
    let lines: Vec<&str> = text.lines().collect();
    let first = format!(
        "\tinfo\tMetrics\t{{{fields}, \"resource metrics\": 1, \"metrics\": 4, \"data points\": 4}}"
    );
    assert!(lines[0].ends_with(&first), "{}", lines[0]);
    assert!(lines[1].ends_with("\tinfo\tResourceMetrics #0 service.name=my.service"));
    assert_eq!(lines.last(), Some(&format!("\t{{{fields}}}").as_str()));
}
