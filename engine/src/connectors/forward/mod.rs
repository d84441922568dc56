//! The connector `forward`: what one pipeline puts in comes out in others of the same signal.

pub mod config;
