//! OTLP on the wire, and a request as columns.
//!
//! The principal type is [`Batch`]: one OTLP request, held as the bytes in which it came. It
//! is counted, passed on, joined and split without a look inside its items. What wants to look
//! inside opens it ([`Batch::open`]) and gets [`batch::Data`]: rows by level (resources, scopes,
//! spans, data points, …), attributes and fields as Arrow columns over the payload, and edits.
//! An edit changes no bytes: it says of which pieces a row now consists. At the exit the
//! request is spliced, copying untouched runs whole and writing only what changed.
//!
//! - [`batch`]: requests, rows, columns, edits;
//! - [`wire`]: protobuf fields read in place, and written;
//! - [`json`]: OTLP/JSON into the same wire form, and out of it;
//! - [`otap`]: requests as Arrow record batches in the OTAP data model, and back;
//! - [`status`]: the names of gRPC's status codes;
//! - [`symbols`]: the names of OTLP's enum values;
//! - [`otlp`]: the messages as prost types, for tests and small responses only.
//!
//! ```
//! use trunkline_proto::{
//!     Batch, Signal,
//!     batch::{AttributeEdit, KeyValue, Level, Selection, Source, Value, When},
//!     wire::{begin_message, end_message, put_bytes},
//! };
//!
//! // A request with one span: resource_spans, scope_spans, spans.
//! let mut request = Vec::new();
//! let begun = [1, 2, 2].map(|number| begin_message(&mut request, number));
//! put_bytes(&mut request, 5, b"GET /cart");
//! KeyValue::write(&mut request, 9, b"http.route", &Value::String(b"/cart"));
//! KeyValue::write(&mut request, 9, b"user.id", &Value::Int(42));
//! begun.into_iter().rev().for_each(|begin| end_message(&mut request, begin));
//!
//! let mut batch = Batch::from_protobuf(Signal::Traces, request.into())?;
//! assert_eq!(batch.item_count(), 1);
//!
//! let data = batch.open()?;
//! let edits = [
//!     AttributeEdit::Set {
//!         key: b"route",
//!         value: Source::Attribute(b"http.route"),
//!         when: When::Absent,
//!     },
//!     AttributeEdit::Remove { key: b"user.id" },
//! ];
//! data.edit_attributes(Level::Item, Selection::All, &edits)?;
//! assert_eq!(data.attribute(Level::Item, 0, b"route")?, Some(Value::String(b"/cart")));
//! assert_eq!(data.attribute(Level::Item, 0, b"user.id")?, None);
//!
//! let spliced = batch.to_protobuf();
//! assert!(!spliced.windows(7).any(|bytes| bytes == b"user.id"));
//! # Ok::<(), trunkline_proto::batch::Error>(())
//! ```

pub mod batch;
pub mod json;
pub mod otap;
pub mod otlp;
mod signal;
pub mod status;
pub mod symbols;
pub mod wire;

pub use batch::Batch;
pub use signal::Signal;
