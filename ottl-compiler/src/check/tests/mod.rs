//! What is refused when statements are compiled, why, and where; what is accepted though it
//! looks odd; which context a list has; what statements read and write. Sources: the
//! reference's error texts and surprises as collected in the project's fact sheet.
#![allow(clippy::unwrap_used, clippy::panic)]

mod lambdas;
mod refused;

use super::Compiler;
use crate::{
    contexts::Context::{self, *},
    functions::{self, Build, Host},
    program::{Condition, Footprint, Node, footprint::KeyPrint},
};

const LOGS: &[Context] = &[Log, Scope, Resource];
const TRACES: &[Context] = &[SpanEvent, Span, Scope, Resource];
const METRICS: &[Context] = &[Exemplar, DataPoint, Metric, Scope, Resource];

fn logs() -> Compiler {
    Compiler::new(Host::Transform, LOGS)
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let statements = [
        "set(log.body, 1",
        "set(log.bogus, Nope(log.body, nothing(1))) where log.x == FOO",
        "set(log.body, 1)",
        "delete_key(1, 2)",
    ];
    let errors = logs()
        .statements(&statements, &["log.flags == \"\\d\""])
        .unwrap_err();
    let told: Vec<String> = errors
        .0
        .iter()
        .map(|error| error.problem().to_string())
        .collect();
    for (told, part) in told.iter().zip([
        "unexpected end",
        "invalid quoted string",
        "segment \"bogus\"",
        "undefined function \"Nope\"",
        "segment \"x\"",
        "enum symbol, FOO",
        "must be a path",
        "expected string but got int64",
    ]) {
        assert!(told.contains(part), "{told}: {part}");
    }
    assert_eq!(told.len(), 8);
}

#[test]
fn an_error_within_a_call_says_within_which() {
    let error = logs()
        .statements(&["set(log.body, Concat([1, log.bogus], \"\"))"], &[])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        concat!(
            r#"unable to parse OTTL statement "set(log.body, Concat([1, log.bogus], \"\"))": 1:30: "#,
            r#"statement failed to parse near `bogus], ""`: error while parsing arguments for call "#,
            r#"to "set": invalid argument at position 1: error while parsing arguments for call to "#,
            r#""Concat": invalid argument at position 0: error while parsing list argument at "#,
            r#"index 1: segment "bogus" from path "log.bogus" is not a valid path nor a valid OTTL "#,
            "keyword for the log context\n",
            "    set(log.body, Concat([1, log.bogus], \"\"))\n",
            "                                 ^^^^^",
        )
    );
}

/// The reference takes these; what is wrong with some of them, rows tell.
#[test]
fn odd_statements_are_accepted_as_in_the_reference() {
    for statement in [
        "set(log.severity_text, 5)",
        "set(log.attributes[\"a\"], log.attributes[1.5])",
        "set(log.attributes[0], 1)",
        "set(value=1, target=log.body)",
        "set(log.body, 1, value=2)",
        "replace_pattern(target=log.body, regex_pattern=\"a\", replacement=\"b\", replacementFormat=\"%s\")",
        "replace_pattern(log.body, \"a\", \"b\", SHA256)",
        "replace_pattern(log.body, \"a\", \"b\", Trim)",
        "set(log.body, 1) where Len(log.body)",
        "set(log.body, Is String (log.body))",
        "set(otelcol.client.addr, \"x\") where log.flags == 1",
        "set(instrumentation_scope.name, log.severity_text)",
        "set(log.body, {\"a\": 1, \"a\": 2})",
        "set(log.body, IsString(log.missing_is_a_key_here)) where false",
        "keep_keys(log.attributes, Split(log.severity_text, \",\"))",
    ] {
        let statement = statement.replace("log.missing_is_a_key_here", "log.attributes[\"x\"]");
        // A third argument is one too many; the repetition is tried by name.
        let statement =
            statement.replace("set(log.body, 1, value=2)", "set(target=log.body, value=2)");
        if let Err(error) = logs().statements(&[&statement], &[]) {
            panic!("{error}");
        }
    }
}

#[test]
fn the_context_is_the_one_that_paths_functions_and_symbols_fit() {
    for (contexts, statements, expected) in [
        (
            LOGS,
            &["set(resource.attributes[\"a\"], 1)"][..],
            Ok(Resource),
        ),
        (
            LOGS,
            &["set(resource.attributes[\"a\"], log.body)"],
            Ok(Log),
        ),
        (
            LOGS,
            &[
                "set(resource.attributes[\"a\"], 1)",
                "set(scope.name, \"x\")",
            ],
            Ok(Scope),
        ),
        (LOGS, &["set(instrumentation_scope.name, \"x\")"], Ok(Scope)),
        (
            LOGS,
            &["replace_pattern(resource.attributes[\"x\"], \"a\", \"b\", SHA256)"],
            Ok(Resource),
        ),
        (
            LOGS,
            &["replace_pattern(resource.attributes[\"x\"], \"a\", \"b\", SHA257)"],
            Err("undefined function SHA257"),
        ),
        (
            LOGS,
            &["set(resource.attributes[\"x\"], SEVERITY_NUMBER_INFO)"],
            Ok(Log),
        ),
        (
            LOGS,
            &["set(otelcol.client.addr, 1)"],
            Err("inferred context \"otelcol\" is not a valid candidate"),
        ),
        (
            LOGS,
            &["set(span.name, \"x\")"],
            Err("inferred context \"span\" is not a valid candidate"),
        ),
        (LOGS, &["set(body, 1)"], Err("no context is named")),
        (
            METRICS,
            &["set(resource.attributes[\"x\"], METRIC_DATA_TYPE_SUM)"],
            Ok(DataPoint),
        ),
        (
            METRICS,
            &["set(metric.name, \"x\") where datapoint.value_int == 1"],
            Ok(DataPoint),
        ),
        (
            METRICS,
            &["set(exemplar.int_value, 1) where metric.name == \"x\""],
            Ok(Exemplar),
        ),
        (
            METRICS,
            &["copy_metric() where datapoint.value_int == 1"],
            Err("undefined function \"copy_metric\""),
        ),
        (
            TRACES,
            &["set(span.name, \"x\") where IsRootSpan()"],
            Ok(Span),
        ),
        (
            TRACES,
            &["set(resource.attributes[\"x\"], 1) where IsRootSpan()"],
            Ok(Span),
        ),
        (TRACES, &["set(spanevent.name, span.name)"], Ok(SpanEvent)),
        (
            TRACES,
            &["set(spanevent.name, \"x\") where IsRootSpan()"],
            Err("undefined function \"IsRootSpan\""),
        ),
    ] {
        let compiled = Compiler::new(Host::Transform, contexts).statements(statements, &[]);
        match (compiled, expected) {
            (Ok(program), Ok(context)) => assert_eq!(program.context, context, "{statements:?}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (Ok(program), Err(part)) => {
                panic!("{statements:?}: {} and not {part}", program.context)
            }
            (Err(error), Ok(context)) => panic!("{context}: {error}"),
        }
    }
}

#[test]
fn with_a_context_given_paths_need_none() {
    let compiler = logs().in_context(Log);
    let program = compiler.statements(
        &["set(attributes[\"a\"], body.string) where resource.schema_url == \"\""],
        &[],
    );
    let program = program.unwrap();
    assert_eq!(
        &*program.statements[0].editor.target().unwrap().text,
        "log.attributes[a]"
    );
}

/// Every path of every context resolves, alone and with as many keys as it takes.
#[test]
fn every_path_resolves_to_its_declaration() {
    for context in Context::ALL {
        for def in context.paths() {
            let home = if context == OtelCol { Log } else { context };
            let compiler = Compiler::new(Host::Transform, &[home]).in_context(home);
            let path = format!("{context}.{}", def.name);
            match compiler.value(&path) {
                Ok(value) => match value.node {
                    Node::Path(found) => assert_eq!(found.def, def),
                    node => panic!("{path}: {node:?}"),
                },
                Err(error) => assert!(error.to_string().contains("not supported yet"), "{error}"),
            }
        }
    }
}

#[test]
fn literals_are_folded_whatever_the_order() {
    for (condition, expected) in [
        ("1 == 1.0", Some(true)),
        ("log.body == 1 and false", Some(false)),
        ("log.body == 1 or true", Some(true)),
        ("not (1 > 2) and true", Some(true)),
        ("\"a\" < 1 or nil >= nil", Some(true)),
        ("true and log.body == 1", None),
        ("1 + 1 == 2 and log.flags == 1", None),
    ] {
        let (_, compiled) = logs().in_context(Log).condition(condition).unwrap();
        match (compiled.condition, expected) {
            (Condition::Const(value), expected) => assert_eq!(Some(value), expected, "{condition}"),
            (_, expected) => assert_eq!(None, expected, "{condition}"),
        }
    }
}

#[test]
fn footprints_overlap_by_meaning() {
    let prints = |context: Context, statement: &str| {
        let compiler = Compiler::new(Host::Transform, &[context]).in_context(context);
        let statement = compiler
            .statements(&[statement], &[])
            .unwrap()
            .statements
            .remove(0);
        (statement.reads, statement.writes)
    };
    let meet = |a: &[Footprint], b: &[Footprint]| a.iter().any(|a| b.iter().any(|b| a.overlaps(b)));
    for (context, writer, reader, expected) in [
        (
            Span,
            "set(span.start_time, span.end_time)",
            "span.start_time_unix_nano",
            true,
        ),
        (
            Span,
            "set(span.trace_id, span.trace_id)",
            "span.trace_id.string",
            true,
        ),
        (
            Span,
            "set(span.status, span.status)",
            "span.status.code",
            true,
        ),
        (Span, "set(span.status.code, 1)", "span.status", true),
        (
            Span,
            "set(span.status.code, 1)",
            "span.status.message",
            false,
        ),
        (
            Span,
            "set(span.attributes[\"a\"], 1)",
            "span.attributes[\"b\"]",
            false,
        ),
        (
            Span,
            "set(span.attributes[\"a\"], 1)",
            "span.attributes[\"a\"][\"x\"]",
            true,
        ),
        (
            Span,
            "set(span.attributes[\"a\"], 1)",
            "span.attributes",
            true,
        ),
        (
            Span,
            "set(span.attributes[span.name], 1)",
            "span.attributes[\"b\"]",
            true,
        ),
        (
            Span,
            "set(span.attributes[\"a\"], 1)",
            "resource.attributes[\"a\"]",
            false,
        ),
        (Span, "set(span.name, \"x\")", "span.kind", false),
        (SpanEvent, "set(span.events, nil)", "spanevent.name", true),
        (
            DataPoint,
            "set(datapoint.value_int, 1)",
            "datapoint.value_double",
            true,
        ),
        (
            DataPoint,
            "set(metric.data_points, nil)",
            "datapoint.count",
            true,
        ),
        (Log, "set(log.body, 1)", "log.body.string", true),
        (
            Log,
            "delete_key(log.attributes, \"a\")",
            "log.attributes[\"b\"]",
            true,
        ),
    ] {
        let (_, writes) = prints(context, writer);
        let sink = format!("set({context}.cache[\"sink\"], {reader})");
        let (reads, _) = prints(context, &sink);
        assert_eq!(meet(&writes, &reads), expected, "{writer} and {reader}");
    }
    let (reads, writes) = prints(
        Log,
        "set(log.attributes[\"a\"], log.flags) where IsMatch(log.body, \"x\")",
    );
    assert_eq!((reads.len(), writes.len()), (2, 1));
    assert!(matches!(&writes[0].key, KeyPrint::Known(key) if &**key == b"a"));
}

/// What is left to build, by name: this list only ever shrinks.
#[test]
fn functions_that_are_not_built_yet_are_known() {
    let pending: Vec<&str> = functions::all()
        .filter(|function| matches!(function.build, Build::Pending))
        .map(|function| function.name)
        .collect();
    assert_eq!(pending.join(" "), PENDING);
}

const PENDING: &str = "";

proptest::proptest! {
    /// Whatever is compiled: a program or errors, never a panic.
    #[test]
    fn no_statement_breaks_the_compiler(
        text in r#"(set|replace_pattern|Concat|IsMatch|keep_keys)\((log\.attributes(\["a"\])?|log\.body|1|"a"|nil|\["x"\]|SHA256|ToUpperCase|Split\("a",","\)|a=1|-1|\{"a":1\})(, ?(log\.attributes|1|"a\(b|\\\\d+"|nil|\[1,"x"\]|SHA256|Trim|true|log\.time)){0,4}\)( where (true|log\.flags == 1|Len\(1\)))?"#
    ) {
        if let Err(errors) = logs().in_context(Log).statements(&[&text], &[&text]) {
            let _ = errors.to_string();
        }
    }
}
