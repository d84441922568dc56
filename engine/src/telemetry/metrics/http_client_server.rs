//! Metrics of HTTP requests and gRPC calls by the OpenTelemetry semantic
//! conventions, shown at level detailed only. Below it they cost one branch.

use std::{cell::RefCell, sync::Arc, time::Duration};

use tonic::Code;

use super::{
    cells::Histogram,
    descriptors::{self as desc, Descriptor, Level},
    registry::Registry,
};

/// Series kept apart on one core and component; what goes beyond is added up in one with the
/// label `otel_metric_overflow="true"`, as the SDK does it.
const MAX_SERIES: usize = 256;

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
    scheme: &'static str,
    known: RefCell<Vec<(Option<Kept>, [Histogram; 3])>>,
}

/// One request and how it went.
#[derive(Clone, Copy, Debug)]
pub struct HttpCall<'a> {
    /// Its method, as it was sent.
    pub method: &'a http::Method,
    /// Its version.
    pub version: http::Version,
    /// `host` or `host:port`: of a server what the caller asked for, of a client where it went.
    pub authority: &'a str,
    /// The path it was handled under; `None` where there was none, and of clients.
    pub route: Option<&'a str>,
    /// The status of the answer, or the type of the error where there was none.
    pub outcome: Result<u16, &'static str>,
    /// From the request to its answer.
    pub duration: Duration,
    /// Bytes of its body on the wire.
    pub request: u64,
    /// Bytes of the answer's body.
    pub response: u64,
}

/// What tells series apart.
#[derive(Debug)]
struct Kept {
    method: &'static str,
    version: &'static str,
    authority: String,
    route: Option<String>,
    outcome: Result<u16, &'static str>,
}

impl Kept {
    fn is(&self, call: &HttpCall<'_>) -> bool {
        self.outcome == call.outcome
            && self.route.as_deref() == call.route
            && self.authority == call.authority
            && self.method == method(call.method)
            && self.version == version(call.version)
    }
}

/// Methods that are not known are one (semantic conventions, `http.request.method`).
fn method(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "HEAD" => "HEAD",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        "CONNECT" => "CONNECT",
        "TRACE" => "TRACE",
        _ => "_OTHER",
    }
}

fn version(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_10 => "1.0",
        http::Version::HTTP_2 => "2",
        _ => "1.1",
    }
}

impl HttpMetrics {
    /// Of a server, or of a client.
    pub fn new(registry: &Arc<Registry>, core: usize, server: bool, tls: bool) -> Self {
        let detailed = (registry.level() >= Level::Detailed).then(|| HttpSeries {
            registry: registry.clone(),
            core,
            server,
            scheme: if tls { "https" } else { "http" },
            known: RefCell::default(),
        });
        HttpMetrics { detailed }
    }

    /// Whether requests are recorded at all.
    pub fn is_enabled(&self) -> bool {
        self.detailed.is_some()
    }

    /// Records a request.
    pub fn request(&self, call: &HttpCall<'_>) {
        let Some(series) = &self.detailed else { return };
        let mut known = series.known.borrow_mut();
        let place = known
            .iter()
            .position(|(kept, _)| kept.as_ref().is_some_and(|kept| kept.is(call)));
        let place = place.unwrap_or_else(|| {
            if known.len() < MAX_SERIES {
                known.push((Some(Kept::of(call)), series.make(call)));
            } else if known.len() == MAX_SERIES {
                known.push((None, series.histograms(&[("otel_metric_overflow", "true")])));
            }
            known.len() - 1
        });
        if let Some((_, [seconds, request, response])) = known.get(place) {
            seconds.record(call.duration.as_secs_f64());
            request.record(call.request as f64);
            response.record(call.response as f64);
        }
    }
}

impl Kept {
    fn of(call: &HttpCall<'_>) -> Kept {
        Kept {
            method: method(call.method),
            version: version(call.version),
            authority: call.authority.to_owned(),
            route: call.route.map(str::to_owned),
            outcome: call.outcome,
        }
    }
}

impl HttpSeries {
    fn make(&self, call: &HttpCall<'_>) -> [Histogram; 3] {
        let (host, port) =
            crate::net::config::split_host_port(call.authority).unwrap_or((call.authority, ""));
        let mut labels = vec![
            ("http_request_method", method(call.method)),
            ("network_protocol_name", "http"),
            ("network_protocol_version", version(call.version)),
            ("server_address", host),
            ("url_scheme", self.scheme),
        ];
        if !port.is_empty() {
            labels.push(("server_port", port));
        }
        let status;
        match call.outcome {
            Ok(code) => {
                status = code.to_string();
                labels.push(("http_response_status_code", &status));
            }
            Err(error) => labels.push(("error_type", error)),
        }
        if let Some(route) = call.route {
            labels.push(("http_route", route));
        }
        self.histograms(&labels)
    }

    fn histograms(&self, labels: &[(&'static str, &str)]) -> [Histogram; 3] {
        let histogram = |descriptor| self.registry.histogram(self.core, descriptor, labels);
        if self.server {
            [
                histogram(&desc::HTTP_SERVER_DURATION),
                histogram(&desc::HTTP_SERVER_REQUEST_SIZE),
                histogram(&desc::HTTP_SERVER_RESPONSE_SIZE),
            ]
        } else {
            // The Collector's client does not measure what it gets back.
            [
                histogram(&desc::HTTP_CLIENT_DURATION),
                histogram(&desc::HTTP_CLIENT_REQUEST_SIZE),
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

    /// Whether calls are recorded at all.
    pub fn is_enabled(&self) -> bool {
        self.detailed.is_some()
    }

    /// One call of `method` (`package.Service/Method`), ended with the status `code` after `duration`. A client names the `peer` it was
    /// connected to, address and port, when it was.
    pub fn call(&self, method: &str, code: Code, peer: Option<(&str, &str)>, duration: Duration) {
        let Some(series) = &self.detailed else { return };
        let code = code_name(code);
        let mut known = series.known.borrow_mut();
        let found = known.iter().position(|call| {
            let of = call
                .peer
                .as_ref()
                .map(|(address, port)| (address.as_str(), port.as_str()));
            call.method == method && call.code == code && of == peer
        });
        if found.is_none() && known.len() < MAX_SERIES {
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

/// A status as gRPC's specification spells it.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
