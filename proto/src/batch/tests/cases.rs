//! What random edits do not show: damaged requests, shapes that invite quadratic time, text
//! that is not UTF-8, clones, and spans that look nearly alike.

use prost::Message;

use super::{
    edits::{prost_takes, use_all},
    generate::{self as make, Request, Rng},
};
use crate::{
    Batch, Signal,
    batch::{AttributeEdit, Error, Field, Level, Selection, Source, Value, When},
    wire::{DecodeError, DecodeErrorKind, MAX_DEPTH, put_bytes},
};

#[test]
fn malformed_requests_are_refused_and_never_a_panic() {
    let mut refused = 0;
    for signal in Signal::ALL {
        for seed in 0..400 {
            let r = &mut Rng::new(seed + 1);
            let request = Request::random(signal, r);
            let (mut bytes, _) = make::rewrite(signal, &request.encode(), r);
            for _ in 0..r.below(3) {
                let at = r.below(bytes.len());
                match r.below(4) {
                    0 => bytes[at] ^= 1 << r.below(8),
                    1 => bytes[at] = r.draw() as u8,
                    2 => bytes.truncate(at),
                    _ => bytes.insert(at, r.draw() as u8),
                }
                if bytes.is_empty() {
                    break;
                }
            }
            let takes = prost_takes(signal, &bytes);
            let door = Batch::from_protobuf(signal, bytes.clone().into());
            if takes == Some(true) {
                assert!(door.is_ok(), "{signal:?} {seed}: {door:?}");
            }
            let Ok(mut batch) = door else {
                refused += 1;
                continue;
            };
            let valid = batch.validate();
            if let Some(takes) = takes {
                assert_eq!(valid.is_ok(), takes, "{signal:?} {seed}: {valid:?}");
            }
            let used = use_all(&mut batch);
            // Valid as a message, with an index that leads nowhere.
            if matches!(used, Err(Error::Index { .. })) {
                assert_eq!(signal, Signal::Profiles);
                continue;
            }
            if valid.is_ok() {
                assert_eq!(used, Ok(()), "{signal:?} {seed}");
                assert!(
                    Batch::from_protobuf(signal, batch.to_protobuf())
                        .unwrap()
                        .validate()
                        .is_ok()
                );
            }
            refused += usize::from(used.is_err());
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn invalid_utf8_passes_through_and_is_read_as_it_is() {
    use crate::wire::{begin_message, end_message, put_bytes};
    let mut bytes = Vec::new();
    let resource = begin_message(&mut bytes, 1);
    let scope = begin_message(&mut bytes, 2);
    let span = begin_message(&mut bytes, 2);
    put_bytes(&mut bytes, 5, b"\xff\xfe");
    crate::batch::KeyValue::write(&mut bytes, 9, b"\xc3", &Value::String(b"\xf0\x9f"));
    end_message(&mut bytes, span);
    end_message(&mut bytes, scope);
    end_message(&mut bytes, resource);
    let mut batch = Batch::from_protobuf(Signal::Traces, bytes.into()).unwrap();
    batch.validate().unwrap();
    let data = batch.open().unwrap();
    assert_eq!(
        data.attribute(Level::Item, 0, b"\xc3"),
        Ok(Some(Value::String(b"\xf0\x9f")))
    );
    let set = AttributeEdit::Set {
        key: b"b",
        value: Source::Attribute(b"\xc3"),
        when: When::Always,
    };
    data.edit_attributes(Level::Item, Selection::All, &[set])
        .unwrap();
    assert_eq!(
        data.attribute(Level::Item, 0, b"b"),
        Ok(Some(Value::String(b"\xf0\x9f")))
    );
    let name = data.field(Level::Item, 0, Field::Name);
    assert_eq!(name, Ok(Some(crate::batch::FieldValue::Bytes(b"\xff\xfe"))));
    assert!(memchr::memmem::find(&batch.to_protobuf(), b"\xff\xfe").is_some());
}

#[test]
fn scopes_and_resources_that_lost_their_last_item_are_not_written() {
    use crate::otlp::{
        ExportTraceServiceRequest,
        trace::v1::{ResourceSpans, ScopeSpans, Span},
    };
    let scope = |spans: usize| ScopeSpans {
        spans: vec![Span::default(); spans],
        ..Default::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![
            ResourceSpans {
                scope_spans: vec![scope(1), scope(0), scope(2)],
                ..Default::default()
            },
            ResourceSpans {
                scope_spans: vec![scope(1)],
                ..Default::default()
            },
            ResourceSpans::default(),
        ],
    };
    let mut batch = Batch::from_protobuf(Signal::Traces, request.encode_to_vec().into()).unwrap();
    let data = batch.open().unwrap();
    data.retain_rows(Level::Item, |row| row == 1).unwrap();
    assert_eq!(batch.item_count(), 1);
    let decoded = ExportTraceServiceRequest::decode(batch.to_protobuf()).unwrap();
    // What was empty before stays; what became empty goes.
    let left = vec![
        ResourceSpans {
            scope_spans: vec![scope(0), scope(1)],
            ..Default::default()
        },
        ResourceSpans::default(),
    ];
    assert_eq!(decoded.resource_spans, left);
}

#[test]
fn a_clone_does_not_see_what_is_done_to_the_other() {
    let request = Request::random(Signal::Logs, &mut Rng::new(3));
    let bytes = bytes::Bytes::from(request.encode());
    let mut one = Batch::from_protobuf(Signal::Logs, bytes.clone()).unwrap();
    one.open().unwrap();
    let mut other = one.clone();
    let set = |value| {
        [AttributeEdit::Set {
            key: b"k",
            value: Source::Value(Value::Int(value)),
            when: When::Always,
        }]
    };
    other
        .open()
        .unwrap()
        .edit_attributes(Level::Item, Selection::All, &set(1))
        .unwrap();
    let third = other.clone();
    other
        .open()
        .unwrap()
        .edit_attributes(Level::Item, Selection::All, &set(2))
        .unwrap();
    assert_eq!(one.to_protobuf(), bytes);
    let value = |batch: &Batch| {
        batch
            .clone()
            .open()
            .unwrap()
            .attribute(Level::Item, 0, b"k")
            .unwrap()
            == Some(Value::Int(1))
    };
    assert!(value(&third) && !value(&other));
}

/// Shapes that would take minutes if anything about them were quadratic.
#[test]
fn large_shapes_take_linear_time() {
    use crate::wire::{begin_message, end_message, put_bytes};
    const MANY: usize = 20_000;
    let nest = |inside: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        let resource = begin_message(&mut bytes, 1);
        let scope = begin_message(&mut bytes, 2);
        let item = begin_message(&mut bytes, 2);
        inside(&mut bytes);
        for begin in [item, scope, resource] {
            end_message(&mut bytes, begin);
        }
        bytes
    };
    let entry = |out: &mut Vec<u8>| crate::batch::KeyValue::write(out, 9, b"bb", &Value::Int(1));
    let tiny = nest(&entry);
    let shapes: [(Signal, Vec<u8>); 6] = [
        (Signal::Traces, tiny.repeat(MANY)),
        (Signal::Traces, [0x0a, 0].repeat(MANY)),
        (
            Signal::Traces,
            nest(&|out| (0..MANY).for_each(|_| entry(out))),
        ),
        (
            Signal::Traces,
            nest(&|out| (0..MANY).for_each(|_| put_bytes(out, 15, &[0x18, 1]))),
        ),
        (
            Signal::Traces,
            nest(&|out| (0..MANY).for_each(|_| put_bytes(out, 11, &[]))),
        ),
        (
            Signal::Metrics,
            nest(&|out| (0..MANY).for_each(|_| put_bytes(out, 5, &[0x0a, 0]))),
        ),
    ];
    for (signal, bytes) in shapes {
        let mut batch = Batch::from_protobuf(signal, bytes.into()).unwrap();
        batch.validate().unwrap();
        let data = batch.open().unwrap();
        for level in Level::of(signal) {
            data.rows(*level).unwrap();
            if *level != Level::Quantile {
                data.attribute_table(*level).unwrap();
                let set = AttributeEdit::Set {
                    key: b"c",
                    value: Source::Attribute(b"bb"),
                    when: When::Always,
                };
                data.edit_attributes(
                    *level,
                    Selection::All,
                    &[set, AttributeEdit::Remove { key: b"bb" }],
                )
                .unwrap();
            }
        }
        // One after the other: out of the front of a list, and to the end of another.
        let level = if signal == Signal::Traces {
            Level::Event
        } else {
            Level::DataPoint
        };
        let parent = data.rows(Level::Item).unwrap().first().copied();
        for row in data.rows(level).unwrap() {
            if row % 2 == 0 {
                data.drop_row(level, row).unwrap();
            } else {
                data.move_row(level, row, parent.unwrap()).unwrap();
            }
        }
        let out = batch.to_protobuf();
        Batch::from_protobuf(signal, out).unwrap().split(1);
    }
}

/// Spans that look alike are read by their shape (see `shape`), one alone never is: both must
/// find the same, also where a span only nearly looks like the others.
#[test]
fn spans_that_look_alike_are_read_as_each_would_be_alone() {
    use crate::wire::{begin_message, end_message, put_bytes, put_fixed64, put_uint};
    for seed in 1..150 {
        let r = &mut Rng::new(seed);
        let mut bytes = Vec::new();
        let resource = begin_message(&mut bytes, 1);
        let scope = begin_message(&mut bytes, 2);
        let odd = 2 + r.below(20);
        for _ in 0..60 {
            let span = begin_message(&mut bytes, 2);
            let mut attribute = |r: &mut Rng, key: &str| {
                let odd_one = r.one_in(odd);
                let begin = begin_message(&mut bytes, if odd_one && r.one_in(4) { 13 } else { 9 });
                put_bytes(&mut bytes, 1, key.as_bytes());
                let long = [0, 3, 3, 100, 123, 124, 125, 126, 127, 128, 300]
                    [r.below(if odd_one { 11 } else { 3 })];
                let mut value = Vec::new();
                match key.len() % 3 {
                    0 => put_uint(
                        &mut value,
                        3,
                        if odd_one {
                            r.draw() >> r.below(64)
                        } else {
                            200
                        },
                    ),
                    _ => {
                        // A value that itself looks like attributes.
                        let mut text = Vec::new();
                        crate::batch::KeyValue::write(&mut text, 9, b"bb", &Value::Int(7));
                        text.resize(long, b'x');
                        put_bytes(&mut value, 1, &text);
                    }
                }
                put_bytes(&mut bytes, 2, &value);
                if odd_one && r.one_in(3) {
                    // The key given again, which then is the key; the value again, merged.
                    match r.below(3) {
                        0 => put_bytes(&mut bytes, 1, b"bb"),
                        1 => put_bytes(&mut bytes, 1, b""),
                        _ => put_bytes(&mut bytes, 2, &[0x10, 1]),
                    }
                }
                end_message(&mut bytes, begin);
            };
            attribute(r, "a");
            for key in [
                "cc",
                "bb",
                "http.request.method",
                "k8s.namespace.name",
                "dd",
                "session.id",
            ] {
                if !r.one_in(odd) {
                    attribute(r, key);
                }
                if r.one_in(odd) {
                    attribute(r, "bb");
                }
            }
            put_fixed64(&mut bytes, 7, r.draw());
            let longest = if r.one_in(odd) { 200 } else { 3 };
            put_bytes(&mut bytes, 5, &vec![b'n'; r.below(longest)]);
            put_uint(&mut bytes, 6, if r.one_in(odd) { 300 } else { 2 });
            crate::wire::put_fixed32(&mut bytes, 16, 257);
            end_message(&mut bytes, span);
        }
        end_message(&mut bytes, scope);
        end_message(&mut bytes, resource);
        let batch = Batch::from_protobuf(Signal::Traces, bytes.into()).unwrap();
        let (mut together, mut alone) = (batch.clone(), batch.clone());
        let keys: [&[u8]; 5] = [b"a", b"bb", b"session.id", b"k8s.namespace.name", b"none"];
        let data = together.open().unwrap();
        for key in keys {
            let column = data.attribute_column(Level::Item, key).unwrap();
            for row in 0..60 {
                let value = column.value(data, row).map(|value| format!("{value:?}"));
                let wanted = data.attribute(Level::Item, row, key).unwrap();
                assert_eq!(
                    value,
                    wanted.map(|value| format!("{value:?}")),
                    "{seed} {row}"
                );
            }
        }
        let edits = [
            AttributeEdit::Set {
                key: b"copy",
                value: Source::Attribute(b"bb"),
                when: When::Absent,
            },
            AttributeEdit::Set {
                key: b"a",
                value: Source::Value(Value::Int(1)),
                when: When::Present,
            },
            AttributeEdit::Remove { key: b"bb" },
            AttributeEdit::Remove { key: b"session.id" },
        ];
        data.edit_attributes(Level::Item, Selection::All, &edits)
            .unwrap();
        let data = alone.open().unwrap();
        for row in 0..60 {
            data.edit_attributes(Level::Item, Selection::Rows(&[row]), &edits)
                .unwrap();
        }
        assert_eq!(together.to_protobuf(), alone.to_protobuf(), "{seed}");
    }
}

#[test]
fn what_is_not_known_is_no_level_of_its_own() {
    // Around the body of a log record there are three messages; each list is two more.
    let lists = (MAX_DEPTH - 4) / 2;
    for (lists, refused) in [(lists, false), (lists + 1, true)] {
        let wrap = |inner: &[u8], number: u32| {
            let mut out = Vec::new();
            put_bytes(&mut out, number, inner);
            out
        };
        let mut body = wrap(b"unknown", 31);
        for _ in 0..lists {
            body = wrap(&wrap(&body, 1), 5);
        }
        let bytes = wrap(&wrap(&wrap(&wrap(&body, 5), 2), 2), 1);
        let batch = Batch::from_protobuf(Signal::Logs, bytes.into()).unwrap();
        let depth = |error: DecodeError| error.kind == DecodeErrorKind::Depth;
        assert_eq!(batch.validate().is_err_and(depth), refused, "{lists}");
        assert_eq!(batch.validate().is_ok(), !refused, "{lists}");
    }
}
