//! Cases that chance would seldom find, and what plans say of themselves.

use std::sync::Arc;

use trunkline_proto::Signal;

use super::{Executor, hold};
use crate::{
    columns::{Described, Mark},
    contexts::Context,
    run::tests::{batch, compiler},
};

fn executor(context: Context, statements: &[&str]) -> Executor {
    let program = compiler(context).statements(statements, &[]).unwrap();
    Executor::new(Arc::new(program))
}

/// Spans in two resources, more than a chunk holds.
fn many() -> trunkline_proto::Batch {
    let span = |at: usize| {
        let route = ["/a", "/b", "/c/1234"][at % 3];
        let value = [
            "\"stringValue\":\"x\"",
            "\"intValue\":\"7\"",
            "\"boolValue\":true",
        ][at % 3];
        format!(
            r#"{{"name":"n{at}","kind":{},"startTimeUnixNano":"{at}","endTimeUnixNano":"{}",
            "attributes":[{{"key":"route","value":{{"stringValue":"{route}"}}}},
            {{"key":"at","value":{{"intValue":"{at}"}}}},{{"key":"mixed","value":{{{value}}}}}]}}"#,
            at % 6,
            at * 3
        )
    };
    let spans = |from: usize, to: usize| (from..to).map(span).collect::<Vec<_>>().join(",");
    let resource = |name: &str, spans: String| {
        format!(
            r#"{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{name}"}}}}]}},
            "scopeSpans":[{{"spans":[{spans}]}}]}}"#
        )
    };
    let text = format!(
        r#"{{"resourceSpans":[{},{}]}}"#,
        resource("one", spans(0, 700)),
        resource("two", spans(700, 2500))
    );
    batch(Signal::Traces, &text)
}

#[test]
fn more_rows_than_a_chunk_holds_are_as_by_rows() {
    for statements in [
        &[
            "set(span.attributes[\"s\"], resource.attributes[\"service.name\"])",
            "set(span.attributes[\"one\"], true) where resource.attributes[\"service.name\"] == \"one\"",
            "replace_pattern(span.attributes[\"route\"], \"[0-9]+\", \"#\")",
            "set(span.name, Concat([span.attributes[\"route\"], span.attributes[\"mixed\"]], \" \"))",
            "set(span.attributes[\"took\"], span.end_time - span.start_time)",
            "set(span.attributes[\"took\"], span.end_time_unix_nano - span.start_time_unix_nano)",
            "delete_key(span.attributes, \"at\") where span.attributes[\"mixed\"] == 7",
            "truncate_all(span.attributes, 3)",
        ][..],
        // It fails on one row in three, and on the first in another chunk.
        &["set(span.attributes[\"h\"], SHA256(span.attributes[\"mixed\"]))"],
        &[
            "set(span.attributes[\"x\"], 1)",
            "set(span.attributes[\"y\"], 6 / (span.attributes[\"at\"] - 1500))",
        ],
        // Rows are given up, the first in its resource among them, which is asked for the others.
        &[
            "set(span.attributes[\"x\"], span.span_id) where span.kind == 0",
            "set(span.attributes[\"y\"], 1) where resource.attributes[\"service.name\"] == \"one\"",
        ],
        // By rows in the middle.
        &[
            "set(span.attributes[\"x\"], span.attributes[\"at\"] + 1)",
            "append(span.attributes[\"list\"], span.attributes[\"x\"])",
            "set(span.attributes[\"z\"], span.attributes[\"list\"][0])",
        ],
    ] {
        let mut executor = executor(Context::Span, statements);
        let program = executor.program().clone();
        hold(&program, &mut executor, &many());
    }
}

#[test]
fn plans_say_what_runs_how() {
    let of = |context, statement: &str| -> Described {
        executor(context, &[statement]).describe().remove(0)
    };
    let kernel = of(
        Context::Span,
        "set(span.attributes[\"a\"], 1) where span.kind == 2",
    );
    assert_eq!(kernel.mark, Mark::Kernel);
    assert!(kernel.of.iter().all(|node| node.mark == Mark::Kernel));
    let lifted = of(
        Context::Span,
        "set(span.attributes[\"a\"], 1) where resource.attributes[\"b\"] == \"c\"",
    );
    assert_eq!(lifted.of[0].mark, Mark::Lifted);
    let distinct = of(Context::Span, "set(span.name, SHA256(span.name))");
    // There is no condition to be shown.
    assert_eq!(distinct.of.len(), 1);
    assert_eq!(distinct.of[0].mark, Mark::PerDistinctValue);
    for statement in [
        "set(span.attributes[span.name], span.attributes[span.kind.string])",
        "set(span.name, resource.attributes[span.name])",
        "merge_maps(span.attributes, ParseJSON(span.name), \"upsert\")",
        "set(span.attributes, span.attributes[\"a\"])",
    ] {
        assert_eq!(
            of(Context::Span, statement).mark,
            Mark::Kernel,
            "{statement}"
        );
    }
    let called = of(Context::Span, "flatten(span.attributes)");
    assert!(matches!(called.mark, Mark::Rows(reason) if reason.contains("one value")));
    for (context, statement) in [
        (Context::Span, "set(resource.attributes[\"a\"], span.name)"),
        (
            Context::Exemplar,
            "set(exemplar.filtered_attributes[\"a\"], 1)",
        ),
    ] {
        let rows = of(context, statement);
        assert!(
            matches!(rows.mark, Mark::Rows(reason) if !reason.is_empty()),
            "{statement}"
        );
        assert_eq!(rows.mark.name(), "rows");
    }
}
