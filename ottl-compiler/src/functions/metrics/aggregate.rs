//! `aggregate_on_attributes` and `aggregate_on_attribute_value`: which points are made one, and
//! what becomes of their attributes. The first of each group stays where it is and takes in the
//! others, which are dropped; how is in `merge`.

use std::collections::HashMap;

use trunkline_proto::batch::{
    AttributeEdit, Data, Field, FieldValue, KeyValue, Level, MetricType, Selection, Source,
    Value as Any, When,
};

use super::{
    int,
    merge::{Aggregation, Merged, NAMES, exponential, histogram, number},
    metric_of, uint, words,
};
use crate::{
    failure::Failure,
    go::text::as_text,
    program::{Args, Argument},
    run::Row,
    value::{Value, encode_map},
};

/// The aggregation function must be one that there is.
pub(crate) fn check_function(args: &[Argument]) -> Result<(), String> {
    match args.first().and_then(Argument::literal) {
        Some(Value::String(name)) if Aggregation::named(name).is_none() => Err(format!(
            "invalid aggregation function: 'unsupported function: '{}'', valid options: {}",
            String::from_utf8_lossy(name),
            NAMES.map(|(name, _)| name).join(", ")
        )),
        _ => Ok(()),
    }
}

/// `aggregate_on_attributes(aggregation_function, attributes?)`: without a list all attributes
/// count, else only those listed stay.
pub(crate) fn aggregate_on_attributes(row: &mut Row<'_>, args: &Args<'_>) -> Result<(), Failure> {
    let kept = match args.has(1) {
        true => Some(texts(args.items(1)?)),
        false => None,
    };
    let change = Change {
        kept: kept.as_deref(),
        renamed: None,
    };
    aggregate(row, args, "aggregate_on_attributes", &change)
}

/// `aggregate_on_attribute_value(aggregation_function, attribute, values, new_value)`: these
/// values of the attribute become the new one.
pub(crate) fn aggregate_on_attribute_value(
    row: &mut Row<'_>,
    args: &Args<'_>,
) -> Result<(), Failure> {
    let change = Change {
        kept: None,
        renamed: Some(Rename {
            key: args.text(1)?,
            from: texts(args.items(2)?),
            to: args.text(3)?,
        }),
    };
    aggregate(row, args, "aggregate_on_attribute_value", &change)
}

fn texts(items: &[Value]) -> Vec<&[u8]> {
    let texts = items.iter().filter_map(|item| match item {
        Value::String(text) => Some(&**text),
        _ => None,
    });
    texts.collect()
}

/// What becomes of the attributes of points.
struct Change<'a> {
    /// Others go.
    kept: Option<&'a [&'a [u8]]>,
    renamed: Option<Rename<'a>>,
}

struct Rename<'a> {
    key: &'a [u8],
    from: Vec<&'a [u8]>,
    to: &'a [u8],
}

impl Rename<'_> {
    /// Whether it changes this value. Of what is no string the text is empty.
    fn takes(&self, value: &Any<'_>) -> bool {
        let text = match value {
            Any::String(text) => *text,
            _ => b"",
        };
        self.from.contains(&text)
    }
}

fn aggregate(
    row: &mut Row<'_>,
    args: &Args<'_>,
    name: &str,
    change: &Change<'_>,
) -> Result<(), Failure> {
    let Some(how) = Aggregation::named(args.text(0)?) else {
        return Ok(());
    };
    let (metric, of) = metric_of(row)?;
    let data = row.data();
    let of = match of {
        None => return Ok(()),
        Some(MetricType::Summary) => {
            return Err(Failure::Function(format!(
                "{name} does not support aggregating Summary metrics"
            )));
        }
        Some(of) => of,
    };
    let delta = match of {
        MetricType::Gauge => false,
        _ => matches!(
            data.field(Level::Item, metric, Field::AggregationTemporality)?,
            Some(FieldValue::Int(1))
        ),
    };
    let groups = group(data, metric, of, delta, change)?;
    // All that can fail, before anything is changed.
    let mut merged = Vec::new();
    for group in &groups {
        merged.push(match of {
            MetricType::Histogram => Merged::Histogram(histogram(data, name, group)?),
            MetricType::ExponentialHistogram => {
                Merged::Exponential(exponential(data, name, group)?)
            }
            _ => Merged::Number(number(data, how, group)?),
        });
    }
    for (group, merged) in groups.iter().zip(merged) {
        let Some((&first, others)) = group.split_first() else {
            continue;
        };
        merged.write(data, first)?;
        for other in others {
            data.drop_row(Level::DataPoint, *other)?;
        }
        put_attributes(data, first, change)?;
    }
    // The reference makes the metric anew, without its metadata.
    data.retain_attributes(Level::Item, Selection::Rows(&[metric]), |_, _| false)?;
    Ok(())
}

fn put_attributes(data: &mut Data, point: u32, change: &Change<'_>) -> Result<(), Failure> {
    let rows = [point];
    let (level, rows) = (Level::DataPoint, Selection::Rows(&rows));
    if let Some(kept) = change.kept {
        data.retain_attributes(level, rows, |key, _| kept.contains(&key))?;
    }
    if let Some(rename) = &change.renamed
        && let Some(value) = data.attribute(level, point, rename.key)?
        && rename.takes(&value)
    {
        let edit = AttributeEdit::Set {
            key: rename.key,
            value: Source::Value(Any::String(rename.to)),
            when: When::Present,
        };
        data.edit_attributes(level, rows, &[edit])?;
    }
    Ok(())
}

/// The points by what must be equal, in the order of the first of each group.
fn group(
    data: &mut Data,
    metric: u32,
    of: MetricType,
    delta: bool,
    change: &Change<'_>,
) -> Result<Vec<Vec<u32>>, Failure> {
    let mut groups: Vec<Vec<u32>> = Vec::new();
    let mut known: HashMap<Vec<u8>, usize> = HashMap::new();
    for point in data.children(Level::DataPoint, metric)? {
        let mut key = attributes_key(data, point, change)?;
        let mut more = |word: u64| key.extend_from_slice(&word.to_le_bytes());
        more(uint(data, point, Field::Time)?);
        if delta {
            more(uint(data, point, Field::StartTime)?);
        }
        if let MetricType::Histogram | MetricType::ExponentialHistogram = of {
            for field in [Field::Min, Field::Max] {
                let is_set = data.field(Level::DataPoint, point, field)?.is_some();
                more(is_set.into());
            }
            more(uint(data, point, Field::Flags)?);
        }
        match of {
            MetricType::Histogram => {
                let bounds = words(data, point, Field::ExplicitBounds)?;
                bounds.into_iter().for_each(more);
            }
            MetricType::ExponentialHistogram => more(int(data, point, Field::Scale)? as u64),
            _ => {}
        }
        let at = *known.entry(key).or_insert(groups.len());
        match groups.get_mut(at) {
            Some(group) => group.push(point),
            None => groups.push(vec![point]),
        }
    }
    Ok(groups)
}

/// Attributes as JSON, in which their order does not matter, with a length in front.
fn attributes_key(data: &mut Data, point: u32, change: &Change<'_>) -> Result<Vec<u8>, Failure> {
    let attributes = data.attributes(Level::DataPoint, point)?;
    let mut renamed = None;
    let mut rename = change.renamed.as_ref();
    let mut entries: Vec<(&[u8], &[u8])> = Vec::with_capacity(attributes.len());
    for KeyValue { key, value, .. } in &attributes {
        if change.kept.is_none_or(|kept| kept.contains(key)) {
            // Of several with one key the first is the one that is renamed.
            if let Some(found) = rename.take_if(|rename| rename.key == *key)
                && found.takes(&Any::read(value.unwrap_or_default())?)
            {
                renamed = Some(entries.len());
            }
            entries.push((*key, value.unwrap_or_default()));
        }
    }
    let mut to = Vec::new();
    if let Some(rename) = &change.renamed {
        Any::String(rename.to).write(&mut to);
    }
    if let Some((_, value)) = renamed.and_then(|at| entries.get_mut(at)) {
        *value = &to;
    }
    let mut text = Vec::new();
    as_text(&Any::Map(&encode_map(entries)), &mut text);
    let mut key = (text.len() as u64).to_le_bytes().to_vec();
    key.append(&mut text);
    Ok(key)
}
