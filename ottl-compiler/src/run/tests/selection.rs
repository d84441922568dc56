//! Which rows conditions and statements select.

use super::*;
use crate::{
    program::Program,
    run::{Selected, Verdict, conditions, matches},
};

const RECORDS: &str = r#"{"resourceLogs":[
  {"resource":{"attributes":[{"key":"r","value":{"stringValue":"a"}}]},"scopeLogs":[{"logRecords":[
    {"severityNumber":1,"body":{"stringValue":"x"}},
    {"severityNumber":9,"body":{"kvlistValue":{"values":[{"key":"k","value":{"intValue":"1"}}]}}},
    {"severityNumber":17,"body":{"stringValue":"y"}}]}]},
  {"scopeLogs":[{"logRecords":[{"severityNumber":9}]}]}]}"#;

fn asked(context: Context, sources: &[&str]) -> Program {
    let compiler = Compiler::new(Host::Filter, &CONTEXTS).in_context(context);
    let conditions = sources
        .iter()
        .map(|source| match compiler.condition(source) {
            Ok((_, condition)) => condition,
            Err(error) => panic!("{error}"),
        });
    Program {
        context,
        conditions: conditions.collect(),
        statements: Vec::new(),
    }
}

fn rows(selected: &Selected) -> Vec<u32> {
    (0..64).filter(|row| selected.contains(*row)).collect()
}

fn verdict(program: &Program, mode: ErrorMode) -> (Verdict, Vec<(usize, u32)>) {
    let mut batch = batch(Signal::Logs, RECORDS);
    let mut told = Vec::new();
    let mut tell =
        |failure: crate::run::RowFailure<'_>| told.push((failure.statement.unwrap(), failure.row));
    let data = batch.open().unwrap();
    let verdict = conditions(program, data, None, &Request::default(), mode, &mut tell).unwrap();
    assert!(!batch.is_edited());
    (verdict, told)
}

#[test]
fn one_condition_that_holds_selects_a_row() {
    for (context, sources, expected) in [
        (Context::Log, &["log.severity_number == 9"][..], &[1, 3][..]),
        (
            Context::Log,
            &["log.severity_number == 1", "log.body == \"y\""],
            &[0, 2],
        ),
        (
            Context::Log,
            &["resource.attributes[\"r\"] == \"a\""],
            &[0, 1, 2],
        ),
        (
            Context::Log,
            &["severity_number > 9 and body == \"x\""],
            &[],
        ),
        (Context::Resource, &["attributes[\"r\"] == nil"], &[1]),
        (Context::Scope, &["resource.attributes[\"r\"] == nil"], &[1]),
        (Context::OtelCol, &["otelcol.client.addr == nil"], &[0]),
        (Context::Log, &[], &[]),
    ] {
        let (verdict, told) = verdict(&asked(context, sources), ErrorMode::Ignore);
        assert_eq!(rows(&verdict.selected), expected, "{sources:?}");
        assert_eq!(verdict.selected.len(), expected.len());
        assert_eq!((verdict.failed, told.len()), (0, 0));
    }
}

// A text cannot be indexed: the condition fails on all records but the second.
#[test]
fn a_condition_that_fails_does_what_the_mode_says_to_its_row_and_nothing_to_others() {
    let sources = ["log.body[\"k\"] == 1", "log.severity_number < 10"];
    let program = asked(Context::Log, &sources);
    for (mode, selected, told_of, failed) in [
        (
            ErrorMode::Ignore,
            &[0, 1, 3][..],
            &[(0, 0), (0, 2), (0, 3)][..],
            3,
        ),
        (ErrorMode::Silent, &[0, 1, 3], &[], 3),
        (ErrorMode::Propagate, &[1], &[], 3),
    ] {
        let (verdict, told) = verdict(&program, mode);
        assert_eq!(rows(&verdict.selected), selected, "{mode:?}");
        assert_eq!(
            (told.as_slice(), verdict.failed),
            (told_of, failed),
            "{mode:?}"
        );
        let stopped = verdict
            .stopped
            .map(|stopped| (stopped.row, stopped.to_string()));
        let expected = (mode == ErrorMode::Propagate).then(|| {
            let text = "failed to eval condition: log.body[\"k\"] == 1, ";
            (
                0,
                text.to_owned() + "log bodies of type Str cannot be indexed",
            )
        });
        assert_eq!(stopped, expected);
    }
}

// What a statement does on a row, later rows see: only the first record finds the attribute.
#[test]
fn a_statement_selects_the_rows_on_which_it_worked() {
    let compiler = Compiler::new(Host::Routing, &CONTEXTS).in_context(Context::Log);
    let source = "delete_key(resource.attributes, \"r\") where resource.attributes[\"r\"] == \"a\"";
    for (source, mode, expected, failed) in [
        (source, ErrorMode::Ignore, &[0][..], 0),
        ("route() where body[\"k\"] == 1", ErrorMode::Silent, &[1], 3),
        (
            "route() where body[\"k\"] == 1",
            ErrorMode::Propagate,
            &[1],
            3,
        ),
        ("route()", ErrorMode::Ignore, &[0, 1, 2, 3], 0),
    ] {
        let program = compiler.statements(&[source], &[]).unwrap();
        let mut batch = batch(Signal::Logs, RECORDS);
        let data = batch.open().unwrap();
        let verdict = matches(&program, data, &Request::default(), mode, &mut |_| ()).unwrap();
        assert_eq!(rows(&verdict.selected), expected, "{source}");
        assert_eq!(verdict.failed, failed);
        assert_eq!(verdict.stopped.is_some(), mode == ErrorMode::Propagate);
    }
}

#[test]
fn only_the_rows_in_question_are_asked() {
    let program = asked(
        Context::Log,
        &["log.body[\"k\"] == 1", "log.severity_number < 10"],
    );
    let mut batch = batch(Signal::Logs, RECORDS);
    let data = batch.open().unwrap();
    let mut among = Selected::default();
    (0..4).for_each(|row| among.insert(row));
    [0, 2, 2, 7].iter().for_each(|row| among.remove(*row));
    assert_eq!(
        (rows(&among), among.len(), among.is_empty()),
        (vec![1, 3], 2, false)
    );
    let request = Request::default();
    let verdict = conditions(
        &program,
        data,
        Some(&among),
        &request,
        ErrorMode::Silent,
        &mut |_| (),
    );
    let verdict = verdict.unwrap();
    assert_eq!((rows(&verdict.selected), verdict.failed), (vec![1, 3], 1));
}
