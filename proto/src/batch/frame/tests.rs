//! The frame against the same reads and changes one by one, on random requests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::batch::{
    AttributeEdit, Batch, Data, FieldValue, Selection, Source, Value, When,
    tests::{
        by_columns::encoded,
        edits::{put_together, written_around},
        generate::{Request, Rng, rewrite},
    },
};

const KEYS: [&[u8]; 6] = [b"a", b"b", b"k", b"http.method", b"not.there", b""];

fn cases() -> [(Signal, Level, &'static [Field]); 9] {
    use Field::*;
    [
        (
            Signal::Traces,
            Level::Item,
            &[
                Name,
                Kind,
                EndTime,
                StatusCode,
                StatusMessage,
                TraceId,
                Flags,
            ],
        ),
        (Signal::Traces, Level::Event, &[Name, Time]),
        (
            Signal::Logs,
            Level::Item,
            &[Time, SeverityNumber, SeverityText, Body, SpanId],
        ),
        (Signal::Metrics, Level::Item, &[Name, Unit]),
        (Signal::Metrics, Level::DataPoint, &[StartTime, Time]),
        (Signal::Traces, Level::Resource, &[DroppedAttributesCount]),
        (Signal::Logs, Level::Resource, &[]),
        (
            Signal::Traces,
            Level::Scope,
            &[Name, Version, DroppedAttributesCount],
        ),
        (Signal::Metrics, Level::Scope, &[Version, Name]),
    ]
}

fn below(signal: Signal, level: Level) -> Option<Level> {
    match (signal, level) {
        (Signal::Traces, Level::Item) => Some(Level::Event),
        (Signal::Metrics, Level::Item) => Some(Level::DataPoint),
        (Signal::Metrics, Level::DataPoint) => Some(Level::Exemplar),
        _ => None,
    }
}

fn random_value(r: &mut Rng) -> (u8, u64, Vec<u8>) {
    let mut text = vec![b'x'; [0, 1, 5, 130, 300][r.below(5)]];
    text.push(b'a' + r.below(26) as u8);
    match r.below(5) {
        0 => (kind::NIL, 0, Vec::new()),
        1 => (kind::BOOL, r.below(2) as u64, Vec::new()),
        2 => (kind::INT, r.draw() >> r.below(64), Vec::new()),
        3 => (kind::DOUBLE, r.draw(), Vec::new()),
        _ => (kind::STRING, 0, text),
    }
}

/// Writes a value, or removes one, as the frame will and in the model of it; what is to be put
/// into the column of the slot, `None` where there is nothing.
fn change_one(
    frame: &mut Frame,
    data: &mut Data,
    r: &mut Rng,
    fields: &[Field],
    (row, p, slot): (u32, u16, usize),
) -> Option<(u8, u64)> {
    let level = frame.level();
    let (mut of, mut bits, text) = random_value(r);
    if slot < KEYS.len() {
        let key = KEYS[slot];
        if r.one_in(3) {
            frame.remove(slot, &[p]);
            let edit = AttributeEdit::Remove { key };
            data.edit_attributes(level, Selection::Rows(&[row]), &[edit])
                .unwrap();
            return None;
        }
        if of == kind::STRING {
            bits = frame.put(&text).unwrap();
        }
        let any = encoded(frame, data, (of, bits));
        let edit = AttributeEdit::Set {
            key,
            value: Source::Value(Value::read(&any).unwrap()),
            when: When::Always,
        };
        data.edit_attributes(level, Selection::Rows(&[row]), &[edit])
            .unwrap();
        return Some((of, bits));
    }
    let field = fields[slot - KEYS.len()];
    let number = r.below(7) as u64;
    let any;
    let value = match field {
        Field::Name | Field::Version | Field::StatusMessage | Field::SeverityText | Field::Unit => {
            (of, bits) = (kind::STRING, frame.put(&text).unwrap());
            FieldValue::Bytes(&text)
        }
        Field::Kind | Field::StatusCode | Field::SeverityNumber => {
            (of, bits) = (kind::INT, number);
            FieldValue::Int(number as i64)
        }
        Field::Body => {
            if of == kind::STRING {
                bits = frame.put(&text).unwrap();
            }
            any = encoded(frame, data, (of, bits));
            FieldValue::Message(&any)
        }
        Field::TraceId | Field::SpanId => return None,
        _ => {
            (of, bits) = (kind::INT, number);
            FieldValue::Uint(number)
        }
    };
    data.set_field(level, row, field, Some(value)).unwrap();
    Some((of, bits))
}

/// Row by row, or, as statements do, slot by slot.
fn change(frame: &mut Frame, data: &mut Data, r: &mut Rng, fields: &[Field]) {
    let rows: Vec<u32> = frame.rows().to_vec();
    let slots = KEYS.len() + fields.len();
    if r.one_in(2) {
        for (p, row) in rows.iter().enumerate() {
            for _ in 0..r.below(6) {
                let place = (*row, p as u16, r.below(slots));
                if !frame.is_odd(place.1)
                    && let Some(cell) = change_one(frame, data, r, fields, place)
                {
                    frame.set(place.2, &[place.1], |_| cell);
                }
            }
        }
        return;
    }
    for _ in 0..r.below(8) {
        let slot = r.below(slots);
        let most = r.below(4);
        let (mut at, mut cells) = (Vec::new(), vec![(0, 0); rows.len()]);
        for (p, row) in rows.iter().enumerate() {
            if frame.is_odd(p as u16) || r.below(4) > most {
                continue;
            }
            if let Some(cell) = change_one(frame, data, r, fields, (*row, p as u16, slot)) {
                at.push(p as u16);
                cells[p] = cell;
            }
        }
        frame.set(slot, &at, |p| cells[usize::from(p)]);
    }
}

#[test]
fn reading_and_changing_is_what_it_is_one_by_one() {
    let r = &mut Rng::new(11);
    let (mut plain, mut odd, mut whole) = (0, 0, 0);
    for round in 0..300 {
        for (signal, level, fields) in cases() {
            let request = Request::random(signal, r).encode();
            let bytes = match r.one_in(3) {
                true => rewrite(signal, &request, r).0,
                false => request,
            };
            let mut batch = Batch::from_protobuf(signal, bytes.into()).unwrap();
            let mut rows = Vec::new();
            batch.open().unwrap().rows_into(level, &mut rows).unwrap();
            let mut frame = Frame::new(signal, level, &KEYS, fields, Others::None).unwrap();
            // Twice: the second time on rows that were changed.
            for _ in 0..2 {
                let (mut one_by_one, mut piecemeal) = (batch.clone(), batch.clone());
                let data = batch.open().unwrap();
                frame.load(data, &rows).unwrap();
                for (p, row) in rows.iter().enumerate().take(MAX_ROWS) {
                    if frame.is_odd(p as u16) {
                        odd += 1;
                        continue;
                    }
                    plain += 1;
                    for (slot, key) in KEYS.iter().enumerate() {
                        let cell = frame.column(slot).get(p);
                        let seen = encoded(&frame, data, cell);
                        let there = frame.column(slot).is_there(p);
                        let found = data.attribute(level, *row, key).unwrap();
                        assert_eq!(there, found.is_some());
                        let mut any = Vec::new();
                        found.inspect(|value| value.write(&mut any));
                        assert_eq!(seen, any, "{round} {level:?} {row}");
                    }
                    for (at, field) in fields.iter().enumerate() {
                        let cell = frame.column(KEYS.len() + at).get(p);
                        let bytes = frame.bytes(data, cell.1).to_vec();
                        match data.field(level, *row, *field).unwrap() {
                            Some(FieldValue::Bytes(text)) => assert_eq!(bytes, text),
                            Some(FieldValue::Uint(value)) => assert_eq!(cell, (kind::INT, value)),
                            Some(FieldValue::Int(value)) => {
                                assert_eq!(cell, (kind::INT, value as u64));
                            }
                            _ => {}
                        }
                    }
                }
                change(&mut frame, one_by_one.open().unwrap(), r, fields);
                whole += usize::from(frame.in_order);
                frame.commit(data).unwrap();
                // The general way writes the same.
                frame.in_order = false;
                let other = piecemeal.open().unwrap();
                other.rows_into(level, &mut Vec::new()).unwrap();
                frame.commit(other).unwrap();
                let same = batch.to_protobuf() == piecemeal.to_protobuf();
                assert!(same, "{round} {level:?}");
                let data = batch.open().unwrap();
                // What is below the rows is found in them, whether it was looked at before or not.
                if let Some(below) = below(signal, level)
                    && r.one_in(2)
                {
                    let edit = AttributeEdit::Set {
                        key: b"below",
                        value: Source::Value(Value::Int(round)),
                        when: When::Always,
                    };
                    for data in [&mut *data, one_by_one.open().unwrap()] {
                        let edited = data.edit_attributes(below, Selection::All, &[edit]);
                        edited.unwrap();
                    }
                }
                assert_eq!(written_around(&batch), batch.to_protobuf(), "{round}");
                let one_by_one = Request::decode(signal, &one_by_one.to_protobuf()).unwrap();
                let committed = Request::decode(signal, &batch.to_protobuf()).unwrap();
                assert_eq!(
                    format!("{committed:?}"),
                    format!("{one_by_one:?}"),
                    "{round}"
                );
            }
            let (whole, mut between) = (batch.to_protobuf(), Vec::new());
            let (pieces, _) = batch.into_pieces(&mut between);
            assert!(put_together(pieces, &between) == whole, "{round} {level:?}");
        }
    }
    let enough = plain > 10_000 && odd > 100 && whole > 3_000;
    assert!(enough, "{plain} {odd} {whole}");
}
