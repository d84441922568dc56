//! Statements on requests: the first byte says which context (its first bit: of profiles) and error
//! mode, then come up to eight lines of statements (after `?` conditions of the group), then after
//! a line of its own (`---`) the choices of a random request. Whatever they are: no panic; the executor over columns leaves
//! the same request, counts the same and fails on the same rows for the same reasons as the
//! evaluator by rows; what leaves is a valid request.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use trunkline_ottl::{
    Compiler,
    columns::Executor,
    contexts::Context,
    functions::Host,
    run::{self, Counts, ErrorMode, Request, RowFailure, Stopped},
};
use trunkline_proto::{
    Batch, Signal,
    batch::tests::generate::{Request as Random, Rng},
};

const CONTEXTS: [(Context, Signal); 8] = [
    (Context::Span, Signal::Traces),
    (Context::Log, Signal::Logs),
    (Context::DataPoint, Signal::Metrics),
    (Context::SpanEvent, Signal::Traces),
    (Context::Metric, Signal::Metrics),
    (Context::Resource, Signal::Logs),
    (Context::Scope, Signal::Traces),
    (Context::Exemplar, Signal::Metrics),
];

/// The contexts of profiles, by the last bit of the first byte where its first bit is set.
const PROFILES: [Context; 2] = [Context::Profile, Context::ProfileSample];

/// What a run did: the request it left, its counts, failures by statement and row, and what
/// stopped it.
type Outcome = (
    Option<Random>,
    Vec<Counts>,
    Vec<(Option<usize>, u32, String)>,
    Option<String>,
);

fn outcome(
    batch: &Batch,
    run: impl FnOnce(
        &mut Batch,
        &mut Vec<Counts>,
        &mut dyn FnMut(RowFailure<'_>),
    ) -> Result<(), Stopped>,
) -> Outcome {
    let mut batch = batch.clone();
    let (mut counts, mut failures) = (Vec::new(), Vec::new());
    let result = run(&mut batch, &mut counts, &mut |failure| {
        failures.push((failure.statement, failure.row, failure.cause.to_string()));
    });
    failures.sort();
    let left = batch.to_protobuf();
    let again = Batch::from_protobuf(batch.signal(), left.clone());
    assert!(again.is_ok_and(|again| again.validate().is_ok()));
    // A string that was cut within a character cannot be decoded.
    let left = Random::decode(batch.signal(), &left).ok();
    let left = left.map(Random::with_holders);
    let stopped = result
        .err()
        .map(|stopped| format!("{} {stopped}", stopped.row));
    (left, counts, failures, stopped)
}

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let end = rest.windows(5).position(|bytes| bytes == b"\n---\n");
    let (text, choices) = match end {
        Some(end) => (&rest[..end], &rest[end + 5..]),
        None => (rest, &[][..]),
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let (context, signal) = match first & 0x80 {
        0 => CONTEXTS[usize::from(first & 7)],
        _ => (PROFILES[usize::from(first & 1)], Signal::Profiles),
    };
    let compiler = Compiler::new(Host::Transform, &[context])
        .with_lambdas(true)
        .in_context(context);
    let (mut statements, mut conditions) = (Vec::new(), Vec::new());
    for line in text.lines().take(8) {
        // What never gives the same twice cannot be compared; what waits for the clock neither.
        if line.contains("UUID") || line.contains("Now") || line.contains("random") {
            continue;
        }
        match line.strip_prefix('?') {
            Some(condition) => {
                if compiler.statements(&[], &[condition]).is_ok() {
                    conditions.push(condition);
                }
            }
            None => {
                if compiler.statements(&[line], &[]).is_ok() {
                    statements.push(line);
                }
            }
        }
    }
    let Ok(program) = compiler.statements(&statements, &conditions) else {
        return;
    };
    let r = &mut Rng::from_bytes(u64::from(*first), choices.to_vec());
    let bytes = Random::random(signal, r).encode();
    let Ok(batch) = Batch::from_protobuf(signal, bytes.into()) else {
        panic!("what prost wrote can be read");
    };
    let program = Arc::new(program);
    let mut executor = Executor::new(program.clone());
    let _ = executor.describe();
    let mode = [ErrorMode::Ignore, ErrorMode::Propagate, ErrorMode::Silent]
        [usize::from(first >> 3 & 15) % 3];
    let request = Request::default();
    let by_rows = outcome(&batch, |batch, counts, tell| {
        let data = batch.open().expect("small requests can be opened");
        run::run(&program, data, &request, mode, None, counts, tell)
    });
    // Twice: what it keeps must not matter.
    for _ in 0..2 {
        let by_columns = outcome(&batch, |batch, counts, tell| {
            let data = batch.open().expect("small requests can be opened");
            executor.run(data, &request, mode, None, counts, tell)
        });
        assert_eq!(by_columns.1, by_rows.1, "counts");
        assert_eq!(by_columns.2, by_rows.2, "failures");
        assert_eq!(by_columns.3, by_rows.3, "stopped");
        // Not a number is unlike itself.
        assert_eq!(format!("{:?}", by_columns.0), format!("{:?}", by_rows.0));
    }
    // Which condition holds first, on all rows and on some.
    let mut some = run::Selected::default();
    (0..64)
        .filter(|row| row % 3 != 0)
        .for_each(|row| some.insert(row));
    for among in [None, Some(&some)] {
        let mut told = [Vec::new(), Vec::new()];
        let [columns, rows] = &mut told;
        let mut tell = |failure: RowFailure<'_>| {
            columns.push((failure.statement, failure.row, failure.cause.to_string()));
        };
        let mut copy = batch.clone();
        let data = copy.open().expect("small requests can be opened");
        let by_columns = executor.choose(data, among, &request, mode, &mut tell);
        let mut tell = |failure: RowFailure<'_>| {
            rows.push((failure.statement, failure.row, failure.cause.to_string()));
        };
        let mut copy = batch.clone();
        let data = copy.open().expect("small requests can be opened");
        let by_rows = run::choose(&program, data, among, &request, mode, &mut tell);
        assert_eq!(by_columns, by_rows, "chosen");
        told.iter_mut().for_each(|told| told.sort());
        assert_eq!(told[0], told[1], "told");
    }
});
