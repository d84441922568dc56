//! Between a pipeline and an exporter: retry. (The sending queue and the durable log come here.)

pub mod retry;
//! The sending queue and retries of exporters, joining and splitting of requests.
//! Here so far: what exporters' configuration says about them.

pub mod config;
