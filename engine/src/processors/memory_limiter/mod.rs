//! The processor `memory_limiter`: its limits are the budget that requests are
//! admitted by; beyond it they are refused, to be retried.

pub mod config;
