//! Messages and attributes of single entities, against the decoded request: as they came and
//! after edits.

use prost::Message;

use super::{
    generate::{self as make, Request, Rng},
    model,
    reading::is,
};
use crate::{
    Batch, Signal,
    batch::{AttributeEdit, Level, Selection, Source, Value, When},
    otlp::{
        common::v1::{AnyValue, any_value},
        metrics::v1::NumberDataPoint,
    },
};

#[test]
fn messages_and_attributes_of_an_entity_are_those_of_the_decoded_one() {
    let mut seen = 0;
    for signal in Signal::ALL {
        for seed in 0..150 {
            let r = &mut Rng::new(seed + 1);
            let mut request = Request::random(signal, r);
            let (bytes, _) = make::rewrite(signal, &request.encode(), r);
            let mut batch = Batch::from_protobuf(signal, bytes.into()).unwrap();
            let data = batch.open().unwrap();
            for level in Level::of(signal) {
                if seed % 2 == 0 {
                    let edit = AttributeEdit::Set {
                        key: b"new",
                        value: Source::Value(Value::Int(7)),
                        when: When::Always,
                    };
                    let edited = data.edit_attributes(*level, Selection::All, &[edit]);
                    let value = AnyValue {
                        value: Some(any_value::Value::IntValue(7)),
                    };
                    let lists = model::attributes(&mut request, *level).unwrap();
                    for (at, list) in lists.into_iter().enumerate() {
                        if edited.is_ok() {
                            let mut list = list.unwrap_or_default();
                            model::put(&mut list, "new", Some(value.clone()));
                            model::put_attributes(&mut request, *level, at, list);
                        }
                    }
                }
            }
            for level in Level::of(signal) {
                for (at, row) in data.rows(*level).unwrap().into_iter().enumerate() {
                    let message = data.row_message(*level, row).unwrap();
                    let entity = model::entities(&mut request, *level).into_iter().nth(at);
                    let entity = entity.unwrap();
                    assert!(is(&message, &entity), "{signal:?} {seed} {level:?} {row}");
                    let mut fields = Vec::new();
                    let number = 7;
                    let result = data.attribute_fields(*level, row, number, &mut fields);
                    if result.is_ok() {
                        // A message that has its attributes in that field.
                        let point = NumberDataPoint::decode(&*fields).unwrap();
                        let mut lists = model::attributes(&mut request, *level).unwrap();
                        let mut wanted = lists.swap_remove(at).unwrap_or_default();
                        // Where it came from.
                        wanted.iter_mut().for_each(|entry| entry.key_strindex = 0);
                        assert_eq!(
                            point.attributes, wanted,
                            "{signal:?} {seed} {level:?} {row}"
                        );
                        seen += wanted.len();
                    }
                }
            }
            let mut missing = Vec::new();
            assert!(data.row_message(Level::Item, u32::MAX).is_err());
            assert!(
                data.attribute_fields(Level::Item, u32::MAX, 7, &mut missing)
                    .is_err()
            );
        }
    }
    assert!(seen > 1000, "{seen}");
}
