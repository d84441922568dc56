//! What the Collector's `confighttp` puts in front of every HTTP handler, and the keys
//! of one connection: time limits, HTTP/1.1 or HTTP/2, accepted content codings,
//! cross-origin answers, headers of every response. What a request is answered with
//! is the handler's: the otlp receiver's or a page's.

use std::{io, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{CONTENT_ENCODING, Entry},
};

use super::{
    admission::Budget,
    compression::Codec,
    config,
    cors::Cors,
    drain::Drain,
    http1,
    http2::{divert::Windows, server as http2},
    transport::Transport,
};

/// What connections of a server allow.
#[derive(Clone)]
pub struct HttpSettings {
    /// Over HTTP/1.1.
    pub http1: http1::Limits,
    /// Over HTTP/2.
    pub http2: http2::Settings,
}

impl HttpSettings {
    /// The time limits of the configuration, meant as Go's server means them. Buffers of
    /// HTTP/1.1 are left at the least; `max_message` is in bytes.
    pub fn new(server: &config::HttpServer, windows: Windows, max_message: usize) -> Self {
        let keepalive = server.keepalive.get();
        let idle = keepalive.and_then(|k| k.idle_timeout.positive());
        HttpSettings {
            http1: http1::Limits {
                // As in Go's server, where one limit covers the head and another all of it.
                header: server
                    .read_header_timeout
                    .positive()
                    .or(server.read_timeout.positive()),
                write: server.write_timeout.positive(),
                idle: idle.or(server.read_timeout.positive()),
                keep_alive: keepalive.is_some(),
                buffer: 0,
            },
            http2: http2::Settings {
                windows,
                // Go's HTTP/2 server.
                max_concurrent_streams: Some(250),
                max_header_list: 1 << 20,
                max_message,
                max_idle: idle,
                max_age: None,
                max_age_grace: None,
                ping_after: None,
                ping_timeout: Duration::from_secs(15),
                pings: None,
            },
        }
    }
}

/// Serves one connection, of either version, until it ends.
///
/// # Errors
/// What the peer or the socket did wrong.
pub async fn serve<S: http1::Service + http2::Service>(
    io: Transport,
    peer: Option<SocketAddr>,
    settings: &HttpSettings,
    budget: Arc<Budget>,
    drain: &Drain,
    service: &Rc<S>,
) -> io::Result<()> {
    let limits = &settings.http1;
    let first = limits.header.or(limits.idle);
    match http1::negotiate(io, first, drain).await? {
        None => Ok(()),
        Some((http1::Version::Http1, io)) => http1::serve(io, peer, limits, drain, service.clone())
            .await
            .map_err(io::Error::other),
        Some((http1::Version::Http2, io)) => {
            http2::serve(io, peer, &settings.http2, budget, drain, service.clone())
                .await
                .map_err(io::Error::other)
        }
    }
}

/// What stands between a connection and its handler.
#[derive(Clone, Debug)]
pub struct Front {
    codecs: Vec<Codec>,
    cors: Option<Cors>,
    response_headers: Vec<(HeaderName, HeaderValue)>,
}

impl Front {
    /// From the configuration.
    ///
    /// # Errors
    /// A configured header that cannot be sent.
    pub fn new(server: &config::HttpServer) -> Result<Self, String> {
        let listed = &server.compression_algorithms;
        // An empty list is all of them; `""` in a list is a body that is not compressed.
        let codecs = std::iter::once(Codec::Identity)
            .chain(Codec::ALL)
            .filter(|codec| {
                listed.is_empty()
                    || listed
                        .iter()
                        .any(|name| Codec::from_config(name) == Some(*codec))
            })
            .collect();
        let mut response_headers = Vec::new();
        for (name, value) in server.response_headers.iter() {
            let invalid = |_| format!("response_headers: {name:?} is not a valid header");
            response_headers.push((
                HeaderName::from_bytes(name.as_bytes()).map_err(|e| invalid(e.to_string()))?,
                HeaderValue::from_str(value).map_err(|e| invalid(e.to_string()))?,
            ));
        }
        Ok(Front {
            codecs,
            cors: match server.cors.get() {
                Some(cors) => Cors::new(cors)?,
                None => None,
            },
            response_headers,
        })
    }

    /// The codec of a request's body, or the name that is not accepted.
    ///
    /// # Errors
    /// The name.
    pub fn codec<'h>(&self, headers: &'h HeaderMap) -> Result<Codec, &'h str> {
        let name = match headers.get(CONTENT_ENCODING) {
            Some(value) => value.to_str().unwrap_or("?"),
            None => "",
        };
        Codec::from_content_encoding(name)
            .filter(|codec| self.codecs.contains(codec))
            .ok_or(name)
    }

    /// Whether a request is a preflight that is answered here.
    pub fn is_preflight(&self, method: &Method, request: &HeaderMap) -> bool {
        self.cors.is_some() && Cors::is_preflight(method, request)
    }

    /// The headers of a 204 that answers a preflight; `None` where the handler answers.
    pub fn preflight(&self, method: &Method, request: &HeaderMap) -> Option<HeaderMap> {
        let cors = self.cors.as_ref()?;
        Cors::is_preflight(method, request).then(|| {
            let mut answer = HeaderMap::new();
            cors.preflight(request, &mut answer);
            self.configured(&mut answer);
            answer
        })
    }

    /// Adds to the headers of a handler's answer what the configuration wants.
    pub fn finish(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        if let Some(cors) = &self.cors {
            cors.actual(request, answer);
        }
        self.configured(answer);
    }

    /// What the handler set itself stays.
    fn configured(&self, answer: &mut HeaderMap) {
        for (name, value) in &self.response_headers {
            if let Entry::Vacant(free) = answer.entry(name) {
                free.insert(value.clone());
            }
        }
    }
}
