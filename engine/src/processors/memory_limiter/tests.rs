//! What the limits come to, and what is refused, counted and said.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;

#[test]
fn the_budget_is_the_limit_less_the_spike() {
    const GIB: u64 = 1 << 30;
    // limit_mib, spike_limit_mib, limit_percentage, spike_limit_percentage -> MiB of 10 GiB
    for (limit, spike, percentage, spike_percentage, mib) in [
        (100, 20, 0, 0, 80),
        // A spike of 20 % where none is given.
        (100, 0, 0, 0, 80),
        (0, 0, 50, 10, 4096),
        (0, 0, 50, 0, 4096),
        // MiB win over per cent.
        (100, 50, 50, 10, 50),
    ] {
        let config = Config {
            limit_mib: limit,
            spike_limit_mib: spike,
            limit_percentage: percentage,
            spike_limit_percentage: spike_percentage,
            ..Config::default()
        };
        assert_eq!(budget_bytes(&config, 10 * GIB) >> 20, mib, "{config:?}");
    }
}

#[test]
fn shortage_is_said_when_it_begins_and_when_it_ends() {
    let mut state = State {
        refused: 0,
        short: false,
    };
    let looks = [
        (0, false, None),
        (3, false, Some(Change::Short)),
        (4, false, None),
        (4, false, Some(Change::Back)),
        (4, true, Some(Change::Short)),
        (4, false, Some(Change::Back)),
        (4, false, None),
    ];
    for (step, (refused, exceeded, want)) in looks.into_iter().enumerate() {
        assert_eq!(state.look(refused, exceeded), want, "look {step}");
    }
}
