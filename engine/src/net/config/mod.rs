//! The settings that network components share: addresses, TLS, gRPC and HTTP
//! servers and clients, authentication references. Declarations and rules only;
//! what listens, connects and encrypts is in the modules beside this one.

mod grpc;
mod http;
mod tls;

pub use grpc::{
    GrpcClient, GrpcServer, KeepaliveClient, KeepaliveEnforcement, KeepaliveParameters,
    KeepaliveServer,
};
pub use http::{
    Compression, CompressionParams, Cookies, Cors, HttpAuth, HttpClient, HttpKeepaliveClient,
    HttpKeepaliveServer, HttpServer, check_compression, split_host_port,
};
pub use tls::{ClientTls, ServerTls, Tls, Tpm};

use crate::component::{ExtensionRef, GoDuration, choice, declare};

choice! {
    /// The kind of socket.
    pub enum Transport as "confignet.TransportType", message "unsupported transport type %q" zero "" {
        /// TCP over IPv4 or IPv6.
        Tcp = "tcp";
        /// TCP over IPv4.
        Tcp4 = "tcp4";
        /// TCP over IPv6.
        Tcp6 = "tcp6";
        /// A stream socket in the file system.
        Unix = "unix";
        /// UDP; of no use to a stream server.
        Udp = "udp";
        /// UDP over IPv4.
        Udp4 = "udp4";
        /// UDP over IPv6.
        Udp6 = "udp6";
        /// Raw IP.
        Ip = "ip";
        /// Raw IPv4.
        Ip4 = "ip4";
        /// Raw IPv6.
        Ip6 = "ip6";
        /// Datagrams in the file system.
        UnixGram = "unixgram";
        /// Packets in the file system.
        UnixPacket = "unixpacket";
        /// Named pipes of Windows.
        Npipe = "npipe";
        /// Not set.
        Unset = "";
    }
}

declare! {
    /// Where a server listens.
    pub struct Address as "confignet.AddrConfig", check Address::rules {
        /// `host:port`; with the transport `unix` the path of the socket.
        endpoint: String = String::new(), omit "";
        /// The kind of socket: `tcp`, `tcp4`, `tcp6` or `unix`; the other Go networks are read, and refused at start.
        transport: Transport = Transport::Tcp, omit "";
        /// Settings for outgoing connections.
        dialer: Dialer = Dialer::default(), omit "", no_effect "a server does not dial; the Collector ignores it too";
    }
}

impl Address {
    /// A TCP address.
    pub fn tcp(endpoint: &str) -> Self {
        Address {
            endpoint: endpoint.to_owned(),
            ..Address::default()
        }
    }

    fn rules(&self, problems: &mut crate::component::Problems) {
        if self.transport == Transport::Unset {
            problems.push("invalid transport type \"\"");
        }
        if self.transport == Transport::Npipe {
            problems.push("npipe transport is only supported on Windows");
        }
    }
}

declare! {
    /// Settings for outgoing connections.
    pub struct Dialer as "confignet.DialerConfig" {
        /// Longest wait for a connection; 0 is none.
        timeout: GoDuration = GoDuration::ZERO, omit "";
    }
}

declare! {
    /// Which extension authenticates.
    pub struct Auth as "configauth.Config" {
        /// Id of an authenticator extension.
        authenticator: ExtensionRef = ExtensionRef::default(), omit "";
    }
}

declare! {
    /// An extension that sees every request.
    pub struct Middleware as "configmiddleware.Config" {
        /// Id of a middleware extension.
        id: ExtensionRef = ExtensionRef::default();
    }
}
