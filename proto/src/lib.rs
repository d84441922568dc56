//! OTLP on the wire, and a request as columns.

pub mod batch;
pub mod json;
pub mod otap;
pub mod otlp;
mod signal;
pub mod wire;

pub use batch::Batch;
pub use signal::Signal;
