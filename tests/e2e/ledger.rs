//! Every item is accounted for: received = sent + refused + dropped + held, read
//! from the metrics page and held against what clients and backend saw.

use std::collections::BTreeSet;

use prost::Message;
use trunkline_tests::{
    Answer, Backend, Gateway, Signal, both_runtimes, eventually,
    grpc::{Call, Reply},
    http::{self, Request},
    otlp,
    status::{self, ExportResponse, Status},
    wait::PATIENCE,
};

use trunkline_tests::config::Relay;

/// The terms of one pipeline, items.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Terms {
    received: f64,
    sent: f64,
    refused: f64,
    dropped: f64,
    held: f64,
}

impl Terms {
    async fn read(gateway: &Gateway, pipeline: &str) -> Terms {
        let page = gateway.metrics().await;
        let term = |name: &str| {
            page.sum(
                &format!("trunkline_pipeline_{name}_items"),
                &[("pipeline", pipeline)],
            )
        };
        Terms {
            received: term("received"),
            sent: term("sent"),
            refused: term("refused"),
            dropped: term("dropped"),
            held: term("held"),
        }
    }

    /// Waits until the pipeline's terms are these; what is counted after the caller has its answer comes a moment later.
    async fn become_these(self, gateway: &Gateway, pipeline: &str) {
        let begun = std::time::Instant::now();
        loop {
            let now = Terms::read(gateway, pipeline).await;
            if now == self {
                break;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{pipeline}: {now:?}, not {self:?}"
            );
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(
            self.received,
            self.sent + self.refused + self.dropped + self.held
        );
    }
}

both_runtimes! {
    // Each way that a request can go ends in its own term, and the terms add up while it is on its way.
    async fn every_fate_has_its_term(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let client = relay.client().await;
        client.export(Signal::Traces, &otlp::items(Signal::Traces, 10)).await.ok();
        let mut terms = Terms { received: 10.0, sent: 10.0, ..Terms::default() };
        terms.become_these(&relay.gateway, "traces").await;

        relay.backend.answer_next(Answer::Status(Status::new(status::INVALID_ARGUMENT, "no")));
        assert_ne!(client.export(Signal::Traces, &otlp::items(Signal::Traces, 5)).await.code(), 0);
        terms = Terms { received: 15.0, refused: 5.0, ..terms };
        terms.become_these(&relay.gateway, "traces").await;

        relay.backend.answer_next(Answer::Response(ExportResponse::partial(3, "old")));
        client.export(Signal::Traces, &otlp::items(Signal::Traces, 10)).await.ok();
        terms = Terms { received: 25.0, sent: 17.0, dropped: 3.0, ..terms };
        terms.become_these(&relay.gateway, "traces").await;

        relay.backend.hold();
        let waiting = {
            let client = client.clone();
            tokio::spawn(async move { client.export(Signal::Traces, &otlp::items(Signal::Traces, 4)).await.ok() })
        };
        relay.backend.wait_for_waiting(1).await;
        Terms { received: 29.0, held: 4.0, ..terms }.become_these(&relay.gateway, "traces").await;
        relay.backend.release();
        waiting.await.unwrap();
        Terms { received: 29.0, sent: 21.0, ..terms }.become_these(&relay.gateway, "traces").await;

        // A caller that goes away takes its items out of `held`, into a term that says so.
        relay.backend.hold();
        let call = Call::export(Signal::Traces, &otlp::items(Signal::Traces, 6));
        let gone = {
            let client = relay.client().await;
            tokio::spawn(async move { client.try_call(&call).await })
        };
        relay.backend.wait_for_waiting(1).await;
        gone.abort();
        relay.backend.release();
        eventually("an even balance", async || {
            let now = Terms::read(&relay.gateway, "traces").await;
            let even = now.received == 35.0 && now.held == 0.0 && now.sent + now.refused + now.dropped == 35.0;
            even.then_some(())
        })
        .await;
    }

    // The Collector's own metrics of receivers and exporters: names, labels, values.
    async fn the_collectors_metrics_count_the_same_items(runtime: Runtime) {
        let relay = Relay::start(runtime, |config| config).await;
        let client = relay.client().await;
        for (signal, items) in [(Signal::Traces, 3), (Signal::Metrics, 4), (Signal::Logs, 5), (Signal::Profiles, 6)] {
            client.export(signal, &otlp::items(signal, items)).await.ok();
            let request = Request::export(signal, otlp::items(signal, items));
            assert_eq!(http::send(&relay.http, &request).await.status, 200);
        }
        relay.backend.answer_next(Answer::Status(Status::new(status::INVALID_ARGUMENT, "no")));
        client.export(Signal::Logs, &otlp::items(Signal::Logs, 7)).await;
        let page = relay.gateway.metrics().await;
        let receiver = |name: &str, items: &str, transport: &str| {
            let name = format!("otelcol_receiver_{name}_{items}");
            assert_eq!(page.types.get(&name).map(String::as_str), Some("counter"), "{name}");
            page.sum(&name, &[("receiver", "otlp"), ("transport", transport)])
        };
        let exporter = |name: &str, items: &str| {
            page.sum(&format!("otelcol_exporter_{name}_{items}"), &[("exporter", "otlp_grpc")])
        };
        for (signal, items, refused) in
            [(Signal::Traces, 3., 0.), (Signal::Metrics, 4., 0.), (Signal::Logs, 5., 7.), (Signal::Profiles, 6., 0.)]
        {
            let word = signal.items();
            assert_eq!(receiver("accepted", word, "grpc"), items, "{word}");
            assert_eq!(receiver("accepted", word, "http"), items, "{word}");
            assert_eq!(receiver("refused", word, "grpc"), refused, "{word}");
            assert_eq!(receiver("refused", word, "http"), 0., "{word}");
            assert_eq!(exporter("sent", word), 2. * items, "{word}");
            assert_eq!(exporter("send_failed", word), refused, "{word}");
        }
        let address = page.find("otelcol_exporter_sent_spans", &[]).next().unwrap();
        assert_eq!(address.labels.get("server_port"), Some(&relay.backend.port().to_string()));
        assert_eq!(page.samples.iter().filter(|sample| sample.name == "target_info").count(), 1);
        assert!(page.sum("otelcol_process_memory_rss", &[]) > 0.);
        assert!(page.sum("otelcol_process_uptime", &[]) >= 0.);
    }

    // Many callers, a backend with moods: what was answered with success is at the backend, and the terms are what
    // the callers saw.
    async fn nothing_is_lost_whatever_the_backend_does(runtime: Runtime) {
        const REQUESTS: u64 = 200;
        const ITEMS: u64 = 7;
        let relay = Relay::start(runtime, |config| config).await;
        for mood in 0..60 {
            relay.backend.answer_next(match mood % 6 {
                0 => Answer::Status(Status::new(status::UNAVAILABLE, "busy")),
                1 => Answer::Status(Status::new(status::INVALID_ARGUMENT, "no")),
                2 => Answer::Disconnect,
                3 => Answer::Response(ExportResponse::partial(2, "old")),
                4 => Answer::Status(Status::new(status::INTERNAL, "broken")),
                _ => Answer::Ok,
            });
        }
        let mut calls = Vec::new();
        for connection in 0..4 {
            let client = relay.client().await;
            for number in (0..REQUESTS).filter(|number| number % 4 == connection) {
                let (client, body) = (client.clone(), otlp::numbered(Signal::Traces, number * ITEMS, ITEMS));
                calls.push(tokio::spawn(async move { (number, client.export(Signal::Traces, &body).await) }));
            }
        }
        let (mut accepted, mut refused, mut rejected) = (BTreeSet::new(), 0, 0);
        let count = |accepted: &mut BTreeSet<u64>, refused: &mut u64, rejected: &mut i64, number: u64, reply: Reply| {
            if reply.code() == 0 {
                let response = ExportResponse::decode(reply.response()).unwrap();
                *rejected += response.partial_success.map_or(0, |partial| partial.rejected);
                accepted.extend(number * ITEMS..(number + 1) * ITEMS);
            } else {
                *refused += ITEMS;
            }
        };
        for call in calls {
            let (number, reply) = call.await.unwrap();
            count(&mut accepted, &mut refused, &mut rejected, number, reply);
        }
        // A connection that breaks takes every answer with it that is on its way: one caller after the other sees
        // what those above may all have missed, behind what may be left of the moods.
        relay.backend.answer_next(Answer::Status(Status::new(status::INVALID_ARGUMENT, "no")));
        relay.backend.answer_next(Answer::Response(ExportResponse::partial(2, "old")));
        let client = relay.client().await;
        let mut requests = REQUESTS;
        while requests < REQUESTS + 70 && (refused == 0 || rejected == 0 || accepted.len() < 2) {
            let body = otlp::numbered(Signal::Traces, requests * ITEMS, ITEMS);
            let reply = client.export(Signal::Traces, &body).await;
            count(&mut accepted, &mut refused, &mut rejected, requests, reply);
            requests += 1;
        }
        assert!(refused > 0 && rejected > 0 && !accepted.is_empty(), "{refused} {rejected} {}", accepted.len());
        let arrived: BTreeSet<u64> =
            relay.backend.recorded().iter().flat_map(|request| otlp::span_numbers(&request.body)).collect();
        assert!(arrived.is_superset(&accepted), "lost: {:?}", accepted.difference(&arrived).collect::<Vec<_>>());
        Terms {
            received: (requests * ITEMS) as f64,
            sent: accepted.len() as f64 - rejected as f64,
            refused: refused as f64,
            dropped: rejected as f64,
            held: 0.0,
        }
        .become_these(&relay.gateway, "traces")
        .await;
    }

    // Two exporters: an item counts once, and a slow destination does not change what the other gets.
    async fn a_fan_out_counts_items_once(runtime: Runtime) {
        let slow = Backend::http();
        let relay = Relay::start(runtime, |config| config.http_to(&slow, &[])).await;
        slow.hold();
        let client = relay.client().await;
        let call = tokio::spawn(async move { client.export(Signal::Logs, &otlp::items(Signal::Logs, 8)).await.ok() });
        slow.wait_for_waiting(1).await;
        relay.backend.wait_for(1).await;
        Terms { received: 8.0, held: 8.0, ..Terms::default() }.become_these(&relay.gateway, "logs").await;
        slow.release();
        call.await.unwrap();
        Terms { received: 8.0, sent: 8.0, ..Terms::default() }.become_these(&relay.gateway, "logs").await;
        let page = relay.gateway.metrics().await;
        for exporter in ["otlp_grpc", "otlp_http"] {
            assert_eq!(page.sum("otelcol_exporter_sent_log_records", &[("exporter", exporter)]), 8.0, "{exporter}");
        }
    }
}
