//! The receiver `nop`: never receives anything.

pub mod config;
