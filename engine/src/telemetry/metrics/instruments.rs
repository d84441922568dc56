//! What the descriptors leave out because the Prometheus page does not show it: names
//! and attributes with their dots, units in full, kinds of instruments. OTLP carries
//! them, and views select by them. All as the Collector's own instruments have them.

use super::descriptors::{Descriptor, Kind, Unit};

/// The kinds of instruments of the OpenTelemetry API that there are here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instrument {
    /// `counter`.
    Counter,
    /// `up_down_counter`.
    UpDownCounter,
    /// `histogram`.
    Histogram,
    /// `observable_counter`.
    ObservableCounter,
    /// `observable_up_down_counter`.
    ObservableUpDownCounter,
    /// `observable_gauge`.
    ObservableGauge,
}

impl Instrument {
    /// By its name in the configuration.
    pub fn parse(word: &str) -> Option<Instrument> {
        Some(match word {
            "counter" => Instrument::Counter,
            "up_down_counter" => Instrument::UpDownCounter,
            "histogram" => Instrument::Histogram,
            "observable_counter" => Instrument::ObservableCounter,
            "observable_up_down_counter" => Instrument::ObservableUpDownCounter,
            "observable_gauge" => Instrument::ObservableGauge,
            _ => return None,
        })
    }

    /// The instrument behind a metric.
    pub fn of(descriptor: &Descriptor) -> Instrument {
        let name = descriptor.name;
        let observed = name.starts_with("otelcol_process_") || name.starts_with("trunkline_core_");
        match descriptor.kind {
            Kind::Histogram(_) => Instrument::Histogram,
            Kind::Counter if observed => Instrument::ObservableCounter,
            Kind::Counter => Instrument::Counter,
            Kind::Gauge if name == "otelcol_exporter_in_flight_requests" => {
                Instrument::UpDownCounter
            }
            Kind::Gauge if name == "otelcol_processor_batch_metadata_cardinality" => {
                Instrument::ObservableUpDownCounter
            }
            Kind::Gauge => Instrument::ObservableGauge,
        }
    }
}

/// The instrument's name: `http.server.request.duration`, `otelcol_exporter_sent_spans`.
pub fn name(descriptor: &Descriptor) -> String {
    if descriptor.name.starts_with("http_") || descriptor.name.starts_with("rpc_") {
        descriptor.name.replace('_', ".")
    } else {
        descriptor.name.to_owned()
    }
}

/// The unit (UCUM, with annotations for what is counted).
pub fn unit(descriptor: &Descriptor) -> &'static str {
    match descriptor.unit {
        Unit::Seconds => return "s",
        Unit::Bytes => return "By",
        Unit::Count => {}
    }
    let ends = [
        ("_spans", "{span}"),
        ("_metric_points", "{datapoint}"),
        ("_log_records", "{record}"),
        ("_profile_samples", "{sample}"),
        ("_items", "{item}"),
        ("_requests", "{request}"),
        ("_trigger_send", "{time}"),
        ("_metadata_cardinality", "{combination}"),
        ("_partition_cache_size", "{partition}"),
        ("_partition_cache_capacity", "{partition}"),
        ("_exporter_queue_size", "{batch}"),
        ("_exporter_queue_capacity", "{batch}"),
        ("_send_size", "{unit}"),
        ("_enqueue_size", "{unit}"),
        ("_lines", "{line}"),
    ];
    ends.iter()
        .find(|(end, _)| descriptor.name.ends_with(end))
        .map_or("1", |(_, unit)| unit)
}

/// The type of an attribute's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// True or false.
    Bool,
}

/// The attribute behind a label of a series: its name and the type of its value.
pub fn attribute(label: &'static str) -> (&'static str, Typed) {
    match label {
        "http_request_method" => ("http.request.method", Typed::Text),
        "http_response_status_code" => ("http.response.status_code", Typed::Integer),
        "http_route" => ("http.route", Typed::Text),
        "network_protocol_name" => ("network.protocol.name", Typed::Text),
        "network_protocol_version" => ("network.protocol.version", Typed::Text),
        "server_address" => ("server.address", Typed::Text),
        "server_port" => ("server.port", Typed::Integer),
        "url_scheme" => ("url.scheme", Typed::Text),
        "url_path" => ("url.path", Typed::Text),
        "rpc_method" => ("rpc.method", Typed::Text),
        "rpc_response_status_code" => ("rpc.response.status_code", Typed::Text),
        "rpc_system_name" => ("rpc.system.name", Typed::Text),
        "error_type" => ("error.type", Typed::Text),
        "error_permanent" => ("error.permanent", Typed::Bool),
        "otel_signal" => ("otel.signal", Typed::Text),
        "otel_metric_overflow" => ("otel.metric.overflow", Typed::Bool),
        other => (other, Typed::Text),
    }
}
