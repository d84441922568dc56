//! OTLP/JSON: a request in JSON becomes the protobuf wire form, and leaves from it.
//!
//! Everything behind the receiver knows the wire form only, so both directions are
//! driven by one table of the OTLP messages (`schema`) and go straight from one text
//! to the other, with no objects between. [`to_protobuf`] accepts what the OTLP
//! specification or the Collector accepts; [`from_protobuf`] writes what the
//! Collector's JSON marshaler writes: its field order, enums as integers, 64-bit
//! integers as strings, ids in hex. The small bodies of answers are here too.

mod decode;
mod encode;
mod error;
mod response;
mod reverse;
mod scalar;
mod schema;
mod text;

pub use decode::{Decoder, memory_needed, to_protobuf};
pub use encode::from_protobuf;
pub use error::{JsonError, JsonErrorKind};
pub use response::{export_response, export_response_to_protobuf, status, status_to_protobuf};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod complete;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod property;
