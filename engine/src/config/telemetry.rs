//! `service::telemetry`: Trunkline's own logs, metrics, traces and resource. Keys
//! and defaults are the Collector's (otelconf 0.3.0 with its additions).

mod export;
pub mod views;

pub use export::{LogExporter, LogProcessor, Otlp, OtlpMetric, Periodic};
pub use views::View;

use std::collections::BTreeMap;

use super::{
    diagnostics::Decoder,
    level::Level,
    node::{Node, Value},
};
use crate::component::{
    Anything, FieldShape, GoDuration, Printed, Problems, Setting, Shape, StructShape, choice,
    declare,
};

const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.40.0";

declare! {
    /// Trunkline's own telemetry.
    pub struct Telemetry as "service.telemetry", check Telemetry::rules {
        /// Its log.
        logs: Logs = Logs::default(), frame "";
        /// Its metrics.
        metrics: Metrics = Metrics::default(), frame "";
        /// Its traces.
        traces: Traces = Traces::default(), omit "", frame "";
        /// What it says about itself on all three.
        resource: Resource = Resource::default();
    }
}

impl Telemetry {
    fn rules(&self, problems: &mut Problems) {
        if self.metrics.level != Level::None && self.metrics.readers.is_empty() {
            problems.push(
                "collector telemetry metrics reader should exist when metric level is not none",
            );
        }
        if self.metrics.views.is_some() && self.metrics.level != Level::Detailed {
            problems.push(
                "service::telemetry::metrics::views can only be set when service::telemetry::metrics::level is detailed",
            );
        }
    }
}

choice! {
    /// The lowest severity that is logged.
    pub enum LogLevel as "zapcore.Level", message "unrecognized level: %q" zero "info", any_case, numbered {
        /// Everything.
        Debug = "debug";
        /// What happens.
        Info = "info" | "";
        /// What may be wrong.
        Warn = "warn";
        /// What is wrong.
        Error = "error";
        /// As `error`.
        DPanic = "dpanic";
        /// As `error`.
        Panic = "panic";
        /// As `error`.
        Fatal = "fatal";
    }
}

declare! {
    /// The log.
    pub struct Logs as "migration.LogsConfigV030" {
        /// The lowest severity that is logged: `debug`, `info`, `warn`, `error`.
        level: LogLevel = LogLevel::Info;
        /// `console` or `json`.
        encoding: String = "console".to_owned();
        /// Go's development mode.
        development: bool = false, omit "", no_effect "it concerns Go's stack traces";
        /// Leave out which source file wrote a line.
        disable_caller: bool = false, omit "";
        /// Go's stack traces.
        disable_stacktrace: bool = false, omit "", no_effect "there are no Go stack traces";
        /// Of equal lines only some are written.
        sampling: LogSampling = LogSampling::default();
        /// Where lines go: `stderr`, `stdout`, files.
        output_paths: Vec<String> = vec!["stderr".to_owned()];
        /// Where failures of the log itself go.
        error_output_paths: Vec<String> = vec!["stderr".to_owned()];
        /// Fields of every line.
        initial_fields: BTreeMap<String, Anything> = BTreeMap::new(), omit "";
        /// Exporters of the log.
        processors: Vec<LogProcessor> = Vec::new(), omit "";
        /// Leave the resource out of lines.
        disable_zap_resource: bool = false, omit "";
    }
}

impl Logs {
    /// What keeps the log from being opened, in the Collector's words.
    pub fn unopenable(&self) -> Option<String> {
        match self.encoding.as_str() {
            "console" | "json" => None,
            "" => Some("failed to create logger: no encoder name specified".into()),
            other => Some(format!(
                "failed to create logger: no encoder registered for name {other:?}"
            )),
        }
    }
}

declare! {
    /// Of equal lines only some are written.
    pub struct LogSampling as "migration.LogsSamplingConfig" {
        /// Do it.
        enabled: bool = true;
        /// Counting starts anew after so long.
        tick: GoDuration = GoDuration::secs(10);
        /// So many are written.
        initial: i64 = 10;
        /// Then one in so many. 0: none.
        thereafter: i64 = 100;
    }
}

declare! {
    /// The metrics.
    pub struct Metrics as "migration.MetricsConfigV030" {
        /// How many: `none`, `basic`, `normal`, `detailed`.
        level: Level = Level::Normal;
        /// Where they can be had, or go. None only at level `none`.
        readers: Vec<MetricReader> = vec![MetricReader::default_pull()];
        /// Changes of streams; only at level `detailed`.
        views: Option<Vec<View>> = None, omit "";
    }
}

impl Metrics {
    /// The readers that send.
    pub fn periodic(&self) -> impl Iterator<Item = &Periodic> {
        let on = self.level != Level::None;
        self.readers
            .iter()
            .filter(move |_| on)
            .filter_map(|reader| reader.periodic.as_ref())
    }

    /// The Prometheus endpoints to serve: host, port and what names look like.
    pub fn endpoints(&self) -> impl Iterator<Item = &Prometheus> {
        let on = self.level != Level::None;
        self.readers
            .iter()
            .filter(move |_| on)
            .filter_map(|reader| reader.pull.as_ref()?.exporter.prometheus.as_ref())
    }
}

declare! {
    /// One way for metrics to be had: `pull` or `periodic`.
    pub struct MetricReader as "config.MetricReader" {
        /// They are asked for.
        pull: Option<Pull> = None, omit "";
        /// They are sent.
        periodic: Option<Periodic> = None, omit "";
        /// Further sources of metrics.
        producers: Vec<Anything> = Vec::new(), omit "", no_effect "there are no further sources of metrics";
    }
}

impl MetricReader {
    fn default_pull() -> Self {
        let prometheus = Prometheus {
            host: Some("localhost".to_owned()),
            port: Some(8888),
            ..Prometheus::default()
        };
        let exporter = PullExporter {
            prometheus: Some(prometheus),
        };
        MetricReader {
            pull: Some(Pull { exporter }),
            ..MetricReader::default()
        }
    }
}

declare! {
    /// Metrics are asked for.
    pub struct Pull as "config.PullMetricReader" {
        /// In which format.
        exporter: PullExporter = PullExporter::default();
    }
}

declare! {
    /// A format to serve.
    pub struct PullExporter as "config.PullMetricExporter" {
        /// Prometheus text at `/metrics`.
        prometheus: Option<Prometheus> = None, omit "";
    }
}

declare! {
    /// Prometheus text at `/metrics`.
    pub struct Prometheus as "config.Prometheus" {
        /// The address to listen on.
        host: Option<String> = None, omit "";
        /// The port to listen on.
        port: Option<u16> = None, omit "";
        /// Leave out the labels of the scope.
        without_scope_info: bool = true;
        /// Leave units out of names.
        without_units: bool = true;
        /// Leave `_total` and its like out of names.
        without_type_suffix: bool = true;
        /// Resource attributes that become labels of every series.
        with_resource_constant_labels: Option<IncludeExclude> = None, omit "";
    }
}

declare! {
    /// Names: those that are included, or all where none are, less those that are excluded.
    pub struct IncludeExclude as "config.IncludeExclude" {
        /// These.
        included: Vec<String> = Vec::new(), omit "";
        /// But not these.
        excluded: Vec<String> = Vec::new(), omit "";
    }
}

impl IncludeExclude {
    /// Does the name pass?
    pub fn keeps(&self, name: &str) -> bool {
        let listed = |list: &[String]| list.iter().any(|listed| listed == name);
        !listed(&self.excluded) && (self.included.is_empty() || listed(&self.included))
    }

    /// The Collector's text for a name in both lists.
    pub fn contradiction(&self) -> Option<String> {
        let both = self
            .excluded
            .iter()
            .find(|name| self.included.contains(name))?;
        Some(format!(
            "attribute cannot be in both include and exclude list: {both}"
        ))
    }
}

declare! {
    /// The traces.
    pub struct Traces as "migration.TracesConfigV030" {
        /// `none` or `basic`.
        level: Level = Level::Basic, omit "", no_effect "Trunkline does not trace itself yet";
        /// `tracecontext`, `b3`.
        propagators: Vec<String> = Vec::new(), omit "", no_effect "Trunkline does not trace itself yet";
        /// Where they go.
        processors: Vec<Anything> = Vec::new(), omit "", no_effect "Trunkline does not trace itself yet";
        /// Which are kept.
        sampler: Anything = Anything::default(), omit "", no_effect "Trunkline does not trace itself yet";
        /// Limits of spans.
        limits: Anything = Anything::default(), omit "", no_effect "Trunkline does not trace itself yet";
    }
}

/// `service::telemetry::resource`: attributes as a list of `{name, value, type}`, or
/// (the older form) written into the block itself as text, where `null` takes a
/// default away.
#[derive(Clone, Debug)]
pub struct Resource {
    schema_url: String,
    attributes: Vec<NamedAttribute>,
    attributes_list: Option<String>,
    legacy: BTreeMap<String, Node>,
    detectors: Option<Node>,
    detection: Option<Node>,
}

declare! {
    /// An attribute.
    struct NamedAttribute as "config.AttributeNameValue" {
        /// Its name.
        name: String = String::new();
        /// Its value.
        value: Anything = Anything::default();
        /// `string`, `bool`, `int`, `double` or one of these with `_array`.
        r#type: Option<String> = None, omit "";
    }
}

impl Default for Resource {
    fn default() -> Self {
        Resource {
            schema_url: SCHEMA_URL.to_owned(),
            attributes: Vec::new(),
            attributes_list: None,
            legacy: BTreeMap::new(),
            detectors: None,
            detection: None,
        }
    }
}

impl Resource {
    /// The schema of the attributes.
    pub fn schema_url(&self) -> &str {
        &self.schema_url
    }

    /// Attributes to add (`Some`) or to take away (`None`).
    pub fn attributes(&self) -> Vec<(String, Option<String>)> {
        let text = |node: &Node| {
            crate::component::print::scalar_text(&crate::component::kinds::print_node(node))
        };
        let listed = self
            .attributes
            .iter()
            .map(|a| (a.name.clone(), a.value.get().and_then(text)));
        let legacy = self.legacy.iter().map(|(k, node)| (k.clone(), text(node)));
        listed.chain(legacy).collect()
    }
}

impl Setting for Resource {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        let mapping = match &node.value {
            Value::Null => return,
            Value::Mapping(mapping) => mapping,
            _ => {
                let phrase = format!("expected a map or struct, got \"{}\"", node.go_type());
                return cx.error(node, phrase, None);
            }
        };
        for (key, entry) in mapping {
            let node = &entry.node;
            cx.within(key, |cx| match key.as_str() {
                "schema_url" => self.schema_url.decode(node, cx),
                "attributes" => self.attributes.decode(node, cx),
                "attributes_list" => self.attributes_list.decode(node, cx),
                "detectors" => {
                    self.detectors = Some(node.clone());
                    cx.no_effect(&entry.at, "resource detectors are not available yet");
                }
                "detection/development" => {
                    self.detection = Some(node.clone());
                    cx.no_effect(&entry.at, "resource detectors are not available yet");
                }
                _ => {
                    self.legacy.insert(key.clone(), node.clone());
                }
            });
        }
    }
    fn clear(&mut self) {
        *self = Resource::default();
    }
    fn print(&self) -> Printed {
        let mut entries: Vec<(String, Printed)> = self
            .legacy
            .iter()
            .map(|(key, node)| (key.clone(), crate::component::kinds::print_node(node)))
            .collect();
        entries.push(("schema_url".into(), Printed::Text(self.schema_url.clone())));
        if !self.attributes.is_empty() {
            entries.push(("attributes".into(), self.attributes.print()));
        }
        for (key, node) in [
            ("detectors", &self.detectors),
            ("detection/development", &self.detection),
        ] {
            if let Some(node) = node {
                entries.push((key.into(), crate::component::kinds::print_node(node)));
            }
        }
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        Printed::Map(entries)
    }
    fn shape(&self) -> Shape {
        let field = |key, doc: &str, no_effect, default, shape| FieldShape {
            key,
            doc: doc.to_owned(),
            no_effect,
            deprecated: None,
            default,
            shape,
        };
        const NO_DETECTORS: Option<&str> = Some("resource detectors are not available yet");
        Shape::Struct(StructShape {
            name: "migration.ResourceConfigV030",
            doc: "What Trunkline says about itself. Other keys are attributes in the older form: text, or `null` to take a default away.".into(),
            lenient: Some("other keys are attributes in the older form"),
            fields: vec![
                field("schema_url", "Schema of the attributes.", None, self.schema_url.print(), Shape::Text),
                field("attributes", "Attributes as a list of `{name, value, type}`; not together with the older form.", None, Printed::List(Vec::new()), self.attributes.shape()),
                field("detectors", "Which detected attributes are kept.", NO_DETECTORS, Printed::Null, Shape::Any),
                field("detection/development", "Which detectors run.", NO_DETECTORS, Printed::Null, Shape::Any),
            ],
        })
    }
    fn check(&self, problems: &mut Problems) {
        if self.attributes_list.is_some() {
            return problems.push("resource::attributes_list is not currently supported, please use resource::attributes");
        }
        for (key, node) in &self.legacy {
            if !matches!(node.value, Value::Null | Value::Text(_)) {
                return problems.push(format!(
                    "legacy resource attribute {key:?} must be string or null"
                ));
            }
        }
        if !self.attributes.is_empty() && !self.legacy.is_empty() {
            problems.push("resource::attributes cannot be used together with legacy inline resource attributes");
        }
    }
}
