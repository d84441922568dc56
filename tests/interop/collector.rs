//! The Go Collector as the agent before the gateway and as the backend behind it.

use std::{collections::BTreeSet, path::Path};

use trunkline_tests::{
    Answer, Backend, Port, Signal, both_runtimes,
    config::{Config, Relay},
    eventually, grpc, otlp, peer,
    status::{self, Status},
};

/// The span numbers in what the Collector's file exporter wrote.
fn written(path: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut numbers = Vec::new();
    for line in text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
    {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let resources = value["resourceSpans"].as_array().unwrap();
        for span in resources
            .iter()
            .flat_map(|resource| resource["scopeSpans"].as_array().unwrap())
            .flat_map(|scope| scope["spans"].as_array().unwrap())
        {
            numbers.push(u64::from_str_radix(span["spanId"].as_str().unwrap(), 16).unwrap());
        }
    }
    numbers
}

both_runtimes! {
    // Behind the gateway: both protocols, each encoding that both sides have.
    async fn the_collector_takes_what_the_gateway_sends(runtime: Runtime) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spans.json");
        let (behind_grpc, behind_http) = (Port::free(), Port::free());
        let yaml = Config::new(&behind_grpc, &behind_http)
            .signals(&[Signal::Traces])
            .exporter("file", &format!("{{path: '{}', flush_interval: 10ms}}", path.display()))
            .yaml();
        let Some(launch) = peer::collector("the_collector_takes_what_the_gateway_sends", &yaml) else { return };
        let collector = launch.start().await;
        let mut expected = BTreeSet::new();
        let grpc_encodings = ["none", "gzip", "zstd", "snappy"].map(|name| ("otlp_grpc", name, behind_grpc.address()));
        let http_encodings = ["none", "gzip", "zstd", "snappy", "x-snappy-framed", "zlib", "deflate", "lz4"]
            .map(|name| ("otlp_http", name, format!("http://{}", behind_http.address())));
        for (exporter, encoding, endpoint) in grpc_encodings.into_iter().chain(http_encodings) {
            let block = format!("{{endpoint: '{endpoint}', compression: {encoding}, tls: {{insecure: true}}}}");
            let relay = Relay::with(runtime, Backend::grpc(), |config, _| config.exporter(exporter, &block).signals(&[Signal::Traces])).await;
            let first = expected.len() as u64 + 1;
            relay.client().await.export(Signal::Traces, &otlp::numbered(Signal::Traces, first, 30)).await.ok();
            expected.extend(first..first + 30);
            assert_eq!(relay.gateway.stop().await.code(), 0);
        }
        let json = format!("{{endpoint: 'http://{}', encoding: json}}", behind_http.address());
        let relay = Relay::with(runtime, Backend::grpc(), |config, _| config.exporter("otlp_http", &json).signals(&[Signal::Traces])).await;
        relay.client().await.export(Signal::Traces, &otlp::numbered(Signal::Traces, 1000, 30)).await.ok();
        expected.extend(1000..1030);
        eventually("all spans in the Collector's file", async || (written(&path).len() >= expected.len()).then_some(())).await;
        let numbers = written(&path);
        assert_eq!((numbers.len(), numbers.into_iter().collect::<BTreeSet<_>>()), (expected.len(), expected));
        assert_eq!(collector.stop().await.code(), 0);
    }

    // Before the gateway: both of its exporters, each encoding; 16 KiB frames as grpc-go sends them.
    async fn the_gateway_takes_what_the_collector_sends(runtime: Runtime) {
        for (exporter, encodings) in
            [("otlp_grpc", &["none", "gzip", "zstd", "snappy"][..]), ("otlp_http", &["none", "gzip", "zstd", "snappy", "x-snappy-framed", "zlib", "deflate", "lz4"])]
        {
            let relay = Relay::start(runtime, |config| config).await;
            for encoding in encodings {
                let (before_grpc, before_http) = (Port::free(), Port::free());
                let endpoint = match exporter {
                    "otlp_grpc" => relay.grpc.address(),
                    _ => format!("http://{}", relay.http.address()),
                };
                // wait_for_result: the agent answers when the gateway has answered.
                let block = format!(
                    "{{endpoint: '{endpoint}', compression: {encoding}, tls: {{insecure: true}}, sending_queue: {{enabled: false}}}}"
                );
                let yaml = Config::new(&before_grpc, &before_http).signals(&[Signal::Traces, Signal::Metrics, Signal::Logs]).exporter(exporter, &block).yaml();
                let Some(launch) = peer::collector("the_gateway_takes_what_the_collector_sends", &yaml) else { return };
                let collector = launch.start().await;
                let client = grpc::Client::connect(&before_grpc).await;
                for (signal, items) in [(Signal::Traces, 1000), (Signal::Metrics, 500), (Signal::Logs, 500)] {
                    let before = relay.backend.count();
                    client.export(signal, &otlp::items(signal, items)).await.ok();
                    let recorded = relay.backend.recorded();
                    assert_eq!(recorded.len(), before + 1, "{exporter}, {encoding}");
                    assert_eq!(otlp::count(signal, &recorded[before].body), items, "{exporter}, {encoding}, {signal:?}");
                }
                assert_eq!(collector.stop().await.code(), 0);
            }
        }
    }

    // The agent understands the gateway's refusals: it comes again where it may, and only there.
    async fn the_collector_understands_refusals(runtime: Runtime) {
        for exporter in ["otlp_grpc", "otlp_http"] {
            let relay = Relay::with(runtime, Backend::grpc(), |config, backend| config.grpc_to(backend, &["retry_on_failure: {enabled: false}"])).await;
            let (before_grpc, before_http) = (Port::free(), Port::free());
            let endpoint = match exporter {
                "otlp_grpc" => relay.grpc.address(),
                _ => format!("http://{}", relay.http.address()),
            };
            let block = format!(
                "{{endpoint: '{endpoint}', tls: {{insecure: true}}, sending_queue: {{enabled: false}}, \
                 retry_on_failure: {{initial_interval: 10ms, max_interval: 20ms}}}}"
            );
            let yaml = Config::new(&before_grpc, &before_http).signals(&[Signal::Traces]).exporter(exporter, &block).yaml();
            let Some(launch) = peer::collector("the_collector_understands_refusals", &yaml) else { return };
            let _collector = launch.start().await;
            let client = grpc::Client::connect(&before_grpc).await;
            let body = otlp::items(Signal::Traces, 3);
            relay.backend.answer_next(Answer::Status(Status::new(status::UNAVAILABLE, "busy")));
            client.export(Signal::Traces, &body).await.ok();
            assert_eq!(relay.backend.count(), 2, "{exporter}: the agent did not come again");
            relay.backend.answer_next(Answer::Status(Status::new(status::INVALID_ARGUMENT, "bad span")));
            let reply = client.export(Signal::Traces, &body).await;
            assert_ne!(reply.code(), 0);
            assert_eq!(relay.backend.count(), 3, "{exporter}: the agent came again");
        }
    }
}
