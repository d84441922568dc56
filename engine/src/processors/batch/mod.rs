//! The processor `batch`: joins requests, and splits those that are too large.
//! Each caller is answered with the fate of its own items.

pub mod config;
