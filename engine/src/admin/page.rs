//! The admin page: the page itself, which draws what it reads once a second from
//! `/api/v1/status`, and that document. The Collector's zpages are in `zpages`.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use http::{HeaderValue, Request, StatusCode, header};
use serde_json::{Map, Value, json};

use super::{
    http::{Handler, Page, not_found, page},
    status::{ComponentRef, Status, StatusSource},
    zpages,
};
use crate::telemetry::{
    Ledger, LedgerBalance, Registry,
    metrics::{FamilySample, SampleValue},
    process,
};

const HTML: &str = "text/html; charset=utf-8";

/// Nothing from elsewhere, and nobody else's page around this one.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Everything that the `zpages` endpoint serves.
pub struct AdminPages<S> {
    source: S,
    registry: Arc<Registry>,
    ledger: Ledger,
}

impl<S> std::fmt::Debug for AdminPages<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdminPages").finish_non_exhaustive()
    }
}

impl<S: StatusSource> AdminPages<S> {
    /// Pages over `source` and the metrics in `registry`.
    pub fn new(source: S, registry: Arc<Registry>) -> Self {
        let ledger = Ledger::new(registry.clone());
        AdminPages {
            source,
            registry,
            ledger,
        }
    }
}

impl<S: StatusSource> Handler for AdminPages<S> {
    fn answer(&self, request: &Request<()>) -> Page {
        let status = || self.source.status();
        let mut page = match request.uri().path() {
            "/" => page(StatusCode::OK, HTML, include_str!("page.html")),
            "/api/v1/status" => {
                let document = document(&status(), &self.registry, &self.ledger);
                page(StatusCode::OK, "application/json", document.to_string())
            }
            "/debug/servicez" => page(StatusCode::OK, HTML, zpages::service(&status())),
            "/debug/pipelinez" => page(
                StatusCode::OK,
                HTML,
                zpages::pipelines(&status(), request.uri().query()),
            ),
            "/debug/extensionz" => page(
                StatusCode::OK,
                HTML,
                zpages::extensions(&status(), request.uri().query()),
            ),
            "/debug/featurez" => page(StatusCode::OK, HTML, zpages::features(&status())),
            // Own traces are off, as they are by default in the Collector: no tracez.
            _ => return not_found(),
        };
        let headers = page.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(POLICY),
        );
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        page
    }
}

/// The document behind the page: everything cumulative, rates are the reader's.
fn document(status: &Status, registry: &Registry, ledger: &Ledger) -> Value {
    let now = SystemTime::now();
    let since = |time| now.duration_since(time).unwrap_or_default();
    let balance = ledger.balance();
    let lost: Map<String, Value> = balance
        .iter()
        .map(|(id, balance)| (id.clone(), balance.dropped.values().sum::<i64>().into()))
        .collect();
    let parts = |parts: &[ComponentRef]| -> Vec<Value> {
        parts
            .iter()
            .map(|part| json!({"id": part.id, "connector": part.connector}))
            .collect()
    };
    json!({
        "time_ms": since(UNIX_EPOCH).as_secs_f64() * 1000.0,
        "build": {
            "command": status.build.command,
            "description": status.build.description,
            "version": status.build.version,
        },
        "ready": status.ready,
        "uptime_seconds": since(status.started).as_secs_f64(),
        "cpu_seconds": process::cpu_seconds(),
        "runtime": {"mode": status.runtime, "reason": status.runtime_reason},
        "cores": status.cores.iter().map(|core| json!({
            "index": core.index,
            "cpu": core.cpu,
            "cpu_seconds": core.cpu_seconds,
        })).collect::<Vec<_>>(),
        "memory": {
            "used": status.memory.used,
            "budget": status.memory.budget,
            "resident": process::resident_bytes(),
        },
        "listeners": status.listeners.iter().map(|listener| json!({
            "component": listener.component,
            "protocol": listener.protocol,
            "address": listener.address,
        })).collect::<Vec<_>>(),
        "pipelines": status.pipelines.iter().map(|pipeline| json!({
            "id": pipeline.id,
            "signal": pipeline.signal,
            "receivers": parts(&pipeline.receivers),
            "processors": parts(&pipeline.processors),
            "exporters": parts(&pipeline.exporters),
        })).collect::<Vec<_>>(),
        "ledger": balance.iter().map(|(id, b)| (id.clone(), terms(b))).collect::<Map<_, _>>(),
        "lost": lost,
        "components": components(registry),
        "extensions": status.extensions,
        "config": status.config,
        "data_dir": status.data_dir,
    })
}

fn terms(balance: &LedgerBalance) -> Value {
    json!({
        "received": balance.received,
        "sent": balance.sent,
        "refused": balance.refused,
        "dropped": balance.dropped,
        "held": balance.held,
        "difference": balance.difference(),
    })
}

/// Counts of components as kind → id → signal → what: from the same metrics that
/// scrapers see.
fn components(registry: &Registry) -> Value {
    type BySignal = BTreeMap<String, BTreeMap<&'static str, f64>>;
    let mut kinds: BTreeMap<&'static str, BTreeMap<String, BySignal>> =
        ["receiver", "processor", "exporter"]
            .map(|kind| (kind, BTreeMap::new()))
            .into();
    for family in registry.sample() {
        let Some((kind, what, signal)) = meaning(&family) else {
            continue;
        };
        for series in &family.series {
            let SampleValue::Number(value) = series.value else {
                continue;
            };
            let label = |wanted| {
                let mut labels = series.labels.iter();
                labels
                    .find(|(name, _)| *name == wanted)
                    .map(|(_, value)| value.clone())
            };
            let signal = match signal {
                Some(signal) => Some(signal.to_owned()),
                None => label("otel_signal").or_else(|| label("data_type")),
            };
            let (Some(id), Some(signal)) = (label(kind), signal) else {
                continue;
            };
            let kind = kinds.entry(kind).or_default();
            let counts = kind.entry(id).or_default().entry(signal).or_default();
            *counts.entry(what).or_default() += value;
        }
    }
    json!(kinds)
}

/// Kind of component, what is counted, and the signal where the name gives it.
fn meaning(family: &FamilySample) -> Option<(&'static str, &'static str, Option<&'static str>)> {
    let name = family.descriptor.name;
    let signal = trunkline_proto::Signal::ALL
        .into_iter()
        .find(|signal| name.ends_with(signal.items()))
        .map(|signal| signal.name());
    let counted = [
        ("otelcol_receiver_accepted_", "receiver", "accepted"),
        ("otelcol_receiver_refused_", "receiver", "refused"),
        ("otelcol_receiver_failed_", "receiver", "failed"),
        ("otelcol_processor_incoming_", "processor", "incoming"),
        ("otelcol_processor_outgoing_", "processor", "outgoing"),
        ("otelcol_exporter_sent_", "exporter", "sent"),
        ("otelcol_exporter_send_failed_", "exporter", "send_failed"),
        (
            "otelcol_exporter_enqueue_failed_",
            "exporter",
            "enqueue_failed",
        ),
        (
            "otelcol_exporter_in_flight_requests",
            "exporter",
            "in_flight",
        ),
    ];
    let (_, kind, what) = counted
        .into_iter()
        .find(|(prefix, ..)| name.starts_with(prefix))?;
    Some((kind, what, signal))
}
