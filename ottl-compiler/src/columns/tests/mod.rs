//! Columns against rows: random programs on random requests must leave the same request, count
//! the same and fail on the same rows for the same reasons.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cases;
mod constant;
mod fallback;
pub(crate) mod profiles;
mod programs;

use std::sync::Arc;

use trunkline_proto::{
    Batch, Signal,
    batch::{
        Data,
        tests::generate::{Request as Random, Rng, rewrite},
    },
};

use super::Executor;
use crate::{
    contexts::Context,
    failure::Failure,
    program::Program,
    run::{self, Counts, ErrorMode, Request},
};

/// What a run did: the request it left, its counts, failures by statement and row, and what
/// stopped it.
type Outcome = (
    Option<Random>,
    Vec<Counts>,
    Vec<(Option<usize>, u32, String)>,
    Option<String>,
);

/// Asks conditions of the rows of a request.
type Ask<'a, T> =
    dyn FnMut(&mut Data, &mut dyn FnMut(run::RowFailure<'_>)) -> Result<T, Failure> + 'a;

/// What asking gives, and the failures that were told.
type Told<T> = (Result<T, Failure>, Vec<(Option<usize>, u32, String)>);

/// Asks a copy of the batch.
fn asked<T>(batch: &Batch, ask: &mut Ask<'_, T>) -> Told<T> {
    let mut told = Vec::new();
    let answer = ask(batch.clone().open().unwrap(), &mut |failure| {
        told.push((failure.statement, failure.row, failure.cause.to_string()));
    });
    told.sort();
    (answer, told)
}

pub(crate) fn signal_of(context: Context) -> Signal {
    match context {
        Context::Span | Context::SpanEvent => Signal::Traces,
        Context::Metric | Context::DataPoint | Context::Exemplar => Signal::Metrics,
        Context::Profile | Context::ProfileSample => Signal::Profiles,
        _ => Signal::Logs,
    }
}

/// Runs `run` on a copy of the batch, and says what it did.
fn outcome(
    batch: &Batch,
    run: impl FnOnce(
        &mut Batch,
        &mut Vec<Counts>,
        &mut dyn FnMut(run::RowFailure<'_>),
    ) -> Result<(), run::Stopped>,
) -> Outcome {
    let mut batch = batch.clone();
    let (mut counts, mut failures) = (Vec::new(), Vec::new());
    let result = run(&mut batch, &mut counts, &mut |failure| {
        failures.push((failure.statement, failure.row, failure.cause.to_string()));
    });
    failures.sort();
    // A string that was cut within a character cannot be decoded.
    let left = Random::decode(batch.signal(), &batch.to_protobuf()).ok();
    let left = left.map(Random::with_holders).map(|left| match left {
        Random::Profiles(request) => Random::Profiles(profiles::resolved(request)),
        left => left,
    });
    let stopped = result
        .err()
        .map(|stopped| format!("{} {stopped}", stopped.row));
    (left, counts, failures, stopped)
}

/// Holds columns against rows, twice with the same executor: what it keeps must not matter.
pub(crate) fn hold(program: &Arc<Program>, executor: &mut Executor, batch: &Batch) -> usize {
    let request = Request::default();
    let mut failures = 0;
    for mode in [ErrorMode::Ignore, ErrorMode::Propagate, ErrorMode::Silent] {
        let by_rows = outcome(batch, |batch, counts, tell| {
            run::run(
                program,
                batch.open().unwrap(),
                &request,
                mode,
                None,
                counts,
                tell,
            )
        });
        let by_columns = outcome(batch, |batch, counts, tell| {
            executor.run(batch.open().unwrap(), &request, mode, None, counts, tell)
        });
        let told = || {
            let statements = program.statements.iter();
            let text: Vec<&str> = statements.map(|s| &*s.source).collect();
            format!("{mode:?}\n{}", text.join("\n"))
        };
        assert_eq!(by_columns.1, by_rows.1, "counts: {}", told());
        assert_eq!(by_columns.2, by_rows.2, "failures: {}", told());
        assert_eq!(by_columns.3, by_rows.3, "stopped: {}", told());
        let texts = || (format!("{:#?}", by_columns.0), format!("{:#?}", by_rows.0));
        // By rows a string that was cut within a character stays in the dictionary of profiles,
        // although nothing refers to it any more.
        let unreadable = by_columns.0.is_none() || by_rows.0.is_none();
        if batch.signal() == Signal::Profiles && unreadable {
            continue;
        }
        // What is not a number equals nothing, itself included.
        if by_columns.0 != by_rows.0
            && let (columns, rows) = texts()
            && columns != rows
        {
            let at = columns.lines().zip(rows.lines()).position(|(a, b)| a != b);
            let near = |text: &str| {
                let lines: Vec<&str> = text
                    .lines()
                    .skip(at.unwrap_or(0).saturating_sub(8))
                    .collect();
                lines[..lines.len().min(24)].join("\n")
            };
            panic!(
                "{}\ncolumns:\n{}\nrows:\n{}",
                told(),
                near(&columns),
                near(&rows)
            );
        }
        failures += by_rows.2.len();
        let some = (0..200).filter(|row| row % 3 != 0);
        let mut among = run::Selected::default();
        some.for_each(|row| among.insert(row));
        for among in [None, Some(&among)] {
            let by_columns = asked(batch, &mut |data, tell| {
                executor.select(data, among, &request, mode, tell)
            });
            let by_rows = asked(batch, &mut |data, tell| {
                run::conditions(program, data, among, &request, mode, tell)
            });
            assert_eq!(by_columns, by_rows, "selected: {}", told());
            let by_columns = asked(batch, &mut |data, tell| {
                executor.choose(data, among, &request, mode, tell)
            });
            let by_rows = asked(batch, &mut |data, tell| {
                run::choose(program, data, among, &request, mode, tell)
            });
            assert_eq!(by_columns, by_rows, "chosen: {}", told());
        }
    }
    failures
}

/// A random request; in most of them no key is given twice.
pub(crate) fn random(signal: Signal, r: &mut Rng) -> Batch {
    let mut request = Random::random(signal, r);
    let odd = r.one_in(4);
    if !odd {
        programs::without_duplicates(&mut request);
    }
    let bytes = request.encode();
    let bytes = match odd && r.one_in(2) {
        true => rewrite(signal, &bytes, r).0,
        false => bytes,
    };
    Batch::from_protobuf(signal, bytes.into()).unwrap()
}
