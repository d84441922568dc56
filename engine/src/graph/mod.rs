//! Configuration to pipelines: wiring and fan-out only. A core builds its own
//! graph from the settings that all cores share ([`CoreGraph::build`]); what is
//! made once for the process (files, TLS, listening addresses) is in [`Shared`].

mod build;
mod nodes;
mod receivers;
mod shared;

use crate::{receivers::otlp::ingest::Moved, runtime::Accepted};

pub use crate::net::listen::Bound;
pub(crate) use crate::net::listen::client_tls;
pub use build::{CoreGraph, StandIn, Trial};
pub use receivers::Endpoint;
pub use shared::Shared;

/// What crosses cores.
pub enum Message {
    /// A request to be carried on here.
    Request(Moved),
    /// A connection of a unix socket, accepted by the first core; with the endpoint's place.
    Connection(usize, Accepted),
    /// Stop accepting and finish what was accepted, this core's and what others still hand over.
    Drain,
    /// Every core has finished: end.
    End,
}
