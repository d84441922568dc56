//! What Go's standard library, and a library the reference uses, do where users can see it:
//! regular expressions ([`regexp`]), globs ([`glob`]), numbers and telemetry values as text
//! ([`text`]), durations and dates ([`time`]).

pub mod glob;
pub mod regexp;
pub mod text;
pub mod time;
