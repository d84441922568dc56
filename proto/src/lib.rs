//! OTLP on the wire, and a request as columns.

mod batch;
mod signal;

pub use batch::Batch;
pub use signal::Signal;
