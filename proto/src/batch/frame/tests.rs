//! The frame against the same reads and changes one by one, on random requests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::batch::{
    AttributeEdit, Batch, Data, FieldValue, Selection, Source, Value, When,
    tests::{
        by_columns::encoded,
        edits::written_around,
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

fn change(frame: &mut Frame, data: &mut Data, r: &mut Rng, fields: &[Field]) {
    let rows: Vec<u32> = frame.rows().to_vec();
    for (p, row) in rows.iter().enumerate() {
        if frame.is_odd(p as u16) {
            continue;
        }
        for _ in 0..r.below(6) {
            let slot = r.below(KEYS.len() + fields.len());
            let level = frame.level();
            let (mut of, mut bits, text) = random_value(r);
            if slot < KEYS.len() {
                let key = KEYS[slot];
                if r.one_in(3) {
                    frame.remove(slot, &[p as u16]);
                    let edit = AttributeEdit::Remove { key };
                    data.edit_attributes(level, Selection::Rows(&[*row]), &[edit])
                        .unwrap();
                    continue;
                }
                if of == kind::STRING {
                    bits = frame.put(&text).unwrap();
                }
                let any = encoded(frame, data, (of, bits));
                frame.set(slot, &[p as u16], |_| (of, bits));
                let edit = AttributeEdit::Set {
                    key,
                    value: Source::Value(Value::read(&any).unwrap()),
                    when: When::Always,
                };
                data.edit_attributes(level, Selection::Rows(&[*row]), &[edit])
                    .unwrap();
                continue;
            }
            let field = fields[slot - KEYS.len()];
            let number = r.below(7) as u64;
            let any;
            let value = match field {
                Field::Name
                | Field::Version
                | Field::StatusMessage
                | Field::SeverityText
                | Field::Unit => {
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
                Field::TraceId | Field::SpanId => continue,
                _ => {
                    (of, bits) = (kind::INT, number);
                    FieldValue::Uint(number)
                }
            };
            frame.set(slot, &[p as u16], |_| (of, bits));
            data.set_field(level, *row, field, Some(value)).unwrap();
        }
    }
}

#[test]
fn reading_and_changing_is_what_it_is_one_by_one() {
    let r = &mut Rng::new(11);
    let (mut plain, mut odd) = (0, 0);
    for round in 0..600 {
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
                let mut one_by_one = batch.clone();
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
                frame.commit(data).unwrap();
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
        }
    }
    assert!(plain > 10_000 && odd > 100, "{plain} {odd}");
}
