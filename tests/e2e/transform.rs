//! The processor `transform`, seen from outside: statements that operators write, and what
//! leaves.

use prost::Message;
use trunkline_proto::otlp::{
    ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportProfilesServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    logs::v1::LogRecord,
    metrics::v1::metric::Data,
};
use trunkline_tests::{
    Port, Signal, both_runtimes,
    config::{Config, Relay},
    otlp, status,
};

fn records(body: &[u8]) -> Vec<LogRecord> {
    let request = ExportLogsServiceRequest::decode(body).unwrap();
    let scopes = request
        .resource_logs
        .into_iter()
        .flat_map(|resource| resource.scope_logs);
    scopes.flat_map(|scope| scope.log_records).collect()
}

fn attribute(attributes: &[KeyValue], key: &str) -> Option<Value> {
    let found = attributes.iter().find(|pair| pair.key == key)?;
    found.value.as_ref()?.value.clone()
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    match attribute(attributes, key)? {
        Value::StringValue(text) => Some(text),
        other => Some(format!("{other:?}")),
    }
}

both_runtimes! {
    // The statements of every day, on logs, and one on each other signal.
    async fn statements_change_every_signal(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| {
            config.signals(&[Signal::Logs, Signal::Traces, Signal::Metrics, Signal::Profiles]).processor(
                "transform",
                r#"{log_statements: [
                  'set(log.attributes["service"], resource.attributes["service.name"])',
                  'set(log.attributes["odd"], true) where Int(log.attributes["order.id"]) == 1 or Int(log.attributes["order.id"]) == 3',
                  'replace_pattern(log.body, "^an (\\w+) was", "$$1:")',
                  'set(log.attributes["hash"], SHA256(log.attributes["order.id"]))',
                  'delete_key(resource.attributes, "host.name")',
                  'set(log.attributes["age"], Nanoseconds(log.time - Unix(1700000000)))',
                  'set(log.severity_text, Concat([log.severity_text, log.severity_number], "/"))',
                  'truncate_all(log.attributes, 8)',
                  'set(log.attributes["match"], true) where IsMatch(log.body, "^order")'],
                 trace_statements: ['set(span.name, Concat(["x", span.name], " ")) where span.kind == SPAN_KIND_SERVER'],
                 metric_statements: ['set(datapoint.value_double, 0.5) where metric.name == "queue.length"'],
                 profile_statements: [
                  'set(profile.attributes["service"], resource.attributes["service.name"])',
                  'set(profile.sample_type.type, "cpu")',
                  'set(resource.attributes["seen"], profile.attributes["service"])']}"#,
            )
        })
        .await;
        let client = relay.client().await;
        client.export(Signal::Logs, &otlp::items(Signal::Logs, 3)).await.ok();
        let body = relay.backend.recorded().pop().unwrap().body;
        let records = records(&body);
        assert_eq!(records.len(), 3);
        for (number, record) in (1_u64..).zip(&records) {
            let attributes = &record.attributes;
            assert_eq!(text(attributes, "service").as_deref(), Some("checkout"));
            assert_eq!(attribute(attributes, "odd").is_some(), number != 2);
            let body = record.body.as_ref().unwrap().value.clone();
            assert_eq!(body, Some(Value::StringValue("order: placed".to_owned())));
            assert_eq!(attribute(attributes, "age"), Some(Value::IntValue(number as i64)));
            assert_eq!(record.severity_text, "INFO/9");
            assert_eq!(text(attributes, "hash").map(|hash| hash.len()), Some(8));
            assert_eq!(attribute(attributes, "match"), Some(Value::BoolValue(true)));
        }
        assert!(!body.windows(9).any(|window| window == b"host.name"));
        for (before, after) in otlp::entities(&otlp::items(Signal::Logs, 3)).into_iter().zip(otlp::entities(&body)) {
            assert_eq!(otlp::fields(after, otlp::UNKNOWN), otlp::fields(before, otlp::UNKNOWN));
        }
        for (signal, wanted) in [(Signal::Traces, &b"x GET /cart"[..]), (Signal::Metrics, &0.5_f64.to_le_bytes())] {
            client.export(signal, &otlp::items(signal, 2)).await.ok();
            let body = relay.backend.recorded().pop().unwrap().body;
            let found = body.windows(wanted.len()).filter(|window| *window == wanted).count();
            assert_eq!(found, 2, "{signal:?}");
        }
        client.export(Signal::Profiles, &otlp::items(Signal::Profiles, 2)).await.ok();
        let body = relay.backend.recorded().pop().unwrap().body;
        let request = ExportProfilesServiceRequest::decode(&*body).unwrap();
        let dictionary = request.dictionary.unwrap();
        let string = |index: i32| dictionary.string_table[index as usize].as_str();
        let resource = &request.resource_profiles[0];
        let seen = text(&resource.resource.as_ref().unwrap().attributes, "seen");
        assert_eq!(seen.as_deref(), Some("checkout"));
        let profile = &resource.scope_profiles[0].profiles[0];
        assert_eq!(string(profile.sample_type.unwrap().type_strindex), "cpu");
        assert_eq!(profile.samples.len(), 2);
        let [index] = profile.attribute_indices[..] else { panic!("{profile:?}") };
        let attribute = &dictionary.attribute_table[index as usize];
        assert_eq!(string(attribute.key_strindex), "service");
        let value = attribute.value.clone().unwrap().value;
        assert_eq!(value, Some(Value::StringValue("checkout".to_owned())));
    }

    // Metrics that statements make: copies and counts leave with the others, in the order in which they were added.
    async fn metrics_that_statements_add_leave_with_the_others(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| {
            config.signals(&[Signal::Metrics]).processor(
                "transform",
                r#"{metric_statements: [
                  'copy_metric("copied", unit="{copy}") where metric.name == "queue.length"',
                  'convert_gauge_to_sum("cumulative", true) where metric.name == "copied"',
                  'scale_metric(2.0) where metric.name == "copied"']}"#,
            )
        })
        .await;
        relay.client().await.export(Signal::Metrics, &otlp::items(Signal::Metrics, 2)).await.ok();
        let body = relay.backend.recorded().pop().unwrap().body;
        let request = ExportMetricsServiceRequest::decode(&*body).unwrap();
        let scopes = request.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
        let metrics: Vec<_> = scopes.flat_map(|scope| scope.metrics).collect();
        let copies: Vec<_> = metrics.iter().filter(|metric| metric.name == "copied").collect();
        let originals = metrics.iter().filter(|metric| metric.name == "queue.length").count();
        assert!(originals > 0);
        assert_eq!(copies.len(), originals);
        assert_eq!(metrics.last().map(|metric| metric.name.as_str()), Some("copied"));
        for copy in copies {
            assert_eq!(copy.unit, "{copy}");
            assert!(matches!(&copy.data, Some(Data::Sum(sum)) if sum.is_monotonic && sum.aggregation_temporality == 2));
        }
    }

    // Groups: each a pass, in the context said or found, on the items for which a condition holds; a shared cache goes
    // from item to item and from group to group.
    async fn groups_run_in_order_where_their_conditions_hold(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| {
            config.signals(&[Signal::Logs]).processor(
                "transform",
                r#"{log_statements: [
                  {context: Resource, statements: ['set(attributes["who"], "till")']},
                  {conditions: ['log.attributes["order.id"] == "2"', 'log.attributes["order.id"] == "3"'],
                   statements: ['set(log.attributes["later"], resource.attributes["who"])']},
                  {shared_cache: true, statements: [
                    'set(log.cache["n"], 0) where log.cache["n"] == nil',
                    'set(log.cache["n"], log.cache["n"] + 1)']},
                  {shared_cache: true, statements: ['set(log.attributes["n"], log.cache["n"])']},
                  'set(log.attributes["last"], log.cache["n"])']}"#,
            )
        })
        .await;
        relay.client().await.export(Signal::Logs, &otlp::items(Signal::Logs, 3)).await.ok();
        let records = records(&relay.backend.recorded()[0].body);
        let later: Vec<Option<String>> = records.iter().map(|record| text(&record.attributes, "later")).collect();
        assert_eq!(later, [None, Some("till".to_owned()), Some("till".to_owned())]);
        for record in &records {
            assert_eq!(attribute(&record.attributes, "n"), Some(Value::IntValue(3)));
            assert_eq!(attribute(&record.attributes, "last"), None);
        }
    }

    // error_mode: ignore and silent pass the statement over, the first says so; propagate refuses the request; a group's
    // own mode wins.
    async fn a_failing_statement_does_what_the_error_mode_says(runtime: Runtime) {
        for (mode, own, refused, told) in [
            ("ignore", "", false, true),
            ("Silent", "", false, false),
            ("propagate", "", true, false),
            ("propagate", "error_mode: ignore, ", false, true),
        ] {
            let relay = Relay::start(runtime, |config| {
                let block = format!(
                    r#"{{error_mode: {mode}, log_statements: [{{{own}statements: [
                      'set(log.flags, "x")', 'set(log.attributes["done"], true)']}}]}}"#,
                );
                config.signals(&[Signal::Logs]).processor("transform", &block)
            })
            .await;
            let reply = relay.client().await.export(Signal::Logs, &otlp::items(Signal::Logs, 2)).await;
            if refused {
                assert_eq!(reply.code(), status::UNAVAILABLE);
                let text = "failed to execute statement: set(log.flags, \"x\"), expects int64 but got string";
                assert!(reply.message().contains(text), "{}", reply.message());
                assert_eq!(relay.backend.count(), 0);
            } else {
                assert_eq!(reply.code(), 0);
                for record in records(&relay.backend.recorded()[0].body) {
                    assert_eq!(attribute(&record.attributes, "done"), Some(Value::BoolValue(true)));
                }
            }
            let logs = relay.gateway.stop().await.log;
            assert_eq!(logs.contains("failed to execute statement"), told, "{mode} {own}: {logs}");
        }
    }

    // Matched and failed rows by statement, condition and rule, whatever the error mode; time at level detailed alone.
    async fn every_statement_is_counted(runtime: Runtime) {
        for level in ["normal", "detailed"] {
            let relay = Relay::start(runtime, |config| {
                config
                    .signals(&[Signal::Logs])
                    .processor("transform/x", r#"{error_mode: silent, log_statements: [{context: resource, statements: ['set(attributes["a"], 1)']}, {context: log, statements: [
                      'set(flags, "x")', 'set(attributes["done"], true)', 'set(attributes["not"], 1) where flags == 77']}]}"#)
                    .processor("filter/x", r#"{log_conditions: ['log.flags == 77', 'log.attributes["done"] == false']}"#)
                    .processor("rules/x", r#"{rules: [{name: mark, action: "true > set(log.attributes['r'], 1)"}]}"#)
                    .telemetry(&format!("{{metrics: {{level: {level}}}}}"))
            })
            .await;
            let client = relay.client().await;
            for _ in 0..2 {
                client.export(Signal::Logs, &otlp::items(Signal::Logs, 5)).await.ok();
            }
            let page = relay.gateway.metrics().await;
            let of = |name: &str, component: &str, context: &str, statement: &str| {
                let labels = [("otelcol_component_id", component), ("otelcol_component_kind", "processor"), ("otelcol_signal", "logs"), ("context", context), ("statement", statement)];
                page.sum(&format!("trunkline_statement_{name}"), &labels)
            };
            for (component, context, statement, matched, failed) in [
                ("transform/x", "resource", "1", 2.0, 0.0),
                ("transform/x", "log", "2", 10.0, 10.0),
                ("transform/x", "log", "3", 10.0, 0.0),
                ("transform/x", "log", "4", 0.0, 0.0),
                ("filter/x", "log", "1", 0.0, 0.0),
                ("filter/x", "log", "2", 0.0, 0.0),
                ("rules/x", "log", "mark", 10.0, 0.0),
            ] {
                let (rows, failures) = (of("matched_rows", component, context, statement), of("failed_rows", component, context, statement));
                assert_eq!((rows, failures), (matched, failed), "{component} {statement}");
                let nanos = of("nanoseconds", component, context, statement);
                assert_eq!(nanos > 0.0, level == "detailed", "{component} {statement} {nanos}");
                assert_eq!(of("info", component, context, statement), 1.0, "{component} {statement}");
            }
        }
    }

    // Experimental functions, which their gate switched on, are named once a group of statements, not once a core.
    async fn experimental_functions_are_named_at_start(runtime: Runtime) {
        let config = Config::new(&Port::free(), &Port::free())
            .signals(&[Signal::Logs])
            .exporter("nop", "")
            .processor("transform", r#"{log_statements: ['set(log.attributes["a"], true) where Any(["b"], (k, v) => v == "b")', 'set(log.attributes["c"], Find(["b"], (k, v) => All(["b"], (k, v) => v == "b")))', 'set(log.flags, 1)']}"#)
            .processor("filter", r#"{log_conditions: ['All(log.attributes, (k, v) => v == "c")']}"#);
        let launch = config.launch(runtime).arg("--feature-gates").arg("ottl.functions.enableLambda");
        let log = launch.arg("--cores").arg("2").start().await.stop().await.log;
        let told: Vec<&str> = log.lines().filter(|line| line.contains("Experimental OTTL functions")).collect();
        assert_eq!(told.len(), 2, "{log}");
        assert!(told.iter().any(|line| line.contains("\"All, Any, Find\"") && line.contains("\"transform\"")), "{told:?}");
        assert!(told.iter().any(|line| line.contains("\"All\"") && line.contains("\"filter\"")), "{told:?}");
    }
}
