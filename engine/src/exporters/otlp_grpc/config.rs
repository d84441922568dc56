//! Keys and defaults of the exporter `otlp_grpc`.

use crate::{
    component::{Optional, Problems, declare},
    net::config::{Compression, GrpcClient},
    queue::config::{Retry, SendingQueue, Timeout},
};

declare! {
    /// Sends OTLP over gRPC.
    pub struct Config as "otlpexporter.Config", check Config::rules {
        /// The time of an attempt.
        timeout: Timeout = Timeout::default(), squash "timeoutconfig";
        /// Requests wait here until they are sent.
        sending_queue: Optional<SendingQueue> = Optional::on(SendingQueue::default()), no_effect "requests are answered after they were sent; there is no queue yet";
        /// Retries of failed requests.
        retry_on_failure: Retry = Retry::default();
        /// The connection.
        client: GrpcClient = GrpcClient {
            compression: Compression::Gzip,
            write_buffer_size: 524_288,
            ..GrpcClient::default()
        }, squash "clientconfig";
    }
}

impl Config {
    fn rules(&self, problems: &mut Problems) {
        if self.client.bare_endpoint().is_empty() {
            problems.push("requires a non-empty \"endpoint\"");
        }
    }
}
