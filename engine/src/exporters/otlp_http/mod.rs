//! The exporter `otlp_http` (alias `otlphttp`): OTLP over HTTP, protobuf or JSON.
//! Here a request is encoded, sent, and sent again where that can help;
//! connections are `pool`'s and `connect`'s business, answers `answer`'s.

mod answer;
pub mod config;
mod connect;
mod pool;
mod proxy;
mod url;

use std::{
    io,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use http_body_util::{BodyExt, Full};
use tonic::Code;
use trunkline_proto::{Batch, Signal};

use self::{
    answer::{Answer, MAX_FAILURE, MAX_SUCCESS},
    config::{Config, Encoding},
    connect::{Connection, Connector},
    pool::{Lease, Limits, Pool},
    proxy::Proxies,
    url::Url,
};
use crate::{
    component::{
        ComponentId, ConsumeFuture, Consumer, CoreContext, Outcome, Refusal, RequestContext,
    },
    graph::client_tls,
    net::{compression::Codec, tls::SharedClient},
    queue::{
        encode::Form,
        retry::{Attempt, Retry},
    },
    runtime,
    telemetry::{
        logs::ComponentFields,
        metrics::{Destination, ExporterMetrics, HttpCall, HttpMetrics},
    },
};

/// Redirects that are followed, as Go's client does.
const MAX_REDIRECTS: usize = 10;
/// Idle connections to a host where nothing is configured, as in Go's client.
const IDLE_PER_HOST: usize = 2;

/// The exporter of one signal on one core.
struct OtlpHttp {
    fields: ComponentFields,
    signal: Signal,
    url: Url,
    pool: Pool,
    headers: HeaderMap,
    /// Written in `Host` instead of the URL's.
    host: Option<HeaderValue>,
    form: Form,
    timeout: Option<Duration>,
    retry: Retry,
    core: CoreContext,
    metrics: ExporterMetrics,
    calls: HttpMetrics,
}

/// Where a signal's requests go (collector.md §2.4): its own endpoint as it is, else the common
/// one with the signal's path.
fn endpoint(config: &Config, signal: Signal) -> Result<Url, String> {
    let (own, path) = match signal {
        Signal::Traces => (&config.traces_endpoint, "v1/traces"),
        Signal::Metrics => (&config.metrics_endpoint, "v1/metrics"),
        Signal::Logs => (&config.logs_endpoint, "v1/logs"),
        Signal::Profiles => (&config.profiles_endpoint, "v1development/profiles"),
    };
    let name = signal.name();
    if !own.is_empty() {
        return Url::parse(own).map_err(|e| format!("{name}_endpoint must be a valid URL: {e}"));
    }
    let base = config.client.endpoint.as_str();
    if base.is_empty() {
        return Err(format!(
            "either endpoint or {name}_endpoint must be specified"
        ));
    }
    let slash = if base.ends_with('/') { "" } else { "/" };
    Url::parse(&format!("{base}{slash}{path}"))
        .map_err(|e| format!("endpoint must be a valid URL: {e}"))
}

/// What all cores and signals share: TLS. It is loaded now where an endpoint says `https://`,
/// else should a redirect lead to one.
///
/// # Errors
/// The Collector's text for what cannot be loaded.
pub fn prepare(config: &Config) -> Result<Arc<SharedClient>, String> {
    let alpn: &'static [&'static [u8]] = if config.client.force_attempt_http2 {
        &[b"h2", b"http/1.1"]
    } else {
        &[b"http/1.1"]
    };
    let tls = SharedClient::new(client_tls(&config.client.tls), alpn);
    let urls = Signal::ALL.map(|signal| endpoint(config, signal));
    if urls.iter().flatten().any(|url| url.https) {
        tls.get().map_err(|error| error.to_string())?;
    }
    Ok(tls)
}

/// The exporter for one signal on one core.
///
/// # Errors
/// The Collector's text for what cannot be used.
pub fn build(
    id: &ComponentId,
    config: &Config,
    signal: Signal,
    core: &CoreContext,
    tls: &Arc<SharedClient>,
) -> Result<Rc<dyn Consumer>, String> {
    let client = &config.client;
    let url = endpoint(config, signal)?;
    let name = client.compression.word();
    let codec = Codec::from_config(name)
        .ok_or_else(|| format!("unsupported compression type \"{name}\""))?;
    let mut headers = HeaderMap::new();
    let json = config.encoding == Encoding::Json;
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(if json {
            "application/json"
        } else {
            "application/x-protobuf"
        }),
    );
    if codec != Codec::Identity {
        headers.insert(
            header::CONTENT_ENCODING,
            HeaderValue::from_static(codec.content_encoding()),
        );
    }
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("trunkline/", env!("CARGO_PKG_VERSION"))),
    );
    if let Some(basic) = url.basic() {
        headers.insert(header::AUTHORIZATION, basic);
    }
    let mut host = None;
    for (name, text) in client.headers.iter() {
        let key = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("headers: {name:?} is not a header name"))?;
        let mut value = HeaderValue::from_str(text)
            .map_err(|_| format!("headers: the value of {name:?} is not a header value"))?;
        value.set_sensitive(true);
        if key == header::HOST {
            host = Some(value);
        } else {
            headers.insert(key, value);
        }
    }
    if signal == Signal::Profiles {
        // Always sent, over any configured header.
        headers.insert(
            "otlp-profiles-development-version",
            HeaderValue::from_static("1"),
        );
    }
    let number = |n: i64| usize::try_from(n).unwrap_or(0);
    let keepalive = client.keepalive.get();
    let limits = Limits {
        per_host: core.share(number(client.max_conns_per_host)),
        // collector.md §2.4: switched off, connections go on being reused, without limits.
        idle: keepalive.map_or(0, |k| number(k.max_idle_conns)),
        idle_per_host: match keepalive.map_or(0, |k| number(k.max_idle_conns_per_host)) {
            0 => IDLE_PER_HOST,
            n => n,
        },
        idle_for: keepalive.and_then(|k| k.idle_conn_timeout.positive()),
    };
    let pings = client.http2_read_idle_timeout.positive().map(|every| {
        let timeout = client.http2_ping_timeout.positive();
        (every, timeout.unwrap_or(Duration::from_secs(15)))
    });
    let connector = Connector::new(tls.clone(), pings);
    let proxies = Proxies::new(&client.proxy_url, |name| std::env::var(name).ok())?;
    let retry = &config.retry_on_failure;
    let destination = Destination {
        server_address: Some(url.host.clone()),
        server_port: url.port.map(|port| port.to_string()),
        url_path: (!url.path.is_empty()).then(|| std::array::from_fn(|_| url.path.clone())),
    };
    let https = url.https;
    Ok(Rc::new(OtlpHttp {
        fields: ComponentFields {
            id: id.to_string(),
            kind: "exporter",
            pipeline: None,
            signal: Some(signal.name()),
        },
        signal,
        url,
        pool: Pool::new(connector, proxies, limits),
        headers,
        host,
        form: Form {
            json,
            codec,
            level: i32::try_from(client.compression_params.level).unwrap_or(0),
        },
        timeout: client.timeout.positive(),
        retry: Retry {
            enabled: retry.enabled,
            initial_interval: retry.initial_interval.get(),
            randomization_factor: retry.randomization_factor,
            multiplier: retry.multiplier,
            max_interval: retry.max_interval.get(),
            max_elapsed_time: retry.max_elapsed_time.get(),
        },
        calls: HttpMetrics::new(&core.registry, core.core, false, https),
        metrics: ExporterMetrics::new(&core.registry, core.core, &id.to_string(), &destination),
        core: core.clone(),
    }))
}

/// Why there was no answer.
struct Lost {
    error: String,
    /// The connection was an old one, and nothing came back over it.
    stale: bool,
}

impl OtlpHttp {
    /// One attempt, with its time limit.
    async fn attempt(&self, body: Bytes, deadline: Instant) -> Attempt {
        let deadline = match self.timeout {
            Some(timeout) => deadline.min(Instant::now() + timeout),
            None => deadline,
        };
        let lost = match runtime::timeout_at(deadline, self.follow(body)).await {
            Ok(Ok((answer, url))) => {
                return answer.judge(self.signal, &url, SystemTime::now());
            }
            Ok(Err((error, url))) => (error, url, Code::Unavailable),
            Err(runtime::Elapsed) => (
                "context deadline exceeded".to_owned(),
                self.url.clone(),
                Code::DeadlineExceeded,
            ),
        };
        let (error, url, code) = lost;
        Attempt::Failed(Refusal {
            code,
            message: format!(
                "failed to make an HTTP request: Post {:?}: {error}",
                url.redacted()
            ),
            retryable: true,
            retry_after: None,
        })
    }

    /// Sends to the endpoint, and on to where redirects lead that keep method and body (307 and
    /// 308; the others would turn the request into a GET without data, and are failures here).
    async fn follow(&self, body: Bytes) -> Result<(Answer, Url), (String, Url)> {
        let mut url = self.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let answer = match self.send(&url, &body).await {
                Ok(answer) => answer,
                Err(lost) => return Err((lost.error, url)),
            };
            let location = match answer.status.as_u16() {
                307 | 308 => answer.headers.get(header::LOCATION),
                _ => None,
            };
            let Some(location) = location else {
                return Ok((answer, url));
            };
            match url.join(&String::from_utf8_lossy(location.as_bytes())) {
                Ok(next) => url = next,
                Err(error) => {
                    let error = format!("failed to parse Location header: {error}");
                    return Err((error, url));
                }
            }
        }
        let error = format!("stopped after {MAX_REDIRECTS} redirects");
        Err((error, url))
    }

    /// Sends to one URL. A connection that was kept may have been closed by the server just now:
    /// then once more over a new one.
    async fn send(&self, url: &Url, body: &Bytes) -> Result<Answer, Lost> {
        let begun = self.calls.is_enabled().then(Instant::now);
        let answer = match self.exchange(url, body, false).await {
            Err(lost) if lost.stale => self.exchange(url, body, true).await,
            other => other,
        };
        if let Some(begun) = begun {
            let outcome = match &answer {
                Ok(answer) => Ok(answer.status.as_u16()),
                // What Go names the errors of its sockets.
                Err(_) => Err("net.OpError"),
            };
            self.measure(url, outcome, begun.elapsed(), body.len());
        }
        answer
    }

    /// As the Collector's client, which calls every version 1.1.
    fn measure(&self, url: &Url, outcome: Result<u16, &'static str>, took: Duration, sent: usize) {
        self.calls.request(&HttpCall {
            method: &Method::POST,
            version: http::Version::HTTP_11,
            authority: &url.authority(),
            route: None,
            outcome,
            duration: took,
            request: sent as u64,
            response: 0,
        });
    }

    async fn exchange(&self, url: &Url, body: &Bytes, fresh: bool) -> Result<Answer, Lost> {
        let plain = |error: &dyn std::fmt::Display| Lost {
            error: error.to_string(),
            stale: false,
        };
        let mut lease = self.pool.lease(url, fresh).await.map_err(|e| plain(&e))?;
        let stale = lease.reused;
        let head = self.head(url, &lease).map_err(|e| plain(&e))?;
        let lost = |error: &dyn std::fmt::Display, stale| Lost {
            error: error.to_string(),
            stale,
        };
        match &mut lease.connection {
            Connection::One(sender) => {
                let request = head.map(|()| Full::new(body.clone()));
                let response = match sender.try_send_request(request).await {
                    Ok(response) => response,
                    Err(mut error) => {
                        let unsent = error.take_message().is_some();
                        let error = error.into_error();
                        let closed = error.is_incomplete_message() || error.is_canceled();
                        return Err(lost(&deepest(&error), stale && (unsent || closed)));
                    }
                };
                let (head, mut incoming) = response.into_parts();
                let limit = limit(head.status);
                let mut read = Vec::new();
                let mut whole = true;
                while let Some(frame) = incoming.frame().await {
                    let frame = frame.map_err(|e| lost(&deepest(&e), false))?;
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    let room = limit - read.len();
                    if data.len() > room {
                        read.extend_from_slice(data.get(..room).unwrap_or_default());
                        // The rest is not worth the wait; the connection goes.
                        whole = false;
                        break;
                    }
                    read.extend_from_slice(&data);
                }
                if whole {
                    drop(incoming);
                    self.pool.give_back(lease);
                }
                Ok(Answer {
                    status: head.status,
                    headers: head.headers,
                    body: read,
                })
            }
            Connection::Two(sender) => {
                let (response, mut stream) = sender
                    .send_request(head, body.is_empty())
                    .map_err(|e| lost(&e, stale))?;
                if !body.is_empty() {
                    stream
                        .send_data(body.clone(), true)
                        .map_err(|e| lost(&e, stale))?;
                }
                let response = response
                    .await
                    .map_err(|e| lost(&e, stale && (e.is_go_away() || e.is_io())))?;
                let (head, mut incoming) = response.into_parts();
                let limit = limit(head.status);
                let mut read = Vec::new();
                while let Some(data) = incoming.data().await {
                    let data = data.map_err(|e| lost(&e, false))?;
                    let _ = incoming.flow_control().release_capacity(data.len());
                    let room = limit - read.len();
                    read.extend_from_slice(data.get(..room.min(data.len())).unwrap_or_default());
                    if data.len() > room {
                        break;
                    }
                }
                Ok(Answer {
                    status: head.status,
                    headers: head.headers,
                    body: read,
                })
            }
        }
    }

    /// A request without its body.
    fn head(&self, url: &Url, lease: &Lease) -> Result<Request<()>, http::Error> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        let two = matches!(lease.connection, Connection::Two(_));
        *request.uri_mut() = if two || lease.absolute {
            url.uri()?
        } else {
            url.origin()?
        };
        let mut headers = self.headers.clone();
        if !url.same_server(&self.url) {
            // As Go's client: what proves who we are is not for others.
            for name in [
                header::AUTHORIZATION,
                header::COOKIE,
                header::WWW_AUTHENTICATE,
            ] {
                headers.remove(name);
            }
        }
        if !two {
            let host = match (&self.host, url.same_server(&self.url)) {
                (Some(host), true) => host.clone(),
                _ => HeaderValue::from_str(&url.authority())?,
            };
            headers.insert(header::HOST, host);
        }
        if let Some(basic) = self.pool.proxy_authorization(url) {
            headers.insert(header::PROXY_AUTHORIZATION, basic);
        }
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// Bytes of the body that are read.
fn limit(status: http::StatusCode) -> usize {
    if status.is_success() {
        MAX_SUCCESS
    } else {
        MAX_FAILURE
    }
}

/// The error's cause, which says more than what hyper says around it.
fn deepest(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = match cause.downcast_ref::<io::Error>() {
            Some(cause) => crate::telemetry::logs::os_error(cause),
            None => cause.to_string(),
        };
        source = cause.source();
    }
    text
}

impl Consumer for OtlpHttp {
    fn consume<'a>(&'a self, batch: Batch, context: &'a RequestContext) -> ConsumeFuture<'a> {
        Box::pin(async move {
            let items = batch.item_count() as u64;
            let _in_flight = self.metrics.in_flight(self.signal);
            let outcome = match self.form.encode(&batch, &self.core) {
                Err(refusal) => Outcome::Refused(refusal),
                Ok(body) => {
                    drop(batch);
                    let deadline = context.deadline;
                    self.retry
                        .run(deadline, || self.attempt(body.clone(), deadline))
                        .await
                }
            };
            super::ended(&self.metrics, &self.fields, self.signal, items, &outcome);
            outcome
        })
    }

    fn judges(&self) -> bool {
        true
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
