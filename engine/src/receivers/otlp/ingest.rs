//! From a body to an outcome: inflate, read JSON, walk, count, consume. Shared by
//! gRPC and HTTP. A request moves to another core here, whole, when its own core
//! has more work waiting than the other.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use tokio::sync::oneshot;
use tonic::Code;
use trunkline_proto::{Batch, Signal, batch::Packed, json};

use crate::{
    component::{Consumer, CoreContext, HIGH_MEMORY, Outcome, Refusal, RequestContext},
    net::{
        buffers::Buffer,
        compression::{Codec, InflateError, NoRoom},
    },
    runtime::mesh::Mesh,
    telemetry::{Counter, ReceiverMetrics},
};

/// What is said over HTTP of a body beyond the cap, also while it is inflated.
pub const TOO_LARGE: &str = "http: request body too large";

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Protobuf.
    Protobuf,
    /// OTLP/JSON.
    Json,
}

/// The transport that a request came over, as labels say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP.
    Http,
}

/// A request whose body has arrived.
pub struct Incoming {
    /// The signal, from the path.
    pub signal: Signal,
    /// The transport.
    pub transport: Transport,
    /// The body as sent.
    pub body: Buffer,
    /// How it is compressed.
    pub codec: Codec,
    /// How it is encoded.
    pub encoding: Encoding,
    /// Bytes that the body may have once inflated.
    pub max_size: usize,
    /// What else is known of the request.
    pub context: RequestContext,
}

/// A request on its way to another core.
pub struct Moved {
    /// Which receiver it came to: its place among the core's receivers.
    pub receiver: usize,
    /// The request.
    pub incoming: Incoming,
    /// Where its outcome is waited for.
    pub reply: oneshot::Sender<Outcome>,
}

/// How requests leave for other cores.
pub struct Moving {
    /// The queues between the cores.
    pub mesh: Mesh<crate::graph::Message>,
    /// This receiver's place among the receivers of a core.
    pub receiver: usize,
    /// Requests that left.
    pub moved: Counter,
}

/// The receiver's side of its pipelines on one core.
pub struct Ingest {
    /// The consumer of each signal, by [`Signal::index`]; `None` where no pipeline uses it.
    pipelines: [Option<Rc<dyn Consumer>>; 4],
    core: CoreContext,
    grpc: ReceiverMetrics,
    http: ReceiverMetrics,
    json: RefCell<json::Decoder>,
    /// Requests whose body is here and whose work has not begun.
    waiting: Cell<usize>,
    moving: Option<Moving>,
}

impl Ingest {
    /// The receiver `id` in front of its pipelines.
    pub fn new(
        id: &str,
        pipelines: [Option<Rc<dyn Consumer>>; 4],
        core: &CoreContext,
        moving: Option<Moving>,
    ) -> Rc<Ingest> {
        Rc::new(Ingest {
            pipelines,
            core: core.clone(),
            grpc: ReceiverMetrics::new(&core.registry, core.core, id, "grpc"),
            http: ReceiverMetrics::new(&core.registry, core.core, id, "http"),
            json: RefCell::new(json::Decoder::new()),
            waiting: Cell::new(0),
            moving,
        })
    }

    /// The core this is on.
    pub fn core(&self) -> &CoreContext {
        &self.core
    }

    /// Whether a pipeline takes this signal.
    pub fn takes(&self, signal: Signal) -> bool {
        self.pipeline(signal).is_some()
    }

    /// Whether a pipeline looks at what comes, on this core for certain. Where there are others,
    /// requests have to gather behind one another for those to take some over.
    pub fn looks_inside_here(&self) -> bool {
        let stays = self.moving.as_ref().is_none_or(|m| m.mesh.cores() <= 1);
        let mut pipelines = self.pipelines.iter().flatten();
        stays && pipelines.any(|next| next.looks_inside())
    }

    fn pipeline(&self, signal: Signal) -> Option<&Rc<dyn Consumer>> {
        self.pipelines.get(signal.index()).and_then(Option::as_ref)
    }

    /// Carries a request to its end, on this core or on one that has less to do.
    pub async fn ingest(&self, incoming: Incoming) -> Outcome {
        let Some(moving) = self.moving.as_ref().filter(|m| m.mesh.cores() > 1) else {
            return self.here(incoming).await;
        };
        // Give the connection the chance to complete other bodies: only when some are waiting
        // behind this one is there something to gain by moving it.
        self.waiting.set(self.waiting.get() + 1);
        moving.mesh.publish_load(self.core.core, self.waiting.get());
        crate::runtime::yield_now().await;
        self.waiting.set(self.waiting.get() - 1);
        moving.mesh.publish_load(self.core.core, self.waiting.get());
        let target = match moving.mesh.least_loaded_other(self.core.core) {
            Some((core, load)) if load < self.waiting.get() => core,
            _ => return self.here(incoming).await,
        };
        let (reply, outcome) = oneshot::channel();
        let message = crate::graph::Message::Request(Moved {
            receiver: moving.receiver,
            incoming,
            reply,
        });
        match moving.mesh.send(target, message) {
            Ok(()) => {
                moving.moved.add(1);
                // It can join no batch on this core any more.
                let _parked = self.core.in_hand.park();
                outcome.await.unwrap_or_else(|_| {
                    Outcome::Refused(Refusal::retry("the gateway is shutting down", None))
                })
            }
            Err(crate::graph::Message::Request(moved)) => self.here(moved.incoming).await,
            Err(_) => Outcome::Refused(Refusal::retry(HIGH_MEMORY, None)),
        }
    }

    /// Carries a request to its end on this core.
    pub async fn here(&self, incoming: Incoming) -> Outcome {
        let Incoming {
            signal,
            transport,
            body,
            codec,
            encoding,
            max_size,
            context,
        } = incoming;
        let Some(pipeline) = self.pipeline(signal) else {
            return Outcome::Refused(Refusal::permanent(
                Code::Unimplemented,
                format!("no pipeline takes {}", signal.name()),
            ));
        };
        let batch = match self.batch(signal, transport, body, codec, encoding, max_size) {
            Ok(batch) => batch,
            Err(refusal) => return Outcome::Refused(refusal),
        };
        let items = batch.item_count() as u64;
        // collector.md §2.1: a request without items succeeds without touching the pipeline.
        if items == 0 {
            return Outcome::Accepted;
        }
        let metrics = match transport {
            Transport::Grpc => &self.grpc,
            Transport::Http => &self.http,
        };
        // A sender that gives up drops this future: the guard counts then, too.
        let counted = metrics.in_pipeline(signal, items);
        let outcome = pipeline.consume(batch, &context).await;
        match &outcome {
            Outcome::Accepted => counted.accepted_but(0),
            Outcome::Partial { rejected, .. } => counted.accepted_but(*rejected),
            Outcome::Refused(_) => counted.refused(),
        }
        outcome
    }

    fn batch(
        &self,
        signal: Signal,
        transport: Transport,
        body: Buffer,
        codec: Codec,
        encoding: Encoding,
        max_size: usize,
    ) -> Result<Batch, Refusal> {
        let bad = |text: String| Refusal::permanent(Code::InvalidArgument, text);
        let mut packed = None;
        let plain = match codec {
            Codec::Identity => body,
            codec => {
                let plain = self.inflate(codec, &body, max_size, transport)?;
                if encoding == Encoding::Protobuf {
                    let coding = codec.content_encoding();
                    packed = Some(Packed {
                        coding,
                        bytes: body.freeze(),
                    });
                }
                plain
            }
        };
        let payload = match encoding {
            Encoding::Protobuf => plain.freeze(),
            Encoding::Json => {
                let mut plain = plain;
                let needed = json::memory_needed(&plain);
                let charge = self
                    .core
                    .budget
                    .charge(needed)
                    .ok_or_else(Refusal::no_room)?;
                let payload = self
                    .json
                    .borrow_mut()
                    .to_protobuf(signal, &mut plain)
                    .map_err(|error| bad(error.to_string()))?;
                drop(charge);
                payload
            }
        };
        let batch =
            Batch::from_protobuf(signal, payload).map_err(|error| bad(error.to_string()))?;
        Ok(match packed {
            Some(packed) => batch.packed_as(packed),
            None => batch,
        })
    }

    fn inflate(
        &self,
        codec: Codec,
        body: &[u8],
        max_size: usize,
        transport: Transport,
    ) -> Result<Buffer, Refusal> {
        let Some(mut charge) = self.core.budget.charge(0) else {
            return Err(Refusal::no_room());
        };
        let mut out = Buffer::with_capacity(0);
        let inflated =
            self.core
                .inflater
                .borrow_mut()
                .inflate(codec, body, max_size, &mut out, |more| {
                    if charge.grow(more) {
                        Ok(())
                    } else {
                        Err(NoRoom)
                    }
                });
        match inflated {
            Ok(()) => Ok(out.charged(charge)),
            Err(InflateError::NoRoom) => Err(Refusal::no_room()),
            Err(InflateError::TooLarge) => Err(Refusal::permanent(
                Code::ResourceExhausted,
                match transport {
                    Transport::Grpc => format!(
                        "grpc: received message after decompression larger than max {max_size}"
                    ),
                    Transport::Http => TOO_LARGE.to_owned(),
                },
            )),
            Err(InflateError::Corrupt(text)) => {
                Err(Refusal::permanent(Code::InvalidArgument, text))
            }
        }
    }
}
