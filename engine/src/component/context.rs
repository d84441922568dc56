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

impl CoreContext {
    /// This core's part of a limit that holds for the process; every core has one at least. 0 is
    /// no limit, for each of them.
    pub fn share(&self, limit: usize) -> usize {
        let over = usize::from(self.core < limit % self.cores.max(1));
        match limit {
            0 => 0,
            limit => (limit / self.cores.max(1) + over).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::exporters::testing;

    #[test]
    fn cores_share_a_limit_out_and_have_one_each() {
        for (limit, cores, shares) in [
            (0, 2, &[0, 0][..]),
            (1, 2, &[1, 1]),
            (2, 2, &[1, 1]),
            (7, 3, &[3, 2, 2]),
            (8, 1, &[8]),
        ] {
            let core = |core| super::CoreContext {
                core,
                cores,
                ..testing::core()
            };
            let got: Vec<_> = (0..cores).map(|n| core(n).share(limit)).collect();
            assert_eq!(got, shares);
        }
    }
}
