//! Between a pipeline and an exporter: retry. (The sending queue and the durable log come here.)

pub mod config;
pub mod retry;
