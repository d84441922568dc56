//! Random requests and random edits against a model: the same edits on the decoded message.
//! Everything but the tests themselves is also what the fuzz targets use (feature `fuzzing`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub(in crate::batch) mod by_columns;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod deferred;
pub mod edits;
mod everything;
pub mod generate;
mod generate_profiles;
#[cfg(test)]
mod messages;
pub mod model;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod properties;
pub mod reading;
mod several;
mod whole;
