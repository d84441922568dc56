//! Extensions, one folder each, named by their Collector id.

pub mod health_check;
pub mod pprof;
pub mod zpages;
