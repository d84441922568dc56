//! Statements that do the same to every row: put off, they must leave what the evaluator by rows
//! leaves, whether somebody looks at the rows before the request is written or not.

use std::sync::Arc;

use trunkline_proto::batch::{
    Level,
    tests::generate::{KEYS, Request as Random, Rng},
};

use super::{hold, random, signal_of};
use crate::{
    Compiler,
    columns::Executor,
    contexts::Context,
    functions::Host,
    run::{ErrorMode, Request},
};

const CONTEXTS: [(Context, &str); 6] = [
    (Context::Span, "span"),
    (Context::SpanEvent, "spanevent"),
    (Context::Log, "log"),
    (Context::DataPoint, "datapoint"),
    (Context::Metric, "metric"),
    (Context::Resource, "resource"),
];

const VALUES: [&str; 8] = [
    "\"\"",
    "\"a text that was not there before\"",
    "7",
    "-1",
    "2.5",
    "true",
    "0x00ff",
    "nil",
];

fn statements(name: &str, r: &mut Rng) -> Vec<String> {
    let count = 1 + r.below(5);
    let one = |r: &mut Rng| {
        let key = KEYS[r.below(KEYS.len())];
        // Of metrics it is the metadata that has keys and values.
        let of = if name == "metric" {
            "metadata"
        } else {
            "attributes"
        };
        match r.below(3) {
            0 => format!("delete_key({name}.{of}, \"{key}\")"),
            _ => {
                let value = VALUES[r.below(VALUES.len())];
                format!("set({name}.{of}[\"{key}\"], {value})")
            }
        }
    };
    (0..count).map(|_| one(r)).collect()
}

#[test]
fn what_is_put_off_is_what_rows_do() {
    let (mut put_off, mut at_once) = (0, 0);
    for (context, name) in CONTEXTS {
        let signal = signal_of(context);
        let compiler = Compiler::new(Host::Transform, &[context]);
        for seed in 1..150 {
            let r = &mut Rng::new(seed * 977 + context as u64);
            let sources = statements(name, r);
            let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
            let program = compiler.statements(&sources, &[]);
            let program = program.unwrap_or_else(|errors| panic!("{sources:?}: {errors:?}"));
            let program = Arc::new(program);
            let mut executor = Executor::new(program.clone());
            let batch = random(signal, r);
            hold(&program, &mut executor, &batch);

            let mut written = batch.clone();
            let (mut counts, mode) = (Vec::new(), ErrorMode::Propagate);
            let data = written.open().unwrap();
            let request = Request::default();
            let ran = executor.run(data, &request, mode, None, &mut counts, &mut |_| {});
            if ran.is_err() {
                continue;
            }
            match data.has_put_off() {
                true => put_off += 1,
                false => at_once += 1,
            }
            let bytes = written.to_protobuf();
            let mut seen = written;
            let level = context.level().unwrap_or(Level::Item);
            seen.open().unwrap().rows(level).unwrap();
            assert!(!seen.open().unwrap().has_put_off());
            let texts = [bytes, seen.to_protobuf()]
                .map(|bytes| format!("{:?}", Random::decode(signal, &bytes).ok()));
            assert_eq!(texts[0], texts[1], "{sources:?}");
        }
    }
    assert!(put_off > 100 && at_once > 300, "{put_off} {at_once}");
}
