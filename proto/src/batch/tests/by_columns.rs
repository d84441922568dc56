//! Random edits through a frame, as kernels over columns do them, each done to the model too.
//! What is read of a frame is compared with the model on the way.

use prost::Message;

use super::{
    generate::{KEYS, Request, Rng, any_value},
    model::{self, Owned, Slot},
};
use crate::{
    Signal,
    batch::{
        Data, Field, FieldValue, Level, Value,
        frame::{Change, Frame, MAX_ROWS, Others, kind, span},
    },
    otlp::common::v1::{AnyValue, KeyValue, any_value},
};

/// Rows of the model: attributes, whether they may be changed (the frame does not leave the row
/// alone) and whether they were.
struct Row {
    list: Vec<KeyValue>,
    open: bool,
    changed: bool,
    /// What holds the attributes is there.
    there: bool,
}

/// Some edits of a level through a frame.
pub fn edit(
    data: &mut Data,
    request: &mut Request,
    signal: Signal,
    level: Level,
    r: &mut Rng,
) -> Option<()> {
    let first = r.below(KEYS.len());
    let keys = [0, 1, 2].map(|i| KEYS[(first + i) % KEYS.len()]);
    let can_have = |field: &Field| Frame::can_have(signal, level, *field);
    let fields: Vec<Field> = Field::ALL.into_iter().filter(can_have).collect();
    let named = keys.map(str::as_bytes);
    let mut frame = Frame::new(signal, level, &named, &fields, Others::All)?;
    assert_eq!((frame.level(), frame.slots()), (level, 3 + fields.len()));
    let mut rows = Vec::new();
    data.rows_into(level, &mut rows).unwrap();
    assert_eq!(rows, data.rows(level).unwrap());
    rows.truncate(MAX_ROWS);
    frame.load(data, &rows).unwrap();
    assert_eq!(frame.rows(), rows);
    let lists = model::attributes(request, level)?;
    let mut model: Vec<Row> = (0..)
        .zip(lists.into_iter().take(MAX_ROWS))
        .map(|(p, list)| Row {
            there: list.is_some(),
            list: list.unwrap_or_default(),
            open: !frame.is_odd(p),
            changed: false,
        })
        .collect();
    assert_eq!(frame.any_odd(), model.iter().any(|row| !row.open));
    same(&mut frame, data, &model, &keys);
    same_fields(&mut frame, data, request, level, &fields);
    for _ in 0..1 + r.below(6) {
        change(&mut frame, data, &mut model, &keys, r);
        if !fields.is_empty() && r.one_in(2) {
            set_field(&mut frame, request, level, &model, &fields, r);
        }
        if r.one_in(3) {
            same(&mut frame, data, &model, &keys);
        }
    }
    same(&mut frame, data, &model, &keys);
    // A row that is given up stays as it was.
    if r.one_in(4) && fields.is_empty() && !model.is_empty() {
        let p = r.below(model.len());
        frame.give_up(p as u16);
        model[p].open = false;
    }
    frame.commit(data).unwrap();
    for (at, row) in model.into_iter().enumerate() {
        if row.open && row.changed {
            model::put_attributes(request, level, at, row.list);
        }
    }
    Some(())
}

/// Positions of which something may be changed; of those whose holder is not there only where
/// something is put.
fn positions(model: &[Row], r: &mut Rng, put: bool) -> Vec<u16> {
    let all = r.one_in(2);
    let rows = model.iter().enumerate();
    rows.filter(|(_, row)| row.open && (put || row.there))
        .filter(|_| all || r.one_in(2))
        .map(|(p, _)| p as u16)
        .collect()
}

fn change(frame: &mut Frame, data: &Data, model: &mut [Row], keys: &[&str; 3], r: &mut Rng) {
    let slot = r.below(3);
    let key = keys[slot];
    let find = |row: &Row, key: &str| row.list.iter().position(|entry| entry.key == key);
    match r.below(7) {
        // One value for all.
        0 | 1 => {
            let value = any_value(r, 0);
            let encoded = value.encode_to_vec();
            let cell = cell(frame, Value::read(&encoded).unwrap());
            let at = positions(model, r, true);
            frame.set(slot, &at, |_| cell);
            for p in at {
                put(&mut model[usize::from(p)], key, value.clone());
            }
        }
        // The values of another column.
        2 => {
            let from = r.below(3);
            let at = positions(model, r, true);
            frame.set_from(slot, &at, from);
            for p in at {
                let row = &mut model[usize::from(p)];
                let value = find(row, keys[from]).and_then(|at| row.list[at].value.clone());
                put(row, key, value.unwrap_or_default());
            }
        }
        3 => {
            let at = positions(model, r, false);
            frame.remove(slot, &at);
            for p in at {
                let row = &mut model[usize::from(p)];
                row.changed |= find(row, key).is_some();
                row.list.retain(|entry| entry.key != key);
            }
        }
        4 => {
            let without = KEYS[r.below(KEYS.len())];
            for p in positions(model, r, false) {
                frame.retain(data, p, |key| key != without.as_bytes());
                let row = &mut model[usize::from(p)];
                row.changed |= find(row, without).is_some();
                row.list.retain(|entry| entry.key != without);
            }
        }
        // What has no slot.
        5 => {
            let goes = KEYS[r.below(KEYS.len())];
            for p in positions(model, r, false) {
                frame.change_others(data, p, |heap, key, _, _| match key {
                    key if key == goes.as_bytes() => Change::Remove,
                    b"x.y" => Change::None,
                    key => {
                        let at = heap.len();
                        heap.extend_from_slice(key);
                        Change::Set(kind::STRING, span::heap(at, key.len()))
                    }
                });
                let row = &mut model[usize::from(p)];
                let others = |entry: &KeyValue| !keys.contains(&&*entry.key);
                row.changed |= row
                    .list
                    .iter()
                    .any(|e| others(e) && e.key != "x.y" || e.key == goes && others(e));
                row.list.retain(|entry| !others(entry) || entry.key != goes);
                for entry in row.list.iter_mut().filter(|e| others(e) && e.key != "x.y") {
                    let text = entry.key.clone();
                    entry.value = Some(AnyValue {
                        value: Some(any_value::Value::StringValue(text)),
                    });
                    entry.key_strindex = 0;
                }
            }
        }
        // Parts of strings, and strings with something behind them.
        _ => {
            for p in positions(model, r, false) {
                let (of, bits) = frame.column(slot).get(usize::from(p));
                if of != kind::STRING {
                    continue;
                }
                let text = String::from_utf8(frame.bytes(data, bits).to_vec()).unwrap();
                assert!(
                    !text
                        .len()
                        .checked_sub(1)
                        .is_some_and(|l| frame.is_shorter(slot, l))
                );
                let half = (0..=text.len() / 2)
                    .rev()
                    .find(|at| text.is_char_boundary(*at));
                let half = half.unwrap_or(0);
                let (bits, text) = match r.below(3) {
                    0 => (span::cut(bits, half), text[..half].to_owned()),
                    1 => {
                        let len = text.len() - half;
                        (span::slice(bits, half, len), text[half..].to_owned())
                    }
                    _ => {
                        let at = frame.heap().len();
                        frame.copy_to_heap(data, bits);
                        frame.heap_mut().push(b'+');
                        (frame.span_from(at).unwrap(), text + "+")
                    }
                };
                frame.set(slot, &[p], |_| (of, bits));
                let value = any_value::Value::StringValue(text);
                put(
                    &mut model[usize::from(p)],
                    key,
                    AnyValue { value: Some(value) },
                );
            }
        }
    }
}

fn put(row: &mut Row, key: &str, value: AnyValue) {
    model::put(&mut row.list, key, Some(value));
    row.changed = true;
}

/// A value as a frame has it.
fn cell(frame: &mut Frame, value: Value<'_>) -> (u8, u64) {
    let mut heap = |bytes: &[u8]| frame.put(bytes).unwrap();
    match value {
        Value::Empty | Value::StringIndex(_) => (kind::NIL, 0),
        Value::Bool(value) => (kind::BOOL, value.into()),
        Value::Int(value) => (kind::INT, value as u64),
        Value::Double(value) => (kind::DOUBLE, value.to_bits()),
        Value::String(value) => (kind::STRING, heap(value)),
        Value::Bytes(value) => (kind::BYTES, heap(value)),
        Value::Map(value) => (kind::MAP, heap(value)),
        Value::List(value) => (kind::LIST, heap(value)),
    }
}

/// The frame has the attributes of the model.
fn same(frame: &mut Frame, data: &Data, model: &[Row], keys: &[&str; 3]) {
    for (at, row) in model.iter().enumerate().filter(|(_, row)| row.open) {
        for (slot, key) in keys.iter().enumerate() {
            assert_eq!(frame.key(slot), Some(key.as_bytes()));
            let entry = row.list.iter().find(|entry| entry.key == *key);
            let column = frame.column(slot);
            assert_eq!(column.is_there(at), entry.is_some(), "{key} {at}");
            let value = encoded(frame, data, column.get(at));
            let value = Value::read(&value).unwrap();
            let wanted = entry.and_then(|entry| entry.value.clone());
            assert!(model::same_value(value, &wanted), "{value:?} {wanted:?}");
        }
        assert_eq!(frame.attribute_count(at as u16), row.list.len());
        let map = frame.put_attributes(data, at as u16).unwrap();
        let map = AnyValue::decode(frame.bytes(data, map)).unwrap();
        let Some(any_value::Value::KvlistValue(map)) = map.value else {
            panic!("the attributes of a row are a map");
        };
        let wanted = row.list.iter().map(|entry| KeyValue {
            key: entry.key.clone(),
            value: Some(entry.value.clone().unwrap_or_default()),
            key_strindex: 0,
        });
        assert_eq!(map.values, wanted.collect::<Vec<_>>());
    }
}

/// The frame has the fields that reading them one by one gives; those that are not set are as if
/// they had their default value.
fn same_fields(
    frame: &mut Frame,
    data: &Data,
    request: &mut Request,
    level: Level,
    fields: &[Field],
) {
    for (slot, field) in (3..).zip(fields) {
        let entities = model::entities(request, level).into_iter().enumerate();
        for (at, entity) in entities.filter(|(at, _)| !frame.is_odd(*at as u16)) {
            let (of, bits) = frame.column(slot).get(at);
            let bytes = frame.bytes(data, bits);
            match entity.slot(*field, false).get() {
                Some(Owned::Uint(value)) => assert_eq!((of, bits), (kind::INT, value)),
                Some(Owned::Int(value)) => assert_eq!((of, bits as i64), (kind::INT, value)),
                Some(Owned::Double(value)) => {
                    assert_eq!((of, bits), (kind::DOUBLE, value.to_bits()));
                }
                Some(Owned::Bool(value)) => assert_eq!((of, bits), (kind::BOOL, value.into())),
                Some(Owned::Bytes(value)) => assert_eq!(bytes, value, "{field:?}"),
                Some(Owned::Message(value)) => {
                    let value = AnyValue::decode(&value[..]).unwrap();
                    let found = encoded(frame, data, (of, bits));
                    assert_eq!(AnyValue::decode(&found[..]), Ok(value));
                }
                Some(Owned::Packed(_) | Owned::Fields(_)) => panic!("no frame has {field:?}"),
                None if of == kind::STRING || of == kind::BYTES => assert_eq!(bytes, b""),
                None => assert_eq!(bits, 0, "{field:?}"),
            }
        }
    }
}

/// Sets a field of some rows, each to something else.
fn set_field(
    frame: &mut Frame,
    request: &mut Request,
    level: Level,
    model: &[Row],
    fields: &[Field],
    r: &mut Rng,
) {
    let which = r.below(fields.len());
    let mut entities: Vec<_> = model::entities(request, level)
        .into_iter()
        .map(Some)
        .collect();
    for p in positions(model, r, true) {
        let entity = entities[usize::from(p)].take();
        let slot = entity.unwrap().slot(fields[which], true);
        assert!(!matches!(slot, Slot::NotThere), "{:?}", fields[which]);
        let value = slot.randomise(r);
        let cell = match value.value() {
            FieldValue::Uint(value) => (kind::INT, value),
            FieldValue::Int(value) => (kind::INT, value as u64),
            FieldValue::Double(value) => (kind::DOUBLE, value.to_bits()),
            FieldValue::Bool(value) => (kind::BOOL, value.into()),
            FieldValue::Bytes(value) => (kind::STRING, frame.put(value).unwrap()),
            FieldValue::Message(value) => {
                let value = Value::read(value).unwrap();
                cell(frame, value)
            }
            FieldValue::Packed(_) | FieldValue::Fields(_) => panic!("no frame has such a field"),
        };
        frame.set(3 + which, &[p], |_| cell);
    }
}

/// A frame's value as an encoded `AnyValue`.
pub(in crate::batch) fn encoded(frame: &Frame, data: &Data, (of, bits): (u8, u64)) -> Vec<u8> {
    let mut out = Vec::new();
    let bytes = || frame.bytes(data, bits);
    match of {
        kind::BOOL => Value::Bool(bits != 0).write(&mut out),
        kind::INT => Value::Int(bits as i64).write(&mut out),
        kind::DOUBLE => Value::Double(f64::from_bits(bits)).write(&mut out),
        kind::STRING => Value::String(bytes()).write(&mut out),
        kind::BYTES => Value::Bytes(bytes()).write(&mut out),
        kind::MAP | kind::LIST => out.extend_from_slice(bytes()),
        of => assert_eq!(of, kind::NIL),
    }
    out
}
