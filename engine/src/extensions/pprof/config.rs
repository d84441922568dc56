//! Keys and defaults of the extension `pprof`.

use crate::{component::declare, net::config::Dialer};

declare! {
    /// Go's profiler; Trunkline is no Go program, so the extension is accepted and
    /// serves nothing.
    pub struct Config as "pprofextension.Config" {
        /// Where the Collector serves profiles.
        endpoint: String = "localhost:1777".to_owned(), no_effect "there is no Go profiler to serve";
        /// Settings for outgoing connections.
        dialer: Dialer = Dialer::default(), omit "", no_effect "there is no Go profiler to serve";
        /// Share of blocking events to profile.
        block_profile_fraction: i64 = 0, no_effect "there is no Go profiler to serve";
        /// Share of mutex contention to profile.
        mutex_profile_fraction: i64 = 0, no_effect "there is no Go profiler to serve";
        /// File to write a CPU profile to.
        save_to_file: String = String::new(), no_effect "there is no Go profiler to serve";
    }
}
