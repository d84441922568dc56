//! HTTP servers and clients: keys, defaults and rules of the Collector's
//! `confighttp`, with the deprecated flat forms of keep-alive.

use super::{Address, Auth, ClientTls, Middleware, ServerTls};
use crate::{
    component::{GoDuration, Headers, Optional, Problems, choice, declare},
    config::{
        diagnostics::Decoder,
        node::{Mapping, Position},
    },
};

choice! {
    /// A content coding.
    pub enum Compression as "configcompression.Type", message "unsupported compression type %q" zero "" {
        /// Not compressed.
        None = "" | "none";
        /// gzip.
        Gzip = "gzip";
        /// zlib.
        Zlib = "zlib";
        /// zlib under the name that HTTP gives it.
        Deflate = "deflate";
        /// Snappy, block format.
        Snappy = "snappy";
        /// Snappy, framing format.
        SnappyFramed = "x-snappy-framed";
        /// Zstandard.
        Zstd = "zstd";
        /// LZ4 frames.
        Lz4 = "lz4";
    }
}

declare! {
    /// How hard to compress.
    pub struct CompressionParams as "configcompression.CompressionParams" {
        /// gzip, zlib, deflate: -2 to 9; zstd: any. 0: the codec's default.
        level: i64 = 0, omit "";
    }
}

/// The Collector's rule on levels.
pub fn check_compression(
    compression: Compression,
    params: &CompressionParams,
) -> Result<(), String> {
    let fits = match compression {
        Compression::None | Compression::Zstd => true,
        Compression::Gzip | Compression::Zlib | Compression::Deflate => {
            (-2..=9).contains(&params.level)
        }
        _ => params.level == 0,
    };
    if fits {
        return Ok(());
    }
    Err(format!(
        "unsupported parameters {{Level:{}}} for compression type {:?}",
        params.level,
        compression.word()
    ))
}

/// Go's `net.SplitHostPort`, with its error texts.
///
/// # Errors
/// `address X: missing port in address` and its siblings.
pub fn split_host_port(address: &str) -> Result<(&str, &str), String> {
    let fail = |why: &str| Err(format!("address {address}: {why}"));
    let Some(colon) = address.rfind(':') else {
        return fail("missing port in address");
    };
    let (before, port) = (&address[..colon], &address[colon + 1..]);
    let host = if let Some(rest) = address.strip_prefix('[') {
        let Some(end) = rest.find(']') else {
            return fail("missing ']' in address");
        };
        if end + 2 > address.len() || end + 2 == address.len() {
            return fail("missing port in address");
        }
        if end + 2 != colon {
            return if address.as_bytes().get(end + 2) == Some(&b':') {
                fail("too many colons in address")
            } else {
                fail("missing port in address")
            };
        }
        &rest[..end]
    } else {
        if before.contains(':') {
            return fail("too many colons in address");
        }
        before
    };
    if host.contains(['[', ']']) {
        return fail("unexpected '[' in address");
    }
    if port.contains(['[', ']']) {
        return fail("unexpected ']' in address");
    }
    Ok((host, port))
}

declare! {
    /// An HTTP server.
    pub struct HttpServer as "confighttp.ServerConfig", decoded HttpServer::decoded {
        /// Where it listens.
        address: Address = Address::default(), squash "netaddr";
        /// TLS; absent means plain text.
        tls: Optional<ServerTls> = Optional::absent(ServerTls::default()), omit "";
        /// Which web pages may call, and with what.
        cors: Optional<Cors> = Optional::absent(Cors::default()), omit "";
        /// Who may call. There is no authenticator extension yet: the start fails.
        auth: Optional<HttpAuth> = Optional::absent(HttpAuth::default()), omit "";
        /// Largest body in bytes, on the wire and inflated. 0 or less: 64 MiB (the Collector: 20 MiB).
        max_request_body_size: i64 = 0, omit "";
        /// Keep the caller's headers for processors and exporters.
        include_metadata: bool = false, omit "";
        /// Headers of every answer; values are never shown.
        response_headers: Headers = Headers::default(), omit "";
        /// Content codings that are accepted. Empty: all that are known.
        compression_algorithms: Vec<String> = Vec::new(), omit "";
        /// Longest time to read a request. 0: no limit.
        read_timeout: GoDuration = GoDuration::ZERO, omit "";
        /// Longest time to read a request's headers. 0: no limit.
        read_header_timeout: GoDuration = GoDuration::secs(60);
        /// Longest time to answer. 0: no limit.
        write_timeout: GoDuration = GoDuration::secs(30);
        /// Extensions that see every request. There are none yet: the start fails.
        middlewares: Vec<Middleware> = Vec::new(), omit "";
        /// Connections stay open between requests; `enabled: false` closes them.
        keepalive: Optional<HttpKeepaliveServer> = Optional::on(HttpKeepaliveServer::default()), omit "";
        /// Old form of `keepalive::idle_timeout`.
        idle_timeout: GoDuration = GoDuration::ZERO, omit "", deprecated "keepalive::idle_timeout";
        /// Old form of `keepalive::enabled`; `false` only warns, as in the Collector.
        keep_alives_enabled: bool = false, omit "", deprecated "keepalive::enabled";
    }
}

impl HttpServer {
    fn decoded(&mut self, mapping: &Mapping, at: &Position, cx: &mut Decoder<'_>) {
        let place = |key: &str| mapping.get(key).map(|entry| &entry.at);
        let has_block = mapping
            .get("keepalive")
            .is_some_and(|entry| !entry.node.is_null());
        let mut warnings = Vec::new();
        if let Some(at) = place("idle_timeout")
            && self.idle_timeout != GoDuration::ZERO
        {
            let text = "'idle_timeout' is deprecated; use 'keepalive::idle_timeout' instead";
            warnings.push((at, text));
        }
        if let Some(at) = place("keep_alives_enabled")
            && !self.keep_alives_enabled
        {
            let text = "'keep_alives_enabled' is deprecated; set 'keepalive::enabled' to false to disable keep-alives";
            warnings.push((at, text));
        }
        conflict_or_warn(
            cx,
            at,
            has_block,
            &warnings,
            "confighttp.ServerConfig",
            "idle_timeout, keep_alives_enabled",
        );
        if !has_block && place("idle_timeout").is_some() {
            self.keepalive.insert().idle_timeout = self.idle_timeout;
        }
        self.idle_timeout = GoDuration::ZERO;
        self.keep_alives_enabled = false;
    }
}

fn conflict_or_warn(
    cx: &mut Decoder<'_>,
    at: &Position,
    has_block: bool,
    warnings: &[(&Position, &str)],
    name: &str,
    keys: &str,
) {
    if has_block && !warnings.is_empty() {
        let text = format!(
            "'' {name}: cannot use deprecated keepalive fields ({keys}) alongside the 'keepalive' section; migrate to the 'keepalive' section"
        );
        let at = warnings.first().map_or(at, |(at, _)| *at);
        cx.error_at(at, text, None);
    } else {
        for (at, text) in warnings {
            cx.warning_at(at, *text, None);
        }
    }
}

declare! {
    /// How long an idle connection stays open.
    pub struct HttpKeepaliveServer as "confighttp.KeepaliveServerConfig" {
        /// Close a connection that was idle for so long. 0: never.
        idle_timeout: GoDuration = GoDuration::secs(60);
    }
}

declare! {
    /// Cross-origin requests: which web pages may call. Without origins the block does nothing.
    pub struct Cors as "confighttp.CORSConfig" {
        /// Origins, with `*` for any part.
        allowed_origins: Vec<String> = Vec::new(), omit "";
        /// Request headers besides the safe ones, or `*`.
        allowed_headers: Vec<String> = Vec::new(), omit "";
        /// Response headers that pages may read.
        exposed_headers: Vec<String> = Vec::new(), omit "";
        /// Seconds that a preflight's answer may be kept.
        max_age: i64 = 0, omit "";
    }
}

declare! {
    /// Which extension authenticates.
    pub struct HttpAuth as "confighttp.AuthConfig" {
        /// Which extension.
        config: Auth = Auth::default(), squash "config";
        /// Query parameters that it may read.
        request_params: Vec<String> = Vec::new(), omit "";
    }
}

declare! {
    /// An HTTP client.
    pub struct HttpClient as "confighttp.ClientConfig", check HttpClient::rules, decoded HttpClient::decoded {
        /// Base URL; the signal's path is added.
        endpoint: String = String::new(), omit "";
        /// A proxy's URL. Empty: from the environment (`HTTPS_PROXY`, …).
        proxy_url: String = String::new(), omit "";
        /// TLS for `https://`.
        tls: ClientTls = ClientTls::default(), omit "";
        /// Size of the read buffer in bytes.
        read_buffer_size: i64 = 0, omit "", no_effect "reads are sized by the runtime";
        /// Size of the write buffer in bytes.
        write_buffer_size: i64 = 0, omit "", no_effect "writes are sized by the runtime";
        /// Longest wait for an answer, an attempt. 0: no limit.
        timeout: GoDuration = GoDuration::ZERO, omit "";
        /// Headers of every request; never shown.
        headers: Headers = Headers::default(), omit "";
        /// Authenticates requests. There is no authenticator extension yet: the start fails.
        auth: Optional<Auth> = Optional::absent(Auth::default()), omit "";
        /// How requests are compressed: `gzip`, `zlib`, `deflate`, `snappy`, `x-snappy-framed`, `zstd`, `lz4` or `none`.
        compression: Compression = Compression::None, omit "";
        /// How hard.
        compression_params: CompressionParams = CompressionParams::default(), omit "";
        /// Most connections to a host. 0: no limit.
        max_conns_per_host: i64 = 0, omit "";
        /// Ping after so long without anything on an HTTP/2 connection. 0: never.
        http2_read_idle_timeout: GoDuration = GoDuration::ZERO, omit "";
        /// Close when the ping was not answered for so long. 0: 15s.
        http2_ping_timeout: GoDuration = GoDuration::ZERO, omit "";
        /// Keep cookies between requests.
        cookies: Optional<Cookies> = Optional::absent(Cookies::default()), omit "", no_effect "answers of OTLP servers set no cookies";
        /// Ask for HTTP/2 where TLS can.
        force_attempt_http2: bool = true, omit "";
        /// Extensions that see every request. There are none yet: the start fails.
        middlewares: Vec<Middleware> = Vec::new(), omit "";
        /// Connections stay open between requests.
        keepalive: Optional<HttpKeepaliveClient> = Optional::on(HttpKeepaliveClient::default()), omit "";
        /// Old form of `keepalive::idle_conn_timeout`.
        idle_conn_timeout: GoDuration = GoDuration::ZERO, omit "", deprecated "keepalive::idle_conn_timeout";
        /// Old form of `keepalive::max_idle_conns`.
        max_idle_conns: i64 = 0, omit "", deprecated "keepalive::max_idle_conns";
        /// Old form of `keepalive::max_idle_conns_per_host`.
        max_idle_conns_per_host: i64 = 0, omit "", deprecated "keepalive::max_idle_conns_per_host";
        /// Old form of `keepalive::enabled`; connections go on being reused, as in the Collector.
        disable_keep_alives: bool = false, omit "", deprecated "keepalive::enabled";
    }
}

impl HttpClient {
    fn rules(&self, problems: &mut Problems) {
        if let Err(text) = check_compression(self.compression, &self.compression_params) {
            problems.push(text);
        }
    }

    fn decoded(&mut self, mapping: &Mapping, at: &Position, cx: &mut Decoder<'_>) {
        let place = |key: &str| mapping.get(key).map(|entry| &entry.at);
        let has_block = mapping
            .get("keepalive")
            .is_some_and(|entry| !entry.node.is_null());
        let mut warnings = Vec::new();
        for (key, set, text) in [
            (
                "idle_conn_timeout",
                self.idle_conn_timeout != GoDuration::ZERO,
                "'idle_conn_timeout' is deprecated; use 'keepalive::idle_conn_timeout' instead",
            ),
            (
                "max_idle_conns",
                self.max_idle_conns != 0,
                "'max_idle_conns' is deprecated; use 'keepalive::max_idle_conns' instead",
            ),
            (
                "max_idle_conns_per_host",
                self.max_idle_conns_per_host != 0,
                "'max_idle_conns_per_host' is deprecated; use 'keepalive::max_idle_conns_per_host' instead",
            ),
            (
                "disable_keep_alives",
                self.disable_keep_alives,
                "'disable_keep_alives' is deprecated; set 'keepalive::enabled' to false to disable keep-alives",
            ),
        ] {
            if let (Some(at), true) = (place(key), set) {
                warnings.push((at, text));
            }
        }
        conflict_or_warn(
            cx,
            at,
            has_block,
            &warnings,
            "confighttp.ClientConfig",
            "idle_conn_timeout, max_idle_conns, max_idle_conns_per_host, disable_keep_alives",
        );
        if !has_block && self.keepalive.is_on() {
            let block = self.keepalive.insert();
            if place("idle_conn_timeout").is_some() {
                block.idle_conn_timeout = self.idle_conn_timeout;
            }
            if place("max_idle_conns").is_some() {
                block.max_idle_conns = self.max_idle_conns;
            }
            if place("max_idle_conns_per_host").is_some() {
                block.max_idle_conns_per_host = self.max_idle_conns_per_host;
            }
        }
        self.idle_conn_timeout = GoDuration::ZERO;
        self.max_idle_conns = 0;
        self.max_idle_conns_per_host = 0;
        self.disable_keep_alives = false;
    }
}

declare! {
    /// Keeps cookies between requests.
    pub struct Cookies as "confighttp.CookiesConfig" {}
}

declare! {
    /// How many idle connections stay open, and for how long.
    pub struct HttpKeepaliveClient as "confighttp.KeepaliveClientConfig" {
        /// Close a connection that was idle for so long. 0: never.
        idle_conn_timeout: GoDuration = GoDuration::secs(90);
        /// Most idle connections to all hosts. 0: no limit.
        max_idle_conns: i64 = 100;
        /// Most idle connections to one host. 0: 2.
        max_idle_conns_per_host: i64 = 0, omit "";
    }
}
