//! gRPC servers and clients: keys, defaults and rules of the Collector's `configgrpc`.

use super::{Address, Auth, ClientTls, Compression, Middleware, ServerTls, http::split_host_port};
use crate::component::{GoDuration, Headers, Optional, Problems, declare};

declare! {
    /// A gRPC server.
    pub struct GrpcServer as "configgrpc.ServerConfig", check GrpcServer::rules {
        /// Where it listens.
        address: Address = Address::default(), squash "netaddr";
        /// TLS; absent means plain text.
        tls: Optional<ServerTls> = Optional::absent(ServerTls::default()), omit "";
        /// Largest message in MiB, also while inflating. 0: 64 (the Collector: 4).
        max_recv_msg_size_mib: i64 = 0, omit "";
        /// Most requests at a time on one connection. 0: no limit of its own.
        max_concurrent_streams: u32 = 0, omit "";
        /// Size of the read buffer in bytes.
        read_buffer_size: i64 = 524_288, omit "", no_effect "reads are sized by the runtime";
        /// Size of the write buffer in bytes.
        write_buffer_size: i64 = 0, omit "", no_effect "writes are sized by the runtime";
        /// Pings, and how long connections live.
        keepalive: Optional<KeepaliveServer> = Optional::on(KeepaliveServer::default()), omit "";
        /// Who may call. There is no authenticator extension yet: the start fails.
        auth: Optional<Auth> = Optional::absent(Auth::default()), omit "";
        /// Keep the caller's headers for processors and exporters.
        include_metadata: bool = false, omit "";
        /// Extensions that see every request. There are none yet: the start fails.
        middlewares: Vec<Middleware> = Vec::new(), omit "";
    }
}

impl GrpcServer {
    fn rules(&self, problems: &mut Problems) {
        if self.read_buffer_size < 0 {
            problems.push("read_buffer_size value must be greater than or equal to 0");
        }
        if self.write_buffer_size < 0 {
            problems.push("write_buffer_size value must be greater than or equal to 0");
        }
        let max = i64::MAX / 1024 / 1024;
        if self.max_recv_msg_size_mib < 0 || self.max_recv_msg_size_mib > max {
            problems.push(format!(
                "invalid max_recv_msg_size_mib value, must be between 1 and {max}: {}",
                self.max_recv_msg_size_mib
            ));
        }
    }
}

declare! {
    /// Pings and connection ageing of a server.
    pub struct KeepaliveServer as "configgrpc.KeepaliveServerConfig" {
        /// When to ping, when to close.
        server_parameters: Optional<KeepaliveParameters> = Optional::on(KeepaliveParameters::default()), omit "";
        /// What clients may do.
        enforcement_policy: Optional<KeepaliveEnforcement> = Optional::on(KeepaliveEnforcement::default()), omit "";
    }
}

declare! {
    /// When a server pings and when it closes connections. 0 stands for the default in brackets.
    pub struct KeepaliveParameters as "configgrpc.KeepaliveServerParameters" {
        /// Close a connection that was idle for so long (never).
        max_connection_idle: GoDuration = GoDuration::ZERO, omit "";
        /// Close a connection of that age, with jitter of a tenth (never).
        max_connection_age: GoDuration = GoDuration::ZERO, omit "";
        /// What its requests still get (no limit).
        max_connection_age_grace: GoDuration = GoDuration::ZERO, omit "";
        /// Ping after so long without anything (2h).
        time: GoDuration = GoDuration::ZERO, omit "";
        /// Close when a ping was not answered for so long (20s).
        timeout: GoDuration = GoDuration::ZERO, omit "";
    }
}

declare! {
    /// What a server allows its clients.
    pub struct KeepaliveEnforcement as "configgrpc.KeepaliveEnforcementPolicy" {
        /// Shortest time between pings (5m).
        min_time: GoDuration = GoDuration::ZERO, omit "";
        /// Allow pings while no request is under way.
        permit_without_stream: bool = false, omit "";
    }
}

declare! {
    /// A gRPC client.
    pub struct GrpcClient as "configgrpc.ClientConfig", check GrpcClient::rules {
        /// Where to send: `host:port`, `http://…`, `https://…` (TLS), `dns:///…`, `unix://…`.
        endpoint: String = String::new(), omit "";
        /// How requests are compressed: `gzip`, `snappy`, `zstd` or `none`.
        compression: Compression = Compression::None, omit "";
        /// TLS, on by default.
        tls: ClientTls = ClientTls::default(), omit "";
        /// Pings; off unless given.
        keepalive: Optional<KeepaliveClient> = Optional::absent(KeepaliveClient::default()), omit "";
        /// Size of the read buffer in bytes.
        read_buffer_size: i64 = 0, omit "", no_effect "reads are sized by the runtime";
        /// Size of the write buffer in bytes.
        write_buffer_size: i64 = 0, omit "", no_effect "writes are sized by the runtime";
        /// Wait for a connection instead of failing at once.
        wait_for_ready: bool = false, omit "";
        /// Headers of every request; never shown.
        headers: Headers = Headers::default(), omit "";
        /// How requests spread over the addresses of the endpoint: `round_robin` or `pick_first`.
        balancer_name: String = "round_robin".to_owned();
        /// The `:authority` to send instead of the endpoint's.
        authority: String = String::new(), omit "";
        /// The `user-agent` to send instead of Trunkline's.
        user_agent: String = String::new(), omit "";
        /// Authenticates requests. There is no authenticator extension yet: the start fails.
        auth: Optional<Auth> = Optional::absent(Auth::default()), omit "";
        /// Extensions that see every request. There are none yet: the start fails.
        middlewares: Vec<Middleware> = Vec::new(), omit "";
    }
}

impl GrpcClient {
    /// The endpoint without its scheme (`http`, `https`, `dns`), as the Collector checks it.
    pub fn bare_endpoint(&self) -> &str {
        let endpoint = self.endpoint.as_str();
        if let Some(rest) = endpoint.strip_prefix("https://") {
            return rest;
        }
        if let Some(rest) = endpoint.strip_prefix("http://") {
            return rest;
        }
        if let Some(rest) = endpoint.strip_prefix("dns://") {
            return match rest.split_once('/') {
                Some((_, name)) => name,
                None => rest,
            };
        }
        endpoint
    }

    fn rules(&self, problems: &mut Problems) {
        if let Some(path) = self.endpoint.strip_prefix("unix://") {
            if path.is_empty() {
                problems.push("unix socket path cannot be empty");
            }
            return;
        }
        let bare = self.bare_endpoint();
        if !bare.is_empty() {
            match split_host_port(bare) {
                Err(text) => return problems.push(text),
                Ok((_, port)) if port.parse::<i64>().is_err() => {
                    return problems.push(format!("invalid port \"{port}\""));
                }
                Ok(_) => {}
            }
        }
        if !matches!(
            self.balancer_name.as_str(),
            "" | "round_robin" | "pick_first"
        ) {
            problems.push(format!("invalid balancer_name: {}", self.balancer_name));
        }
    }
}

declare! {
    /// Pings of a client. 0 stands for the default in brackets.
    pub struct KeepaliveClient as "configgrpc.KeepaliveClientConfig" {
        /// Ping after so long without anything (off; at least 10s).
        time: GoDuration = GoDuration::ZERO;
        /// Close when a ping was not answered for so long (20s).
        timeout: GoDuration = GoDuration::ZERO;
        /// Ping while no request is under way, too.
        permit_without_stream: bool = false, omit "";
    }
}
