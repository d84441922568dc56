//! The page compared with what the Collector 0.164 answered in the same state, and
//! what instruments do on several threads. The golden files are its answers after
//! one request each of traces, logs and metrics, to the configuration that
//! [`same_state`] describes.

use std::{sync::Arc, thread, time::Duration};

use tonic::Code;
use trunkline_proto::Signal::{Logs, Metrics, Traces};

use super::{descriptors as desc, *};

fn destination(port: &str, http: bool) -> Destination {
    let path = |signal: &str| format!("/v1/{signal}");
    Destination {
        server_address: Some("localhost".to_owned()),
        server_port: Some(port.to_owned()),
        url_path: http.then(|| ["traces", "metrics", "logs", "profiles"].map(path)),
    }
}

/// The figures that a process has anyway: uptime, CPU, memory ×4.
fn process(registry: &Registry, figures: [f64; 6]) -> Vec<Observer> {
    let descriptors = [
        &desc::PROCESS_UPTIME,
        &desc::PROCESS_CPU_SECONDS,
        &desc::PROCESS_MEMORY_RSS,
        &desc::PROCESS_HEAP_ALLOC,
        &desc::PROCESS_TOTAL_ALLOC,
        &desc::PROCESS_TOTAL_SYS,
    ];
    let observe = |(descriptor, figure)| registry.observe(descriptor, &[], move || Some(figure));
    descriptors.into_iter().zip(figures).map(observe).collect()
}

/// Counts what the Collector counted: receivers `otlp` and `otlp/sink`, the usual
/// processors, exporters to the sink, to nowhere and to `debug`. Spread over two cores.
fn same_state(registry: &Arc<Registry>) -> Vec<Box<dyn std::any::Any>> {
    let mut kept: Vec<Box<dyn std::any::Any>> = Vec::new();
    for (core, receiver, transport, signal, n) in [
        (0, "otlp", "http", Traces, 1),
        (1, "otlp", "http", Logs, 1),
        (0, "otlp", "http", Metrics, 3),
        (1, "otlp", "http", Metrics, 1),
        (0, "otlp/sink", "http", Traces, 1),
        (1, "otlp/sink", "grpc", Traces, 1),
        (0, "otlp/sink", "http", Logs, 1),
    ] {
        let metrics = ReceiverMetrics::new(registry, core, receiver, transport);
        metrics.accepted(signal, n);
        kept.push(Box::new(metrics));
    }

    for (core, signal, nanos) in [(0, Traces, 22_033), (1, Logs, 21_723)] {
        let limiter = MemoryLimiterMetrics::new(registry, core, "memory_limiter", signal);
        limiter.accepted(1);
        let processor = ProcessorMetrics::new(registry, core, "memory_limiter", signal);
        processor
            .duration()
            .record(Duration::from_nanos(nanos).as_secs_f64());
        kept.push(Box::new((limiter, processor)));
    }
    for (id, nanos) in [("attributes", 3_816), ("resource", 1_282)] {
        let processor = ProcessorMetrics::new(registry, 0, id, Traces);
        processor.processed(1, 1);
        processor
            .duration()
            .record(Duration::from_nanos(nanos).as_secs_f64());
        kept.push(Box::new(processor));
    }
    for (core, bytes) in [(0, 236), (1, 395)] {
        let batch = BatchMetrics::new(registry, core, "batch");
        // Both signals on both cores; shown once a signal.
        batch.cardinality().add(1);
        batch.cardinality().add(1);
        batch.sent_by_timeout(1, bytes);
        kept.push(Box::new(batch));
    }

    let sent = |core, id, destination: &Destination, signal, n| {
        let metrics = ExporterMetrics::new(registry, core, id, destination);
        drop(metrics.in_flight(signal));
        metrics.sent(signal, n);
        metrics
    };
    kept.push(Box::new([
        sent(0, "debug", &Destination::default(), Traces, 2),
        sent(1, "debug", &Destination::default(), Metrics, 4),
        sent(1, "debug", &Destination::default(), Logs, 1),
        sent(1, "otlp_grpc", &destination("24327", false), Traces, 1),
        sent(0, "otlp_http", &destination("24328", true), Traces, 1),
        sent(1, "otlp_http", &destination("24328", true), Logs, 1),
    ]));
    let dead = ExporterMetrics::new(registry, 0, "otlp_grpc/dead", &destination("24399", false));
    let in_flight = dead.in_flight(Traces);
    dead.send_failed(Traces, 1, "Unavailable", false);
    drop(in_flight);
    kept.push(Box::new(dead));

    for (id, signal, capacity, bytes) in [
        ("otlp_http", Logs, 1000, 395),
        ("otlp_http", Traces, 1000, 236),
        ("otlp_grpc", Traces, 1000, 236),
        ("otlp_grpc/dead", Traces, 2, 236),
    ] {
        for (core, share) in [(0, capacity / 2), (1, capacity - capacity / 2)] {
            let queue = QueueMetrics::new(registry, core, id, signal, share);
            queue.size().add(1);
            if core == 1 {
                queue.enqueued(1, bytes);
            }
            queue.size().add(-1);
            kept.push(Box::new(queue));
        }
    }
    kept
}

/// HTTP and gRPC as the Collector measured them in the detailed run.
fn calls(registry: &Arc<Registry>) -> Vec<Box<dyn std::any::Any>> {
    let requests = |server, port, calls: &[(&str, u64, u64, u64)]| {
        let metrics = HttpMetrics::new(registry, 0, server, false);
        let authority = format!("localhost:{port}");
        for (route, nanos, request, response) in calls {
            metrics.request(&HttpCall {
                method: &http::Method::POST,
                version: http::Version::HTTP_11,
                authority: &authority,
                route: Some(*route).filter(|_| server),
                outcome: Ok(200),
                duration: Duration::from_nanos(*nanos),
                request: *request,
                response: *response,
            });
        }
        metrics
    };
    let method = "opentelemetry.proto.collector.trace.v1.TraceService/Export";
    let server = RpcMetrics::server(registry, 1);
    server.call(method, Code::Ok, None, Duration::from_nanos(3_284_058));
    let client = RpcMetrics::client(registry, 0);
    client.call(
        method,
        Code::Unavailable,
        None,
        Duration::from_nanos(52_448),
    );
    client.call(
        method,
        Code::Ok,
        Some(("127.0.0.1", "24327")),
        Duration::from_nanos(4_390_051),
    );
    vec![
        Box::new(requests(
            true,
            "24318",
            &[
                ("/v1/traces", 234_889, 1179, 21),
                ("/v1/logs", 293_896, 2618, 21),
                ("/v1/metrics", 221_880, 3994, 21),
            ],
        )),
        Box::new(requests(
            true,
            "24328",
            &[
                ("/v1/traces", 718_497, 222, 2),
                ("/v1/logs", 119_578, 324, 2),
            ],
        )),
        Box::new(requests(
            false,
            "24328",
            &[
                ("/v1/traces", 3_000_000, 236, 0),
                ("/v1/logs", 823_018, 395, 0),
            ],
        )),
        Box::new((server, client)),
    ]
}

fn resource(instance: &str) -> Vec<(String, String)> {
    let pairs = [
        ("service.name", "otelcol"),
        ("service.instance.id", instance),
        ("service.version", "0.164.1-ottl1.3.1"),
    ];
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

fn assert_same(ours: &str, golden: &str) {
    for (n, (ours, golden)) in ours.lines().zip(golden.lines()).enumerate() {
        assert_eq!(ours, golden, "line {}", n + 1);
    }
    assert_eq!(ours.lines().count(), golden.lines().count());
}

#[test]
fn the_page_at_level_normal_is_the_collectors() {
    let registry = Arc::new(Registry::new(Level::Normal));
    let _kept = same_state(&registry);
    let _process = process(
        &registry,
        [
            3.514166499,
            0.06,
            47689728.0,
            9683512.0,
            15877384.0,
            22649096.0,
        ],
    );
    let page = Page {
        resource: resource("3f181fb1-7da6-4d8d-b05f-c332b1f0de3e"),
        ..Page::default()
    };
    assert_same(
        &write_page(&registry, &page),
        include_str!("golden/normal.txt"),
    );
}

#[test]
fn the_page_at_level_basic_with_suffixes_and_scope_is_the_collectors() {
    let registry = Arc::new(Registry::new(Level::Basic));
    let _kept = same_state(&registry);
    let _process = process(
        &registry,
        [
            3.521571979,
            0.06,
            47857664.0,
            9410544.0,
            16009808.0,
            22649096.0,
        ],
    );
    for (without_units, without_type_suffix) in [(false, false), (true, false), (false, true)] {
        let page = Page {
            without_scope_info: false,
            without_units,
            without_type_suffix,
            resource: resource("b0815f8b-201c-4c4a-b193-cdf10a58e7f4"),
            ..Page::default()
        };
        assert_same(
            &write_page(&registry, &page),
            include_str!("golden/basic_with_suffixes_and_scope.txt"),
        );
    }
}

#[test]
fn the_page_at_level_detailed_is_the_collectors() {
    let registry = Arc::new(Registry::new(Level::Detailed));
    let _kept = (same_state(&registry), calls(&registry));
    let _process = process(
        &registry,
        [
            3.521081235,
            0.060000000000000005,
            47468544.0,
            9056728.0,
            15566384.0,
            22386952.0,
        ],
    );
    let page = Page {
        resource: resource("a47629b6-680a-418d-8342-13af352633e8"),
        ..Page::default()
    };
    let ours = write_page(&registry, &page);
    let (buckets, rest): (Vec<_>, Vec<_>) =
        ours.lines().partition(|line| line.contains("_bucket{"));
    assert_same(
        &rest.join("\n"),
        include_str!("golden/detailed_without_buckets.txt"),
    );
    let chosen = include_str!("golden/detailed_buckets.txt");
    let names: Vec<_> = chosen
        .lines()
        .filter_map(|line| line.split('{').next())
        .collect();
    let buckets: Vec<_> = buckets
        .into_iter()
        .filter(|line| {
            names
                .iter()
                .any(|name| line.split('{').next() == Some(name))
        })
        .collect();
    assert_same(&buckets.join("\n"), chosen);
}

#[test]
fn nothing_is_shown_at_level_none() {
    let registry = Arc::new(Registry::new(Level::None));
    let _kept = same_state(&registry);
    let page = write_page(&registry, &Page::default());
    assert!(!page.contains("otelcol_"), "{page}");
}

#[test]
fn numbers_are_written_as_go_writes_them() {
    for (value, text) in [
        (0.0, "0"),
        (100000.0, "100000"),
        (999999.0, "999999"),
        (1e6, "1e+06"),
        (1234567.0, "1.234567e+06"),
        (12345.678, "12345.678"),
        (1e20, "1e+20"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (1.5e-7, "1.5e-07"),
        (0.060000000000000005, "0.060000000000000005"),
        (-3.0, "-3"),
        (1e300, "1e+300"),
        (f64::INFINITY, "+Inf"),
        (f64::NEG_INFINITY, "-Inf"),
        (f64::NAN, "NaN"),
    ] {
        assert_eq!(format_value(value), text);
    }
}

#[test]
fn cores_that_count_at_once_lose_nothing() {
    let registry = Arc::new(Registry::new(Level::Normal));
    let scraper = registry.clone();
    let cores: Vec<_> = (0..4)
        .map(|core| {
            let metrics = ReceiverMetrics::new(&registry, core, "otlp", "grpc");
            thread::spawn(move || {
                for _ in 0..20_000 {
                    metrics.accepted(Traces, 3);
                }
                metrics
            })
        })
        .collect();
    let total = |registry: &Registry| {
        let families = registry.sample();
        let family = families
            .iter()
            .find(|f| f.descriptor.name.ends_with("accepted_spans"));
        match family
            .and_then(|family| family.series.first())
            .map(|series| &series.value)
        {
            Some(SampleValue::Number(value)) => *value,
            _ => 0.0,
        }
    };
    // Scrapes in between see the count grow, never shrink.
    let mut before = 0.0;
    for _ in 0..50 {
        let now = total(&scraper);
        assert!(now >= before);
        before = now;
    }
    let _kept: Vec<_> = cores.into_iter().map(|core| core.join().unwrap()).collect();
    assert_eq!(total(&registry), 240_000.0);
}

#[test]
fn a_request_is_counted_once_whatever_becomes_of_it() {
    let registry = Registry::new(Level::Normal);
    let metrics = ReceiverMetrics::new(&registry, 0, "otlp", "grpc");
    metrics.in_pipeline(Traces, 10).accepted_but(0);
    metrics.in_pipeline(Traces, 10).accepted_but(3);
    metrics.in_pipeline(Traces, 10).accepted_but(11);
    metrics.in_pipeline(Traces, 10).refused();
    drop(metrics.in_pipeline(Traces, 5));
    let page = write_page(&registry, &Page::default());
    for (what, n) in [("accepted", 17), ("refused", 28), ("failed", 0)] {
        let line =
            format!("otelcol_receiver_{what}_spans{{receiver=\"otlp\",transport=\"grpc\"}} {n}\n");
        assert!(page.contains(&line), "{line} is not in\n{page}");
    }
}

#[test]
fn processing_is_timed_at_level_detailed_only() {
    for (level, times) in [(Level::Normal, 0), (Level::Detailed, 1)] {
        let registry = Registry::new(level);
        let metrics = ProcessorMetrics::new(&registry, 0, "attributes", Traces);
        assert_eq!(metrics.timed(|| 7), 7);
        let line = "otelcol_processor_internal_duration_count{otel_signal=\"traces\",processor=\"attributes\"} 1\n";
        let page = write_page(&registry, &Page::default());
        assert_eq!(page.matches(line).count(), times, "{level:?}");
    }
}

#[test]
fn a_series_lives_as_long_as_a_component_holds_it() {
    let registry = Arc::new(Registry::new(Level::Normal));
    let page = || write_page(&registry, &Page::default());
    let old = ReceiverMetrics::new(&registry, 0, "otlp", "grpc");
    assert!(
        !page().contains("otelcol_receiver"),
        "nothing was counted yet"
    );
    old.refused(Logs, 2);
    assert!(page().contains(
        "otelcol_receiver_accepted_log_records{receiver=\"otlp\",transport=\"grpc\"} 0\n"
    ));

    let new = ReceiverMetrics::new(&registry, 0, "otlp", "grpc");
    drop(old);
    registry.retire();
    new.refused(Logs, 1);
    assert!(page().contains(
        "otelcol_receiver_refused_log_records{receiver=\"otlp\",transport=\"grpc\"} 3\n"
    ));

    drop(new);
    registry.retire();
    assert!(!page().contains("otelcol_receiver"));
}

#[test]
fn label_values_are_escaped_and_their_number_is_bounded() {
    let registry = Registry::new(Level::Normal);
    let odd = registry.counter(0, &desc::PIPELINE_RECEIVED, &[("pipeline", "a\"\\\nb")]);
    odd.add(1);
    let many: Vec<_> = (0..3000)
        .map(|n| registry.counter(0, &desc::PIPELINE_RECEIVED, &[("pipeline", &n.to_string())]))
        .collect();
    many.iter().for_each(|counter| counter.add(1));
    let page = write_page(&registry, &Page::default());
    assert!(page.contains("trunkline_pipeline_received_items{pipeline=\"a\\\"\\\\\\nb\"} 1\n"));
    assert!(
        page.contains("trunkline_pipeline_received_items{otel_metric_overflow=\"true\"} 1001\n")
    );
}

#[test]
fn levels_are_read_in_any_case() {
    for (text, level) in [
        ("none", Some(Level::None)),
        ("Basic", Some(Level::Basic)),
        ("NORMAL", Some(Level::Normal)),
        ("detailed", Some(Level::Detailed)),
        ("loud", None),
    ] {
        assert_eq!(Level::parse(text), level);
    }
}
