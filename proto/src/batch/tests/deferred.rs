//! Edits that are put off until the request is written give the same request as when somebody
//! looks at it before.

use super::generate::{self as make, KEYS, Request, Rng};
use crate::{
    Batch, Signal,
    batch::{AttributeEdit, Level, Selection, Source, Value, When},
};

fn edits(r: &mut Rng) -> Vec<AttributeEdit<'static>> {
    let key = |r: &mut Rng| KEYS[r.below(KEYS.len())].as_bytes();
    (0..1 + r.below(5))
        .map(|_| match r.below(4) {
            0 => AttributeEdit::Remove { key: key(r) },
            kind => AttributeEdit::Set {
                key: key(r),
                value: match kind {
                    1 => Source::Value(Value::String(b"a value that was not there before")),
                    2 => Source::Value(Value::Int(7)),
                    _ => Source::Attribute(key(r)),
                },
                when: [When::Always, When::Absent, When::Present][r.below(3)],
            },
        })
        .collect()
}

#[test]
fn what_is_put_off_is_what_would_have_been_done_at_once() {
    let (mut changed, mut put_off) = (0, 0);
    for signal in Signal::ALL {
        for level in Level::of(signal) {
            for seed in 1..400 {
                let r = &mut Rng::new(seed * 31 + *level as u64);
                let request = Request::random(signal, r);
                let bytes = match r.one_in(4) {
                    true => make::rewrite(signal, &request.encode(), r).0,
                    false => request.encode(),
                };
                let mut batch = Batch::from_protobuf(signal, bytes.into()).unwrap();
                let data = batch.open().unwrap();
                let rows = data.rows(*level).unwrap();
                let some: Vec<u32> = rows.into_iter().filter(|_| r.one_in(2)).collect();
                let selection = match r.one_in(3) {
                    true => Selection::All,
                    false => Selection::Rows(&some),
                };
                if data.edit_attributes(*level, selection, &edits(r)).is_err() {
                    continue;
                }
                put_off += usize::from(data.deferred.is_some());
                let written = batch.to_protobuf();
                let mut seen = batch.clone();
                seen.open().unwrap().rows(*level).unwrap();
                assert!(seen.open().unwrap().deferred.is_none());
                assert_eq!(seen.is_edited(), batch.is_edited());
                let expected = Request::decode(signal, &seen.to_protobuf()).unwrap();
                let found = Request::decode(signal, &written).unwrap();
                assert_eq!(found, expected, "{signal:?} {level:?} {seed}");
                Batch::from_protobuf(signal, written)
                    .unwrap()
                    .validate()
                    .unwrap();
                changed += usize::from(batch.is_edited());
            }
        }
    }
    assert!(changed > 2000 && put_off > 300, "{changed} {put_off}");
}
