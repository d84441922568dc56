//! `service::telemetry::metrics::views`: keys and rules of otelconf's views. What they
//! do is `telemetry::metrics::views`'s.

use super::IncludeExclude;
use crate::{
    component::{Anything, declare},
    telemetry::metrics::{
        instruments::Instrument,
        views::{Aggregation, Selector, View as Made, Views},
    },
};

declare! {
    /// A change of the streams of some instruments.
    pub struct View as "config.View" {
        /// Which instruments.
        selector: Option<ViewSelector> = None, omit "";
        /// What becomes of them.
        stream: Option<ViewStream> = None, omit "";
    }
}

declare! {
    /// Which instruments: those that match all that is given.
    pub struct ViewSelector as "config.ViewSelector" {
        /// Name, with `*` for any part and `?` for one character.
        instrument_name: Option<String> = None, omit "";
        /// `counter`, `up_down_counter`, `histogram`, `observable_counter`, `observable_up_down_counter` or `observable_gauge`.
        instrument_type: Option<String> = None, omit "";
        /// Name of the scope.
        meter_name: Option<String> = None, omit "";
        /// Version of the scope; no scope has one.
        meter_version: Option<String> = None, omit "";
        /// Schema of the scope; no scope has one.
        meter_schema_url: Option<String> = None, omit "";
        /// Unit.
        unit: Option<String> = None, omit "";
    }
}

declare! {
    /// What becomes of an instrument's stream.
    pub struct ViewStream as "config.ViewStream" {
        /// Another name.
        name: Option<String> = None, omit "";
        /// Another description.
        description: Option<String> = None, omit "";
        /// Which attributes stay.
        attribute_keys: Option<IncludeExclude> = None, omit "";
        /// How values are brought together.
        aggregation: Option<ViewAggregation> = None, omit "";
    }
}

declare! {
    /// How values are brought together.
    pub struct ViewAggregation as "config.ViewStreamAggregation" {
        /// As the instrument has it.
        default: Anything = Anything::default(), omit "";
        /// Not at all.
        drop: Anything = Anything::default(), omit "";
        /// Added up.
        sum: Anything = Anything::default(), omit "";
        /// The last one.
        last_value: Anything = Anything::default(), omit "", no_effect "only sums and histograms can be had of instruments";
        /// Over buckets; of histograms only.
        explicit_bucket_histogram: Option<Buckets> = None, omit "";
        /// Over buckets that grow by powers.
        base2_exponential_bucket_histogram: Anything = Anything::default(), omit "", no_effect "exponential histograms are not recorded";
    }
}

declare! {
    /// Buckets with bounds.
    pub struct Buckets as "config.ViewStreamAggregationExplicitBucketHistogram" {
        /// The bounds, ascending.
        boundaries: Vec<f64> = Vec::new(), omit "";
        /// Keep the smallest and the largest value.
        record_min_max: Option<bool> = None, omit "", no_effect "smallest and largest values are not kept";
    }
}

/// The views, made.
///
/// # Errors
/// The Collector's text for one that says nothing or contradicts itself.
pub fn make(views: &[View]) -> Result<Views, String> {
    views.iter().map(one).collect::<Result<_, _>>().map(Views)
}

fn one(view: &View) -> Result<Made, String> {
    let selector = view.selector.as_ref().ok_or("view: no selector provided")?;
    let mut made = Made {
        selector: selector.make()?,
        ..Made::default()
    };
    let Some(stream) = &view.stream else {
        return Ok(made);
    };
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    made.name = given(&stream.name);
    made.description = given(&stream.description);
    if let Some(lists) = &stream.attribute_keys {
        if let Some(text) = lists.contradiction() {
            return Err(text);
        }
        made.included = lists.included.clone();
        made.excluded = lists.excluded.clone();
    }
    if let Some(aggregation) = &stream.aggregation {
        made.aggregation = aggregation.make()?;
    }
    Ok(made)
}

impl ViewSelector {
    fn make(&self) -> Result<Selector, String> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let selector = Selector {
            name: given(&self.instrument_name),
            kind: match &self.instrument_type {
                None => None,
                Some(word) => Some(
                    Instrument::parse(word)
                        .ok_or("view_selector: instrument_type: invalid value")?,
                ),
            },
            unit: given(&self.unit),
            meter: given(&self.meter_name),
            other_scope: given(&self.meter_version)
                .or(given(&self.meter_schema_url))
                .is_some(),
        };
        let empty = selector.name.is_none()
            && selector.kind.is_none()
            && selector.unit.is_none()
            && selector.meter.is_none()
            && !selector.other_scope;
        if empty {
            return Err("view_selector: empty selector not supporter".into());
        }
        Ok(selector)
    }
}

impl ViewAggregation {
    fn make(&self) -> Result<Aggregation, String> {
        // In the Collector's order, where several are given.
        if self.default.get().is_some() {
            return Ok(Aggregation::Default);
        }
        if self.drop.get().is_some() {
            return Ok(Aggregation::Drop);
        }
        if let Some(buckets) = &self.explicit_bucket_histogram {
            let bounds = &buckets.boundaries;
            if !bounds
                .windows(2)
                .all(|pair| matches!(pair, [a, b] if a < b))
            {
                return Err(format!("non-monotonic boundaries: {bounds:?}"));
            }
            return Ok(Aggregation::Buckets(bounds.as_slice().into()));
        }
        if self.sum.get().is_some() {
            return Ok(Aggregation::Sum);
        }
        Ok(Aggregation::Default)
    }
}
