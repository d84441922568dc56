//! The properties themselves, and the matrix of what was tried; the edits are in `edits`.

use super::edits::{KINDS, Matrix, applies, check};
use crate::{Signal, batch::Level};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

#[test]
fn any_edits_give_what_the_same_edits_on_the_decoded_message_give() {
    let mut matrix = Matrix::new();
    for signal in Signal::ALL {
        let mut runner = TestRunner::new_with_rng(
            Config {
                // The seed is fixed, so that a failure is one anybody can have again; more
                // cases are asked for with the environment variable that proptest knows.
                cases: std::env::var("PROPTEST_CASES")
                    .ok()
                    .and_then(|n| n.parse().ok())
                    .unwrap_or(300),
                failure_persistence: None,
                ..Config::default()
            },
            proptest::test_runner::TestRng::deterministic_rng(
                proptest::test_runner::RngAlgorithm::ChaCha,
            ),
        );
        let ops = prop::collection::vec((0..KINDS.len(), 0..6usize, any::<u64>()), 0..16);
        let shared = std::cell::RefCell::new(&mut matrix);
        let outcome = runner.run(&(any::<u64>(), ops), |(seed, ops)| {
            let mut seen = Matrix::new();
            check(signal, seed, &ops, &mut seen);
            for (cell, count) in seen {
                *shared.borrow_mut().entry(cell).or_default() += count;
            }
            Ok(())
        });
        if let Err(failure) = outcome {
            panic!("{signal:?}: {failure}");
        }
    }
    let mut empty = Vec::new();
    for signal in Signal::ALL {
        println!("\n{}", signal.name());
        print!("{:16}", "");
        Level::of(signal)
            .iter()
            .for_each(|level| print!("{:>16}", format!("{level:?}")));
        println!();
        for kind in KINDS {
            print!("{:16}", format!("{kind:?}"));
            for level in Level::of(signal) {
                let count = matrix
                    .get(&(kind, *level, signal.name()))
                    .copied()
                    .unwrap_or(0);
                match applies(kind, *level, signal) {
                    Ok(()) => {
                        print!("{count:>16}");
                        if count == 0 {
                            empty.push((kind, *level, signal));
                        }
                    }
                    Err(why) => print!("{:>16}", format!("({why})")),
                }
            }
            println!();
        }
    }
    assert_eq!(empty, [], "these were never tried");
}
