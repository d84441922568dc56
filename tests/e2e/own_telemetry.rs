//! Own metrics and logs: pushed over OTLP, changed by views, and labelled on the page.

use prost::Message;
use trunkline_proto::otlp::{
    ExportLogsServiceRequest, ExportMetricsServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    logs::v1::LogRecord,
    metrics::v1::{Metric, metric::Data, number_data_point},
    resource::v1::Resource,
};
use trunkline_tests::{
    Backend, Gateway, Launch, Port, Runtime, Signal,
    backend::{Protocol, Recorded},
    both_runtimes,
    config::Relay,
    eventually,
    grpc::Call,
    http::{self, Request},
    metrics::Page,
    otlp,
    tls::Certificates,
};

/// A gateway with this block of own telemetry, and the port of its receiver over HTTP.
fn launch(runtime: Runtime, telemetry: &str) -> (Launch, Port) {
    let port = Port::free();
    let yaml = format!(
        "receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:{port}'}}}}}}}}\nexporters: {{nop: }}\n\
         service: {{pipelines: {{logs: {{receivers: [otlp], exporters: [nop]}}}}}}"
    );
    let own = format!("yaml:service: {{telemetry: {telemetry}}}");
    (Launch::new(runtime, &yaml).arg("--config").arg(own), port)
}

/// Started, and with `n` requests of one log record received.
async fn start(runtime: Runtime, telemetry: &str, n: usize) -> (Gateway, Port) {
    let (launch, port) = launch(runtime, telemetry);
    let gateway = launch.start().await;
    for _ in 0..n {
        export(&port).await;
    }
    (gateway, port)
}

async fn export(port: &Port) {
    let request = Request::export(Signal::Logs, otlp::items(Signal::Logs, 1));
    assert_eq!(http::send(port, &request).await.status, 200);
}

const ACCEPTED: &str = "otelcol_receiver_accepted_log_records";

/// The metrics of a request by name, with its resource and scope names.
fn metrics(request: &Recorded) -> (Resource, String, Vec<(String, Metric)>) {
    let mut message = ExportMetricsServiceRequest::decode(&*request.body).unwrap();
    let of = message.resource_metrics.remove(0);
    let scopes = of.scope_metrics.into_iter().flat_map(|of| {
        let scope = of.scope.unwrap().name;
        of.metrics
            .into_iter()
            .map(move |metric| (scope.clone(), metric))
    });
    (of.resource.unwrap(), of.schema_url, scopes.collect())
}

fn find<'a>(metrics: &'a [(String, Metric)], name: &str) -> Option<&'a (String, Metric)> {
    metrics.iter().find(|(_, metric)| metric.name == name)
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        other => panic!("{key} is {other:?}"),
    }
}

/// The value of a counter of whole numbers, and its temporality (1: delta, 2: cumulative).
fn count(metrics: &[(String, Metric)], name: &str) -> Option<(i64, i32)> {
    let Some(Data::Sum(sum)) = &find(metrics, name)?.1.data else {
        panic!("{name} is no sum");
    };
    assert!(sum.is_monotonic);
    match sum.data_points.first()?.value? {
        number_data_point::Value::AsInt(n) => Some((n, sum.aggregation_temporality)),
        other => panic!("{other:?}"),
    }
}

/// The log records of all requests, with the attributes of their scopes.
fn records(backend: &Backend) -> Vec<(Vec<KeyValue>, LogRecord)> {
    let requests = backend.recorded().into_iter();
    requests
        .map(|request| ExportLogsServiceRequest::decode(&*request.body).unwrap())
        .flat_map(|message| message.resource_logs)
        .flat_map(|of| of.scope_logs)
        .flat_map(|of| {
            let scope = of.scope.unwrap().attributes;
            of.log_records
                .into_iter()
                .map(move |record| (scope.clone(), record))
        })
        .collect()
}

fn body(record: &LogRecord) -> String {
    match record.body.clone().unwrap().value {
        Some(Value::StringValue(text)) => text,
        other => panic!("{other:?}"),
    }
}

both_runtimes! {
    // periodic: interval, endpoint, headers and compression over gRPC; names, units, scopes and resource are the
    // Collector's; the last figures are sent when the gateway ends.
    async fn own_metrics_are_pushed_over_grpc(runtime: Runtime) {
        let backend = Backend::grpc();
        let telemetry = format!(
            "{{resource: {{schema_url: 'https://example.com/s', service.name: gw}}, metrics: {{readers: [{{periodic: {{interval: 200, timeout: 5000, exporter: \
             {{otlp: {{protocol: grpc, endpoint: 'http://{}', compression: gzip, timeout: 2000, headers: [{{name: x-a, value: b}}], headers_list: 'x-a=c,x-d=e'}}}}}}}}]}}}}",
            backend.address()
        );
        let (gateway, port) = start(runtime, &telemetry, 2).await;
        let request = eventually("the count of two", async || {
            backend.recorded().into_iter().find(|request| count(&metrics(request).2, ACCEPTED) == Some((2, 2)))
        })
        .await;
        assert_eq!((request.encoding.as_str(), request.header("x-a"), request.header("x-d")), ("gzip", Some("b"), Some("e")));
        let (resource, schema, metrics_then) = metrics(&request);
        assert_eq!(text(&resource.attributes, "service.name").as_deref(), Some("gw"));
        assert_eq!(schema, "https://example.com/s");
        let (scope, metric) = find(&metrics_then, ACCEPTED).unwrap();
        assert_eq!(scope, "go.opentelemetry.io/collector/receiver/receiverhelper");
        assert_eq!((metric.unit.as_str(), metric.description.ends_with("[Alpha]")), ("{record}", true));
        let Some(Data::Sum(sum)) = &metric.data else { panic!("{metric:?}") };
        assert_eq!(text(&sum.data_points[0].attributes, "transport").as_deref(), Some("http"));
        assert!(sum.data_points[0].start_time_unix_nano < sum.data_points[0].time_unix_nano);
        let (_, memory) = find(&metrics_then, "otelcol_process_memory_rss").unwrap();
        assert!(matches!((&memory.data, memory.unit.as_str()), (Some(Data::Gauge(_)), "By")));
        export(&port).await;
        assert_eq!(gateway.stop().await.code(), 0);
        let last = backend.recorded().pop().unwrap();
        assert_eq!(count(&metrics(&last).2, ACCEPTED), Some((3, 2)));
    }

    // http/protobuf with a path of its own and without; temporality_preference: delta sends what changed.
    async fn own_metrics_are_pushed_over_http_as_changes(runtime: Runtime) {
        for (path, expected) in [("", "/v1/metrics"), ("/own/path", "/own/path")] {
            let backend = Backend::start(Protocol::Http, None, None);
            let telemetry = format!(
                "{{metrics: {{level: detailed, readers: [{{periodic: {{interval: 100, exporter: \
                 {{otlp: {{protocol: http/protobuf, endpoint: 'http://{}{path}', temporality_preference: delta}}}}}}}}]}}}}",
                backend.address()
            );
            let (gateway, _) = start(runtime, &telemetry, 2).await;
            eventually("all that changed", async || {
                let counts = backend.recorded().iter().filter_map(|r| count(&metrics(r).2, ACCEPTED)).collect::<Vec<_>>();
                assert!(counts.iter().all(|(_, temporality)| *temporality == 1), "{counts:?}");
                let all: i64 = counts.iter().map(|(n, _)| n).sum();
                // After the change requests say 0: they are no totals.
                (all == 2 && counts.last() == Some(&(0, 1))).then_some(())
            })
            .await;
            assert!(backend.recorded().iter().all(|request| request.path == expected && request.encoding.is_empty()));
            let request = backend.recorded().pop().unwrap();
            let (_, duration) = find(&metrics(&request).2, "http.server.request.duration").cloned().unwrap();
            let Some(Data::Histogram(histogram)) = &duration.data else { panic!("{duration:?}") };
            let point = &histogram.data_points[0];
            let keys: Vec<&str> = point.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
            assert!(keys.contains(&"http.response.status_code") && keys.contains(&"server.address"), "{keys:?}");
            assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
            drop(gateway);
        }
    }

    // certificate, client_certificate, client_key: TLS both ways; without a scheme only insecure is plain.
    async fn own_telemetry_is_pushed_under_tls(runtime: Runtime) {
        let certificates = Certificates::new();
        let file = |name: &str| certificates.file(name).display().to_string();
        let tls = format!(
            "certificate: '{}', client_certificate: '{}', client_key: '{}'",
            file("ca.pem"), file("client.pem"), file("client.key")
        );
        let grpc = Backend::start(Protocol::Grpc, None, Some(certificates.server(true, &["h2"])));
        let http = Backend::start(Protocol::Http, None, Some(certificates.server(true, &["http/1.1"])));
        let plain = Backend::grpc();
        let reader = |otlp: &str| format!("{{periodic: {{interval: 100, exporter: {{otlp: {{{otlp}}}}}}}}}");
        let logs = |otlp: &str| format!("{{batch: {{schedule_delay: 50, exporter: {{otlp: {{{otlp}}}}}}}}}");
        let telemetry = format!(
            "{{metrics: {{readers: [{}, {}, {}]}}, logs: {{processors: [{}]}}}}",
            reader(&format!("protocol: grpc, endpoint: 'localhost:{}', {tls}", grpc.port())),
            reader(&format!("protocol: http/protobuf, endpoint: 'https://localhost:{}', {tls}", http.port())),
            reader(&format!("protocol: grpc, endpoint: '{}', insecure: true", plain.address())),
            logs(&format!("protocol: grpc, endpoint: 'https://localhost:{}', {tls}", grpc.port())),
        );
        let (_gateway, _) = start(runtime, &telemetry, 0).await;
        eventually("requests everywhere", async || {
            let logs = grpc.recorded().iter().any(|request| request.signal() == Signal::Logs);
            (logs && grpc.count() > 1 && http.count() > 0 && plain.count() > 0).then_some(())
        })
        .await;
    }

    // logs::processors: what is written to the log is sent as records, several at a time or each by itself.
    async fn the_log_is_pushed(runtime: Runtime) {
        let (several, each) = (Backend::grpc(), Backend::start(Protocol::Http, None, None));
        let telemetry = format!(
            "{{metrics: {{level: none}}, logs: {{level: info, processors: [{{batch: {{schedule_delay: 100, export_timeout: 5000, max_queue_size: 1000, \
             max_export_batch_size: 3, exporter: {{otlp: {{protocol: grpc, endpoint: 'http://{}', compression: gzip, headers: [{{name: x-a, value: b}}]}}}}}}}}, \
             {{simple: {{exporter: {{otlp: {{protocol: http/protobuf, endpoint: 'http://{}', timeout: 1000, headers_list: x-a=b}}}}}}}}]}}}}",
            several.address(), each.address()
        );
        let (gateway, _) = start(runtime, &telemetry, 0).await;
        assert_eq!(gateway.stop().await.code(), 0);
        for backend in [&several, &each] {
            let records = records(backend);
            let texts: Vec<String> = records.iter().map(|(_, record)| body(record)).collect();
            for text in ["Starting trunkline...", "Starting HTTP server", "Everything is ready. Begin running and processing data.", "Stopping extensions..."] {
                assert!(texts.iter().any(|known| known == text), "{text} is not in {texts:?}");
            }
            let (scope, listening) = records.iter().find(|(_, record)| body(record) == "Starting HTTP server").unwrap();
            assert_eq!(text(scope, "otelcol.component.kind").as_deref(), Some("receiver"));
            assert_eq!((listening.severity_text.as_str(), listening.severity_number), ("info", 9));
            assert!(text(&listening.attributes, "endpoint").is_some());
            assert!(text(&listening.attributes, "code.file.path").is_some_and(|file| file.ends_with(".rs")));
            assert!(backend.recorded().iter().all(|request| request.header("x-a") == Some("b")));
        }
        let sizes = |backend: &Backend| -> Vec<usize> {
            let requests = backend.recorded().into_iter();
            requests
                .map(|r| ExportLogsServiceRequest::decode(&*r.body).unwrap().resource_logs[0].scope_logs.iter().map(|s| s.log_records.len()).sum())
                .collect()
        };
        assert!(sizes(&several).iter().all(|n| (1..=3).contains(n)), "{:?}", sizes(&several));
        assert!(sizes(&each).iter().all(|n| *n == 1));
        assert_eq!(each.recorded()[0].path, "/v1/logs");
    }

    // with_resource_constant_labels and views on the page.
    async fn the_page_has_the_resources_labels_and_the_views_streams(runtime: Runtime) {
        let port = Port::free();
        let telemetry = format!(
            "{{resource: {{service.name: gw, zone: a}}, metrics: {{level: detailed, readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {port}, \
             with_resource_constant_labels: {{included: [service.name, zone], excluded: [service.version]}}}}}}}}}}], views: [\
             {{selector: {{instrument_name: 'otelcol_process_*', instrument_type: observable_gauge}}, stream: {{aggregation: {{drop: {{}}}}}}}}, \
             {{selector: {{instrument_name: {ACCEPTED}, meter_name: go.opentelemetry.io/collector/receiver/receiverhelper, unit: '{{record}}'}}, \
               stream: {{name: got, description: Taken, attribute_keys: {{excluded: [transport]}}}}}}, \
             {{selector: {{instrument_name: http.server.request.duration}}, stream: {{attribute_keys: {{included: [http.route]}}, \
               aggregation: {{explicit_bucket_histogram: {{boundaries: [0.5, 60]}}}}}}}}]}}}}"
        );
        let (gateway, _) = start(runtime, &telemetry, 2).await;
        let page = Page::read(&port).await;
        assert_eq!(page.sum("got", &[("receiver", "otlp"), ("service_name", "gw"), ("zone", "a")]), 2.0);
        let got = page.find("got", &[]).next().unwrap();
        assert!(!got.labels.contains_key("transport") && !got.labels.contains_key("service_version"), "{got:?}");
        assert_eq!(page.find(ACCEPTED, &[]).count() + page.find("otelcol_process_memory_rss", &[]).count(), 0);
        assert_eq!(page.find("otelcol_process_uptime", &[("zone", "a")]).count(), 1);
        let buckets: Vec<_> = page.find("http_server_request_duration_bucket", &[("http_route", "/v1/logs")]).collect();
        let bounds: Vec<&str> = buckets.iter().map(|bucket| bucket.labels["le"].as_str()).collect();
        assert_eq!(bounds, ["0.5", "60", "+Inf"]);
        assert!(!buckets[0].labels.contains_key("server_port"), "{buckets:?}");
        assert_eq!(page.sum("target_info", &[("service_name", "gw")]), 1.0);
        drop(gateway);
    }

    // What cannot be used fails the start, with the Collector's words.
    async fn own_telemetry_that_cannot_be_sent_fails_the_start(runtime: Runtime) {
        for (telemetry, text) in [
            ("metrics: {readers: [{periodic: {exporter: {otlp: {protocol: smoke}}}}]}", "unsupported protocol \"smoke\""),
            ("metrics: {readers: [{periodic: {exporter: {}}}]}", "no valid metric exporter"),
            ("metrics: {readers: [{periodic: {exporter: {otlp: {protocol: grpc, compression: br}}}}]}", "unsupported compression \"br\""),
            ("metrics: {readers: [{periodic: {exporter: {otlp: {protocol: grpc, temporality_preference: x}}}}]}", "unsupported temporality preference \"x\""),
            ("metrics: {level: detailed, views: [{stream: {name: a}}]}", "view: no selector provided"),
            ("metrics: {level: detailed, views: [{selector: {}, stream: {name: a}}]}", "view_selector: empty selector not supporter"),
            ("logs: {processors: [{}]}", "unsupported log processor type, must be one of simple or batch"),
            ("logs: {processors: [{simple: {exporter: {}}}]}", "no valid log exporter"),
            ("logs: {processors: [{batch: {schedule_delay: -1, exporter: {otlp: {protocol: grpc}}}}]}", "invalid schedule delay -1"),
        ] {
            let (launch, _) = launch(runtime, &format!("{{{telemetry}}}"));
            let ended = launch.run().await;
            assert_eq!(ended.code(), 1, "{telemetry}");
            assert!(ended.log.contains(text), "{telemetry}: {}", ended.log);
        }
    }
}

both_runtimes! {
    // Level detailed: every request and call of servers and clients is measured, with the labels of the Collector;
    // what no method or path takes has no route, or is not measured.
    async fn calls_and_requests_are_measured_at_level_detailed(runtime: Runtime) {
        let bad = Port::free();
        let relay = Relay::with(runtime, Backend::grpc(), |config, backend| {
            let dead = format!("{{endpoint: 'http://127.0.0.1:{bad}', retry_on_failure: {{enabled: false}}}}");
            config.grpc_to(backend, &[]).exporter("otlp_http", &dead).http("cors: {allowed_origins: ['*']}").telemetry("{metrics: {level: detailed}}")
        })
        .await;
        let body = otlp::items(Signal::Traces, 1);
        let client = relay.client().await;
        for call in [
            Call::export(Signal::Traces, &body),
            Call::export(Signal::Traces, b"").path("/opentelemetry.proto.collector.trace.v1.TraceService/Nope"),
        ] {
            assert_ne!(client.call(&call).await.code(), 0);
        }
        let export = Request::export(Signal::Traces, body);
        let preflight = Request::post("/v1/traces").method("OPTIONS").with("Origin", "http://a").with("Access-Control-Request-Method", "POST");
        for (request, status) in [
            (export.clone(), 503),
            (export.clone().method("GET"), 405),
            (export.clone().method("FOO"), 405),
            (export.with("Content-Encoding", "br"), 400),
            (Request::post("/nope"), 404),
            (preflight, 204),
        ] {
            assert_eq!(http::send(&relay.http, &request).await.status, status, "{request:?}");
        }
        let page = relay.gateway.metrics().await;
        let count = |name: &str, labels: &[(&str, &str)]| page.sum(&format!("{name}_count"), labels);
        let method = "opentelemetry.proto.collector.trace.v1.TraceService/Export";
        let port = relay.backend.port().to_string();
        let rpc = [("rpc_method", method), ("rpc_system_name", "grpc")];
        assert_eq!(count("rpc_server_call_duration", &[]), 1.0);
        assert_eq!(count("rpc_server_call_duration", &[rpc[0], rpc[1], ("rpc_response_status_code", "UNAVAILABLE")]), 1.0);
        let peer = [("server_address", "127.0.0.1"), ("server_port", port.as_str()), ("rpc_response_status_code", "OK")];
        assert_eq!(count("rpc_client_call_duration", &[rpc[0], rpc[1], peer[0], peer[1], peer[2]]), 2.0);
        let dead = bad.to_string();
        for name in ["http_client_request_duration", "http_client_request_body_size"] {
            assert_eq!(count(name, &[("error_type", "net.OpError"), ("server_port", &dead), ("http_request_method", "POST")]), 2.0, "{name}");
        }
        for name in ["http_server_request_duration", "http_server_request_body_size", "http_server_response_body_size"] {
            assert_eq!(count(name, &[]), 6.0, "{name}");
            for (status, method, route) in [
                ("503", "POST", true), ("405", "GET", true), ("405", "_OTHER", true), ("400", "POST", false),
                ("404", "POST", false), ("204", "OPTIONS", false),
            ] {
                let labels = [("http_response_status_code", status), ("http_request_method", method), ("network_protocol_version", "1.1"), ("server_address", "localhost")];
                let series: Vec<_> = page.find(&format!("{name}_count"), &labels).cloned().collect();
                assert_eq!(series.len(), 1, "{name} {labels:?}");
                assert_eq!(series[0].labels.get("http_route").map(String::as_str), route.then_some("/v1/traces"), "{series:?}");
            }
        }
    }
}
