//! Random statements on random inputs, in the reference and in the row evaluator: whether they are
//! taken, and what comes out. What cases are made of is in `generate`, `inputs` and `texts`, how either is
//! asked in `answers`, how a failing one is made small in `shrink`.
//!
//! `cargo test` runs a seed for some seconds; `TRUNKLINE_REFERENCE_SECONDS=1200` (and
//! `TRUNKLINE_REFERENCE_SEED=7`) makes it a search, which goes on after a difference and prints
//! all it found. See `docs/fuzzing.md`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod generate;
mod inputs;
mod shrink;
mod texts;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use trunkline_tests::peer::Peer;

use answers::{Input, Reference, ours};
use generate::Generator;

/// Cases of the run in `cargo test`; the seconds of a search do not limit it.
const CASES: usize = 2_500;

/// Cases on one input.
const PER_INPUT: usize = 40;

/// What takes longer here is told of.
const SLOW: Duration = Duration::from_secs(2);

/// Differences that a search prints before it gives up.
const ENOUGH: usize = 60;

#[test]
fn random_statements_do_what_they_do_in_the_reference() {
    let Some(program) = Peer::Ottl.get("random_statements_do_what_they_do_in_the_reference") else {
        return;
    };
    let number = |name: &str| -> Option<u64> { std::env::var(name).ok()?.parse().ok() };
    let seconds = number("TRUNKLINE_REFERENCE_SECONDS");
    let mut generator = Generator::new(number("TRUNKLINE_REFERENCE_SEED").unwrap_or(1));
    let mut reference = Reference::start(&program);
    let (started, mut cases) = (Instant::now(), 0_usize);
    let mut fates: BTreeMap<&str, usize> = BTreeMap::new();
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let more = |cases: usize| match seconds {
        Some(seconds) => started.elapsed() < Duration::from_secs(seconds),
        None => cases < CASES,
    };
    while more(cases) && found.len() < ENOUGH {
        let input = generator.input();
        reference.input(&input);
        for _ in 0..PER_INPUT {
            let case = generator.case();
            cases += 1;
            let fate = look(&mut reference, &input, &case);
            *fates.entry(fate.name()).or_default() += 1;
            if !matches!(fate, Fate::Different(..)) {
                continue;
            }
            let (case, input) = shrink::smallest(&mut reference, case, input.clone());
            let Fate::Different(theirs, ours) = look(&mut reference, &input, &case) else {
                continue;
            };
            let text = format!(
                "{case}\n  there: {theirs}\n  here:  {ours}\n  input: {}",
                input.json
            );
            if found.insert(shrink::outline(&case), text.clone()).is_none() && seconds.is_some() {
                eprintln!("{text}\n");
            }
            // What was shrunk may have changed the input.
            break;
        }
    }
    println!("{cases} cases in {:?}: {fates:?}", started.elapsed());
    let list: Vec<String> = found.into_values().collect();
    assert!(
        list.is_empty(),
        "{} kinds of differences:\n{}",
        list.len(),
        list.join("\n")
    );
    let taken = fates.get("same").copied().unwrap_or_default();
    assert!(taken > cases / 4, "most cases say nothing: {fates:?}");
}

/// What became of a case.
#[derive(Debug, PartialEq)]
pub enum Fate {
    /// Both gave this.
    Same,
    /// An error in both.
    Failed,
    /// Both refused it.
    Refused,
    /// The reference does not survive it, or gives one thing now and another then.
    Untold,
    /// A difference that `docs/differences.md` lists.
    Listed,
    /// Theirs and ours.
    Different(String, String),
}

impl Fate {
    fn name(&self) -> &'static str {
        match self {
            Fate::Same => "same",
            Fate::Failed => "failed in both",
            Fate::Refused => "refused by both",
            Fate::Untold => "not to be told",
            Fate::Listed => "listed differences",
            Fate::Different(..) => "different",
        }
    }
}

/// Asks both.
pub fn look(reference: &mut Reference, input: &Input, case: &str) -> Fate {
    let started = Instant::now();
    let ours = ours(input, case);
    if started.elapsed() > SLOW {
        eprintln!(
            "{:?} here: {case}\n  input: {}",
            started.elapsed(),
            input.json
        );
    }
    let theirs = reference.ask(case);
    let Some(theirs) = theirs.filter(|answer| answer != "PANIC") else {
        return Fate::Untold;
    };
    if theirs.starts_with("UNWRITABLE") {
        return Fate::Untold;
    }
    if same(&theirs, &ours) {
        return match theirs.as_str() {
            "REFUSED" => Fate::Refused,
            text if text.starts_with("ERROR") => Fate::Failed,
            _ => Fate::Same,
        };
    }
    // Go prints years that RFC 3339 has no room for, and lists of what no attribute can hold.
    let is_list = |text: &str| text.starts_with('[');
    let unparsable = serde_json::from_str::<Json>(&theirs).is_err();
    if ours.is_empty() || (is_list(&ours) && is_list(&theirs) && unparsable) {
        return Fate::Untold;
    }
    // The order of Go's maps is another each time.
    for _ in 0..12 {
        match reference.ask(case) {
            Some(again) if again == theirs => {}
            _ => return Fate::Untold,
        }
    }
    // A list that was padded without end.
    if theirs.len() > 100_000 {
        return Fate::Listed;
    }
    match listed(input, case, &ours) {
        true => Fate::Listed,
        false => Fate::Different(theirs, ours),
    }
}

/// Whether two answers mean the same: requests but for the order of keys.
fn same(theirs: &str, ours: &str) -> bool {
    if theirs == ours {
        return true;
    }
    let request = |text: &str| -> Option<(bool, Json)> {
        let (failed, text) = match text.strip_prefix("ERROR ") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let mut value = serde_json::from_str(text).ok()?;
        canonical(&mut value);
        Some((failed, value))
    };
    match (request(theirs), request(ours)) {
        (Some(theirs), Some(ours)) => theirs == ours,
        _ => false,
    }
}

/// The entries of maps in the order of their keys; those of one key stay as they are.
fn canonical(value: &mut Json) {
    match value {
        Json::Array(items) => {
            items.iter_mut().for_each(canonical);
            if items.iter().all(|item| item.get("key").is_some()) {
                items.sort_by_key(|item| item["key"].as_str().map(str::to_owned));
            }
        }
        Json::Object(fields) => fields.values_mut().for_each(canonical),
        _ => {}
    }
}

/// Whether a difference is one of those in `docs/differences.md`.
fn listed(input: &Input, case: &str, ours: &str) -> bool {
    // What ends the reference when it runs is refused before.
    let deadly = [
        "missing required parameter",
        "cannot be passed to",
        "clear does not support",
    ];
    let refused = answers::refusal(input, case);
    if deadly.iter().any(|text| refused.contains(text)) {
        return true;
    }
    // In some globs with `*` among alternatives the library overlooks texts that fit.
    let glob = |c| case.contains("_match") && case.contains(c);
    if glob('*') && (glob('{') || glob('?')) {
        return true;
    }
    // Addresses in memory.
    let address = case.contains("Format(");
    // A map that is changed while it is read.
    let aliased = case.contains("merge_maps(");
    // XPath that is refused by name.
    let xpath = ours == "REFUSED" && case.contains("XML(");
    address || aliased || xpath || ours == "part"
}
