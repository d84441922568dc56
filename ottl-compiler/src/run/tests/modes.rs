//! Error modes, conditions of groups, caches, what is known of requests.

use super::*;
use crate::run::{ErrorMode, run};

#[test]
fn an_error_mode_says_what_a_failure_stops() {
    let statements = [
        "set(log.attributes[\"a\"], 1)",
        "set(log.flags, \"x\")",
        "set(log.attributes[\"b\"], 1)",
    ];
    let program = compiler(Context::Log).statements(&statements, &[]).unwrap();
    for (mode, name, told_of, b) in [
        (ErrorMode::Ignore, "Ignore", 1, "1"),
        (ErrorMode::Silent, "silent", 0, "1"),
        (ErrorMode::Propagate, "PROPAGATE", 0, "nil"),
    ] {
        assert_eq!(name.parse(), Ok(mode));
        let mut batch = fixture(Context::Log);
        let (mut counts, mut heard) = (Vec::new(), 0);
        let data = batch.open().unwrap();
        let result = run(
            &program,
            data,
            &Request::default(),
            mode,
            None,
            &mut counts,
            &mut |_| heard += 1,
        );
        assert_eq!(heard, told_of, "{name}");
        assert_eq!(result.is_err(), mode == ErrorMode::Propagate);
        if let Err(stopped) = result {
            let text =
                "failed to execute statement: set(log.flags, \"x\"), expects int64 but got string";
            assert_eq!(stopped.to_string(), text);
        }
        assert_eq!((counts[1].matched, counts[1].failed), (1, 1));
        let data = batch.open().unwrap();
        assert_eq!(
            told(evaluate(data, Context::Log, 0, "log.attributes[\"a\"]")),
            "1"
        );
        assert_eq!(
            told(evaluate(data, Context::Log, 0, "log.attributes[\"b\"]")),
            b
        );
    }
    assert_eq!(
        "".parse::<ErrorMode>(),
        Err("unknown error mode ".to_owned())
    );
}

#[test]
fn conditions_of_a_group_are_alternatives_and_the_cache_lives_as_long_as_a_row() {
    let statements = [
        "set(log.cache[\"x\"][\"y\"], 2)",
        "set(log.attributes[\"c\"], log.cache[\"x\"][\"y\"] + 1)",
    ];
    for (conditions, expected) in [
        (&["log.flags == 7", "log.flags == 1"][..], "3"),
        (&["log.flags == 7"], "nil"),
        (&["log.body[\"x\"] == 1", "log.flags == 1"], "3"),
        (&[], "3"),
    ] {
        let program = compiler(Context::Log)
            .statements(&statements, conditions)
            .unwrap();
        let mut batch = fixture(Context::Log);
        let data = batch.open().unwrap();
        run(
            &program,
            data,
            &Request::default(),
            ErrorMode::Silent,
            None,
            &mut Vec::new(),
            &mut |_| (),
        )
        .unwrap();
        assert_eq!(
            told(evaluate(data, Context::Log, 0, "log.attributes[\"c\"]")),
            expected
        );
    }
}

#[test]
fn what_is_known_of_the_request_can_be_read_and_not_written() {
    let request = Request {
        address: Some("127.0.0.1".to_owned()),
        metadata: vec![("tenant".to_owned(), vec!["a".to_owned(), "b".to_owned()])],
        ..Request::default()
    };
    for (text, expected) in [
        ("otelcol.client.addr", "\"127.0.0.1\""),
        ("otelcol.client.metadata[\"tenant\"][1]", "\"b\""),
        ("otelcol.client.metadata[\"none\"]", "nil"),
        ("otelcol.grpc.metadata[\"x\"]", "nil"),
    ] {
        let program = compiler(Context::Log).value(text).unwrap();
        let mut batch = fixture(Context::Log);
        let mut cache = Vec::new();
        let mut row =
            Row::new(batch.open().unwrap(), Context::Log, 0, &mut cache, &request).unwrap();
        assert_eq!(show(&row.value(&program.node).unwrap()), expected, "{text}");
    }
    let mut batch = fixture(Context::Log);
    let failures = execute(
        &mut batch,
        Context::Log,
        &["set(otelcol.client.addr, \"x\")"],
    );
    assert_eq!(
        failures,
        ["\"otelcol.client.addr\" is read-only and cannot be modified"]
    );
}

#[test]
fn a_shared_cache_outlives_its_row_and_its_group() {
    let statements = [
        "set(log.cache[\"n\"], Int(log.cache[\"n\"]) + 1) where log.cache[\"n\"] != nil",
        "set(log.cache[\"n\"], 1) where log.cache[\"n\"] == nil",
        "set(log.attributes[\"n\"], log.cache[\"n\"])",
    ];
    let program = compiler(Context::Log).statements(&statements, &[]).unwrap();
    let mut batch = fixture(Context::Log);
    let data = batch.open().unwrap();
    data.copy_row(trunkline_proto::batch::Level::Item, 0, 0)
        .unwrap();
    let mut cache = Vec::new();
    for (expected_first, expected_second) in [("1", "2"), ("3", "4")] {
        run(
            &program,
            data,
            &Request::default(),
            ErrorMode::Propagate,
            Some(&mut cache),
            &mut Vec::new(),
            &mut |_| (),
        )
        .unwrap();
        assert_eq!(
            told(evaluate(data, Context::Log, 0, "log.attributes[\"n\"]")),
            expected_first
        );
        assert_eq!(
            told(evaluate(data, Context::Log, 1, "log.attributes[\"n\"]")),
            expected_second
        );
    }
}
