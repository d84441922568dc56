//! Between a pipeline and an exporter: the body that leaves, retry. (The sending queue and the
//! durable log come here.)

pub mod config;
pub mod encode;
pub mod retry;
