//! Own telemetry sent over OTLP, from the control thread: metrics at intervals, logs
//! as they come. What is sent goes out through the exporters `otlp_grpc` and
//! `otlp_http`; here is what they are told, and when.

mod encode;
pub mod logs;
mod target;

pub use target::{Sender, Target};

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::sync::watch;

use super::metrics::{FamilySample, Registry, SampleValue, SeriesSample, instruments::Instrument};
use crate::config::telemetry::{OtlpMetric, Periodic};

/// How long the last request may take when the gateway ends.
const LAST: Duration = Duration::from_secs(5);

/// What all own telemetry says of its origin.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Attributes of the process.
    pub resource: Vec<(String, String)>,
    /// Their schema.
    pub schema_url: String,
    /// When counting began.
    pub started: SystemTime,
}

/// Which streams are sent as changes since the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temporality {
    /// None.
    Cumulative,
    /// Counters and histograms.
    Delta,
    /// The same, but not those that are observed.
    LowMemory,
}

impl Temporality {
    fn is_delta(self, instrument: Instrument) -> bool {
        match (self, instrument) {
            (Temporality::Cumulative, _) => false,
            (_, Instrument::Counter | Instrument::Histogram) => true,
            (Temporality::Delta, Instrument::ObservableCounter) => true,
            _ => false,
        }
    }
}

/// A periodic reader.
pub struct MetricPusher {
    sender: Sender,
    interval: Duration,
    timeout: Duration,
    temporality: Temporality,
    registry: Arc<Registry>,
    origin: Origin,
    before: HashMap<String, SampleValue>,
    last: SystemTime,
}

/// Milliseconds of the configuration; nothing and what is not positive is the default.
fn millis(given: Option<i64>, default: u64) -> Duration {
    let given = given.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0);
    Duration::from_millis(given.unwrap_or(default))
}

impl MetricPusher {
    /// From its block; `None` where it sends nowhere that there is.
    ///
    /// # Errors
    /// The Collector's text for what cannot be used.
    pub fn new(
        reader: &Periodic,
        registry: Arc<Registry>,
        origin: Origin,
    ) -> Result<Option<MetricPusher>, String> {
        let exporter = &reader.exporter;
        if exporter.otlp.is_some() && exporter.console.is_some() {
            return Err("must not specify multiple exporters".into());
        }
        if exporter.console.is_some() {
            return Ok(None);
        }
        let otlp = exporter.otlp.as_ref().ok_or("no valid metric exporter")?;
        let temporality = temporality(otlp)?;
        Ok(Some(MetricPusher {
            sender: Target::new(&otlp.otlp)
                .ok_or("no valid metric exporter")?
                .sender(trunkline_proto::Signal::Metrics)?,
            interval: millis(reader.interval, 60_000),
            timeout: millis(reader.timeout, 30_000),
            temporality,
            registry,
            last: origin.started,
            origin,
            before: HashMap::new(),
        }))
    }

    /// Sends at intervals, and once more when `stop` changes.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut ticks =
            tokio::time::interval_at(tokio::time::Instant::now() + self.interval, self.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let stopped = tokio::select! {
                // An error says that nobody is left to say stop: the same as stop.
                _ = stop.changed() => true,
                _ = ticks.tick() => false,
            };
            let limit = if stopped {
                self.timeout.min(LAST)
            } else {
                self.timeout
            };
            self.push(limit).await;
            if stopped {
                return;
            }
        }
    }

    async fn push(&mut self, limit: Duration) {
        let now = SystemTime::now();
        let mut families = self.registry.streams();
        for family in &mut families {
            let temporality = self.temporality;
            if temporality.is_delta(Instrument::of(family.descriptor)) {
                self.change(family);
            }
        }
        let request = encode::metrics(&families, &self.origin, self.temporality, self.last, now);
        self.last = now;
        if let Err(error) = self.sender.send(request, limit).await {
            failed("metrics", &error);
        }
    }

    /// Turns totals into what changed since the last time.
    fn change(&mut self, family: &mut FamilySample) {
        for SeriesSample { labels, value } in &mut family.series {
            let key = format!("{}{labels:?}", family.name);
            let total = value.clone();
            if let Some(before) = self.before.get(&key) {
                value.subtract(before);
            }
            self.before.insert(key, total);
        }
    }
}

fn temporality(otlp: &OtlpMetric) -> Result<Temporality, String> {
    match otlp.temporality_preference.as_deref() {
        None | Some("cumulative") => Ok(Temporality::Cumulative),
        Some("delta") => Ok(Temporality::Delta),
        Some("lowmemory") => Ok(Temporality::LowMemory),
        Some(other) => Err(format!("unsupported temporality preference {other:?}")),
    }
}

impl SampleValue {
    fn subtract(&mut self, before: &SampleValue) {
        match (self, before) {
            (SampleValue::Number(value), SampleValue::Number(before)) => *value -= before,
            (SampleValue::Histogram(value), SampleValue::Histogram(before)) => {
                for (count, before) in value.counts.iter_mut().zip(&before.counts) {
                    *count = count.saturating_sub(*before);
                }
                value.sum -= before.sum;
            }
            _ => {}
        }
    }
}

/// Says in the log that own telemetry was not delivered, in the words of the Collector.
fn failed(what: &str, error: &str) {
    tracing::error!(
        target: logs::ABOUT_PUSHING,
        error = format!("failed to upload {what}: {error}"),
        "OpenTelemetry internal telemetry error"
    );
}
