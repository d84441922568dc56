//! The Prometheus text format, as the Collector's endpoint writes it: order of
//! families and series, spelling of numbers, suffixes, `target_info`. Who asks and
//! over what is `admin`'s business.

use std::{borrow::Cow, fmt::Write};

use super::{
    descriptors::{Kind, Unit},
    instruments,
    registry::{FamilySample, HistogramSample, Registry, SampleValue},
};

/// What the page declares itself to be, whatever the scraper asked for.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

/// How a page looks: the settings of a Prometheus pull reader.
#[derive(Clone, Debug)]
pub struct Page {
    /// `without_scope_info`: series carry no `otel_scope_*` labels.
    pub without_scope_info: bool,
    /// `without_units` of the reader.
    pub without_units: bool,
    /// `without_type_suffix` of the reader. Names get suffixes for unit and type as
    /// soon as one of the two is false (observed: either has both effects).
    pub without_type_suffix: bool,
    /// Resource attributes, shown on `target_info`.
    pub resource: Vec<(String, String)>,
    /// Those of them that are labels of every series, too (`with_resource_constant_labels`).
    pub constant: Vec<(String, String)>,
}

/// Labels of a series; names as the page shows them.
type ShownLabels = Vec<(Cow<'static, str>, String)>;

impl Default for Page {
    fn default() -> Self {
        Page {
            without_scope_info: true,
            without_units: true,
            without_type_suffix: true,
            resource: Vec::new(),
            constant: Vec::new(),
        }
    }
}

/// Writes everything that `registry` shows at its level.
pub fn write_page(registry: &Registry, page: &Page) -> String {
    let mut families: Vec<(String, FamilySample)> = registry
        .streams()
        .into_iter()
        .map(|family| (page.name(&family), family))
        .collect();
    families.sort_by(|a, b| a.0.cmp(&b.0));

    let mut out = String::with_capacity(16 * 1024);
    // The Collector's own two families have their place in the order of names.
    let (before, after): (Vec<_>, Vec<_>) = families
        .into_iter()
        .partition(|(name, _)| name.as_str() < SCRAPE_ERRORS);
    write_families(&mut out, page, before);
    out.push_str(concat!(
        "# HELP promhttp_metric_handler_errors_total Total number of internal errors encountered by the promhttp metric handler.\n",
        "# TYPE promhttp_metric_handler_errors_total counter\n",
        "promhttp_metric_handler_errors_total{cause=\"encoding\"} 0\n",
        "promhttp_metric_handler_errors_total{cause=\"gathering\"} 0\n",
    ));
    let (before, after): (Vec<_>, Vec<_>) = after
        .into_iter()
        .partition(|(name, _)| name.as_str() < "target_info");
    write_families(&mut out, page, before);
    write_target_info(&mut out, page);
    write_families(&mut out, page, after);
    out
}

const SCRAPE_ERRORS: &str = "promhttp_metric_handler_errors_total";

impl Page {
    /// The metric's name with the suffixes this page wants.
    fn name(&self, family: &FamilySample) -> String {
        let mut name = match &family.name {
            Cow::Borrowed(name) => (*name).to_owned(),
            Cow::Owned(name) => label_name(name),
        };
        let descriptor = family.descriptor;
        if self.without_units && self.without_type_suffix {
            return name;
        }
        let unit = match descriptor.unit {
            Unit::Count => "",
            Unit::Seconds => "_seconds",
            Unit::Bytes => "_bytes",
        };
        if !name.ends_with(unit) {
            name.push_str(unit);
        }
        if type_of(family) == "counter" && !name.ends_with("_total") {
            name.push_str("_total");
        }
        name
    }
}

fn write_families(out: &mut String, page: &Page, families: Vec<(String, FamilySample)>) {
    for (name, mut family) in families {
        let descriptor = family.descriptor;
        let kind = type_of(&family);
        out.push_str("# HELP ");
        out.push_str(&name);
        out.push(' ');
        escape(out, &family.help, false);
        // Writing to a String cannot fail.
        let _ = writeln!(out, "\n# TYPE {name} {kind}");
        // As the Go client sorts: fewer labels first, then label by label.
        family.series.sort_by(|a, b| {
            let values = |series: &[(&str, String)]| -> Vec<String> {
                series.iter().map(|(_, value)| value.clone()).collect()
            };
            a.labels
                .len()
                .cmp(&b.labels.len())
                .then_with(|| values(&a.labels).cmp(&values(&b.labels)))
        });
        for series in family.series {
            let labels = page.labels(descriptor.scope, series.labels);
            match series.value {
                SampleValue::Number(value) => write_sample(out, &name, "", &labels, None, value),
                SampleValue::Histogram(histogram) => {
                    write_histogram(out, &name, &labels, &histogram);
                }
            }
        }
    }
}

/// The type that the page declares: that of the values, which a view may have changed.
fn type_of(family: &FamilySample) -> &'static str {
    match (family.descriptor.kind, family.series.first()) {
        (Kind::Histogram(_), Some(series)) if matches!(series.value, SampleValue::Number(_)) => {
            "counter"
        }
        (Kind::Histogram(_), _) => "histogram",
        (Kind::Counter, _) => "counter",
        (Kind::Gauge, _) => "gauge",
    }
}

impl Page {
    /// A series' labels with those that all of the page have. Labels are sorted before dots
    /// become underscores, which shows only beside these.
    fn labels(&self, scope: &str, labels: Vec<(&'static str, String)>) -> ShownLabels {
        if self.without_scope_info && self.constant.is_empty() {
            let shown = labels.into_iter();
            return shown
                .map(|(name, value)| (Cow::Borrowed(name), value))
                .collect();
        }
        let mut sorted: Vec<(&str, Cow<'static, str>, String)> = labels
            .into_iter()
            .map(|(name, value)| (instruments::attribute(name).0, Cow::Borrowed(name), value))
            .collect();
        if !self.without_scope_info {
            for (name, value) in [
                ("otel_scope_name", scope),
                ("otel_scope_schema_url", ""),
                ("otel_scope_version", ""),
            ] {
                sorted.push((name, Cow::Borrowed(name), value.to_owned()));
            }
        }
        for (name, value) in &self.constant {
            sorted.push((name, Cow::Owned(label_name(name)), value.clone()));
        }
        sorted.sort_by(|a, b| a.0.cmp(b.0));
        let shown = sorted.into_iter();
        shown.map(|(_, name, value)| (name, value)).collect()
    }
}

fn write_histogram(
    out: &mut String,
    name: &str,
    labels: &ShownLabels,
    histogram: &HistogramSample,
) {
    let mut count = 0;
    let bounds = histogram.bounds.iter().copied().chain([f64::INFINITY]);
    for (bound, n) in bounds.zip(&histogram.counts) {
        count += n;
        write_sample(out, name, "_bucket", labels, Some(bound), count as f64);
    }
    write_sample(out, name, "_sum", labels, None, histogram.sum);
    write_sample(out, name, "_count", labels, None, count as f64);
}

fn write_sample(
    out: &mut String,
    name: &str,
    suffix: &str,
    labels: &ShownLabels,
    bound: Option<f64>,
    value: f64,
) {
    out.push_str(name);
    out.push_str(suffix);
    let bound = bound.map(|bound| (Cow::Borrowed("le"), format_value(bound)));
    let mut separator = '{';
    for (key, value) in labels.iter().chain(&bound) {
        out.push(separator);
        separator = ',';
        out.push_str(key);
        out.push_str("=\"");
        escape(out, value, true);
        out.push('"');
    }
    if separator == ',' {
        out.push('}');
    }
    out.push(' ');
    out.push_str(&format_value(value));
    out.push('\n');
}

fn write_target_info(out: &mut String, page: &Page) {
    let mut labels: Vec<(String, &str)> = page
        .resource
        .iter()
        .map(|(name, value)| (label_name(name), value.as_str()))
        .collect();
    labels.sort();
    out.push_str("# HELP target_info Target metadata\n# TYPE target_info gauge\ntarget_info");
    let mut separator = '{';
    for (name, value) in &labels {
        out.push(separator);
        separator = ',';
        out.push_str(name);
        out.push_str("=\"");
        escape(out, value, true);
        out.push('"');
    }
    if separator == ',' {
        out.push('}');
    }
    out.push_str(" 1\n");
}

/// An attribute's name as a label: what a label may not contain becomes `_`
/// (OpenTelemetry specification, Prometheus compatibility).
fn label_name(attribute: &str) -> String {
    let mut name: String = attribute
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '_'
            }
        })
        .collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert_str(0, "key_");
    }
    name
}

fn escape(out: &mut String, text: &str, quotes: bool) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

/// A number as Go's `strconv.FormatFloat(value, 'g', -1, 64)` writes it, which is
/// what the page shows: shortest digits, with an exponent below 10⁻⁴ and from 10⁶ on.
pub fn format_value(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}
