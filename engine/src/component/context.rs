//! What a component is given when it is built on a core.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use crate::{
    net::{
        admission::Budget,
        compression::{Deflater, Inflater},
        drain::Drain,
        in_hand::InHand,
    },
    telemetry::metrics::Registry,
};

/// The core that a component is built on. Cheap to clone; stays on its core.
#[derive(Clone)]
pub struct CoreContext {
    /// Index of the core.
    pub core: usize,
    /// How many cores there are.
    pub cores: usize,
    /// Own metrics.
    pub registry: Arc<Registry>,
    /// Memory for requests in hand.
    pub budget: Arc<Budget>,
    /// The word to stop, and what must end before.
    pub drain: Drain,
    /// Requests in hand.
    pub in_hand: InHand,
    /// The core's decompression contexts. Borrowed for single calls only.
    pub inflater: Rc<RefCell<Inflater>>,
    /// The core's compression contexts. Borrowed for single calls only.
    pub deflater: Rc<RefCell<Deflater>>,
}
