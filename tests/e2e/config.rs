//! The configurations that the tests share.

use trunkline_tests::{Backend, Port};

/// An otlp receiver on both protocols, and one pipeline a signal into `exporter` (its block as YAML).
pub fn relay(grpc: &Port, http: &Port, exporter: &str) -> String {
    format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{grpc}'}}, http: {{endpoint: '127.0.0.1:{http}'}}}}}}}}
exporters:
{exporter}
service:
  pipelines:
    traces: {{receivers: [otlp], exporters: [out]}}
"
    )
    .replace("[out]", &format!("[{}]", exporter.trim_start().split(':').next().unwrap_or_default()))
}

/// `otlp_grpc` to a backend, without compression, queue or pauses between attempts.
pub fn to_grpc(backend: &Backend) -> String {
    format!(
        "  otlp_grpc:
    endpoint: {}
    tls: {{insecure: true}}
    compression: none
    sending_queue: {{enabled: false}}
    retry_on_failure: {{initial_interval: 10ms, max_interval: 50ms}}
",
        backend.address()
    )
}
