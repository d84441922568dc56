//! Rules over columns do what rules row by row do: on random requests, in every error mode, with
//! routes that decide and routes that do not.
#![allow(clippy::unwrap_used)]

use trunkline_proto::batch::{
    Level,
    tests::generate::{Request as Random, Rng},
};

use super::*;
use crate::{
    columns::tests::profiles::comparable,
    run::{Counts, Selected},
};

const RULES: [(Signal, &str); 4] = [
    (
        Signal::Traces,
        r#"
span.kind == SpanKind::Server and len(span.name) > 2 > route("server")
span.attributes["a"] != nil > set(span.attributes["b"], span.attributes["a"]), set(span.name, Concat([span.attributes["a"], "x"], "")), delete(span.attributes["a"])
span.attributes["a"] + 1 > 3 > drop("sums")
resource.attributes["a"] != nil > set(resource.attributes["c"], 1)
span.status == Error > set(span.status.message, "failed"), keep()
span.kind in [SpanKind::Client, 1] > set(span.attributes["n"], len(span.name)), convert(span.attributes["b"], "int"), drop()
spanevent.name == "a" > drop()
scope.name == "a" > route("scoped")
true > set(span.cache["n"], span.name), set(span.attributes["cached"], span.cache["n"])
resource.attributes["a"] != nil > set(resource.attributes["d"], resource.attributes["a"]), set(resource.attributes["e"], resource.attributes["d"] + 1), keep()
true > limit(span.attributes, 3), set(span.attributes["late"], true)
span.attributes["n"] > 3 > route("late")
"#,
    ),
    (
        Signal::Metrics,
        r#"
value > 3 > set(datapoint.attributes["high"], true)
metric.name == "a" > drop("named")
datapoint.attributes["a"] + 1 > 2 > keep()
datapoint.flags == 0 > set(datapoint.attributes["b"], datapoint.attributes["a"] + 1), route("flagged")
true > delete_key(datapoint.attributes, "a")
"#,
    ),
    (
        Signal::Logs,
        r#"
log.severity >= SeverityNumber::Error > set(log.attributes["alert"], true), keep()
len(log.body) > 3 > set(log.body, truncate(log.body, 3, "."))
log.attributes["a"] + 1 > 2 > drop()
log.attributes["b"] == nil > set(log.attributes["b"], log.attributes["a"] + 1), set(log.attributes["c"], "b"), route("c")
log.flags == 0 or log.attributes["c"] == "b" > route("d")
"#,
    ),
    (
        Signal::Profiles,
        r#"
profile.sample_type.type == "a" and profile.period > 0 > route("typed")
profilesample.attributes["a"] != nil > set(profilesample.attributes["b"], profile.attributes["a"]), delete(profilesample.attributes["a"])
profilesample.attributes["b"] + 1 > 2 > drop("sums")
profile.attributes["bb"] != nil > set(profile.attributes["c"], len(profile.attributes["bb"])), set(profile.original_payload_format, "x")
link_index == 2 > set(profilesample.attributes["late"], profile.period_type.unit), route("linked")
duration > 5 > keep()
resource.attributes["a"] != nil > set(resource.attributes["c"], 1)
true > keep_keys(profile.attributes, ["a", "bb", "c"])
profilesample.attributes["service.name"] == nil > drop()
"#,
    ),
];

fn rows(set: &Selected) -> Vec<u32> {
    (0..2000).filter(|row| set.contains(*row)).collect()
}

type Told = Vec<(Option<usize>, u32, String)>;
type Decided = Vec<(usize, Option<Level>, Vec<u32>)>;

type Outcome = (Option<String>, Result<(Vec<Counts>, Decided), String>, Told);

/// What rules make of a request: what is left of it, counts, decisions, failures.
fn apply(runner: &mut Runner, batch: &Batch, mode: ErrorMode) -> Outcome {
    let (mut batch, mut told) = (batch.clone(), Told::new());
    let progress = runner.run(
        batch.open().unwrap(),
        &Request::default(),
        mode,
        &mut |failure| told.push((failure.statement, failure.row, failure.cause.to_string())),
    );
    told.sort();
    let result = progress.map_err(|stopped| format!("{} {stopped}", stopped.row));
    // What is refused goes nowhere: only why must agree.
    // Attributes that are rewritten stay in their place or move behind the other fields.
    let left = result.is_ok().then(|| {
        let left = Random::decode(batch.signal(), &batch.to_protobuf()).ok();
        format!("{:?}", left.map(Random::with_holders).map(comparable))
    });
    let result = result.map(|Progress { fates, counts, .. }| {
        let dropped = fates.dropped.iter();
        let dropped = dropped.map(|(at, level, set)| (*at, Some(*level), rows(set)));
        let routed = fates.routed.iter().map(|(at, set)| (*at, None, rows(set)));
        (counts, dropped.chain(routed).collect())
    });
    (left, result, told)
}

#[test]
fn columns_decide_and_change_as_rows_do() {
    let mut r = Rng::new(0x51de);
    let (mut decided, mut failed) = (0, 0);
    for (signal, text) in RULES {
        let entry = Entry {
            text: text.to_owned(),
            ..Entry::default()
        };
        let rules = compile(&[entry], &[signal], false, 0).unwrap_or_else(|e| panic!("{e}"));
        for all_routes in [false, true] {
            let mut columns = Runner::new(signal, rules.of(signal), all_routes);
            let mut by_rows = Runner::new(signal, rules.of(signal), all_routes).row_by_row();
            assert!(
                columns.over_columns() * 2 > rules.of(signal).len(),
                "{signal:?}"
            );
            for _ in 0..150 {
                let batch = crate::columns::tests::random(signal, &mut r);
                for mode in [ErrorMode::Ignore, ErrorMode::Silent, ErrorMode::Propagate] {
                    let a = apply(&mut columns, &batch, mode);
                    let b = apply(&mut by_rows, &batch, mode);
                    assert_eq!(a.1, b.1, "{signal:?} {mode:?}");
                    assert_eq!(a.2, b.2, "{signal:?} {mode:?}");
                    assert!(a.0 == b.0, "{signal:?} {mode:?}");
                    failed += a.2.len();
                    decided += a.1.map_or(0, |(_, decided)| decided.len());
                }
            }
        }
    }
    assert!(decided > 500 && failed > 100, "{decided} {failed}");
}
