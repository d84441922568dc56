//! What editors of metrics do beyond one metric: what is added is visited, what never ends is
//! stopped, what is not touched stays as it was to the byte.

use trunkline_proto::batch::{
    Level,
    tests::generate::{self as make, Rng},
};

use super::*;

fn compile(host: Host, contexts: &[Context], statements: &[&str]) -> crate::program::Program {
    let compiler = Compiler::new(host, contexts);
    compiler.statements(statements, &[]).unwrap()
}

fn apply(batch: &mut Batch, statements: &[&str]) -> (Vec<crate::run::Counts>, Vec<String>) {
    let contexts = [Context::Resource, Context::Metric, Context::DataPoint];
    let program = compile(Host::Transform, &contexts, statements);
    let (mut counts, mut told) = (Vec::new(), Vec::new());
    let data = batch.open().unwrap();
    let request = Request::default();
    let mode = ErrorMode::Ignore;
    run(
        &program,
        data,
        &request,
        mode,
        None,
        &mut counts,
        &mut |failure| told.push(failure.cause.to_string()),
    )
    .unwrap();
    (counts, told)
}

fn names(batch: &mut Batch) -> Vec<String> {
    let data = batch.open().unwrap();
    let metrics = data.rows(Level::Item).unwrap();
    let name = |metric| told(evaluate(data, Context::Metric, metric, "metric.name"));
    metrics.into_iter().map(name).collect()
}

#[test]
fn what_is_added_is_visited_by_the_same_group_behind_the_others() {
    let mut batch = fixture(Context::Metric);
    let (counts, told) = apply(
        &mut batch,
        &[
            r#"copy_metric("first") where metric.name == "sum""#,
            r#"copy_metric("second") where metric.name == "first""#,
            r#"set(metric.unit, "seen") where metric.unit == "By""#,
        ],
    );
    assert_eq!(told, Vec::<String>::new());
    let matched: Vec<u64> = counts.iter().map(|count| count.matched).collect();
    assert_eq!(matched, [1, 1, 3]);
    assert_eq!(
        names(&mut batch),
        ["\"sum\"", "\"hist\"", "\"first\"", "\"second\""]
    );
}

#[test]
fn points_of_metrics_that_points_add_are_visited_too() {
    let text = r#"{"resourceMetrics":[{"resource":{},"scopeMetrics":[{"scope":{},"metrics":[
      {"name":"q","summary":{"dataPoints":[{"count":"1","sum":2},{"count":"3","sum":4}]}}]}]}]}"#;
    let mut batch = batch(Signal::Metrics, text);
    let (counts, _) = apply(
        &mut batch,
        &[
            r#"convert_summary_count_val_to_sum("delta", true) where datapoint.flags == 0"#,
            r#"set(datapoint.attributes["name"], metric.name) where datapoint.value_int == 3"#,
        ],
    );
    // Both points of the summary add a metric of two points.
    assert_eq!(names(&mut batch), ["\"q\"", "\"q_count\"", "\"q_count\""]);
    assert_eq!((counts[0].matched, counts[1].matched), (6, 2));
}

#[test]
fn a_statement_that_matches_its_own_copies_is_stopped() {
    let mut batch = fixture(Context::Metric);
    let (counts, told) = apply(&mut batch, &[r#"copy_metric() where metric.unit == "By""#]);
    let wanted = "copy_metric: the statement keeps matching its own copies; exclude them in the \
                  where clause";
    assert!(told.iter().all(|text| text == wanted), "{told:?}");
    // Each copy but those that there was no room for was copied once.
    assert!(
        counts[0].failed > 0 && counts[0].matched < 200_000,
        "{counts:?}"
    );
    let mut again = fixture(Context::Metric);
    let program = compile(
        Host::Transform,
        &[Context::Metric],
        &["copy_metric() where metric.unit == \"By\""],
    );
    let (data, request) = (again.open().unwrap(), Request::default());
    let stopped = run(
        &program,
        data,
        &request,
        ErrorMode::Propagate,
        None,
        &mut Vec::new(),
        &mut |_| {},
    );
    assert_eq!(stopped.unwrap_err().cause.to_string(), wanted);
}

#[test]
fn what_no_function_touches_leaves_as_it_came() {
    // An unknown field (100) in the metric, in its sum, and in the point.
    let unknown = [0xa2, 0x06, 0x01, b'x'];
    let point = [&[0x31][..], &5u64.to_le_bytes(), &unknown].concat();
    let mut sum = vec![0x0a, point.len() as u8];
    sum.extend_from_slice(&point);
    sum.extend_from_slice(&[0x10, 0x02, 0x18, 0x01]);
    sum.extend_from_slice(&unknown);
    let mut metric = vec![0x0a, 0x01, b'm'];
    metric.extend_from_slice(&unknown);
    metric.extend_from_slice(&[0x3a, sum.len() as u8]);
    metric.extend_from_slice(&sum);
    let wrap = |tag: u8, inner: &[u8]| [&[tag, inner.len() as u8][..], inner].concat();
    let request = wrap(0x0a, &wrap(0x12, &wrap(0x12, &metric)));
    let given = |statement: &str| {
        let mut batch = Batch::from_protobuf(Signal::Metrics, request.clone().into()).unwrap();
        apply(&mut batch, &[statement]);
        batch.to_protobuf().to_vec()
    };
    let count = |bytes: &[u8]| bytes.windows(4).filter(|window| *window == unknown).count();
    for (statement, kept) in [
        // Nothing to do: to the byte.
        (
            r#"convert_gauge_to_sum("delta", true) where metric.name == "m""#,
            None,
        ),
        (
            r#"extract_count_metric(true) where metric.name == "m""#,
            None,
        ),
        (
            r#"merge_histogram_buckets(1.0) where metric.name == "m" and datapoint.flags == 0"#,
            None,
        ),
        (
            r#"convert_sum_to_gauge() where metric.name == "m""#,
            Some(3),
        ),
        (r#"scale_metric(2.0) where metric.name == "m""#, Some(3)),
        (
            r#"aggregate_on_attributes("sum") where metric.name == "m""#,
            Some(3),
        ),
        (r#"copy_metric("n") where metric.name == "m""#, Some(6)),
    ] {
        let given = given(statement);
        match kept {
            None => assert_eq!(given, request, "{statement}"),
            Some(kept) => assert_eq!(count(&given), kept, "{statement}"),
        }
    }
}

#[test]
fn points_that_cannot_be_merged_leave_the_metric_as_it_was() {
    let text = r#"{"resourceMetrics":[{"resource":{},"scopeMetrics":[{"scope":{},"metrics":[
      {"name":"h","histogram":{"aggregationTemporality":2,"dataPoints":[
        {"count":"1"},{"count":"3","bucketCounts":["3"]}]}},
      {"name":"x","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[
        {"count":"1","positive":{"offset":-2000000000,"bucketCounts":["1"]}},
        {"count":"1","positive":{"offset":2000000000,"bucketCounts":["1"]}}]}},
      {"name":"q","summary":{"dataPoints":[{"count":"1"}]}}]}]}]}"#;
    let mut batch = batch(Signal::Metrics, text);
    let before = batch.to_protobuf();
    let (_, told) = apply(
        &mut batch,
        &[
            r#"aggregate_on_attributes("sum") where metric.name == "h""#,
            r#"aggregate_on_attributes("sum", []) where metric.name == "x""#,
            r#"aggregate_on_attribute_value("sum", "a", ["b"], "c") where metric.name == "q""#,
        ],
    );
    assert_eq!(
        told,
        [
            "aggregate_on_attributes: histogram points with 0 and 1 buckets cannot be merged",
            "aggregate_on_attributes: exponential histogram points that together have 4000000001 \
             buckets cannot be merged",
            "aggregate_on_attribute_value does not support aggregating Summary metrics",
        ]
    );
    assert_eq!(batch.to_protobuf(), before);
}

#[test]
fn errors_of_metric_functions_are_the_collectors() {
    for (statement, wanted) in [
        (
            r#"extract_sum_metric(true) where metric.name == "sum""#,
            "extract_sum_metric requires an input metric of type Histogram, ExponentialHistogram \
             or Summary, got Sum",
        ),
        (
            r#"extract_avg_metric() where metric.name == "sum""#,
            "extract_avg_metric requires an input metric of type Histogram, ExponentialHistogram \
             or Summary, got Sum",
        ),
        (
            r#"merge_histogram_buckets(datapoint.attributes["k"]) where metric.name == "hist""#,
            "target_value must not be nil",
        ),
        (
            r#"merge_histogram_buckets(datapoint.sum, "limit_buckets") where metric.name == "hist""#,
            "target_value must be a positive integer when method is \"limit_buckets\", got 4.5",
        ),
    ] {
        let (_, told) = apply(&mut fixture(Context::Metric), &[statement]);
        assert_eq!(told, [wanted], "{statement}");
    }
    let compiler = Compiler::new(Host::Transform, &[Context::Metric, Context::DataPoint]);
    for (statement, wanted) in [
        (
            r#"convert_gauge_to_sum("x", true) where metric.name == "a""#,
            "unknown aggregation temporality: x",
        ),
        (
            r#"aggregate_on_attributes("avg") where metric.name == "a""#,
            "invalid aggregation function: 'unsupported function: 'avg'', valid options: sum, \
             mean, min, max, median, count",
        ),
        (
            r#"extract_percentile_metric(100.0) where metric.name == "a""#,
            "percentile must be greater than 0 and less than 100, got 100.000000",
        ),
        (
            r#"merge_histogram_buckets(1.0, "x") where datapoint.count == 0"#,
            "unsupported method \"x\", expected \"remove_explicit_bound\" or \"limit_buckets\"",
        ),
        (
            r#"convert_exponential_histogram_to_histogram("x", [1.0]) where metric.name == "a""#,
            "invalid distribution \"x\"",
        ),
    ] {
        let error = compiler
            .statements(&[statement], &[])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("couldn't create function: {wanted}")),
            "{error}"
        );
    }
}

#[test]
fn the_filters_converters_look_at_the_first_point_that_has_the_attribute() {
    let text = r#"{"resourceMetrics":[{"resource":{},"scopeMetrics":[{"scope":{},"metrics":[
      {"name":"a","gauge":{"dataPoints":[{},
        {"attributes":[{"key":"k","value":{"stringValue":"v"}}]},
        {"attributes":[{"key":"k","value":{"stringValue":"w"}},{"key":"n","value":{"intValue":"1"}}]}]}},
      {"name":"b","summary":{"dataPoints":[{"attributes":[{"key":"k","value":{"stringValue":"v"}}]}]}},
      {"name":"c","histogram":{"dataPoints":[]}},
      {"name":"d"}]}]}]}"#;
    let compiler = Compiler::new(Host::Filter, &[Context::Metric]).in_context(Context::Metric);
    for (condition, wanted) in [
        (
            r#"HasAttrKeyOnDatapoint("k")"#,
            ["true", "true", "false", "unknown metric type"],
        ),
        (
            r#"HasAttrKeyOnDatapoint("n")"#,
            ["true", "false", "false", "unknown metric type"],
        ),
        (
            r#"HasAttrKeyOnDatapoint("")"#,
            ["false", "false", "false", "unknown metric type"],
        ),
        (
            r#"HasAttrOnDatapoint("k", "v")"#,
            ["true", "true", "false", "unknown metric type"],
        ),
        (
            r#"HasAttrOnDatapoint("k", "w")"#,
            ["false", "false", "false", "unknown metric type"],
        ),
        (
            r#"HasAttrOnDatapoint("n", "")"#,
            ["true", "false", "false", "unknown metric type"],
        ),
        (
            r#"HasAttrOnDatapoint("n", "1")"#,
            ["false", "false", "false", "unknown metric type"],
        ),
    ] {
        let (_, condition) = compiler.condition(condition).unwrap();
        for (metric, wanted) in wanted.iter().enumerate() {
            let mut batch = batch(Signal::Metrics, text);
            let (data, request, mut cache) =
                (batch.open().unwrap(), Request::default(), Vec::new());
            let mut row =
                Row::new(data, Context::Metric, metric as u32, &mut cache, &request).unwrap();
            let given = match row.holds(&condition.condition) {
                Ok(holds) => holds.to_string(),
                Err(failure) => failure.to_string(),
            };
            assert_eq!(given, *wanted, "{} {metric}", condition.source);
        }
    }
    let transform = Compiler::new(Host::Transform, &[Context::Metric]);
    assert!(
        transform
            .statements(
                &[r#"set(metric.name, "x") where HasAttrKeyOnDatapoint("k")"#],
                &[]
            )
            .is_err()
    );
    for wrong in [
        r#"HasAttrKeyOnDatapoint()"#,
        r#"HasAttrOnDatapoint("k")"#,
        "HasAttrKeyOnDatapoint(metric.name)",
    ] {
        assert!(compiler.condition(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn adjusted_count_is_of_the_span_of_the_row() {
    let text = r#"{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans":[
      {"traceState":"ot=th:c"},{},{"traceState":"ot=th:"}]}]}]}"#;
    let compiler = Compiler::new(Host::SignalToMetrics, &[Context::Span]).in_context(Context::Span);
    let program = compiler.value("AdjustedCount()").unwrap();
    for (span, wanted) in [
        (0, Ok(Value::Float(4.0))),
        (1, Ok(Value::Float(1.0))),
        (
            2,
            Err("failed to parse w3c tracestate: t-value is empty".to_owned()),
        ),
    ] {
        let mut batch = batch(Signal::Traces, text);
        let (data, request, mut cache) = (batch.open().unwrap(), Request::default(), Vec::new());
        let mut row = Row::new(data, Context::Span, span, &mut cache, &request).unwrap();
        let given = row.value(&program.node).map(std::borrow::Cow::into_owned);
        assert_eq!(
            given.map_err(|failure| failure.to_string()),
            wanted,
            "{span}"
        );
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Whatever the metrics and in whatever order the functions: no panic, and a request that
    /// other decoders take.
    #[test]
    fn any_metrics_stay_metrics(seed in proptest::prelude::any::<u64>(), order in proptest::collection::vec(0usize..EVERY.len(), 1..5)) {
        let request = make::Request::random(Signal::Metrics, &mut Rng::new(seed));
        let (bytes, _) = make::rewrite(Signal::Metrics, &request.encode(), &mut Rng::new(seed));
        let mut batch = Batch::from_protobuf(Signal::Metrics, bytes.into()).unwrap();
        for at in order {
            apply(&mut batch, &[EVERY[at]]);
        }
        batch.validate().unwrap();
        let bytes = batch.to_protobuf();
        proptest::prop_assert!(make::Request::decode(Signal::Metrics, &bytes).is_ok());
        let whole = Batch::from_protobuf(Signal::Metrics, bytes).unwrap();
        proptest::prop_assert_eq!(whole.item_count(), batch.item_count());
    }
}

const EVERY: [&str; 18] = [
    r#"convert_sum_to_gauge() where metric.name != "-""#,
    r#"convert_gauge_to_sum("delta", true) where metric.name != "-""#,
    r#"extract_sum_metric(true) where metric.name != "-""#,
    r#"extract_count_metric(false, ".n") where metric.name != "-""#,
    r#"extract_avg_metric() where metric.name != "-""#,
    r#"extract_percentile_metric(99.0) where metric.name != "-""#,
    r#"convert_summary_quantile_val_to_gauge() where metric.name != "-""#,
    r#"convert_summary_count_val_to_sum("delta", true) where metric.name != "-" and datapoint.flags == 0"#,
    r#"convert_summary_sum_val_to_sum("delta", true) where metric.name != "-" and datapoint.flags == 0"#,
    r#"copy_metric("-") where metric.name != "-""#,
    r#"scale_metric(0.5) where metric.name != "-""#,
    r#"aggregate_on_attributes("sum", []) where metric.name != "-""#,
    r#"aggregate_on_attributes("median") where metric.name != "-""#,
    r#"aggregate_on_attribute_value("max", "a", [""], "b") where metric.name != "-""#,
    r#"convert_exponential_histogram_to_histogram("random", [0.0, 1.0]) where metric.name != "-""#,
    r#"merge_histogram_buckets(1.0) where metric.name != "-" and datapoint.flags == 0"#,
    r#"merge_histogram_buckets(2, "limit_buckets") where metric.name != "-" and datapoint.flags == 0"#,
    r#"set(metric.name, "-") where metric.type == METRIC_DATA_TYPE_GAUGE"#,
];
