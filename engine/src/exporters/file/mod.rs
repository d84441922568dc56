//! The exporter `file`: requests as lines of JSON or as framed protobuf in files,
//! with rotation, compression and one file per resource attribute. Requests are
//! encoded here, on the core; files are written on a thread (`writer`).

pub mod config;
mod group;
#[allow(missing_docs, reason = "the fields are the calendar's")]
mod local_time;
mod names;
pub(super) mod target;
pub(super) mod writer;

use std::{path::PathBuf, rc::Rc, sync::Arc};

use bytes::Bytes;
use smallvec::SmallVec;
use tonic::Code;
use trunkline_proto::{Batch, Signal, json};

pub use self::writer::Writer;
use self::{
    group::{GroupBy, Grouped},
    writer::Message,
};
use crate::{
    component::{
        ComponentId, ConsumeFuture, Consumer, CoreContext, Outcome, Refusal, RequestContext,
    },
    net::compression::Codec,
    queue::encode::room,
    telemetry::metrics::{Destination, ExporterMetrics},
};

/// Starts the exporter for the whole process. A file that one of `others` has open is appended to,
/// whatever the configuration says.
///
/// # Errors
/// Directory or file cannot be made; the Collector's texts.
pub fn open<'a>(
    config: &config::Config,
    mut others: impl Iterator<Item = &'a Arc<Writer>>,
) -> Result<Arc<Writer>, String> {
    let shared = others.any(|writer| writer.path() == config.path);
    Writer::start(config, shared).map(Arc::new)
}

/// The exporter for one signal on one core.
///
/// # Errors
/// None.
pub fn build(
    id: &ComponentId,
    config: &config::Config,
    _: Signal,
    core: &CoreContext,
    writer: Arc<Writer>,
) -> Result<Rc<dyn Consumer>, String> {
    let group_by = &config.group_by;
    Ok(Rc::new(File {
        writer,
        json: config.format == "json",
        zstd: config.compression == "zstd",
        group_by: group_by
            .enabled
            .then(|| GroupBy::new(&config.path, &group_by.resource_attribute)),
        attribute: group_by.resource_attribute.clone(),
        metrics: ExporterMetrics::new(
            &core.registry,
            core.core,
            &id.to_string(),
            &Destination::default(),
        ),
        core: core.clone(),
    }))
}

struct File {
    writer: Arc<Writer>,
    json: bool,
    zstd: bool,
    group_by: Option<GroupBy>,
    attribute: String,
    metrics: ExporterMetrics,
    core: CoreContext,
}

impl File {
    /// Writes a request.
    async fn export(&self, batch: Batch) -> Outcome {
        let (messages, left_out) = match self.messages(&batch) {
            Ok(messages) => messages,
            Err(refusal) => return Outcome::Refused(refusal),
        };
        drop(batch);
        if !messages.is_empty()
            && let Err(failure) = self.writer.write(messages).await
        {
            return Outcome::Refused(if failure.retryable {
                Refusal::retry(failure.message, None)
            } else {
                Refusal::permanent(Code::InvalidArgument, failure.message)
            });
        }
        if left_out > 0 {
            return Outcome::Partial {
                rejected: left_out,
                message: format!(
                    "Resource does not contain {} attribute, dropping it",
                    self.attribute
                ),
            };
        }
        Outcome::Accepted
    }

    /// What is to be written, and the number of items that go nowhere.
    fn messages(&self, batch: &Batch) -> Result<(SmallVec<[Message; 1]>, u64), Refusal> {
        let invalid =
            |e: &dyn std::fmt::Display| Refusal::permanent(Code::InvalidArgument, e.to_string());
        let Some(group_by) = &self.group_by else {
            let message = self.message(None, batch)?;
            return Ok((SmallVec::from_buf([message]), 0));
        };
        let Grouped { parts, left_out } = group_by.part(batch).map_err(|e| invalid(&e))?;
        let messages = parts
            .iter()
            .map(|(path, part)| self.message(Some(path.clone()), part))
            .collect::<Result<_, _>>()?;
        Ok((messages, left_out))
    }

    /// One message: encoded, compressed, with its length or the end of its line.
    fn message(&self, path: Option<PathBuf>, batch: &Batch) -> Result<Message, Refusal> {
        // A line has its end; everything else is told apart by its length.
        let line = self.json && !self.zstd;
        let mut body = if self.json {
            self.json(batch, line)?
        } else if batch.is_edited() {
            let mut buffer = room(&self.core, batch.payload_len() + batch.payload_len() / 8)?;
            batch.write_protobuf(&mut buffer);
            buffer.freeze()
        } else {
            batch.to_protobuf()
        };
        if self.zstd {
            let mut buffer = room(&self.core, body.len() / 2)?;
            self.core
                .deflater
                .borrow_mut()
                .deflate(Codec::Zstd, 0, &body, &mut buffer)
                .map_err(|e| Refusal::retry(e.to_string(), None))?;
            body = buffer.freeze();
        }
        let length = if line {
            None
        } else {
            let length = u32::try_from(body.len()).map_err(|_| {
                Refusal::permanent(Code::InvalidArgument, "the message is larger than 4 GiB")
            })?;
            Some(length.to_be_bytes())
        };
        Ok(Message { path, length, body })
    }

    fn json(&self, batch: &Batch, line: bool) -> Result<Bytes, Refusal> {
        let payload = batch.to_protobuf();
        // JSON is some twice the size of what it says.
        let mut buffer = room(&self.core, payload.len().saturating_mul(5) / 2)?;
        json::from_protobuf(batch.signal(), &payload, &mut buffer)
            .map_err(|e| Refusal::permanent(Code::InvalidArgument, e.to_string()))?;
        if line {
            buffer.push(b'\n');
        }
        Ok(buffer.freeze())
    }
}

impl Consumer for File {
    fn consume<'a>(&'a self, batch: Batch, _: &'a RequestContext) -> ConsumeFuture<'a> {
        Box::pin(async move {
            let (signal, items) = (batch.signal(), batch.item_count() as u64);
            let _in_flight = self.metrics.in_flight(signal);
            let outcome = self.export(batch).await;
            super::count(&self.metrics, signal, items, &outcome);
            outcome
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
