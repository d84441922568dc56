//! What Go's standard library does, where users can see it: regular expressions ([`regexp`]),
//! numbers and telemetry values as text ([`text`]), durations and dates ([`time`]).

pub mod regexp;
pub mod text;
pub mod time;
