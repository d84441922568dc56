//! Metrics of HTTP requests and gRPC calls by the OpenTelemetry semantic
//! conventions, shown at level detailed only. Below it they cost one branch.

use std::{cell::RefCell, sync::Arc, time::Duration};

use super::{
    cells::Histogram,
    descriptors::{self as desc, Descriptor, Level},
    registry::Registry,
};

/// Series kept apart by status on one core and component.
const MAX_STATUSES: usize = 64;

/// Requests over HTTP of one server or client on one core.
#[derive(Debug)]
pub struct HttpMetrics {
    detailed: Option<HttpSeries>,
}

#[derive(Debug)]
struct HttpSeries {
    registry: Arc<Registry>,
    core: usize,
    server: bool,
    address: String,
    port: String,
    scheme: &'static str,
    known: RefCell<Vec<(u16, String, [Histogram; 3])>>,
}

impl HttpMetrics {
    /// Of the server (`server`) or client at `address`:`port`.
    pub fn new(
        registry: &Arc<Registry>,
        core: usize,
        server: bool,
        address: &str,
        port: &str,
        tls: bool,
    ) -> Self {
        let detailed = (registry.level() >= Level::Detailed).then(|| HttpSeries {
            registry: registry.clone(),
            core,
            server,
            address: address.to_owned(),
            port: port.to_owned(),
            scheme: if tls { "https" } else { "http" },
            known: RefCell::default(),
        });
        HttpMetrics { detailed }
    }

    /// Whether requests are recorded at all.
    pub fn is_enabled(&self) -> bool {
        self.detailed.is_some()
    }

    /// One POST to `route`, answered with `status` after `duration`; body sizes in bytes.
    pub fn request(
        &self,
        route: &str,
        status: u16,
        duration: Duration,
        request: u64,
        response: u64,
    ) {
        let Some(series) = &self.detailed else { return };
        let mut known = series.known.borrow_mut();
        let found = known
            .iter()
            .position(|(s, r, _)| *s == status && r == route);
        if found.is_none() && known.len() < MAX_STATUSES {
            known.push((status, route.to_owned(), series.make(route, status)));
        }
        let place = found.unwrap_or(known.len().saturating_sub(1));
        if let Some((.., [seconds, request_size, response_size])) = known.get(place) {
            seconds.record(duration.as_secs_f64());
            request_size.record(request as f64);
            response_size.record(response as f64);
        }
    }
}

impl HttpSeries {
    fn make(&self, route: &str, status: u16) -> [Histogram; 3] {
        let status = status.to_string();
        let mut labels = vec![
            ("http_request_method", "POST"),
            ("http_response_status_code", status.as_str()),
            ("network_protocol_name", "http"),
            ("network_protocol_version", "1.1"),
            ("server_address", self.address.as_str()),
            ("server_port", self.port.as_str()),
            ("url_scheme", self.scheme),
        ];
        let histogram =
            |descriptor, labels: &[_]| self.registry.histogram(self.core, descriptor, labels);
        if self.server {
            labels.push(("http_route", route));
            [
                histogram(&desc::HTTP_SERVER_DURATION, &labels),
                histogram(&desc::HTTP_SERVER_REQUEST_SIZE, &labels),
                histogram(&desc::HTTP_SERVER_RESPONSE_SIZE, &labels),
            ]
        } else {
            // The Collector's client does not measure what it gets back.
            [
                histogram(&desc::HTTP_CLIENT_DURATION, &labels),
                histogram(&desc::HTTP_CLIENT_REQUEST_SIZE, &labels),
                Histogram::new(None),
            ]
        }
    }
}

/// gRPC calls of one server or client on one core.
#[derive(Debug)]
pub struct RpcMetrics {
    detailed: Option<RpcSeries>,
}

/// Address and port of the other end.
type Peer = (String, String);

#[derive(Debug)]
struct RpcSeries {
    registry: Arc<Registry>,
    core: usize,
    descriptor: &'static Descriptor,
    known: RefCell<Vec<Call>>,
}

/// The calls of one method with one outcome.
#[derive(Debug)]
struct Call {
    method: String,
    code: &'static str,
    peer: Option<Peer>,
    seconds: Histogram,
}

impl RpcMetrics {
    /// Of a server.
    pub fn server(registry: &Arc<Registry>, core: usize) -> Self {
        RpcMetrics::new(registry, core, &desc::RPC_SERVER_DURATION)
    }

    /// Of a client.
    pub fn client(registry: &Arc<Registry>, core: usize) -> Self {
        RpcMetrics::new(registry, core, &desc::RPC_CLIENT_DURATION)
    }

    fn new(registry: &Arc<Registry>, core: usize, descriptor: &'static Descriptor) -> Self {
        let detailed = (registry.level() >= Level::Detailed).then(|| RpcSeries {
            registry: registry.clone(),
            core,
            descriptor,
            known: RefCell::default(),
        });
        RpcMetrics { detailed }
    }

    /// One call of `method` (`package.Service/Method`), ended with the status `code`
    /// (`OK`, `UNAVAILABLE`, …) after `duration`. A client names the `peer` it was
    /// connected to, address and port, when it was.
    pub fn call(
        &self,
        method: &str,
        code: &'static str,
        peer: Option<(&str, &str)>,
        duration: Duration,
    ) {
        let Some(series) = &self.detailed else { return };
        let mut known = series.known.borrow_mut();
        let found = known.iter().position(|call| {
            let of = call
                .peer
                .as_ref()
                .map(|(address, port)| (address.as_str(), port.as_str()));
            call.method == method && call.code == code && of == peer
        });
        if found.is_none() && known.len() < MAX_STATUSES {
            known.push(Call {
                method: method.to_owned(),
                code,
                peer: peer.map(|(address, port)| (address.to_owned(), port.to_owned())),
                seconds: series.make(method, code, peer),
            });
        }
        let place = found.unwrap_or(known.len().saturating_sub(1));
        if let Some(call) = known.get(place) {
            call.seconds.record(duration.as_secs_f64());
        }
    }
}

impl RpcSeries {
    fn make(&self, method: &str, code: &str, peer: Option<(&str, &str)>) -> Histogram {
        let mut labels = vec![
            ("rpc_method", method),
            ("rpc_response_status_code", code),
            ("rpc_system_name", "grpc"),
        ];
        if let Some((address, port)) = peer {
            labels.push(("server_address", address));
            labels.push(("server_port", port));
        }
        self.registry.histogram(self.core, self.descriptor, &labels)
    }
}
