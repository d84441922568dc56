//! Components that stand beside the pipelines, one folder a component, named by
//! its configuration id.

pub mod health_check;
pub mod pprof;
pub mod zpages;
