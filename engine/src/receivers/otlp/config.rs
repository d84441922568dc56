//! Keys and defaults of the receiver `otlp`.

use crate::{
    component::{GoDuration, Optional, Printed, Problems, Setting, Shape, declare},
    config::{diagnostics::Decoder, node::Node},
    net::config::{Address, GrpcServer, HttpServer},
};

declare! {
    /// Receives OTLP over gRPC and over HTTP (protobuf and JSON).
    pub struct Config as "otlpreceiver.Config", check Config::rules {
        /// The protocols to serve; at least one.
        protocols: Protocols = Protocols::default();
    }
}

impl Config {
    fn rules(&self, problems: &mut Problems) {
        if !self.protocols.grpc.is_on() && !self.protocols.http.is_on() {
            problems.push("must specify at least one protocol when using the OTLP receiver");
        }
    }
}

declare! {
    /// Each protocol is on when its key is written, with or without a value.
    pub struct Protocols as "protocols" {
        /// OTLP/gRPC.
        grpc: Optional<GrpcServer> = Optional::off(GrpcServer {
            address: Address::tcp("localhost:4317"),
            ..GrpcServer::default()
        });
        /// OTLP/HTTP.
        http: Optional<Http> = Optional::off(Http::default());
    }
}

declare! {
    /// OTLP/HTTP.
    pub struct Http as "otlpreceiver.HTTPConfig", lenient "the Collector ignores unknown keys here" {
        /// The server.
        server: HttpServer = HttpServer {
            address: Address::tcp("localhost:4318"),
            read_header_timeout: GoDuration::ZERO,
            write_timeout: GoDuration::ZERO,
            ..HttpServer::default()
        }, squash "serverconfig";
        /// Where traces are posted.
        traces_url_path: UrlPath = UrlPath::new("/v1/traces"), omit "";
        /// Where metrics are posted.
        metrics_url_path: UrlPath = UrlPath::new("/v1/metrics"), omit "";
        /// Where logs are posted. (Profiles: always `/v1development/profiles`.)
        logs_url_path: UrlPath = UrlPath::new("/v1/logs"), omit "";
    }
}

/// A path of an HTTP server; begins with `/`, which is added where it is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UrlPath(String);

impl UrlPath {
    fn new(path: &str) -> Self {
        UrlPath(path.to_owned())
    }

    /// The path, with its leading slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for UrlPath {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        self.0.decode(node, cx);
        if !self.0.starts_with('/') {
            self.0.insert(0, '/');
        }
    }
    fn clear(&mut self) {
        self.0 = "/".to_owned();
    }
    fn print(&self) -> Printed {
        self.0.print()
    }
    fn shape(&self) -> Shape {
        Shape::Text
    }
}
