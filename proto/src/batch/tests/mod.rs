//! Random requests and random edits against a model: the same edits on the decoded message.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod cases;
mod generate;
mod model;
mod properties;
