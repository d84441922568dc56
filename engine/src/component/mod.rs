//! What a component is: its declaration (keys, defaults, documentation), the
//! contract it fulfils in a pipeline, and the one table of all components.

mod context;
mod contract;
pub mod declaration;
mod id;
pub mod kinds;
pub mod print;
pub mod table;

pub use context::CoreContext;
pub use contract::{ConsumeFuture, Consumer, HIGH_MEMORY, Outcome, Refusal, RequestContext};
pub use declaration::{
    ChoiceMeta, FieldMeta, FieldShape, Printed, Problem, Problems, Setting, Shape, StructMeta,
    StructShape, Structure,
};
pub(crate) use declaration::{choice, declare};
pub use id::{ComponentId, Kind, PipelineId};
pub use kinds::{Anything, ExtensionRef, GoDuration, Headers, Opaque, Optional};
pub use table::{ComponentConfig, Factory, Stability};
