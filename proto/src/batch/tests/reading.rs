//! What a batch says of a request, against the decoded message: values one by one, columns,
//! tables and messages, and what is refused. Nothing here edits.

use arrow_array::{Array, BinaryViewArray, cast::AsArray, types};
use prost::Message;

use super::{
    edits::TYPES,
    generate::{KEYS, Request, Rng},
    model::{self, Entity, Owned, Slot},
};
use crate::{
    Signal,
    batch::{
        AttributeColumn, Data, Error, Field, FieldValue, Level, Value,
        frame::{Frame, bytes_of, kind},
    },
    otlp::{common::v1::AnyValue, metrics::v1::NumberDataPoint},
};

/// Reads something random through the batch and through the model.
pub fn read(data: &mut Data, request: &mut Request, signal: Signal, seed: u64) {
    let r = &mut Rng::new(seed ^ 0x5eed);
    let levels = Level::of(signal);
    let level = levels[r.below(levels.len())];
    let rows = data.rows(level).unwrap();
    assert_eq!(
        rows.len(),
        model::entities(request, level).len(),
        "{level:?}"
    );
    let key = KEYS[r.below(KEYS.len())];
    let column = data.attribute_column(level, key.as_bytes());
    let lists = model::attributes(request, level);
    assert!(lists.is_some() || column.is_err(), "an index leads nowhere");
    for (row, list) in rows.iter().zip(lists.unwrap_or_default()) {
        let wanted = list.as_ref().and_then(|list| {
            let found = list.iter().find(|entry| entry.key == key);
            found.map(|entry| entry.value.clone())
        });
        if let Ok(column) = &column {
            let value = column.value(data, *row);
            assert_eq!(value.is_some(), wanted.is_some(), "{level:?} {row} {key}");
            if let (Some(value), Some(wanted)) = (value, &wanted) {
                assert!(model::same_value(value, wanted), "{value:?} {wanted:?}");
            }
            let value = data.attribute(level, *row, key.as_bytes()).unwrap();
            if let (Some(value), Some(wanted)) = (value, &wanted) {
                assert!(model::same_value(value, wanted), "{value:?} {wanted:?}");
            }
        }
    }
    match r.below(7) {
        0 => columns(data, level, key),
        1 => table(data, request, level),
        2 => fields(data, signal, level),
        3 => messages(data, request, level),
        4 => as_parents(data, signal, level, key),
        5 => refused(data, level, r),
        _ => strings(data, request, r),
    }
    if rows.is_empty() {
        return;
    }
    let at = r.below(rows.len());
    for field in Field::ALL {
        let entity = model::entities(request, level).into_iter().nth(at).unwrap();
        let slot = entity.slot(field, false);
        let wanted = slot.get().and_then(Owned::unless_default);
        let there = !matches!(slot, Slot::NotThere);
        match data.field(level, rows[at], field) {
            Ok(value) => {
                let value = value.map(Owned::of).and_then(Owned::unless_default);
                match (&value, &wanted) {
                    (Some(Owned::Message(a)), Some(Owned::Message(b))) => {
                        assert_eq!(AnyValue::decode(&a[..]), AnyValue::decode(&b[..]));
                    }
                    (Some(Owned::Fields(_)), Some(Owned::Fields(_))) => {}
                    // A number can be written with more bytes than it needs.
                    (Some(Owned::Packed(a)), Some(Owned::Packed(b))) if is_varints(field) => {
                        assert_eq!(varints(field, a), varints(field, b), "{level:?} {field:?}");
                    }
                    _ => assert_eq!(value, wanted, "{level:?} {field:?}"),
                }
            }
            Err(_) => assert!(!there, "{level:?} {field:?}"),
        }
    }
}

fn is_varints(field: Field) -> bool {
    matches!(
        field,
        Field::PositiveBucketCounts
            | Field::NegativeBucketCounts
            | Field::SampleValues
            | Field::AttributeIndices
    )
}

fn varints(field: Field, mut bytes: &[u8]) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some((number, next)) = crate::wire::read_varint(bytes, 0) {
        numbers.push(match field {
            Field::AttributeIndices => u64::from(number as u32),
            _ => number,
        });
        bytes = &bytes[next..];
    }
    numbers
}

/// A column by type says the same as its values, and as many rows.
fn columns(data: &mut Data, level: Level, key: &str) {
    let Ok(column) = data.attribute_column(level, key.as_bytes()) else {
        return;
    };
    let count = data.row_count(level).unwrap();
    assert_eq!((column.len(), column.types().len()), (count, count));
    assert_eq!(column.is_empty(), count == 0);
    let (texts, bytes) = (column.strings(data), column.bytes(data));
    let (nested, ints) = (column.nested(data), column.ints(data));
    let (doubles, bools) = (column.doubles(data), column.bools(data));
    for row in 0..count {
        let value = column.value(data, row as u32);
        let of = value.map_or(AttributeColumn::ABSENT, |value| value.value_type() as u8);
        assert_eq!(column.types()[row], of);
        let live = data.is_live(level, row as u32);
        assert!(live || value.is_none(), "{level:?} {row} was dropped");
        let [mut text, mut raw, mut encoded] = [None; 3];
        let (mut int, mut double, mut truth) = (None, None, None);
        match value {
            Some(Value::String(value)) => text = Some(value),
            Some(Value::Bytes(value)) => raw = Some(value),
            Some(Value::List(value) | Value::Map(value)) => encoded = Some(value),
            Some(Value::Int(value)) => int = Some(value),
            Some(Value::Double(value)) => double = Some(value),
            Some(Value::Bool(value)) => truth = Some(value),
            Some(Value::Empty | Value::StringIndex(_)) | None => {}
        }
        assert_eq!(view(&texts, row), text);
        assert_eq!(view(&bytes, row), raw);
        assert_eq!(view(&nested, row), encoded);
        assert_eq!(ints.is_valid(row).then(|| ints.value(row)), int);
        assert_eq!(doubles.is_valid(row).then(|| doubles.value(row)), double);
        assert_eq!(bools.is_valid(row).then(|| bools.value(row)), truth);
    }
}

fn view(array: &BinaryViewArray, row: usize) -> Option<&[u8]> {
    array.is_valid(row).then(|| array.value(row))
}

/// The table of all attributes of a level is what the model has.
fn table(data: &mut Data, request: &mut Request, level: Level) {
    let rows = data.rows(level).unwrap();
    let table = data.attribute_table(level);
    let Some(lists) = model::attributes(request, level) else {
        assert!(table.is_err(), "an index leads nowhere");
        return;
    };
    let Ok(table) = table else {
        assert!(level == Level::Quantile || level == Level::Request);
        return;
    };
    let mut at = 0;
    for (row, list) in rows.iter().zip(lists) {
        for entry in list.unwrap_or_default() {
            assert_eq!(table.owner.value(at), *row);
            let key = table.dictionary.value(table.key.value(at) as usize);
            assert_eq!(key, entry.key.as_bytes());
            let value = Value::read(table.value.value(at)).unwrap();
            assert!(model::same_value(value, &entry.value), "{value:?}");
            assert_eq!(table.types[at], value.value_type() as u8);
            at += 1;
        }
    }
    let lengths = [table.owner.len(), table.key.len(), table.value.len()];
    assert_eq!((lengths, table.types.len()), ([at; 3], at));
    let keys: std::collections::HashSet<_> = table.dictionary.iter().collect();
    assert_eq!(keys.len(), table.dictionary.len(), "a key twice");
}

/// Columns of fields say what reading the fields one by one does.
fn fields(data: &mut Data, signal: Signal, level: Level) {
    let any_type = || TYPES.into_iter().map(Some).chain([None]);
    let fields: Vec<Field> = Field::ALL
        .into_iter()
        .filter(|field| any_type().any(|t| field.exists(signal, level, t)))
        .collect();
    let columns = data.field_columns(level, &fields).unwrap();
    assert_eq!(columns.len(), fields.len());
    for (field, column) in fields.iter().zip(&columns) {
        assert_eq!(column.len(), data.row_count(level).unwrap());
        for row in 0..column.len() {
            let wanted = match data.is_live(level, row as u32) {
                true => match data.field(level, row as u32, *field) {
                    Err(Error::NotApplicable(_)) => None,
                    value => value.unwrap().map(Owned::of),
                },
                false => None,
            };
            let wanted = wanted.map(|value| match value {
                Owned::Message(bytes) | Owned::Packed(bytes) | Owned::Fields(bytes) => {
                    Owned::Bytes(bytes)
                }
                value => value,
            });
            match (cell(column, row), wanted) {
                // An id of another length is none.
                (None, Some(Owned::Bytes(id))) => {
                    let ids = column.as_fixed_size_binary_opt();
                    assert!(ids.is_some_and(|ids| ids.value_length() as usize != id.len()));
                }
                (found, wanted) => assert_eq!(found, wanted, "{level:?} {field:?} {row}"),
            }
        }
    }
    let not_there = Field::ALL.into_iter().find(|field| !fields.contains(field));
    if let Some(field) = not_there {
        let columns = data.field_columns(level, &[field]);
        assert_eq!(columns.err(), Some(Error::NotApplicable(level)));
    }
}

fn cell(column: &dyn Array, row: usize) -> Option<Owned> {
    if column.is_null(row) {
        return None;
    }
    if let Some(of) = column.as_primitive_opt::<types::UInt32Type>() {
        return Some(Owned::Uint(of.value(row).into()));
    }
    if let Some(of) = column.as_primitive_opt::<types::UInt64Type>() {
        return Some(Owned::Uint(of.value(row)));
    }
    if let Some(of) = column.as_primitive_opt::<types::Int32Type>() {
        return Some(Owned::Int(of.value(row).into()));
    }
    if let Some(of) = column.as_primitive_opt::<types::Int64Type>() {
        return Some(Owned::Int(of.value(row)));
    }
    if let Some(of) = column.as_primitive_opt::<types::Float64Type>() {
        return Some(Owned::Double(of.value(row)));
    }
    if let Some(of) = column.as_boolean_opt() {
        return Some(Owned::Bool(of.value(row)));
    }
    if let Some(of) = column.as_fixed_size_binary_opt() {
        return Some(Owned::Bytes(of.value(row).to_vec()));
    }
    Some(Owned::Bytes(column.as_binary_view().value(row).to_vec()))
}

/// The message of every entity decodes to the model's, and so do its attributes as fields.
fn messages(data: &mut Data, request: &mut Request, level: Level) {
    let rows = data.rows(level).unwrap();
    if let Some(lists) = model::attributes(request, level) {
        for (row, list) in rows.iter().zip(lists) {
            let mut out = Vec::new();
            if data.attribute_fields(level, *row, 7, &mut out).is_ok() {
                // A message that has its attributes in that field.
                let point = NumberDataPoint::decode(&*out).unwrap();
                let mut wanted = list.unwrap_or_default();
                // Where it came from.
                wanted.iter_mut().for_each(|entry| entry.key_strindex = 0);
                assert_eq!(point.attributes, wanted, "{level:?} {row}");
            }
        }
    }
    for (row, entity) in rows.into_iter().zip(model::entities(request, level)) {
        let message = data.row_message(level, row).unwrap();
        // Scopes that lost their last item are in the model until the end.
        if level != Level::Resource || !super::edits::scopes_that_lost(data, row).contains(&true) {
            assert!(is(&message, &entity), "{level:?} {row}");
        }
    }
}

/// Whether a message decodes to the entity.
pub fn is(message: &[u8], entity: &Entity<'_>) -> bool {
    fn same<T: Message + Default + PartialEq>(message: &[u8], entity: &T) -> bool {
        T::decode(message).is_ok_and(|decoded| decoded == *entity)
    }
    match entity {
        Entity::ResourceSpans(entity) => same(message, &**entity),
        Entity::ResourceLogs(entity) => same(message, &**entity),
        Entity::ResourceMetrics(entity) => same(message, &**entity),
        Entity::ResourceProfiles(entity) => same(message, &**entity),
        Entity::ScopeSpans(entity) => same(message, &**entity),
        Entity::ScopeLogs(entity) => same(message, &**entity),
        Entity::ScopeMetrics(entity) => same(message, &**entity),
        Entity::ScopeProfiles(entity) => same(message, &**entity),
        Entity::Span(entity) => same(message, &**entity),
        Entity::Event(entity) => same(message, &**entity),
        Entity::Link(entity) => same(message, &**entity),
        Entity::LogRecord(entity) => same(message, &**entity),
        Entity::Metric(entity) => same(message, &**entity),
        Entity::Number(entity) => same(message, &**entity),
        Entity::Histogram(entity) => same(message, &**entity),
        Entity::Exponential(entity) => same(message, &**entity),
        Entity::Summary(entity) => same(message, &**entity),
        Entity::Exemplar(entity) => same(message, &**entity),
        Entity::Quantile(entity) => same(message, &**entity),
        Entity::Profile(entity) => same(message, &**entity),
        Entity::Sample(entity) => same(message, &**entity),
    }
}

/// Values as frames give those of what is around their rows: the same, as kind and payload.
fn as_parents(data: &mut Data, signal: Signal, level: Level, key: &str) {
    for row in data.rows(level).unwrap() {
        let read = Frame::attribute_of(data, level, row, key.as_bytes());
        match data.attribute(level, row, key.as_bytes()) {
            Err(error) => assert_eq!(read, Err(error)),
            Ok(value) => {
                let encoded = value.map(encoded);
                let value = encoded.as_deref().map(|value| Value::read(value).unwrap());
                assert!(is_value(data, read.unwrap(), value), "{level:?} {row}");
            }
        }
        for field in Field::ALL {
            let read = Frame::field_of(data, level, row, field);
            let value = data
                .field(level, row, field)
                .map(|value| value.map(Owned::of));
            let value = match value {
                Err(error) => {
                    assert_eq!(read, Err(error));
                    continue;
                }
                Ok(Some(Owned::Packed(_) | Owned::Fields(_))) => {
                    assert_eq!(
                        read,
                        Err(Error::NotApplicable(at_level(signal, level, field)))
                    );
                    continue;
                }
                Ok(value) => value,
            };
            let (of, bits) = read.unwrap_or_else(|error| panic!("{field:?}: {error}"));
            let text = bytes_of(&[], data, bits);
            let same = match value.as_ref().map(Owned::value) {
                Some(FieldValue::Uint(value)) => (of, bits) == (kind::INT, value),
                Some(FieldValue::Int(value)) => (of, bits as i64) == (kind::INT, value),
                Some(FieldValue::Double(value)) => (of, bits) == (kind::DOUBLE, value.to_bits()),
                Some(FieldValue::Bool(value)) => (of, bits) == (kind::BOOL, value.into()),
                Some(FieldValue::Bytes(value)) => {
                    matches!(of, kind::STRING | kind::BYTES) && text == value
                }
                Some(FieldValue::Message(value)) => {
                    let value = Value::read(value).unwrap();
                    is_value(data, (of, bits), Some(value))
                }
                Some(FieldValue::Packed(_) | FieldValue::Fields(_)) => false,
                // Not set: what it then counts as.
                None => match of {
                    kind::STRING | kind::BYTES => text.is_empty(),
                    _ => bits == 0,
                },
            };
            assert!(same, "{level:?} {row} {field:?} {of} {bits}");
        }
    }
}

/// The level that says that it has no such field.
fn at_level(signal: Signal, level: Level, field: Field) -> Level {
    match field.place(signal, level, Some(crate::batch::MetricType::Sum)) {
        Some(place) if place.in_data => Level::MetricData,
        _ => level,
    }
}

/// An encoded value.
fn encoded(value: Value<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    value.write(&mut out);
    out
}

/// Whether kind and payload are this value, which is nil where there is none.
fn is_value(data: &Data, (of, bits): (u8, u64), value: Option<Value<'_>>) -> bool {
    let is = |wanted: u8, bytes: &[u8]| of == wanted && bytes_of(&[], data, bits) == bytes;
    match value {
        None | Some(Value::Empty | Value::StringIndex(_)) => of == kind::NIL,
        Some(Value::Bool(value)) => (of, bits) == (kind::BOOL, value.into()),
        Some(Value::Int(value)) => (of, bits as i64) == (kind::INT, value),
        Some(Value::Double(value)) => (of, bits) == (kind::DOUBLE, value.to_bits()),
        Some(Value::String(value)) => is(kind::STRING, value),
        Some(Value::Bytes(value)) => is(kind::BYTES, value),
        Some(Value::List(value)) => is(kind::LIST, value),
        Some(Value::Map(value)) => is(kind::MAP, value),
    }
}

/// What cannot be done is refused, in words that name the row, and changes nothing.
fn refused(data: &mut Data, level: Level, r: &mut Rng) {
    let (count, edited) = (data.row_count(level).unwrap() as u32, data.edited);
    let before = data.rows(level).unwrap();
    // One that was dropped, where there is one.
    let dropped = (0..count).find(|row| !data.is_live(level, *row));
    let row = dropped.unwrap_or(count + r.below(3) as u32);
    let no_row = Some(Error::NoRow(level, row));
    let text = no_row.as_ref().map(Error::to_string).unwrap_or_default();
    assert!(text.contains(&format!("row {row} ")), "{text}");
    assert_eq!(data.drop_row(level, row).err(), no_row);
    assert_eq!(data.copy_row(level, row, 0).err(), no_row);
    assert_eq!(data.move_row(level, row, 0).err(), no_row);
    assert_eq!(data.row_message(level, row).err(), no_row);
    assert_eq!(data.attribute(level, row, b"a").err(), no_row);
    assert_eq!(data.set_attributes(level, row, &[]).err(), no_row);
    for field in Field::ALL {
        assert_eq!(data.field(level, row, field).err(), no_row);
        assert_eq!(data.set_field(level, row, field, None).err(), no_row);
    }
    if let Some(row) = before.first() {
        let wrong = data.set_field(level, *row, Field::Name, Some(FieldValue::Bool(true)));
        assert_eq!(wrong, Err(Error::NotApplicable(level)));
    }
    let invalid = data.add_row(level, 0, &[0xff]);
    let Err(error) = invalid else {
        panic!("not a message: {invalid:?}");
    };
    if let Error::Decode(cause) = &error {
        let text = error.to_string();
        assert!(text.contains(&format!("byte {}: ", cause.offset)), "{text}");
        assert!(std::error::Error::source(&error).is_some());
    }
    assert_eq!(data.rows(level).unwrap(), before);
    assert_eq!(data.edited, edited);
}

/// The strings of the dictionary are the model's.
fn strings(data: &mut Data, request: &Request, r: &mut Rng) {
    let Request::Profiles(request) = request else {
        let refused = Error::NotApplicable(Level::Dictionary);
        assert_eq!(data.dictionary_string(0), Err(refused.clone()));
        assert_eq!(data.intern_string(b"a"), Err(refused));
        return;
    };
    let table = request.dictionary.as_ref();
    let table = table.map_or(&[][..], |of| &of.string_table);
    for index in [r.below(table.len()) as i32, table.len() as i32, -1] {
        match usize::try_from(index).ok().and_then(|at| table.get(at)) {
            Some(text) => assert_eq!(data.dictionary_string(index), Ok(text.as_bytes())),
            None => {
                let error = data.dictionary_string(index).unwrap_err();
                let text = format!("string index {index} out of bounds [0, {})", table.len());
                assert_eq!(error.to_string(), text);
            }
        }
    }
}
