//! Every metric there is: name, help text, unit, type, the level from which it is
//! shown. Names, texts, units and levels of `otelcol_*` are the Collector's, whose
//! dashboards and alerts read them; `trunkline_*` are the gateway's own. The values
//! are written elsewhere.

use trunkline_proto::Signal;

pub use super::descriptor::{Across, Descriptor, Kind, Level, Unit};
use super::descriptor::{BYTE_SIZES, CALL_SECONDS, SDK_BOUNDS, SIZES, counter, gauge, metric};

const RECEIVER: &str = "go.opentelemetry.io/collector/receiver/receiverhelper";
const PROCESSOR: &str = "go.opentelemetry.io/collector/processor/processorhelper";
const BATCH: &str = "go.opentelemetry.io/collector/processor/batchprocessor";
const MEMORY_LIMITER: &str = "go.opentelemetry.io/collector/processor/memorylimiterprocessor";
const FILTER: &str =
    "github.com/open-telemetry/opentelemetry-collector-contrib/processor/filterprocessor";
const EXPORTER: &str = "go.opentelemetry.io/collector/exporter/exporterhelper";
const SERVICE: &str = "go.opentelemetry.io/collector/service";
const OTELHTTP: &str = "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp";
const OTELGRPC: &str =
    "go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc";
const OWN: &str = "trunkline";

/// A counter for each signal: the beginning of its name and of its help text, how that goes on,
/// and for each signal the end of the name, what is counted, and the stability.
macro_rules! by_signal {
    ($scope:expr, $name:literal, $before:literal, $after:literal,
     $($end:literal $items:literal $stability:literal),+) => {
        [$(counter(
            $scope,
            concat!($name, $end),
            concat!($before, $items, $after, $stability),
        )),+]
    };
}

/// One descriptor a signal, in the order of [`Signal::index`].
pub type PerSignal = [Descriptor; 4];

/// The descriptor for `signal`.
pub fn of(descriptors: &'static PerSignal, signal: Signal) -> &'static Descriptor {
    match signal {
        Signal::Traces => &descriptors[0],
        Signal::Metrics => &descriptors[1],
        Signal::Logs => &descriptors[2],
        Signal::Profiles => &descriptors[3],
    }
}

/// `otelcol_receiver_accepted_*`; labels receiver, transport.
pub static RECEIVER_ACCEPTED: PerSignal = by_signal!(
    RECEIVER,
    "otelcol_receiver_accepted_",
    "Number of ",
    " successfully pushed into the pipeline. ",
    "spans" "spans" "[Alpha]",
    "metric_points" "metric points" "[Alpha]",
    "log_records" "log records" "[Alpha]",
    "profile_samples" "profile samples" "[Alpha]"
);

/// `otelcol_receiver_refused_*`; labels receiver, transport.
pub static RECEIVER_REFUSED: PerSignal = by_signal!(
    RECEIVER,
    "otelcol_receiver_refused_",
    "Number of ",
    " that could not be pushed into the pipeline. ",
    "spans" "spans" "[Alpha]",
    "metric_points" "metric points" "[Alpha]",
    "log_records" "log records" "[Alpha]",
    "profile_samples" "profile samples" "[Alpha]"
);

/// `otelcol_receiver_failed_*`; labels receiver, transport.
pub static RECEIVER_FAILED: PerSignal = by_signal!(
    RECEIVER,
    "otelcol_receiver_failed_",
    "The number of ",
    " that failed to be processed by the receiver due to internal errors. ",
    "spans" "spans" "[Alpha]",
    "metric_points" "metric points" "[Alpha]",
    "log_records" "log records" "[Alpha]",
    "profile_samples" "profile samples" "[Alpha]"
);

/// With the gate `receiverhelper.newReceiverMetrics`; labels receiver, transport,
/// outcome (success, refused, failure).
pub static RECEIVER_REQUESTS: Descriptor = counter(
    RECEIVER,
    "otelcol_receiver_requests",
    "The number of requests performed. [Alpha]",
);

/// Labels processor, otel_signal.
pub static PROCESSOR_INCOMING: Descriptor = counter(
    PROCESSOR,
    "otelcol_processor_incoming_items",
    "Number of items passed to the processor. [Alpha]",
);
/// Labels processor, otel_signal.
pub static PROCESSOR_OUTGOING: Descriptor = counter(
    PROCESSOR,
    "otelcol_processor_outgoing_items",
    "Number of items emitted from the processor. [Alpha]",
);
/// Labels processor, otel_signal.
pub static PROCESSOR_DURATION: Descriptor = metric(
    PROCESSOR,
    Level::Detailed,
    Kind::Histogram(SDK_BOUNDS),
    Unit::Seconds,
    "otelcol_processor_internal_duration",
    "Duration of time taken to process a batch of telemetry data through the processor. [Alpha]",
);

/// `otelcol_processor_memory_limiter_accepted_*`, profiles have none; label processor.
pub static MEMORY_LIMITER_ACCEPTED: [Descriptor; 3] = by_signal!(
    MEMORY_LIMITER,
    "otelcol_processor_memory_limiter_accepted_",
    "Number of ",
    " successfully pushed into the next component in the pipeline. ",
    "spans" "spans" "[Alpha]",
    "metric_points" "metric points" "[Alpha]",
    "log_records" "log records" "[Alpha]"
);
/// `otelcol_processor_memory_limiter_refused_*`, profiles have none; label processor.
pub static MEMORY_LIMITER_REFUSED: [Descriptor; 3] = by_signal!(
    MEMORY_LIMITER,
    "otelcol_processor_memory_limiter_refused_",
    "Number of ",
    " that were rejected by the next component in the pipeline. ",
    "spans" "spans" "[Alpha]",
    "metric_points" "metric points" "[Alpha]",
    "log_records" "log records" "[Alpha]"
);

/// `otelcol_processor_filter_*.filtered` by signal; label filter.
pub static FILTER_FILTERED: [Descriptor; 4] = [
    counter(
        FILTER,
        "otelcol_processor_filter_spans_filtered",
        "Number of spans dropped by the filter processor [Development]",
    ),
    counter(
        FILTER,
        "otelcol_processor_filter_datapoints_filtered",
        "Number of metric data points dropped by the filter processor [Development]",
    ),
    counter(
        FILTER,
        "otelcol_processor_filter_logs_filtered",
        "Number of logs dropped by the filter processor [Development]",
    ),
    counter(
        FILTER,
        "otelcol_processor_filter_profiles_filtered",
        "Number of profiles dropped by the filter processor [Development]",
    ),
];

/// Label processor.
pub static BATCH_SIZE_TRIGGER: Descriptor = metric(
    BATCH,
    Level::Normal,
    Kind::Counter,
    Unit::Count,
    "otelcol_processor_batch_batch_size_trigger_send",
    "Number of times the batch was sent due to a size trigger [Development]",
);
/// Label processor.
pub static BATCH_TIMEOUT_TRIGGER: Descriptor = metric(
    BATCH,
    Level::Normal,
    Kind::Counter,
    Unit::Count,
    "otelcol_processor_batch_timeout_trigger_send",
    "Number of times the batch was sent due to a timeout trigger [Development]",
);
/// Label processor.
pub static BATCH_SEND_SIZE: Descriptor = metric(
    BATCH,
    Level::Normal,
    Kind::Histogram(SIZES),
    Unit::Count,
    "otelcol_processor_batch_batch_send_size",
    "Number of units in the batch [Development]",
);
/// Label processor.
pub static BATCH_SEND_SIZE_BYTES: Descriptor = metric(
    BATCH,
    Level::Detailed,
    Kind::Histogram(BYTE_SIZES),
    Unit::Bytes,
    "otelcol_processor_batch_batch_send_size_bytes",
    "Number of bytes in batch that was sent. Only available on detailed level. [Development]",
);
/// Label processor; the signals that share the id add up, the cores do not.
pub static BATCH_METADATA_CARDINALITY: Descriptor = Descriptor {
    across: Across::Max,
    ..metric(
        BATCH,
        Level::Normal,
        Kind::Gauge,
        Unit::Count,
        "otelcol_processor_batch_metadata_cardinality",
        "Number of distinct metadata value combinations being processed [Development]",
    )
};

/// `otelcol_exporter_sent_*`; labels exporter, server_address, server_port, url_path.
pub static EXPORTER_SENT: PerSignal = by_signal!(
    EXPORTER,
    "otelcol_exporter_sent_",
    "Number of ",
    " successfully sent to destination. ",
    "spans" "spans" "[Alpha]",
    "metric_points" "metric points" "[Alpha]",
    "log_records" "log record" "[Alpha]",
    "profile_samples" "profile samples" "[Development]"
);

/// `otelcol_exporter_send_failed_*`; labels as sent, and error_type,
/// error_permanent at level detailed.
pub static EXPORTER_SEND_FAILED: PerSignal = by_signal!(
    EXPORTER,
    "otelcol_exporter_send_failed_",
    "Number of ",
    " in failed attempts to send to destination. At detailed telemetry level, includes attributes: error.type (semantic convention), error.permanent. ",
    "spans" "spans" "[Alpha]",
    "metric_points" "metric points" "[Alpha]",
    "log_records" "log records" "[Alpha]",
    "profile_samples" "profile samples" "[Development]"
);

/// `otelcol_exporter_enqueue_failed_*`; label exporter.
pub static EXPORTER_ENQUEUE_FAILED: PerSignal = by_signal!(
    EXPORTER,
    "otelcol_exporter_enqueue_failed_",
    "Number of ",
    " failed to be added to the sending queue. ",
    "spans" "spans" "[Alpha]",
    "metric_points" "metric points" "[Alpha]",
    "log_records" "log records" "[Alpha]",
    "profile_samples" "profile samples" "[Development]"
);

/// Labels exporter, data_type.
pub static EXPORTER_IN_FLIGHT: Descriptor = gauge(
    EXPORTER,
    "otelcol_exporter_in_flight_requests",
    "Number of export requests currently in-flight (including retry backoff). [Development]",
);
/// Labels exporter, data_type; in units of the queue's sizer.
pub static EXPORTER_QUEUE_SIZE: Descriptor = gauge(
    EXPORTER,
    "otelcol_exporter_queue_size",
    "Current size of the retry queue (in batches). [Alpha]",
);
/// Labels exporter, data_type; in units of the queue's sizer.
pub static EXPORTER_QUEUE_CAPACITY: Descriptor = gauge(
    EXPORTER,
    "otelcol_exporter_queue_capacity",
    "Fixed capacity of the retry queue (in batches). [Alpha]",
);
/// Labels exporter, data_type.
pub static EXPORTER_PARTITIONS: Descriptor = gauge(
    EXPORTER,
    "otelcol_exporter_queue_batch_partition_cache_size",
    "Current number of active partition batchers in the LRU cache. Only recorded when batch partitioning is enabled. [Development]",
);
/// Labels exporter, data_type.
pub static EXPORTER_PARTITION_CAPACITY: Descriptor = gauge(
    EXPORTER,
    "otelcol_exporter_queue_batch_partition_cache_capacity",
    "Maximum number of active partition batchers in the LRU cache. Only recorded when batch partitioning is enabled. [Development]",
);
/// Label exporter.
pub static EXPORTER_ENQUEUE_SIZE: Descriptor = metric(
    EXPORTER,
    Level::Detailed,
    Kind::Histogram(SIZES),
    Unit::Count,
    "otelcol_exporter_enqueue_size",
    "Number of units in the request added to the sending queue. Only available on detailed level. [Development]",
);
/// Label exporter.
pub static EXPORTER_ENQUEUE_SIZE_BYTES: Descriptor = metric(
    EXPORTER,
    Level::Detailed,
    Kind::Histogram(BYTE_SIZES),
    Unit::Bytes,
    "otelcol_exporter_enqueue_size_bytes",
    "Number of bytes in the request added to the sending queue. Only available on detailed level. [Development]",
);
/// Labels as [`EXPORTER_SENT`].
pub static EXPORTER_BATCH_SEND_SIZE: Descriptor = metric(
    EXPORTER,
    Level::Detailed,
    Kind::Histogram(SIZES),
    Unit::Count,
    "otelcol_exporter_queue_batch_send_size",
    "Number of units in the batch. Only recorded when batching is enabled. Only available on detailed level. [Development]",
);
/// Labels as [`EXPORTER_SENT`].
pub static EXPORTER_BATCH_SEND_SIZE_BYTES: Descriptor = metric(
    EXPORTER,
    Level::Detailed,
    Kind::Histogram(BYTE_SIZES),
    Unit::Bytes,
    "otelcol_exporter_queue_batch_send_size_bytes",
    "Number of bytes in batch that was sent. Only recorded when batching is enabled. Only available on detailed level. [Development]",
);

/// No labels.
pub static PROCESS_UPTIME: Descriptor = metric(
    SERVICE,
    Level::Basic,
    Kind::Counter,
    Unit::Seconds,
    "otelcol_process_uptime",
    "Uptime of the process [Alpha]",
);
/// No labels.
pub static PROCESS_CPU_SECONDS: Descriptor = metric(
    SERVICE,
    Level::Basic,
    Kind::Counter,
    Unit::Seconds,
    "otelcol_process_cpu_seconds",
    "Total CPU user and system time in seconds [Alpha]",
);
/// No labels.
pub static PROCESS_MEMORY_RSS: Descriptor = metric(
    SERVICE,
    Level::Basic,
    Kind::Gauge,
    Unit::Bytes,
    "otelcol_process_memory_rss",
    "Total physical memory (resident set size) [Alpha]",
);
/// No labels.
pub static PROCESS_HEAP_ALLOC: Descriptor = metric(
    SERVICE,
    Level::Basic,
    Kind::Gauge,
    Unit::Bytes,
    "otelcol_process_runtime_heap_alloc_bytes",
    "Bytes of allocated heap objects (see 'go doc runtime.MemStats.HeapAlloc') [Alpha]",
);
/// No labels.
pub static PROCESS_TOTAL_ALLOC: Descriptor = metric(
    SERVICE,
    Level::Basic,
    Kind::Counter,
    Unit::Bytes,
    "otelcol_process_runtime_total_alloc_bytes",
    "Cumulative bytes allocated for heap objects (see 'go doc runtime.MemStats.TotalAlloc') [Alpha]",
);
/// No labels.
pub static PROCESS_TOTAL_SYS: Descriptor = metric(
    SERVICE,
    Level::Basic,
    Kind::Gauge,
    Unit::Bytes,
    "otelcol_process_runtime_total_sys_memory_bytes",
    "Total bytes of memory obtained from the OS (see 'go doc runtime.MemStats.Sys') [Alpha]",
);

const fn http(kind: Kind, unit: Unit, name: &'static str, help: &'static str) -> Descriptor {
    metric(OTELHTTP, Level::Detailed, kind, unit, name, help)
}

/// Labels http_*, network_protocol_*, server_*, url_scheme.
pub static HTTP_SERVER_DURATION: Descriptor = http(
    Kind::Histogram(CALL_SECONDS),
    Unit::Seconds,
    "http_server_request_duration",
    "Duration of HTTP server requests.",
);
/// Labels as [`HTTP_SERVER_DURATION`].
pub static HTTP_SERVER_REQUEST_SIZE: Descriptor = http(
    Kind::Histogram(SDK_BOUNDS),
    Unit::Bytes,
    "http_server_request_body_size",
    "Size of HTTP server request bodies.",
);
/// Labels as [`HTTP_SERVER_DURATION`].
pub static HTTP_SERVER_RESPONSE_SIZE: Descriptor = http(
    Kind::Histogram(SDK_BOUNDS),
    Unit::Bytes,
    "http_server_response_body_size",
    "Size of HTTP server response bodies.",
);
/// Labels as [`HTTP_SERVER_DURATION`] without http_route.
pub static HTTP_CLIENT_DURATION: Descriptor = http(
    Kind::Histogram(CALL_SECONDS),
    Unit::Seconds,
    "http_client_request_duration",
    "Duration of HTTP client requests.",
);
/// Labels as [`HTTP_CLIENT_DURATION`].
pub static HTTP_CLIENT_REQUEST_SIZE: Descriptor = http(
    Kind::Histogram(SDK_BOUNDS),
    Unit::Bytes,
    "http_client_request_body_size",
    "Size of HTTP client request bodies.",
);
/// Labels rpc_method, rpc_response_status_code, rpc_system_name.
pub static RPC_SERVER_DURATION: Descriptor = metric(
    OTELGRPC,
    Level::Detailed,
    Kind::Histogram(CALL_SECONDS),
    Unit::Seconds,
    "rpc_server_call_duration",
    "Measures the duration of an incoming Remote Procedure Call (RPC).",
);
/// Labels as [`RPC_SERVER_DURATION`], server_address, server_port.
pub static RPC_CLIENT_DURATION: Descriptor = metric(
    OTELGRPC,
    Level::Detailed,
    Kind::Histogram(CALL_SECONDS),
    Unit::Seconds,
    "rpc_client_call_duration",
    "Measures the duration of an outgoing Remote Procedure Call (RPC).",
);

/// The ledger: items that entered a pipeline. Label pipeline.
pub static PIPELINE_RECEIVED: Descriptor = counter(
    OWN,
    "trunkline_pipeline_received_items",
    "Number of items that entered the pipeline.",
);
/// The ledger: items that the pipeline's exporters took. Label pipeline.
pub static PIPELINE_SENT: Descriptor = counter(
    OWN,
    "trunkline_pipeline_sent_items",
    "Number of items that the exporters of the pipeline took.",
);
/// The ledger: items given back to the sender. Label pipeline.
pub static PIPELINE_REFUSED: Descriptor = counter(
    OWN,
    "trunkline_pipeline_refused_items",
    "Number of items that the pipeline did not take; the sender was told.",
);
/// The ledger: items dropped on purpose or by fault. Labels pipeline, reason.
pub static PIPELINE_DROPPED: Descriptor = counter(
    OWN,
    "trunkline_pipeline_dropped_items",
    "Number of items that the pipeline dropped, by reason.",
);
/// The ledger: items on their way. Label pipeline.
pub static PIPELINE_HELD: Descriptor = gauge(
    OWN,
    "trunkline_pipeline_held_items",
    "Number of items in the pipeline now.",
);

/// Memory that requests hold. Label core.
pub static MEMORY_USED: Descriptor = metric(
    OWN,
    Level::Basic,
    Kind::Gauge,
    Unit::Bytes,
    "trunkline_memory_used_bytes",
    "Memory that requests in hand occupy.",
);
/// Memory that requests may hold. Label core.
pub static MEMORY_BUDGET: Descriptor = metric(
    OWN,
    Level::Basic,
    Kind::Gauge,
    Unit::Bytes,
    "trunkline_memory_budget_bytes",
    "Memory that requests in hand may occupy.",
);
/// CPU time of a core's thread. Label core.
pub static CORE_CPU_SECONDS: Descriptor = metric(
    OWN,
    Level::Basic,
    Kind::Counter,
    Unit::Seconds,
    "trunkline_core_cpu_seconds",
    "CPU user and system time of the thread of a core in seconds.",
);
/// Requests handed to another core. Label core (the one that gave).
pub static CORE_MOVED_REQUESTS: Descriptor = counter(
    OWN,
    "trunkline_core_moved_requests",
    "Number of requests that a core handed to another one.",
);
/// Log lines lost because the place they go to was slower than they came.
pub static LOG_LINES_LOST: Descriptor = counter(
    OWN,
    "trunkline_log_lost_lines",
    "Number of log lines that were lost because their output was too slow.",
);

/// Labels otelcol_component_kind, otelcol_component_id, otelcol_signal, context, statement.
pub static STATEMENT_MATCHED: Descriptor = metric(
    OWN,
    Level::Normal,
    Kind::Counter,
    Unit::Count,
    "trunkline_statement_matched_rows",
    "Number of rows on which a statement, condition or rule held.",
);
/// Labels as of [`STATEMENT_MATCHED`].
pub static STATEMENT_FAILED: Descriptor = metric(
    OWN,
    Level::Normal,
    Kind::Counter,
    Unit::Count,
    "trunkline_statement_failed_rows",
    "Number of rows on which a statement, condition or rule failed.",
);
/// Labels as of [`STATEMENT_MATCHED`].
pub static STATEMENT_NANOSECONDS: Descriptor = metric(
    OWN,
    Level::Detailed,
    Kind::Counter,
    Unit::Count,
    "trunkline_statement_nanoseconds",
    "Time that a statement, condition or rule took, in nanoseconds.",
);
/// Labels as of [`STATEMENT_MATCHED`], and text.
pub static STATEMENT_INFO: Descriptor = Descriptor {
    across: Across::Max,
    ..metric(
        OWN,
        Level::Normal,
        Kind::Gauge,
        Unit::Count,
        "trunkline_statement_info",
        "The text of a statement, condition or rule, where it is short.",
    )
};
/// Labels otelcol_component_kind, otelcol_component_id, otelcol_signal, rule, cause.
pub static RULE_FAILURES: Descriptor = metric(
    OWN,
    Level::Normal,
    Kind::Counter,
    Unit::Count,
    "trunkline_rule_failures",
    "Number of rows on which a rule failed, by cause.",
);
