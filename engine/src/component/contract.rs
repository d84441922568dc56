//! The contract between the parts of a pipeline: a batch goes in, an outcome
//! comes back as the return value. There is no separate acknowledgement.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use tonic::Code;
use trunkline_proto::Batch;

/// What became of a batch. An answer is a promise: [`Outcome::Accepted`] means
/// that every item is where the configuration says it must be.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Every item was accepted.
    Accepted,
    /// Some items were rejected for good, the rest was accepted. The sender must not retry
    /// (OTLP specification, partial success).
    Partial {
        /// Number of items rejected.
        rejected: u64,
        /// Why, for the sender's operator.
        message: String,
    },
    /// Nothing was accepted.
    Refused(Refusal),
}

/// What a refusal for want of memory says: the Collector's text.
pub const HIGH_MEMORY: &str = "data refused due to high memory usage";

/// Why a batch was not accepted, and whether asking again can help.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The gRPC status code to answer with; HTTP answers follow from it.
    pub code: Code,
    /// What went wrong.
    pub message: String,
    /// The same request can succeed later.
    pub retryable: bool,
    /// How long to wait before asking again (RetryInfo, Retry-After).
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal that a retry can cure: UNAVAILABLE.
    pub fn retry(message: impl Into<String>, after: Option<Duration>) -> Self {
        Refusal {
            code: Code::Unavailable,
            message: message.into(),
            retryable: true,
            retry_after: after,
        }
    }

    /// A refusal for want of memory, to be tried again in a second.
    pub fn no_room() -> Self {
        Self::retry(HIGH_MEMORY, Some(Duration::from_secs(1)))
    }

    /// A refusal that no retry cures.
    pub fn permanent(code: Code, message: impl Into<String>) -> Self {
        Refusal {
            code,
            message: message.into(),
            retryable: false,
            retry_after: None,
        }
    }
}

/// What is known about a request besides its data. Cheap to clone, may cross cores.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// When the caller stops waiting (`grpc-timeout`, else 10 s after arrival).
    pub deadline: Instant,
    /// The caller's headers, lower-case names, present with `include_metadata`.
    pub metadata: Option<Arc<Vec<(String, String)>>>,
    /// The caller's address.
    pub client: Option<SocketAddr>,
    /// It is several callers' requests, joined without a look inside. Where it
    /// [judges](Consumer::judges), the exit of the pipeline does not count it when it is refused
    /// for good: whoever joined it finds out whose fault that is, and then counts.
    pub unchecked: bool,
}

/// The future of [`Consumer::consume`]; it stays on its core.
pub type ConsumeFuture<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

/// A part of a pipeline on one core: a processor, a connector, an exporter, a fan-out.
pub trait Consumer {
    /// Takes a batch and answers what became of it, when that is known.
    /// Dropping the future gives the request up.
    fn consume<'a>(&'a self, batch: Batch, context: &'a RequestContext) -> ConsumeFuture<'a>;

    /// Whether the batch goes to one place only, which reads all of it and takes none of it when
    /// anything inside is not valid: then requests may be joined unchecked.
    fn judges(&self) -> bool {
        false
    }

    /// Whether somebody looks at the bytes of what comes here, rather than passing them on: then a
    /// request is best worked on while it is near, before the next one is read.
    fn looks_inside(&self) -> bool {
        false
    }
}
