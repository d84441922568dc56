//! What a component is: its declaration (keys, defaults, documentation), the
//! contract it fulfils in a pipeline, and the one table of all components.

mod contract;

pub use contract::{ConsumeFuture, Consumer, Outcome, Refusal, RequestContext};
