//! From an OTLP exporter of otelconf to one of the gateway's own: endpoint, TLS,
//! compression, headers and retries as the OpenTelemetry SDK for Go has them.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use trunkline_proto::{Batch, Signal};

use super::millis;
use crate::{
    component::{ComponentId, Consumer, CoreContext, GoDuration, Headers, Outcome, RequestContext},
    config::telemetry::Otlp,
    exporters::{otlp_grpc, otlp_http},
    net::{
        admission::Budget,
        compression::{Deflater, Inflater},
        config::{ClientTls, Compression},
        drain::Drain,
        in_hand::InHand,
    },
    queue::config::Retry,
    telemetry::{Registry, metrics::Level},
};

/// Memory for requests of own telemetry, bytes.
const MEMORY: usize = 64 << 20;

/// Where own telemetry goes.
#[derive(Clone, Debug, Default)]
pub struct Target {
    protocol: String,
    endpoint: Option<String>,
    headers: Headers,
    insecure: bool,
    compression: Option<String>,
    timeout: Option<i64>,
    tls: [String; 3],
    headers_list: Option<String>,
}

/// Sends requests of one signal.
pub struct Sender(Rc<dyn Consumer>, Signal);

impl Target {
    /// `None` without a protocol.
    pub fn new(otlp: &Otlp) -> Option<Target> {
        Some(Target {
            protocol: otlp.protocol.clone()?,
            endpoint: otlp.endpoint.clone(),
            headers: otlp.headers.clone(),
            insecure: otlp.insecure.unwrap_or(false),
            compression: otlp.compression.clone(),
            timeout: otlp.timeout,
            tls: [
                &otlp.certificate,
                &otlp.client_certificate,
                &otlp.client_key,
            ]
            .map(|file| file.clone().unwrap_or_default()),
            headers_list: otlp.headers_list.clone(),
        })
    }

    /// The exporter of a signal, on this thread.
    ///
    /// # Errors
    /// The Collector's text for what cannot be used.
    pub fn sender(&self, signal: Signal) -> Result<Sender, String> {
        let consumer: Rc<dyn Consumer> = match self.protocol.as_str() {
            "grpc" => {
                let config = self.grpc()?;
                let tls = otlp_grpc::prepare(&config)?;
                otlp_grpc::build("service/telemetry", &config, signal, &core(), &tls)?
            }
            "http/protobuf" => {
                let config = self.http(signal)?;
                let id: ComponentId = "otlp_http/telemetry".parse()?;
                let tls = otlp_http::prepare(&config)?;
                otlp_http::build(&id, &config, signal, &core(), &tls)?
            }
            other => return Err(format!("unsupported protocol {other:?}")),
        };
        Ok(Sender(consumer, signal))
    }

    fn grpc(&self) -> Result<otlp_grpc::config::Config, String> {
        let (scheme, host, _) = self.url()?;
        // Without a scheme the endpoint is taken as it is.
        let plain = scheme == "http" || (scheme != "https" && self.insecure);
        let host = if host.is_empty() {
            "localhost:4317"
        } else {
            host
        };
        let scheme = if plain { "http" } else { "https" };
        let mut config = otlp_grpc::config::Config::default();
        config.timeout.timeout = self.attempt();
        config.retry_on_failure = retry();
        config.client.endpoint = format!("{scheme}://{host}");
        config.client.compression = self.compression()?;
        config.client.tls = self.tls();
        config.client.headers = self.headers()?;
        Ok(config)
    }

    fn http(&self, signal: Signal) -> Result<otlp_http::config::Config, String> {
        let (scheme, host, path) = self.url()?;
        let url = match &self.endpoint {
            None => format!("https://localhost:4318/v1/{}", signal.name()),
            Some(endpoint) if host.is_empty() || scheme.is_empty() => {
                return Err(format!("parse {endpoint:?}: invalid URI for request"));
            }
            Some(_) => {
                let scheme = if scheme == "http" { "http" } else { "https" };
                let own = format!("/v1/{}", signal.name());
                format!(
                    "{scheme}://{host}{}",
                    if path.is_empty() { &own } else { path }
                )
            }
        };
        let mut config = otlp_http::config::Config::default();
        match signal {
            Signal::Metrics => config.metrics_endpoint = url,
            Signal::Logs => config.logs_endpoint = url,
            Signal::Traces => config.traces_endpoint = url,
            Signal::Profiles => config.profiles_endpoint = url,
        }
        config.retry_on_failure = retry();
        config.client.timeout = self.attempt();
        config.client.compression = self.compression()?;
        config.client.tls = self.tls();
        config.client.headers = self.headers()?;
        Ok(config)
    }

    /// Scheme, `host:port` and path of the endpoint; empty is what is not there.
    fn url(&self) -> Result<(&str, &str, &str), String> {
        let Some(endpoint) = self.endpoint.as_deref() else {
            return Ok(("", "", ""));
        };
        if endpoint.is_empty() {
            return Err("parse \"\": empty url".into());
        }
        let Some((scheme, rest)) = endpoint.split_once("://") else {
            return Ok(("", endpoint, ""));
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        Ok((scheme, host, path))
    }

    fn attempt(&self) -> GoDuration {
        let limit = millis(self.timeout, 10_000).as_millis();
        GoDuration::millis(i64::try_from(limit).unwrap_or(i64::MAX))
    }

    fn compression(&self) -> Result<Compression, String> {
        match self.compression.as_deref() {
            Some("gzip") => Ok(Compression::Gzip),
            None | Some("none") => Ok(Compression::None),
            Some(other) => Err(format!("unsupported compression {other:?}")),
        }
    }

    fn tls(&self) -> ClientTls {
        let [ca_file, cert_file, key_file] = self.tls.clone();
        let mut tls = ClientTls::default();
        tls.config.ca_file = ca_file;
        tls.config.cert_file = cert_file;
        tls.config.key_file = key_file;
        tls
    }

    /// Those of the list, then those given one by one, which win.
    fn headers(&self) -> Result<Headers, String> {
        let mut all: Vec<(String, String)> = Vec::new();
        for pair in self.headers_list.iter().flat_map(|list| list.split(',')) {
            let pair = pair.trim();
            if pair.is_empty() {
                continue;
            }
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| format!("invalid headers list: invalid pair {pair:?}"))?;
            all.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        for (name, value) in self.headers.iter() {
            all.retain(|(known, _)| known != name);
            all.push((name.to_owned(), value.to_owned()));
        }
        Ok(Headers::of(all))
    }
}

/// The SDK's: for a minute at most.
fn retry() -> Retry {
    Retry {
        max_elapsed_time: GoDuration::secs(60),
        ..Retry::default()
    }
}

/// The control thread as a place for an exporter. Its counts are nobody's: own telemetry does
/// not count itself.
fn core() -> CoreContext {
    CoreContext {
        core: 0,
        cores: 1,
        registry: Arc::new(Registry::new(Level::None)),
        budget: Budget::new(MEMORY),
        drain: Drain::default(),
        in_hand: InHand::default(),
        inflater: Rc::new(RefCell::new(Inflater::new())),
        deflater: Rc::new(RefCell::new(Deflater::new())),
    }
}

impl Sender {
    /// Sends a request within `limit`, retries included.
    ///
    /// # Errors
    /// Why it did not arrive, or not in full.
    pub async fn send(&self, request: Vec<u8>, limit: Duration) -> Result<(), String> {
        let batch = Batch::from_protobuf(self.1, Bytes::from(request))
            .map_err(|error| error.to_string())?;
        let context = RequestContext {
            deadline: Instant::now() + limit,
            metadata: None,
            client: None,
            unchecked: false,
        };
        match self.0.consume(batch, &context).await {
            Outcome::Accepted => Ok(()),
            Outcome::Partial { rejected, message } => Err(format!(
                "OTLP partial success: {message} ({rejected} items rejected)"
            )),
            Outcome::Refused(refusal) => Err(refusal.message),
        }
    }
}
