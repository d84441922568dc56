//! A request as columns (placeholder while the crate is begun).

use bytes::Bytes;

use crate::Signal;

/// One OTLP request.
#[derive(Clone, Debug)]
pub struct Batch {
    signal: Signal,
    payload: Bytes,
}

impl Batch {
    /// The signal.
    pub fn signal(&self) -> Signal {
        self.signal
    }
    /// The payload.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }
}
