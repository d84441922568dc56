//! The processor `attributes`: inserts, updates, deletes, hashes, extracts and
//! converts attributes of spans, log records and data points.

pub mod config;
