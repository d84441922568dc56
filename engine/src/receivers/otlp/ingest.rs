//! From a body to an outcome: inflate, walk, count, consume. Shared by gRPC and HTTP.

use std::rc::Rc;

use tonic::Code;
use trunkline_proto::{Batch, Signal};

use crate::{
    component::{Consumer, Outcome, Refusal, RequestContext},
    net::buffers::Buffer,
};

/// A request whose body has arrived.
pub struct Incoming {
    /// The signal, from the path.
    pub signal: Signal,
    /// The body as sent.
    pub body: Buffer,
    /// What else is known of the request.
    pub context: RequestContext,
}

/// The receiver's side of its pipelines on one core.
pub struct Ingest {
    /// The consumer of each signal, by [`Signal::index`]; `None` where no pipeline uses it.
    pub pipelines: [Option<Rc<dyn Consumer>>; 4],
}

impl Ingest {
    /// Whether a pipeline takes this signal.
    pub fn takes(&self, signal: Signal) -> bool {
        self.pipeline(signal).is_some()
    }

    fn pipeline(&self, signal: Signal) -> Option<&Rc<dyn Consumer>> {
        self.pipelines.get(signal.index()).and_then(Option::as_ref)
    }

    /// Carries a request to its end.
    pub async fn ingest(&self, incoming: Incoming) -> Outcome {
        let Incoming {
            signal,
            body,
            context,
        } = incoming;
        let Some(pipeline) = self.pipeline(signal) else {
            return Outcome::Refused(Refusal::permanent(
                Code::Unimplemented,
                format!("no pipeline takes {}", signal.name()),
            ));
        };
        let batch = match Batch::from_protobuf(signal, body.freeze()) {
            Ok(batch) => batch,
            Err(error) => {
                return Outcome::Refused(Refusal::permanent(
                    Code::InvalidArgument,
                    error.to_string(),
                ));
            }
        };
        // A request without items succeeds without touching the pipeline.
        if batch.item_count() == 0 {
            return Outcome::Accepted;
        }
        pipeline.consume(batch, &context).await
    }
}
