//! Views (`service::telemetry::metrics::views`): which instruments become which
//! streams, by the rules of the OpenTelemetry SDK. A view is applied when somebody
//! reads; only bounds of buckets must be known when a histogram is made.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use super::{
    descriptors::{Descriptor, Kind},
    instruments::{self, Instrument},
    registry::{FamilySample, HistogramSample, Labels, SampleValue, SeriesSample},
};

/// What a view is about; what is `None` matches anything.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    /// The instrument's name, in which `*` stands for any part and `?` for one character.
    pub name: Option<String>,
    /// Its kind.
    pub kind: Option<Instrument>,
    /// Its unit.
    pub unit: Option<String>,
    /// The name of its scope.
    pub meter: Option<String>,
    /// Selects by a version or a schema of the scope: no scope here has one.
    pub other_scope: bool,
}

/// How values are brought together.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Aggregation {
    /// As the instrument has it.
    #[default]
    Default,
    /// Not at all.
    Drop,
    /// Added up; of a histogram its sum.
    Sum,
    /// Over buckets with these bounds, ascending; of histograms only.
    Buckets(Arc<[f64]>),
}

/// One view.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// What it is about.
    pub selector: Selector,
    /// The stream's name, where it is another.
    pub name: Option<String>,
    /// The stream's description, where it is another.
    pub description: Option<String>,
    /// Only these attributes, where any are given …
    pub included: Vec<String>,
    /// … and not these.
    pub excluded: Vec<String>,
    /// How values are brought together.
    pub aggregation: Aggregation,
}

/// All views; without any every instrument is one stream.
#[derive(Clone, Debug, Default)]
pub struct Views(pub Vec<View>);

impl Selector {
    fn selects(&self, descriptor: &Descriptor) -> bool {
        !self.other_scope
            && self
                .name
                .as_ref()
                .is_none_or(|pattern| matches(pattern, &instruments::name(descriptor)))
            && self
                .kind
                .is_none_or(|kind| kind == Instrument::of(descriptor))
            && self
                .unit
                .as_ref()
                .is_none_or(|unit| unit == instruments::unit(descriptor))
            && self
                .meter
                .as_ref()
                .is_none_or(|meter| meter == descriptor.scope)
    }
}

/// Whether `text` is `pattern`, in which `*` stands for any part and `?` for one character.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t, mut star) = (0, 0, None);
    while let Some(letter) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == letter => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern
        .get(p..)
        .is_none_or(|rest| rest.iter().all(|letter| *letter == b'*'))
}

impl Views {
    /// The bounds that a histogram's cells are made with.
    pub fn bounds(&self, descriptor: &Descriptor) -> Option<Arc<[f64]>> {
        self.0
            .iter()
            .filter(|view| view.selector.selects(descriptor))
            .find_map(|view| match &view.aggregation {
                Aggregation::Buckets(bounds) => Some(bounds.clone()),
                _ => None,
            })
    }

    /// The streams of what was sampled.
    pub fn apply(&self, families: Vec<FamilySample>) -> Vec<FamilySample> {
        if self.0.is_empty() {
            return families;
        }
        let mut streams: Vec<FamilySample> = Vec::with_capacity(families.len());
        for family in families {
            let descriptor = family.descriptor;
            let mut selected = self
                .0
                .iter()
                .filter(|view| view.selector.selects(descriptor))
                .peekable();
            if selected.peek().is_none() {
                streams.push(family);
                continue;
            }
            for stream in selected.filter_map(|view| view.stream(&family)) {
                // Two views that say the same are one stream.
                if !streams
                    .iter()
                    .any(|known| known.name == stream.name && known.series == stream.series)
                {
                    streams.push(stream);
                }
            }
        }
        streams
    }
}

impl View {
    fn stream(&self, family: &FamilySample) -> Option<FamilySample> {
        if self.aggregation == Aggregation::Drop {
            return None;
        }
        let gauge = matches!(family.descriptor.kind, Kind::Gauge)
            && Instrument::of(family.descriptor) == Instrument::ObservableGauge;
        let mut series: BTreeMap<Labels, SampleValue> = BTreeMap::new();
        for sample in &family.series {
            let labels: Labels = sample
                .labels
                .iter()
                .filter(|(label, _)| self.keeps(label))
                .cloned()
                .collect();
            let value = match (&sample.value, &self.aggregation) {
                (SampleValue::Histogram(histogram), Aggregation::Sum) => {
                    SampleValue::Number(histogram.sum)
                }
                (value, _) => value.clone(),
            };
            series
                .entry(labels)
                .and_modify(|known| add(known, &value, gauge))
                .or_insert(value);
        }
        Some(FamilySample {
            descriptor: family.descriptor,
            name: self
                .name
                .clone()
                .map_or_else(|| family.name.clone(), Cow::Owned),
            help: self
                .description
                .clone()
                .map_or_else(|| family.help.clone(), Cow::Owned),
            series: series
                .into_iter()
                .map(|(labels, value)| SeriesSample { labels, value })
                .collect(),
        })
    }

    fn keeps(&self, label: &'static str) -> bool {
        let (name, _) = instruments::attribute(label);
        let in_list = |list: &[String]| list.iter().any(|listed| listed == name);
        !in_list(&self.excluded) && (self.included.is_empty() || in_list(&self.included))
    }
}

/// Series that a view makes one: sums add up, of a gauge the last counts.
fn add(known: &mut SampleValue, more: &SampleValue, gauge: bool) {
    match (known, more) {
        (SampleValue::Number(known), SampleValue::Number(more)) => {
            *known = if gauge { *more } else { *known + *more };
        }
        (SampleValue::Histogram(known), SampleValue::Histogram(more)) => known.add(more),
        _ => {}
    }
}

impl HistogramSample {
    fn add(&mut self, more: &HistogramSample) {
        for (count, more) in self.counts.iter_mut().zip(&more.counts) {
            *count += more;
        }
        self.sum += more.sum;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::{Level, Page, Registry, descriptors as desc, write_page};

    fn view(name: &str) -> View {
        View {
            selector: Selector {
                name: Some(name.to_owned()),
                ..Selector::default()
            },
            ..View::default()
        }
    }

    /// The page's lines about two receivers and one duration, with the views.
    fn page(views: Vec<View>) -> Vec<String> {
        let registry = Registry::with_views(Level::Detailed, Views(views));
        let accepted = &desc::RECEIVER_ACCEPTED[0];
        for (transport, n) in [("grpc", 2), ("http", 3)] {
            let labels = [("receiver", "otlp"), ("transport", transport)];
            registry.counter(0, accepted, &labels).add(n);
        }
        let labels = [("processor", "p"), ("otel_signal", "traces")];
        let duration = registry.histogram(0, &desc::PROCESSOR_DURATION, &labels);
        for seconds in [0.5, 2.0] {
            duration.record(seconds);
        }
        write_page(&registry, &Page::default())
            .lines()
            .filter(|line| {
                !line.starts_with('#') && !line.contains("promhttp") && !line.starts_with("target")
            })
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn views_rename_drop_filter_and_aggregate() {
        let accepted = "otelcol_receiver_accepted_spans";
        let duration = "otelcol_processor_internal_duration";
        let drop_duration = View {
            aggregation: Aggregation::Drop,
            ..view(duration)
        };
        let renamed = View {
            name: Some("got".to_owned()),
            excluded: vec!["transport".to_owned()],
            ..view(accepted)
        };
        assert_eq!(
            page(vec![drop_duration.clone(), renamed]),
            ["got{receiver=\"otlp\"} 5"]
        );
        let only = View {
            included: vec!["transport".to_owned()],
            ..view(accepted)
        };
        assert_eq!(
            page(vec![drop_duration, only]),
            [
                format!("{accepted}{{transport=\"grpc\"}} 2"),
                format!("{accepted}{{transport=\"http\"}} 3")
            ]
        );
        let drop_counters = View {
            selector: Selector {
                kind: Some(Instrument::Counter),
                ..Selector::default()
            },
            aggregation: Aggregation::Drop,
            ..View::default()
        };
        let buckets = View {
            aggregation: Aggregation::Buckets([1.0, 4.0].into()),
            ..view("*internal_dur?tion")
        };
        let series = "otel_signal=\"traces\",processor=\"p\"";
        assert_eq!(
            page(vec![drop_counters.clone(), buckets]),
            [
                format!("{duration}_bucket{{{series},le=\"1\"}} 1"),
                format!("{duration}_bucket{{{series},le=\"4\"}} 2"),
                format!("{duration}_bucket{{{series},le=\"+Inf\"}} 2"),
                format!("{duration}_sum{{{series}}} 2.5"),
                format!("{duration}_count{{{series}}} 2"),
            ]
        );
        let sum = View {
            selector: Selector {
                unit: Some("s".to_owned()),
                meter: Some(desc::PROCESSOR_DURATION.scope.to_owned()),
                ..Selector::default()
            },
            aggregation: Aggregation::Sum,
            ..View::default()
        };
        assert_eq!(
            page(vec![drop_counters, sum]),
            [format!("{duration}{{{series}}} 2.5")]
        );
    }

    #[test]
    fn several_views_make_several_streams_and_none_leaves_the_instrument() {
        let two = ["a", "b"].map(|name| View {
            name: Some(name.to_owned()),
            included: vec!["receiver".to_owned()],
            ..view("otelcol_receiver_accepted_spans")
        });
        let page = page(two.to_vec());
        assert!(
            page.contains(&"a{receiver=\"otlp\"} 5".to_owned()),
            "{page:?}"
        );
        assert!(
            page.contains(&"b{receiver=\"otlp\"} 5".to_owned()),
            "{page:?}"
        );
        assert!(
            page.iter()
                .any(|line| line.starts_with("otelcol_processor_internal_duration_sum"))
        );
        assert!(!page.iter().any(|line| line.starts_with("otelcol_receiver")));
    }

    #[test]
    fn names_match_with_wildcards() {
        for (pattern, text, want) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b", "aab", true),
            ("a*c*e", "abcde", true),
            ("a*c*f", "abcde", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*", "", true),
            ("?", "", false),
        ] {
            assert_eq!(matches(pattern, text), want, "{pattern} {text}");
        }
    }
}
