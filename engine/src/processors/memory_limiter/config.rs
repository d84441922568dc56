//! Keys and defaults of the processor `memory_limiter`.

use crate::component::{GoDuration, Problems, declare};

declare! {
    /// Refuses requests while memory is short. Either `limit_mib` or `limit_percentage` must be given.
    pub struct Config as "memorylimiter.Config", check Config::rules {
        /// How often memory is looked at. Must be more than 0.
        check_interval: GoDuration = GoDuration::ZERO;
        /// The hard limit in MiB. Wins over `limit_percentage`.
        limit_mib: u32 = 0;
        /// The soft limit lies so far below the hard one. 0: 20 % of it.
        spike_limit_mib: u32 = 0;
        /// The hard limit as a share of the memory that the cgroup allows.
        limit_percentage: u32 = 0;
        /// The soft limit lies so far below the hard one, as a share of the memory that the cgroup allows.
        spike_limit_percentage: u32 = 0;
        /// Shortest time between garbage collections above the soft limit.
        min_gc_interval_when_soft_limited: GoDuration = GoDuration::secs(10), no_effect "there is no garbage collector";
        /// Shortest time between garbage collections above the hard limit.
        min_gc_interval_when_hard_limited: GoDuration = GoDuration::ZERO, no_effect "there is no garbage collector";
        /// Longest time between garbage collections above the soft limit.
        max_gc_interval_when_soft_limited: GoDuration = GoDuration::secs(30), no_effect "there is no garbage collector";
        /// Longest time between garbage collections above the hard limit.
        max_gc_interval_when_hard_limited: GoDuration = GoDuration::secs(30), no_effect "there is no garbage collector";
    }
}

impl Config {
    fn rules(&self, problems: &mut Problems) {
        if let Some(text) = self.first_problem() {
            problems.push(text);
        }
    }

    fn first_problem(&self) -> Option<&'static str> {
        let (min_soft, min_hard) = (
            self.min_gc_interval_when_soft_limited,
            self.min_gc_interval_when_hard_limited,
        );
        let (max_soft, max_hard) = (
            self.max_gc_interval_when_soft_limited,
            self.max_gc_interval_when_hard_limited,
        );
        let zero = GoDuration::ZERO;
        if self.check_interval <= zero {
            return Some("'check_interval' must be greater than zero");
        }
        if min_soft < min_hard {
            return Some(
                "'min_gc_interval_when_soft_limited' should be larger than 'min_gc_interval_when_hard_limited'",
            );
        }
        if max_soft < zero {
            return Some("'max_gc_interval_when_soft_limited' must be non-negative");
        }
        if max_hard < zero {
            return Some("'max_gc_interval_when_hard_limited' must be non-negative");
        }
        if max_soft > zero && max_soft < min_soft {
            return Some(
                "'max_gc_interval_when_soft_limited' must be greater than or equal to 'min_gc_interval_when_soft_limited' (or 0 to disable)",
            );
        }
        if max_hard > zero && max_hard < min_hard {
            return Some(
                "'max_gc_interval_when_hard_limited' must be greater than or equal to 'min_gc_interval_when_hard_limited' (or 0 to disable)",
            );
        }
        if max_soft > zero && max_hard > zero && max_soft < max_hard {
            return Some(
                "'max_gc_interval_when_soft_limited' should be larger than or equal to 'max_gc_interval_when_hard_limited' (when both are set)",
            );
        }
        if self.limit_mib == 0 && self.limit_percentage == 0 {
            return Some("'limit_mib' or 'limit_percentage' must be greater than zero");
        }
        if self.limit_percentage > 100 || self.spike_limit_percentage > 100 {
            return Some(
                "'limit_percentage' and 'spike_limit_percentage' must be greater than zero and less than or equal to hundred",
            );
        }
        if self.limit_mib > 0 && self.limit_mib <= self.spike_limit_mib {
            return Some("'spike_limit_mib' must be smaller than 'limit_mib'");
        }
        if self.limit_percentage > 0 && self.limit_percentage <= self.spike_limit_percentage {
            return Some("'spike_limit_percentage' must be smaller than 'limit_percentage'");
        }
        None
    }
}
