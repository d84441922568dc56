//! Random edits, each done to a batch and to the decoded message, which must stay the same
//! request; and everything there is to read. No test is here: the property tests and the fuzz
//! targets choose the edits.

use prost::Message;
use std::collections::BTreeMap;

use super::{
    by_columns,
    generate::{self as make, KEYS, Request, Rng},
    model::{self, Entity, Slot},
    reading::read,
    several, whole,
};
use crate::{
    Batch, Signal,
    batch::{
        AttributeEdit, Data, Field, Level, MetricType, Selection, Source, Value, Values, When,
        frame::Frame,
    },
    otlp::common::v1::{AnyValue, KeyValue},
};

pub use super::everything::{put_together, use_all, written_around};

/// What is done to an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    SetField,
    ClearField,
    UpsertAttribute,
    RemoveAttribute,
    Replace,
    Drop,
    Add,
    Copy,
    Move,
    Reorder,
    ChangeType,
    Retain,
    SetFields,
    Intern,
    ByColumns,
}

pub const KINDS: [Kind; 15] = [
    Kind::SetField,
    Kind::ClearField,
    Kind::UpsertAttribute,
    Kind::RemoveAttribute,
    Kind::Replace,
    Kind::Drop,
    Kind::Add,
    Kind::Copy,
    Kind::Move,
    Kind::Reorder,
    Kind::ChangeType,
    Kind::Retain,
    Kind::SetFields,
    Kind::Intern,
    Kind::ByColumns,
];

pub const TYPES: [MetricType; 5] = [
    MetricType::Gauge,
    MetricType::Sum,
    MetricType::Histogram,
    MetricType::ExponentialHistogram,
    MetricType::Summary,
];

/// Whether the edit means something for such entities, and if not, why.
pub fn applies(kind: Kind, level: Level, signal: Signal) -> Result<(), &'static str> {
    let any_type = || TYPES.into_iter().map(Some).chain([None]);
    match kind {
        Kind::SetField | Kind::ClearField | Kind::SetFields => {
            let has = Field::ALL
                .iter()
                .any(|f| any_type().any(|t| f.exists(signal, level, t)));
            if has { Ok(()) } else { Err("no fields") }
        }
        Kind::UpsertAttribute | Kind::RemoveAttribute | Kind::Replace => {
            if any_type().any(|t| level.has_attributes(signal, t)) {
                Ok(())
            } else {
                Err("no attributes")
            }
        }
        Kind::ChangeType if (signal, level) != (Signal::Metrics, Level::Item) => Err("no type"),
        Kind::Intern if (signal, level) != (Signal::Profiles, Level::Item) => Err("no strings"),
        Kind::ByColumns if !Frame::exists(signal, level) => Err("no frame"),
        _ => Ok(()),
    }
}

pub type Op = (usize, usize, u64);
pub type Matrix = BTreeMap<(Kind, Level, &'static str), usize>;

/// One edit on the batch and on the model. Returns what was done, if anything could be.
pub fn apply(
    data: &mut Data,
    request: &mut Request,
    signal: Signal,
    op: Op,
) -> Option<(Kind, Level)> {
    let levels = Level::of(signal);
    let (kind, level) = (KINDS[op.0 % KINDS.len()], levels[op.1 % levels.len()]);
    applies(kind, level, signal).ok()?;
    let r = &mut Rng::new(op.2);
    let rows = data.rows(level).unwrap();
    assert_eq!(
        rows.len(),
        model::entities(request, level).len(),
        "{level:?}"
    );
    // Where there is nothing of the kind, only adding is possible.
    if rows.is_empty() && kind != Kind::Add {
        return None;
    }
    let at = r.below(rows.len());
    let row = rows.get(at).copied().unwrap_or(0);
    let key = KEYS[r.below(KEYS.len())];
    let of_attributes = matches!(
        kind,
        Kind::UpsertAttribute | Kind::RemoveAttribute | Kind::Replace
    );
    if of_attributes && model::attributes(request, level).is_none() {
        return None;
    }
    match kind {
        Kind::SetField | Kind::ClearField => {
            let start = r.below(Field::ALL.len());
            let field = (0..Field::ALL.len())
                .map(|i| Field::ALL[(start + i) % Field::ALL.len()])
                .find(|field| {
                    let entity = model::entities(request, level).into_iter().nth(at).unwrap();
                    !matches!(entity.slot(*field, false), Slot::NotThere)
                })?;
            let entity = model::entities(request, level).into_iter().nth(at).unwrap();
            if kind == Kind::SetField {
                let value = entity.slot(field, true).randomise(r);
                data.set_field(level, row, field, Some(value.value()))
                    .unwrap();
            } else {
                entity.slot(field, false).clear();
                data.set_field(level, row, field, None).unwrap();
            }
        }
        Kind::UpsertAttribute => {
            let from = KEYS[r.below(KEYS.len())];
            let when = [When::Always, When::Absent, When::Present][r.below(3)];
            let value = make::any_value(r, 0);
            let mut encoded = Vec::new();
            let source_kind = r.below(3);
            let mut values = Values::new();
            let source = match source_kind {
                0 => {
                    encoded = value.encode_to_vec();
                    Source::Value(Value::read(&encoded).unwrap())
                }
                1 => Source::Attribute(from.as_bytes()),
                _ => {
                    encoded.extend(value.encode_to_vec());
                    for i in 0..=row {
                        if i == row {
                            values.push(Value::read(&encoded).unwrap())
                        } else {
                            values.push_none()
                        }
                    }
                    Source::Rows(&values)
                }
            };
            // All rows at once, or one.
            let all = r.one_in(2) && source_kind != 2;
            let selected = [row];
            let selection = if all {
                Selection::All
            } else {
                Selection::Rows(&selected)
            };
            let edit = AttributeEdit::Set {
                key: key.as_bytes(),
                value: source,
                when,
            };
            // A second edit in the same call, which sees the first.
            let second = AttributeEdit::Set {
                key: b"second",
                value: Source::Attribute(key.as_bytes()),
                when: When::Absent,
            };
            data.edit_attributes(level, selection, &[edit, second])
                .unwrap();
            let count = rows.len();
            for i in (0..count).filter(|i| all || *i == at) {
                let mut list = attributes(request, level, i);
                let lookup = |list: &[KeyValue], key: &str| {
                    let found = list.iter().find(|entry| entry.key == key);
                    found.map(|entry| entry.value.clone())
                };
                let first = if source_kind == 1 {
                    lookup(&list, from)
                } else {
                    Some(Some(value.clone()))
                };
                let mut changed = false;
                let mut put = |list: &mut Vec<KeyValue>,
                               key: &str,
                               value: Option<Option<AnyValue>>,
                               when: When| {
                    let present = lookup(list, key).is_some();
                    if let Some(value) = value
                        && (when == When::Always || (when == When::Present) == present)
                    {
                        model::put(list, key, value);
                        changed = true;
                    }
                };
                put(&mut list, key, first, when);
                let copied = lookup(&list, key);
                put(&mut list, "second", copied, When::Absent);
                if changed {
                    model::put_attributes(request, level, i, list);
                }
            }
        }
        Kind::RemoveAttribute => {
            let all = r.one_in(2);
            let selected = [row];
            let selection = if all {
                Selection::All
            } else {
                Selection::Rows(&selected)
            };
            if r.one_in(3) {
                data.retain_attributes(level, selection, |found, _| found != key.as_bytes())
                    .unwrap();
            } else {
                data.edit_attributes(
                    level,
                    selection,
                    &[AttributeEdit::Remove {
                        key: key.as_bytes(),
                    }],
                )
                .unwrap();
            }
            for i in (0..rows.len()).filter(|i| all || *i == at) {
                let mut list = attributes(request, level, i);
                let before = list.len();
                list.retain(|entry| entry.key != key);
                if list.len() < before {
                    model::put_attributes(request, level, i, list);
                }
            }
        }
        Kind::Replace => {
            let list = make::attributes(r);
            let encoded: Vec<(String, Vec<u8>)> = list
                .iter()
                .map(|entry| {
                    (
                        entry.key.clone(),
                        entry.value.clone().unwrap_or_default().encode_to_vec(),
                    )
                })
                .collect();
            let entries: Vec<(&[u8], Value<'_>)> = encoded
                .iter()
                .map(|(key, value)| (key.as_bytes(), Value::read(value).unwrap()))
                .collect();
            data.set_attributes(level, row, &entries).unwrap();
            // An attribute that a profile or sample has already keeps its place in the table.
            let interned =
                signal == Signal::Profiles && matches!(level, Level::Item | Level::Sample);
            let old = match interned {
                true => attributes(request, level, at),
                false => Vec::new(),
            };
            let encoded =
                |entry: &KeyValue| entry.value.clone().unwrap_or_default().encode_to_vec();
            let list = list.into_iter().map(|mut entry| {
                entry.value.get_or_insert_default();
                let same =
                    |old: &&KeyValue| old.key == entry.key && encoded(old) == encoded(&entry);
                entry.key_strindex = old.iter().find(same).map_or(0, |old| old.key_strindex);
                entry
            });
            model::put_attributes(request, level, at, list.collect());
        }
        Kind::Drop => {
            data.drop_row(level, row).unwrap();
            let (list, within) = position(request, level, at);
            model::lists(request, level)[list]
                .as_mut()
                .unwrap()
                .remove(within);
        }
        Kind::Add => {
            let parents = parents(data, level);
            if parents.is_empty() {
                return None;
            }
            let parent = r.below(parents.len());
            let entity = random_entity(request, signal, level, parent, r)?;
            let (message, entity) = entity;
            data.add_row(level, parents[parent], &message).unwrap();
            assert!(model::lists(request, level)[parent].as_mut()?.push(entity));
        }
        Kind::Copy | Kind::Move => {
            let parents = parents(data, level);
            let to = r.below(parents.len());
            let (list, within) = position(request, level, at);
            let mut lists = model::lists(request, level);
            let mut entity = lists[list].as_mut().unwrap().copy(within);
            if kind == Kind::Copy && level == Level::Resource {
                model::prune_copy(&mut entity, &scopes_that_lost(data, row));
            }
            let fits = lists[to].as_mut().is_some_and(|list| list.push(entity));
            if fits && kind == Kind::Move {
                lists[list].as_mut().unwrap().remove(within);
            }
            let done = if kind == Kind::Copy {
                data.copy_row(level, row, parents[to]).map(|_| ())
            } else {
                data.move_row(level, row, parents[to])
            };
            assert_eq!(done.is_ok(), fits, "{done:?}");
            if !fits {
                return None;
            }
        }
        Kind::Reorder => {
            let parents = parents(data, level);
            let (list, _) = position(request, level, at);
            let children = data.children(level, parents[list]).unwrap();
            let mut order: Vec<usize> = (0..children.len()).collect();
            for i in (1..order.len()).rev() {
                order.swap(i, r.below(i + 1));
            }
            order.truncate(1 + r.below(order.len()));
            let named: Vec<u32> = order.iter().map(|at| children[*at]).collect();
            data.reorder_rows(level, parents[list], &named).unwrap();
            model::lists(request, level)[list]
                .as_mut()
                .unwrap()
                .order(&order);
        }
        Kind::ChangeType => {
            let to = TYPES[r.below(5)];
            data.set_metric_type(row, to).unwrap();
            match model::entities(request, level).into_iter().nth(at).unwrap() {
                Entity::Metric(metric) => model::set_type(metric, to),
                _ => unreachable!(),
            }
        }
        Kind::Retain => several::retain(data, request, level, r),
        Kind::SetFields => {
            if !several::set_fields(data, request, level, r) {
                return None;
            }
        }
        Kind::Intern => several::intern(data, request, r),
        Kind::ByColumns => by_columns::edit(data, request, signal, level, r)?,
    }
    Some((kind, level))
}

/// The attributes of one entity.
fn attributes(request: &mut Request, level: Level, at: usize) -> Vec<KeyValue> {
    let mut lists = model::attributes(request, level).unwrap();
    lists.swap_remove(at).unwrap_or_default()
}

/// For each scope of a resource, whether an item was taken from it.
pub fn scopes_that_lost(data: &mut Data, resource: u32) -> Vec<bool> {
    let scopes = data.children(Level::Scope, resource).unwrap();
    let patches = scopes.into_iter().map(|scope| {
        let patch = data.level(Level::Scope).patch[scope as usize];
        data.patches.get(patch as usize)
    });
    patches
        .map(|patch| patch.is_some_and(|patch| patch.lost >> Level::Item.index() & 1 == 1))
        .collect()
}

/// The rows of the parents of a level, in order; of data points, the metrics.
pub fn parents(data: &mut Data, level: Level) -> Vec<u32> {
    match level {
        Level::Resource => vec![0],
        Level::DataPoint => data.rows(Level::Item).unwrap(),
        level => data.rows(level.parent()).unwrap(),
    }
}

/// In which list, and where in it, the entity at this position of a level is.
pub fn position(request: &mut Request, level: Level, at: usize) -> (usize, usize) {
    let mut rest = at;
    for (list, children) in model::lists(request, level).into_iter().enumerate() {
        let len = children.map_or(0, |children| children.count());
        if rest < len {
            return (list, rest);
        }
        rest -= len;
    }
    unreachable!()
}

/// A new entity for a parent: encoded, and for the model.
pub fn random_entity(
    request: &mut Request,
    signal: Signal,
    level: Level,
    parent: usize,
    r: &mut Rng,
) -> Option<(Vec<u8>, Box<dyn std::any::Any>)> {
    fn both<T: Message + 'static>(entity: T) -> Option<(Vec<u8>, Box<dyn std::any::Any>)> {
        Some((entity.encode_to_vec(), Box::new(entity)))
    }
    model::lists(request, level)[parent].as_ref()?;
    match (level, signal) {
        (Level::Resource, Signal::Traces) => both(make::resource_spans(r)),
        (Level::Resource, Signal::Logs) => both(make::resource_logs(r)),
        (Level::Resource, Signal::Metrics) => both(make::resource_metrics(r)),
        (Level::Resource, Signal::Profiles) => both(make::resource_profiles(r)),
        (Level::Scope, Signal::Traces) => both(make::scope_spans(r)),
        (Level::Scope, Signal::Logs) => both(make::scope_logs(r)),
        (Level::Scope, Signal::Metrics) => both(make::scope_metrics(r)),
        (Level::Scope, Signal::Profiles) => both(make::scope_profiles(r)),
        (Level::Item, Signal::Traces) => both(make::span(r)),
        (Level::Item, Signal::Logs) => both(make::log_record(r)),
        (Level::Item, Signal::Metrics) => both(make::metric(r)),
        (Level::Item, Signal::Profiles) => both(make::profile(r)),
        (Level::Sample, _) => both(make::sample(r)),
        (Level::Event, _) => both(make::event(r)),
        (Level::Link, _) => both(make::link(r)),
        (Level::Exemplar, _) => both(make::exemplar(r)),
        (Level::Quantile, _) => both(make::quantile(r)),
        (Level::DataPoint, _) => {
            let metric = model::entities(request, Level::Item)
                .into_iter()
                .nth(parent)?;
            let Entity::Metric(metric) = metric else {
                unreachable!()
            };
            use crate::otlp::metrics::v1::metric::Data;
            match metric.data.as_ref()? {
                Data::Gauge(_) | Data::Sum(_) => both(make::number_point(r)),
                Data::Histogram(_) => both(make::histogram_point(r)),
                Data::ExponentialHistogram(_) => both(make::exponential_point(r)),
                Data::Summary(_) => both(make::summary_point(r)),
            }
        }
        _ => unreachable!(),
    }
}

/// Edits of a random request, each done to the batch and to the model.
pub fn check(signal: Signal, seed: u64, ops: &[Op], matrix: &mut Matrix) {
    let r = &mut Rng::new(seed);
    let request = Request::random(signal, r);
    let (bytes, marks) = make::rewrite(signal, &request.encode(), r);
    assert_eq!(
        Request::decode(signal, &bytes).unwrap(),
        request,
        "the rewriting is wrong"
    );
    let batch = Batch::from_protobuf(signal, bytes.into()).unwrap();
    check_edits(batch, request, &marks, ops, matrix);
}

/// Edits of this request, which is `batch`, each done to both. `marks` are unknown fields of
/// which none may be lost.
pub fn check_edits(
    mut batch: Batch,
    mut request: Request,
    marks: &[u64],
    ops: &[Op],
    matrix: &mut Matrix,
) {
    let (signal, bytes) = (batch.signal(), batch.to_protobuf());
    batch.validate().unwrap();
    let mut structure = false;
    for op in ops {
        let data = batch.open().unwrap();
        if op.2 % 3 == 0 {
            read(data, &mut request, signal, op.2);
        }
        if let Some((kind, level)) = apply(data, &mut request, signal, *op) {
            *matrix.entry((kind, level, signal.name())).or_default() += 1;
            structure |= matches!(
                kind,
                Kind::Drop | Kind::ChangeType | Kind::Move | Kind::Retain
            );
        }
        // What nobody reads may be put off until the request is written.
        if op.2 >> 5 & 3 != 0 {
            read(batch.open().unwrap(), &mut request, signal, op.2 >> 7);
        }
    }
    let out = batch.to_protobuf();
    assert_eq!(written_around(&batch), out);
    if !batch.is_edited() {
        assert_eq!(out, bytes);
    }
    let mut decoded = Request::decode(signal, &out).unwrap();
    model::prune(&mut decoded);
    model::prune(&mut request);
    model::refer_to_first(&mut decoded);
    model::refer_to_first(&mut request);
    assert_eq!(decoded, request);
    whole(&batch, &out, ops);
    let again = Batch::from_protobuf(signal, out.clone()).unwrap();
    again.validate().unwrap();
    assert_eq!(again.item_count(), batch.item_count());
    if !structure {
        for mark in marks {
            let mark = mark.to_le_bytes();
            assert!(
                memchr::memmem::find(&out, &mark).is_some(),
                "an unknown field is lost"
            );
        }
    }
}

/// The request as a whole, which was written; and what was put off, if anything was, is what it
/// is when it is done first.
fn whole(batch: &Batch, out: &[u8], ops: &[Op]) {
    let signal = batch.signal();
    let decoded = Request::decode(signal, out).unwrap();
    let seed = ops
        .iter()
        .fold(ops.len() as u64, |seed, op| seed.rotate_left(7) ^ op.2);
    whole::check(batch, &decoded, &mut Rng::new(seed));
    if batch
        .data
        .as_ref()
        .is_some_and(|data| data.deferred.is_some())
    {
        let mut done = batch.clone();
        let data = done.open().unwrap();
        data.rows(Level::Item).unwrap();
        assert!(data.deferred.is_none());
        assert_eq!(
            Request::decode(signal, &done.to_protobuf()).unwrap(),
            decoded
        );
    }
}

/// Whether prost takes the bytes; what it refuses for its strings not being UTF-8 aside.
pub fn prost_takes(signal: Signal, bytes: &[u8]) -> Option<bool> {
    match Request::decode(signal, bytes) {
        Ok(_) => Some(true),
        Err(error) if error.to_string().contains("UTF-8") => None,
        Err(_) => Some(false),
    }
}
