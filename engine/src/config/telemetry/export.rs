//! Where own metrics and logs are sent: keys, defaults and rules of otelconf's
//! periodic readers, log processors and OTLP exporters. Sending is `telemetry::push`'s.

use crate::component::{Anything, Headers, declare};

declare! {
    /// Metrics are sent at intervals.
    pub struct Periodic as "config.PeriodicMetricReader" {
        /// Milliseconds between. Absent: 60000.
        interval: Option<i64> = None, omit "";
        /// Milliseconds that sending may take, retries included. Absent: 30000.
        timeout: Option<i64> = None, omit "";
        /// Where to.
        exporter: PushExporter = PushExporter::default();
    }
}

declare! {
    /// Where metrics are sent.
    pub struct PushExporter as "config.PushMetricExporter" {
        /// OTLP.
        otlp: Option<OtlpMetric> = None, omit "";
        /// Standard output.
        console: Option<Anything> = None, omit "", no_effect "own telemetry is not printed";
    }
}

declare! {
    /// Metrics are sent over OTLP.
    pub struct OtlpMetric as "config.OTLPMetric" {
        /// Where to, and how.
        otlp: Otlp = Otlp::default(), squash "otlp";
        /// `cumulative`, `delta` or `lowmemory`.
        temporality_preference: Option<String> = None, omit "";
        /// `explicit_bucket_histogram` or `base2_exponential_bucket_histogram`.
        default_histogram_aggregation: Option<String> = None, omit "", no_effect "the Collector ignores it too";
    }
}

declare! {
    /// How log records are sent: `batch` or `simple`.
    pub struct LogProcessor as "config.LogRecordProcessor" {
        /// Several at a time.
        batch: Option<BatchLogs> = None, omit "";
        /// Each by itself.
        simple: Option<SimpleLogs> = None, omit "";
    }
}

declare! {
    /// Log records wait to be sent together.
    pub struct BatchLogs as "config.BatchLogRecordProcessor" {
        /// Milliseconds between. Absent: 1000.
        schedule_delay: Option<i64> = None, omit "";
        /// Milliseconds that sending may take, retries included. Absent: 30000.
        export_timeout: Option<i64> = None, omit "";
        /// Records that may wait; then the oldest are lost. Absent: 2048.
        max_queue_size: Option<i64> = None, omit "";
        /// Records of a request. Absent: 512.
        max_export_batch_size: Option<i64> = None, omit "";
        /// Where to.
        exporter: LogExporter = LogExporter::default();
    }
}

declare! {
    /// Each log record is sent by itself.
    pub struct SimpleLogs as "config.SimpleLogRecordProcessor" {
        /// Where to.
        exporter: LogExporter = LogExporter::default();
    }
}

declare! {
    /// Where log records are sent.
    pub struct LogExporter as "config.LogRecordExporter" {
        /// OTLP.
        otlp: Option<Otlp> = None, omit "";
        /// Standard output.
        console: Option<Anything> = None, omit "", no_effect "own telemetry is not printed";
    }
}

declare! {
    /// What is sent goes over OTLP.
    pub struct Otlp as "config.OTLP" {
        /// `grpc` or `http/protobuf`.
        protocol: Option<String> = None, omit "";
        /// URL; over HTTP with the path, else `/v1/metrics` or `/v1/logs`. Absent: `localhost` and the protocol's port.
        endpoint: Option<String> = None, omit "";
        /// Headers; never shown.
        headers: Headers = Headers::default(), omit "";
        /// Headers as one text, `a=b,c=d`; those of `headers` win.
        headers_list: Option<String> = None, omit "";
        /// Without TLS, where the endpoint has no scheme; gRPC only.
        insecure: Option<bool> = None, omit "";
        /// `gzip` or `none`.
        compression: Option<String> = None, omit "";
        /// Milliseconds an attempt. Absent: 10000.
        timeout: Option<i64> = None, omit "";
        /// File with the certificates that the server's is checked against.
        certificate: Option<String> = None, omit "";
        /// File with the client's certificate.
        client_certificate: Option<String> = None, omit "";
        /// File with the client's key.
        client_key: Option<String> = None, omit "";
    }
}
