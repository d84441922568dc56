//! Keys and defaults of the processor `filter`: conditions by signal, the older lists by context,
//! and the oldest form, `include` and `exclude`. What they are compiled to is in `plan`.

use crate::{
    component::{Problems, declare},
    config::node::Value,
    ottl::{self, ErrorMode, Grouped, Statement},
    processors::attributes::config::{MatchAttribute, Matching, RegexpSettings},
};

declare! {
    /// Drops the telemetry for which a condition holds.
    pub struct Config as "filterprocessor.Config", check Config::rules {
        /// What happens when a condition fails on an item: `ignore`, `silent` or `propagate`.
        error_mode: ErrorMode = ErrorMode::Ignore;
        /// Matching of spans.
        spans: SpanFilters = SpanFilters::default(), omit "", deprecated "trace_conditions";
        /// Conditions and matching for metrics.
        metrics: MetricFilters = MetricFilters::default(), omit "", deprecated "metric_conditions";
        /// Conditions and matching for logs.
        logs: LogFilters = LogFilters::default(), omit "", deprecated "log_conditions";
        /// Conditions for traces.
        traces: TraceFilters = TraceFilters::default(), omit "", deprecated "trace_conditions";
        /// Conditions for profiles.
        profiles: ProfileFilters = ProfileFilters::default(), omit "", deprecated "profile_conditions";
        /// What to drop of metrics: conditions, or groups of them. One that holds is enough.
        metric_conditions: Groups = Groups::default();
        /// What to drop of logs: conditions, or groups of them. One that holds is enough.
        log_conditions: Groups = Groups::default();
        /// What to drop of traces: conditions, or groups of them. One that holds is enough.
        trace_conditions: Groups = Groups::default();
        /// What to drop of profiles: conditions, or groups of them. One that holds is enough.
        profile_conditions: Groups = Groups::default();
    }
}

declare! {
    /// Conditions of which one that holds is enough.
    pub struct Group as "condition.ContextConditions" {
        /// What is dropped: `resource`, `scope`, `span`, `spanevent`, `metric`, `datapoint`,
        /// `log` or `profile`. Absent: of each condition, what its paths say.
        context: String = String::new(), omit "";
        /// The conditions.
        conditions: Vec<Statement> = Vec::new();
        /// In place of the processor's `error_mode`.
        error_mode: Option<ErrorMode> = None, omit "";
    }
}

declare! {
    /// Which spans stay.
    pub struct SpanFilters as "filterconfig.MatchConfig" {
        /// Only spans that match this.
        include: Option<Matching> = None, omit "";
        /// Not spans that match this; after `include`.
        exclude: Option<Matching> = None, omit "";
    }
}

declare! {
    /// What to drop of traces.
    pub struct TraceFilters as "filterprocessor.TraceFilters" {
        /// Conditions on which a resource goes with all that is in it.
        resource: Option<Vec<Statement>> = None, omit "";
        /// Conditions on which a span is dropped.
        span: Option<Vec<Statement>> = None, omit "";
        /// Conditions on which a span event is dropped.
        spanevent: Option<Vec<Statement>> = None, omit "";
    }
}

declare! {
    /// What to drop of metrics, or which metrics stay.
    pub struct MetricFilters as "filterprocessor.MetricFilters" {
        /// Only metrics that match this.
        include: Option<MetricMatching> = None, omit "";
        /// Not metrics that match this; after `include`.
        exclude: Option<MetricMatching> = None, omit "";
        /// Settings of regular expressions.
        regexp: Option<RegexpSettings> = None, omit "", no_effect "the Collector ignores it too";
        /// Conditions on which a resource goes with all that is in it.
        resource: Option<Vec<Statement>> = None, omit "";
        /// Conditions on which a metric is dropped.
        metric: Option<Vec<Statement>> = None, omit "";
        /// Conditions on which a data point is dropped.
        datapoint: Option<Vec<Statement>> = None, omit "";
    }
}

declare! {
    /// What to drop of logs, or which records stay.
    pub struct LogFilters as "filterprocessor.LogFilters" {
        /// Only records that match this.
        include: Option<LogMatching> = None, omit "";
        /// Not records that match this; after `include`.
        exclude: Option<LogMatching> = None, omit "";
        /// Conditions on which a resource goes with all that is in it.
        resource: Option<Vec<Statement>> = None, omit "";
        /// Conditions on which a log record is dropped.
        log_record: Option<Vec<Statement>> = None, omit "";
    }
}

declare! {
    /// What to drop of profiles.
    pub struct ProfileFilters as "filterprocessor.ProfileFilters" {
        /// Conditions on which a resource goes with all that is in it.
        resource: Option<Vec<Statement>> = None, omit "";
        /// Conditions on which a profile is dropped.
        profile: Option<Vec<Statement>> = None, omit "";
    }
}

declare! {
    /// Which metrics.
    pub struct MetricMatching as "filterconfig.MetricMatchProperties" {
        /// How texts are compared: `strict` or `regexp`.
        match_type: String = String::new();
        /// Settings of regular expressions.
        regexp: Option<RegexpSettings> = None, omit "";
        /// Names of metrics, one of which must match.
        metric_names: Vec<String> = Vec::new();
        /// Expressions over metrics, for `match_type: expr`; refused.
        expressions: Vec<String> = Vec::new();
        /// Attributes of the resource; all must match.
        resource_attributes: Vec<MatchAttribute> = Vec::new();
    }
}

declare! {
    /// Which log records: every list that is given must match.
    pub struct LogMatching as "filterprocessor.LogMatchProperties" {
        /// How texts are compared: `strict` or `regexp`.
        match_type: String = String::new();
        /// Attributes of the resource; all must match.
        resource_attributes: Vec<MatchAttribute> = Vec::new();
        /// Attributes of the record; all must match.
        record_attributes: Vec<MatchAttribute> = Vec::new();
        /// Severity texts, one of which must match.
        severity_texts: Vec<String> = Vec::new();
        /// Severity numbers.
        severity_number: Option<LogSeverity> = None;
        /// Bodies, one of which must match.
        bodies: Vec<String> = Vec::new();
    }
}

impl LogMatching {
    /// Whether it names nothing to match by; it is as good as not there then.
    pub fn is_empty(&self) -> bool {
        self.resource_attributes.is_empty()
            && self.record_attributes.is_empty()
            && self.severity_texts.is_empty()
            && self.severity_number.is_none()
            && self.bodies.is_empty()
    }
}

declare! {
    /// Severity numbers.
    pub struct LogSeverity as "filterprocessor.LogSeverityNumberMatchProperties" {
        /// The lowest that matches, by its short name or as a text of digits: `INFO`, `"9"`.
        min: String = String::new();
        /// A record without a severity matches, too.
        match_undefined: bool = false;
    }
}

impl LogSeverity {
    /// The number that `min` names; 0 where nothing is given.
    ///
    /// # Errors
    /// The Collector's text for another word.
    pub fn number(&self) -> Result<i64, String> {
        if self.min.is_empty() {
            return Ok(0);
        }
        let upper = self.min.to_uppercase();
        let names = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
        let known = (1..=24_i64).find(|number| {
            let (name, step) = ((number - 1) / 4, (number - 1) % 4 + 1);
            let name = names.get(name as usize).copied().unwrap_or_default();
            upper == number.to_string()
                || match step {
                    1 => upper == name,
                    _ => upper == format!("{name}{step}"),
                }
        });
        known.ok_or_else(|| {
            format!(
                "'{}' is not a valid severity: not a valid severity",
                self.min
            )
        })
    }
}

/// A list of conditions, or of groups of them.
pub type Groups = ottl::Groups<Group>;

const MIXED: &str = "configuring multiple configuration styles is not supported, please use only \
                     Basic configuration or only Advanced configuration";

impl Grouped for Group {
    const EXPECTED: &'static str = "a list of conditions or groups";
    const MISSING: &'static str = "condition cannot be empty";
    const AFTER_GROUPS: Option<&'static str> = Some(MIXED);
    const AFTER_PLAIN: (&'static str, Option<&'static str>) = (MIXED, None);

    fn is_plain(value: &Value) -> bool {
        matches!(value, Value::Text(_) | Value::Null)
    }
    fn plain(conditions: Vec<Statement>) -> Group {
        Group {
            conditions,
            ..Group::default()
        }
    }
}

impl TraceFilters {
    fn conditions(&self) -> bool {
        self.resource.is_some() || self.span.is_some() || self.spanevent.is_some()
    }
}

impl MetricFilters {
    fn conditions(&self) -> bool {
        self.resource.is_some() || self.metric.is_some() || self.datapoint.is_some()
    }
    fn matching(&self) -> bool {
        self.include.is_some() || self.exclude.is_some()
    }
}

impl ProfileFilters {
    fn conditions(&self) -> bool {
        self.resource.is_some() || self.profile.is_some()
    }
}

impl LogFilters {
    fn conditions(&self) -> bool {
        self.resource.is_some() || self.log_record.is_some()
    }
    fn matching(&self) -> bool {
        self.include.is_some() || self.exclude.is_some()
    }
}

impl Config {
    fn rules(&self, problems: &mut Problems) {
        for (clash, text) in self.clashes() {
            if clash {
                return problems.push(text);
            }
        }
        self.check_conditions(problems);
        for matching in [&self.logs.include, &self.logs.exclude] {
            let severity = matching
                .as_ref()
                .and_then(|matching| matching.severity_number.as_ref());
            if let Some(Err(text)) = severity.map(LogSeverity::number) {
                problems.push(text);
            }
        }
    }

    /// The forms that must not be used beside each other, in the order in which they are told.
    fn clashes(&self) -> [(bool, &'static str); 7] {
        let (traces, metrics, logs) = (&self.traces, &self.metrics, &self.logs);
        let spans = self.spans.include.is_some() || self.spans.exclude.is_some();
        [
            (
                !self.trace_conditions.0.is_empty() && traces.conditions(),
                "cannot use context inferred trace conditions \"trace_conditions\" and the settings \"traces.resource\", \"traces.span\", \"traces.spanevent\" at the same time",
            ),
            (
                !self.metric_conditions.0.is_empty()
                    && (metrics.conditions() || metrics.matching()),
                "cannot use context inferred metric conditions \"metric_conditions\" and the settings \"metrics.resource\", \"metrics.metric\", \"metrics.datapoint\", \"metrics.include\", \"metrics.exclude\" at the same time",
            ),
            (
                !self.log_conditions.0.is_empty() && (logs.conditions() || logs.matching()),
                "cannot use context inferred log conditions \"log_conditions\" and the settings \"logs.resource\", \"logs.log\", \"logs.include\", \"logs.exclude\" at the same time",
            ),
            (
                !self.profile_conditions.0.is_empty() && self.profiles.conditions(),
                "cannot use context inferred profile conditions \"profile_conditions\" and the settings \"profiles.resource\", \"profiles.profile\" at the same time",
            ),
            (
                traces.conditions() && spans,
                "cannot use \"traces.resource\", \"traces.span\", \"traces.spanevent\" and the span settings \"spans.include\", \"spans.exclude\" at the same time",
            ),
            (
                metrics.conditions() && metrics.matching(),
                "cannot use \"metrics.resource\", \"metrics.metric\", \"metrics.datapoint\" and the settings \"metrics.include\", \"metrics.exclude\" at the same time",
            ),
            (
                logs.conditions() && logs.matching(),
                "cannot use \"logs.resource\", \"logs.log\" and the settings \"logs.include\", \"logs.exclude\" at the same time",
            ),
        ]
    }
}
