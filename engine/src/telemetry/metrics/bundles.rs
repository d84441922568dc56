//! The instruments of one component on one core, under the names and labels of
//! that kind of component. Made when the component is built; every method here is
//! fit for the hot path unless it says otherwise.

use std::{cell::RefCell, sync::Arc, time::Instant};

use trunkline_proto::Signal;

use super::{
    cells::{Counter, Gauge, Histogram},
    descriptors::{self as desc, Descriptor, Level, PerSignal, of},
    registry::Registry,
};

fn per_signal<T>(mut make: impl FnMut(Signal) -> T) -> [T; 4] {
    Signal::ALL.map(&mut make)
}

/// The place of `signal` in an array of one element a signal.
fn at<T>(all: &[T; 4], signal: Signal) -> &T {
    match signal {
        Signal::Traces => &all[0],
        Signal::Metrics => &all[1],
        Signal::Logs => &all[2],
        Signal::Profiles => &all[3],
    }
}

fn counters(
    registry: &Registry,
    core: usize,
    of_signal: &'static PerSignal,
    labels: &[(&'static str, &str)],
) -> [Counter; 4] {
    per_signal(|signal| registry.counter(core, of(of_signal, signal), labels))
}

/// What a receiver took in: `otelcol_receiver_*`.
#[derive(Debug)]
pub struct ReceiverMetrics {
    accepted: [Counter; 4],
    refused: [Counter; 4],
    failed: [Counter; 4],
}

impl ReceiverMetrics {
    /// Of the receiver `receiver` (its id) over `transport` (`grpc`, `http`).
    pub fn new(registry: &Registry, core: usize, receiver: &str, transport: &str) -> Self {
        let labels = [("receiver", receiver), ("transport", transport)];
        ReceiverMetrics {
            accepted: counters(registry, core, &desc::RECEIVER_ACCEPTED, &labels),
            refused: counters(registry, core, &desc::RECEIVER_REFUSED, &labels),
            failed: counters(registry, core, &desc::RECEIVER_FAILED, &labels),
        }
    }

    /// One request: how many items the pipeline took, did not take, and how many were
    /// lost to an error in the receiver itself. All three series of the signal appear.
    #[inline]
    pub fn request(&self, signal: Signal, accepted: u64, refused: u64, failed: u64) {
        at(&self.accepted, signal).add(accepted);
        at(&self.refused, signal).add(refused);
        at(&self.failed, signal).add(failed);
    }

    /// A request of `n` items goes into the pipeline, and the guard is told what became
    /// of it. Dropped without a word (the sender went away or its time was over) all of
    /// it counts as refused, as in the Collector, whose exporters then fail.
    #[inline]
    pub fn in_pipeline(&self, signal: Signal, n: u64) -> InPipeline<'_> {
        InPipeline {
            metrics: self,
            signal,
            accepted: 0,
            refused: n,
        }
    }

    /// `n` items that the pipeline took.
    #[inline]
    pub fn accepted(&self, signal: Signal, n: u64) {
        self.request(signal, n, 0, 0);
    }

    /// `n` items that the pipeline did not take.
    #[inline]
    pub fn refused(&self, signal: Signal, n: u64) {
        self.request(signal, 0, n, 0);
    }

    /// `n` items lost to an error in the receiver itself.
    #[inline]
    pub fn failed(&self, signal: Signal, n: u64) {
        self.request(signal, 0, 0, n);
    }
}

/// A request in the pipeline; see [`ReceiverMetrics::in_pipeline`].
#[derive(Debug)]
#[must_use = "dropped at once, the request counts as refused"]
pub struct InPipeline<'a> {
    metrics: &'a ReceiverMetrics,
    signal: Signal,
    accepted: u64,
    refused: u64,
}

impl InPipeline<'_> {
    /// The pipeline took all items but `rejected`.
    #[inline]
    pub fn accepted_but(mut self, rejected: u64) {
        let items = self.refused;
        self.refused = rejected.min(items);
        self.accepted = items - self.refused;
    }

    /// The pipeline took nothing.
    #[inline]
    pub fn refused(self) {
        drop(self);
    }
}

impl Drop for InPipeline<'_> {
    fn drop(&mut self) {
        self.metrics
            .request(self.signal, self.accepted, self.refused, 0);
    }
}

/// What went through a processor: `otelcol_processor_*_items`. Not for `batch`,
/// which has [`BatchMetrics`] only.
#[derive(Debug)]
pub struct ProcessorMetrics {
    incoming: Counter,
    outgoing: Counter,
    duration: Histogram,
}

impl ProcessorMetrics {
    /// Of the processor `processor` (its id) in a pipeline of `signal`.
    pub fn new(registry: &Registry, core: usize, processor: &str, signal: Signal) -> Self {
        let labels = [("processor", processor), ("otel_signal", signal.name())];
        ProcessorMetrics {
            incoming: registry.counter(core, &desc::PROCESSOR_INCOMING, &labels),
            outgoing: registry.counter(core, &desc::PROCESSOR_OUTGOING, &labels),
            duration: registry.histogram(core, &desc::PROCESSOR_DURATION, &labels),
        }
    }

    /// One batch: items that came in and items that went on.
    #[inline]
    pub fn processed(&self, incoming: u64, outgoing: u64) {
        self.incoming.add(incoming);
        self.outgoing.add(outgoing);
    }

    /// Where the time of a batch goes, seconds; shown at level detailed only.
    pub fn duration(&self) -> &Histogram {
        &self.duration
    }

    /// Runs `work` on a batch and records the time it takes; below level detailed no
    /// clock is read.
    #[inline]
    pub fn timed<T>(&self, work: impl FnOnce() -> T) -> T {
        if !self.duration.is_enabled() {
            return work();
        }
        let started = Instant::now();
        let done = work();
        self.duration.record(started.elapsed().as_secs_f64());
        done
    }
}

/// What a memory limiter let through: `otelcol_processor_memory_limiter_*`, and the
/// metrics that every processor has.
#[derive(Debug)]
pub struct MemoryLimiterMetrics {
    /// `None` for profiles, for which the Collector has no such metrics.
    counts: Option<(Counter, Counter)>,
    processor: ProcessorMetrics,
}

impl MemoryLimiterMetrics {
    /// Of the processor `processor` (its id) in a pipeline of `signal`.
    pub fn new(registry: &Registry, core: usize, processor: &str, signal: Signal) -> Self {
        let labels = [("processor", processor)];
        let counts = desc::MEMORY_LIMITER_ACCEPTED
            .get(signal.index())
            .zip(desc::MEMORY_LIMITER_REFUSED.get(signal.index()))
            .map(|(accepted, refused)| {
                (
                    registry.counter(core, accepted, &labels),
                    registry.counter(core, refused, &labels),
                )
            });
        MemoryLimiterMetrics {
            counts,
            processor: ProcessorMetrics::new(registry, core, processor, signal),
        }
    }

    /// `n` items went on.
    pub fn accepted(&self, n: u64) {
        if let Some((accepted, _)) = &self.counts {
            accepted.add(n);
        }
        self.processor.processed(n, n);
    }

    /// `n` items were refused for want of memory.
    pub fn refused(&self, n: u64) {
        if let Some((_, refused)) = &self.counts {
            refused.add(n);
        }
        self.processor.processed(n, 0);
    }
}

/// What a filter dropped: `otelcol_processor_filter_*`.
#[derive(Debug)]
pub struct FilterMetrics {
    filtered: Counter,
}

impl FilterMetrics {
    /// Of the processor `processor` (its id) in a pipeline of `signal`.
    pub fn new(registry: &Registry, core: usize, processor: &str, signal: Signal) -> Self {
        let labels = [("filter", processor)];
        let [traces, metrics, logs, profiles] = &desc::FILTER_FILTERED;
        let descriptor = match signal {
            Signal::Traces => traces,
            Signal::Metrics => metrics,
            Signal::Logs => logs,
            Signal::Profiles => profiles,
        };
        FilterMetrics {
            filtered: registry.counter(core, descriptor, &labels),
        }
    }

    /// `n` items were dropped by conditions; the series appears with the first batch.
    #[inline]
    pub fn filtered(&self, n: u64) {
        self.filtered.add(n);
    }
}

/// What a `batch` processor sent: `otelcol_processor_batch_*`.
#[derive(Debug)]
pub struct BatchMetrics {
    size_trigger: Counter,
    timeout_trigger: Counter,
    send_size: Histogram,
    send_size_bytes: Histogram,
    cardinality: Gauge,
}

impl BatchMetrics {
    /// Of the processor `processor` (its id); signals that share the id share the series.
    pub fn new(registry: &Registry, core: usize, processor: &str) -> Self {
        let labels = [("processor", processor)];
        BatchMetrics {
            size_trigger: registry.counter(core, &desc::BATCH_SIZE_TRIGGER, &labels),
            timeout_trigger: registry.counter(core, &desc::BATCH_TIMEOUT_TRIGGER, &labels),
            send_size: registry.histogram(core, &desc::BATCH_SEND_SIZE, &labels),
            send_size_bytes: registry.histogram(core, &desc::BATCH_SEND_SIZE_BYTES, &labels),
            cardinality: registry.gauge(core, &desc::BATCH_METADATA_CARDINALITY, &labels),
        }
    }

    /// A batch left because it was full.
    pub fn sent_by_size(&self, items: u64, bytes: u64) {
        self.size_trigger.add(1);
        self.sent(items, bytes);
    }

    /// A batch left because its time was over, or because nothing else was waiting.
    pub fn sent_by_timeout(&self, items: u64, bytes: u64) {
        self.timeout_trigger.add(1);
        self.sent(items, bytes);
    }

    fn sent(&self, items: u64, bytes: u64) {
        self.send_size.record(items as f64);
        self.send_size_bytes.record(bytes as f64);
    }

    /// The number of combinations of metadata values with a batch of their own. Add 1
    /// when one appears (also the only one of a processor without `metadata_keys`, when
    /// it is built), −1 when it goes.
    pub fn cardinality(&self) -> &Gauge {
        &self.cardinality
    }
}

/// Where an exporter sends to, as its labels say it.
#[derive(Clone, Debug, Default)]
pub struct Destination {
    /// Host as configured, without the port; `None` for exporters without a network address.
    pub server_address: Option<String>,
    /// Port as configured.
    pub server_port: Option<String>,
    /// URL path by [`Signal::index`]; `otlp_http` only.
    pub url_path: Option<[String; 4]>,
}

impl Destination {
    fn labels(&self, signal: Signal) -> Vec<(&'static str, &str)> {
        let path = self.url_path.as_ref().map(|paths| at(paths, signal));
        [
            ("server_address", self.server_address.as_ref()),
            ("server_port", self.server_port.as_ref()),
            ("url_path", path),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?.as_str())))
        .collect()
    }
}

/// What an exporter sent: `otelcol_exporter_*`.
#[derive(Debug)]
pub struct ExporterMetrics {
    sent: [Counter; 4],
    /// Below level detailed: one series a signal.
    send_failed: [Counter; 4],
    enqueue_failed: [Counter; 4],
    in_flight: [Gauge; 4],
    /// At level detailed failures are counted by error.
    by_error: Option<ByError>,
}

/// Failures at level detailed: a series is made when its error happens first.
#[derive(Debug)]
struct ByError {
    registry: Arc<Registry>,
    core: usize,
    exporter: String,
    destination: Destination,
    known: RefCell<Vec<Failure>>,
}

#[derive(Debug)]
struct Failure {
    signal: Signal,
    error: String,
    permanent: bool,
    counter: Counter,
}

impl ByError {
    fn counter(&self, signal: Signal, error: &str, permanent: bool) -> Counter {
        let mut labels = self.destination.labels(signal);
        labels.push(("exporter", &self.exporter));
        labels.push(("error_type", error));
        labels.push(("error_permanent", if permanent { "true" } else { "false" }));
        let descriptor = of(&desc::EXPORTER_SEND_FAILED, signal);
        self.registry.counter(self.core, descriptor, &labels)
    }

    fn add(&self, signal: Signal, error: &str, permanent: bool, n: u64) {
        let mut known = self.known.borrow_mut();
        let found = known.iter().position(|failure| {
            (failure.signal, failure.error.as_str(), failure.permanent)
                == (signal, error, permanent)
        });
        if found.is_none() && known.len() < MAX_ERRORS {
            known.push(Failure {
                signal,
                error: error.to_owned(),
                permanent,
                counter: self.counter(signal, error, permanent),
            });
        }
        let place = found.unwrap_or(known.len().saturating_sub(1));
        if let Some(failure) = known.get(place) {
            failure.counter.add(n);
        }
    }
}

/// gRPC has 17 codes, each permanent or not, for four signals; what exceeds this
/// is counted as the last one known.
const MAX_ERRORS: usize = 17 * 2 * 4;

impl ExporterMetrics {
    /// Of the exporter `exporter` (its id). The registry is kept only for failures at
    /// level detailed.
    pub fn new(
        registry: &Arc<Registry>,
        core: usize,
        exporter: &str,
        destination: &Destination,
    ) -> Self {
        let labels = |signal| {
            let mut labels = destination.labels(signal);
            labels.push(("exporter", exporter));
            labels
        };
        let counters = |of_signal: &'static PerSignal| {
            per_signal(|signal| registry.counter(core, of(of_signal, signal), &labels(signal)))
        };
        let by_error = (registry.level() >= Level::Detailed).then(|| ByError {
            registry: registry.clone(),
            core,
            exporter: exporter.to_owned(),
            destination: destination.clone(),
            known: RefCell::default(),
        });
        ExporterMetrics {
            sent: counters(&desc::EXPORTER_SENT),
            send_failed: counters(&desc::EXPORTER_SEND_FAILED),
            enqueue_failed: per_signal(|signal| {
                registry.counter(
                    core,
                    of(&desc::EXPORTER_ENQUEUE_FAILED, signal),
                    &[("exporter", exporter)],
                )
            }),
            in_flight: per_signal(|signal| {
                let labels = [("exporter", exporter), ("data_type", signal.name())];
                registry.gauge(core, &desc::EXPORTER_IN_FLIGHT, &labels)
            }),
            by_error,
        }
    }

    /// `n` items that the destination took.
    #[inline]
    pub fn sent(&self, signal: Signal, n: u64) {
        at(&self.sent, signal).add(n);
    }

    /// `n` items that were given up after the last attempt. `error_type` is the gRPC
    /// code's name (`Unavailable`, `InvalidArgument`, …); `permanent` says that no
    /// retry would have helped.
    pub fn send_failed(&self, signal: Signal, n: u64, error_type: &str, permanent: bool) {
        at(&self.sent, signal).add(0);
        match &self.by_error {
            Some(by_error) => by_error.add(signal, error_type, permanent, n),
            None => at(&self.send_failed, signal).add(n),
        }
    }

    /// `n` items for which the sending queue had no room.
    pub fn enqueue_failed(&self, signal: Signal, n: u64) {
        at(&self.enqueue_failed, signal).add(n);
    }

    /// Counts a request as on its way, waits between retries included, until the guard
    /// is dropped.
    #[inline]
    pub fn in_flight(&self, signal: Signal) -> InFlight<'_> {
        let gauge = at(&self.in_flight, signal);
        gauge.add(1);
        InFlight(gauge)
    }
}

/// A request on its way; see [`ExporterMetrics::in_flight`].
#[derive(Debug)]
#[must_use]
pub struct InFlight<'a>(&'a Gauge);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}

/// What waits in an exporter's sending queue: `otelcol_exporter_queue_*`,
/// `otelcol_exporter_enqueue_size*`.
#[derive(Debug)]
pub struct QueueMetrics {
    size: Gauge,
    capacity: Gauge,
    enqueued: Histogram,
    enqueued_bytes: Histogram,
}

impl QueueMetrics {
    /// Of the queue of `signal` of the exporter `exporter` (its id). `capacity` is this
    /// core's share in units of the queue's sizer; the cores add up.
    pub fn new(
        registry: &Registry,
        core: usize,
        exporter: &str,
        signal: Signal,
        capacity: i64,
    ) -> Self {
        let labels = [("exporter", exporter), ("data_type", signal.name())];
        let gauge = |descriptor: &'static Descriptor| registry.gauge(core, descriptor, &labels);
        let histogram =
            |descriptor| registry.histogram(core, descriptor, &[("exporter", exporter)]);
        let metrics = QueueMetrics {
            size: gauge(&desc::EXPORTER_QUEUE_SIZE),
            capacity: gauge(&desc::EXPORTER_QUEUE_CAPACITY),
            enqueued: histogram(&desc::EXPORTER_ENQUEUE_SIZE),
            enqueued_bytes: histogram(&desc::EXPORTER_ENQUEUE_SIZE_BYTES),
        };
        metrics.size.add(0);
        metrics.capacity.set(capacity);
        metrics
    }

    /// What the queue holds now, in units of its sizer, requests in flight included.
    pub fn size(&self) -> &Gauge {
        &self.size
    }

    /// A request was added; shown at level detailed only.
    pub fn enqueued(&self, items: u64, bytes: u64) {
        self.enqueued.record(items as f64);
        self.enqueued_bytes.record(bytes as f64);
    }
}
