//! Keys and defaults of the exporter `otlp_http`.

use crate::{
    component::{GoDuration, Optional, Problems, choice, declare},
    net::config::{Compression, HttpClient},
    queue::config::{Retry, SendingQueue},
};

choice! {
    /// How requests are written.
    pub enum Encoding as "otlphttpexporter.EncodingType", message "invalid encoding type: %s" {
        /// Protobuf.
        Proto = "proto";
        /// OTLP/JSON.
        Json = "json";
    }
}

declare! {
    /// Sends OTLP over HTTP. One endpoint at least must be given.
    pub struct Config as "otlphttpexporter.Config", lenient "the Collector ignores unknown keys here", check Config::rules {
        /// The connection.
        client: HttpClient = HttpClient {
            timeout: GoDuration::secs(30),
            compression: Compression::Gzip,
            write_buffer_size: 524_288,
            ..HttpClient::default()
        }, squash "clientconfig";
        /// Requests wait here until they are sent.
        sending_queue: Optional<SendingQueue> = Optional::on(SendingQueue::default()), no_effect "requests are answered after they were sent; there is no queue yet";
        /// Retries of failed requests.
        retry_on_failure: Retry = Retry::default();
        /// URL for traces, used as it is. Empty: `endpoint` + `/v1/traces`.
        traces_endpoint: String = String::new();
        /// URL for metrics, used as it is. Empty: `endpoint` + `/v1/metrics`.
        metrics_endpoint: String = String::new();
        /// URL for logs, used as it is. Empty: `endpoint` + `/v1/logs`.
        logs_endpoint: String = String::new();
        /// URL for profiles, used as it is. Empty: `endpoint` + `/v1development/profiles`.
        profiles_endpoint: String = String::new();
        /// How requests are written: `proto` or `json`.
        encoding: Encoding = Encoding::Proto;
    }
}

impl Config {
    fn rules(&self, problems: &mut Problems) {
        let none = [
            &self.client.endpoint,
            &self.traces_endpoint,
            &self.metrics_endpoint,
            &self.logs_endpoint,
            &self.profiles_endpoint,
        ]
        .iter()
        .all(|endpoint| endpoint.is_empty());
        if none {
            problems.push("at least one endpoint must be specified");
        }
    }
}
