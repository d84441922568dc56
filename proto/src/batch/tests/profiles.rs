//! The dictionary of profiles: what edits add to it and what they leave alone, and references that
//! would grow without bound. Edits of every kind are in [`super::properties`].

use prost::Message;

use crate::{
    Batch, Signal,
    batch::{
        AttributeEdit, Data, Error, Field, Level, Selection, Source, Value, When,
        frame::{Frame, Others, kind},
    },
    otlp::{
        ExportProfilesServiceRequest,
        common::v1::{AnyValue, ArrayValue, KeyValue, any_value},
        profiles::v1development::{
            KeyValueAndUnit, Profile, ProfilesDictionary, ResourceProfiles, Sample, ScopeProfiles,
        },
        resource::v1::Resource,
    },
};

fn any(value: any_value::Value) -> Option<AnyValue> {
    Some(AnyValue { value: Some(value) })
}

fn attribute(key: i32, value: any_value::Value, unit: i32) -> KeyValueAndUnit {
    KeyValueAndUnit {
        key_strindex: key,
        value: any(value),
        unit_strindex: unit,
    }
}

fn request(dictionary: Option<ProfilesDictionary>) -> ExportProfilesServiceRequest {
    let profile = |attributes: &[i32]| Profile {
        attribute_indices: attributes.to_vec(),
        samples: vec![Sample {
            attribute_indices: vec![1],
            values: vec![3],
            ..Sample::default()
        }],
        ..Profile::default()
    };
    ExportProfilesServiceRequest {
        resource_profiles: vec![ResourceProfiles {
            resource: Some(Resource {
                attributes: vec![KeyValue {
                    key_strindex: 3,
                    value: any(any_value::Value::StringValueStrindex(1)),
                    ..KeyValue::default()
                }],
                ..Resource::default()
            }),
            scope_profiles: vec![ScopeProfiles {
                profiles: vec![profile(&[1, 2]), profile(&[2]), profile(&[])],
                ..ScopeProfiles::default()
            }],
            ..ResourceProfiles::default()
        }],
        dictionary,
    }
}

fn dictionary() -> ProfilesDictionary {
    let strings = ["", "cpu", "k", "host", "ms"];
    ProfilesDictionary {
        string_table: strings.map(str::to_owned).to_vec(),
        attribute_table: vec![
            KeyValueAndUnit::default(),
            attribute(1, any_value::Value::StringValue("v".into()), 0),
            attribute(2, any_value::Value::IntValue(7), 4),
        ],
        ..ProfilesDictionary::default()
    }
}

fn open(request: &ExportProfilesServiceRequest) -> Batch {
    Batch::from_protobuf(Signal::Profiles, request.encode_to_vec().into()).unwrap()
}

fn set<'a>(key: &'a [u8], value: Value<'a>) -> AttributeEdit<'a> {
    AttributeEdit::Set {
        key,
        value: Source::Value(value),
        when: When::Always,
    }
}

fn written(batch: &Batch) -> ExportProfilesServiceRequest {
    batch.validate().unwrap();
    ExportProfilesServiceRequest::decode(&batch.to_protobuf()[..]).unwrap()
}

fn indices(request: &ExportProfilesServiceRequest) -> Vec<Vec<i32>> {
    let profiles = &request.resource_profiles[0].scope_profiles[0].profiles;
    profiles
        .iter()
        .map(|p| p.attribute_indices.clone())
        .collect()
}

#[test]
fn what_an_edit_adds_is_interned_once_and_the_rest_stays() {
    let before = request(Some(dictionary()));
    let mut batch = open(&before);
    let data = batch.open().unwrap();
    let edits = [
        set(b"new", Value::String(b"cpu")),
        // Has a unit; what is set has none.
        set(b"k", Value::Int(7)),
        AttributeEdit::Remove { key: b"cpu" },
    ];
    data.edit_attributes(Level::Item, Selection::All, &edits)
        .unwrap();
    data.edit_attributes(
        Level::Sample,
        Selection::All,
        &[set(b"new", Value::String(b"cpu"))],
    )
    .unwrap();
    let after = written(&batch);
    let mut wanted = before.clone();
    let table = wanted.dictionary.as_mut().unwrap();
    table.string_table.push("new".to_owned());
    // In the order in which the attributes of a profile are.
    table
        .attribute_table
        .push(attribute(2, any_value::Value::IntValue(7), 0));
    table
        .attribute_table
        .push(attribute(5, any_value::Value::StringValue("cpu".into()), 0));
    assert_eq!(after.dictionary, wanted.dictionary);
    assert_eq!(indices(&after), [vec![3, 4], vec![3, 4], vec![4, 3]]);
    let profiles = &after.resource_profiles[0].scope_profiles[0].profiles;
    for profile in profiles {
        assert_eq!(profile.samples[0].attribute_indices, [1, 4]);
        assert_eq!(profile.samples[0].values, [3]);
    }
    // What refers to the dictionary still does.
    assert_eq!(
        after.resource_profiles[0].resource,
        before.resource_profiles[0].resource
    );
}

#[test]
fn attributes_that_stay_the_same_keep_their_units() {
    let mut batch = open(&request(Some(dictionary())));
    let data = batch.open().unwrap();
    let attributes: [(&[u8], Value<'_>); 2] = [(b"k", Value::Int(7)), (b"cpu", Value::Int(1))];
    data.set_attributes(Level::Item, 0, &attributes).unwrap();
    data.edit_attributes(
        Level::Item,
        Selection::Rows(&[1]),
        &[set(b"other", Value::Bool(true))],
    )
    .unwrap();
    assert_eq!(indices(&written(&batch)), [vec![2, 3], vec![2, 4], vec![]]);
}

#[test]
fn a_request_without_a_dictionary_is_given_one_with_its_zero_entries() {
    let mut bare = request(None);
    bare.resource_profiles[0].resource = None;
    for profile in &mut bare.resource_profiles[0].scope_profiles[0].profiles {
        profile.attribute_indices.clear();
    }
    let mut batch = open(&bare);
    let data = batch.open().unwrap();
    data.edit_attributes(Level::Item, Selection::All, &[set(b"k", Value::Int(1))])
        .unwrap();
    assert_eq!(data.intern_string(b"k"), Ok(1));
    assert_eq!(data.dictionary_string(1), Ok(&b"k"[..]));
    let after = written(&batch);
    let table = after.dictionary.as_ref().unwrap();
    assert_eq!(table.string_table, ["", "k"]);
    let one = attribute(1, any_value::Value::IntValue(1), 0);
    assert_eq!(table.attribute_table, [KeyValueAndUnit::default(), one]);
    assert_eq!(indices(&after), vec![vec![1]; 3]);
}

#[test]
fn an_edit_of_a_resource_leaves_its_other_references_as_they_are() {
    let before = request(Some(dictionary()));
    let mut batch = open(&before);
    let data = batch.open().unwrap();
    let host = data.attribute(Level::Resource, 0, b"host").unwrap();
    assert_eq!(host, Some(Value::String(b"cpu")));
    data.edit_attributes(Level::Resource, Selection::All, &[set(b"x", Value::Int(1))])
        .unwrap();
    let after = written(&batch);
    let attributes = |request: &ExportProfilesServiceRequest| {
        let resource = request.resource_profiles[0].resource.clone();
        resource.unwrap().attributes
    };
    let mut wanted = attributes(&before);
    wanted.push(KeyValue {
        key: "x".into(),
        value: any(any_value::Value::IntValue(1)),
        key_strindex: 0,
    });
    assert_eq!(attributes(&after), wanted);
    assert_eq!(after.dictionary, before.dictionary);
}

#[test]
fn references_do_not_make_little_input_large() {
    let long = |times: usize| ProfilesDictionary {
        string_table: vec![String::new(), "x".repeat(1 << 20)],
        attribute_table: vec![
            KeyValueAndUnit::default(),
            attribute(
                1,
                any_value::Value::ArrayValue(ArrayValue {
                    values: vec![
                        AnyValue {
                            value: Some(any_value::Value::StringValueStrindex(1)),
                        };
                        times
                    ],
                }),
                0,
            ),
            attribute(1, any_value::Value::StringValueStrindex(1), 0),
        ],
        ..ProfilesDictionary::default()
    };
    let mut many = request(Some(long(1000)));
    many.resource_profiles[0].resource = None;
    let mut batch = open(&many);
    let data = batch.open().unwrap();
    let read = |data: &mut Data| data.attribute(Level::Item, 0, b"k").map(|_| ());
    assert_eq!(read(data), Err(Error::TooLarge));
    assert_eq!(data.intern_string(b"new"), Err(Error::TooLarge));
    let mut batch = open(&request(Some(long(3))));
    assert_eq!(read(batch.open().unwrap()), Ok(()));
    // One large value that a row names again and again.
    let mut again = request(Some(long(1)));
    let profiles = &mut again.resource_profiles[0].scope_profiles[0].profiles;
    profiles[0].attribute_indices = vec![2; 10_000];
    let mut batch = open(&again);
    assert_eq!(read(batch.open().unwrap()), Err(Error::TooLarge));
}

#[test]
fn a_frame_leaves_resources_alone_that_refer_to_strings() {
    let plain = KeyValue {
        key: "host".into(),
        value: any(any_value::Value::StringValue("a".into())),
        key_strindex: 0,
    };
    let nested = any_value::Value::ArrayValue(ArrayValue {
        values: any(any_value::Value::StringValueStrindex(1))
            .into_iter()
            .collect(),
    });
    // By its key, by its value, by what the value holds.
    let key = KeyValue {
        key: String::new(),
        key_strindex: 3,
        ..plain.clone()
    };
    let value = KeyValue {
        value: any(any_value::Value::StringValueStrindex(1)),
        ..plain.clone()
    };
    let within = KeyValue {
        value: any(nested),
        ..plain.clone()
    };
    let mut frame = Frame::new(
        Signal::Traces,
        Level::Resource,
        &[b"host"],
        &[],
        Others::None,
    )
    .unwrap();
    for (entry, odd) in [(plain, false), (key, true), (value, true), (within, true)] {
        let mut request = request(Some(dictionary()));
        let resource = request.resource_profiles[0].resource.as_mut().unwrap();
        resource.attributes = vec![entry];
        let mut batch = open(&request);
        let data = batch.open().unwrap();
        frame.load(data, &[0]).unwrap();
        assert_eq!(frame.is_odd(0), odd);
        assert!(odd || frame.column(0).get(0).0 == kind::STRING);
    }
}

#[test]
fn a_frame_reads_the_duration_and_the_period_of_a_profile() {
    let mut request = request(Some(dictionary()));
    let profile = &mut request.resource_profiles[0].scope_profiles[0].profiles[1];
    (profile.duration_nano, profile.period) = (1 << 40, -5);
    let mut batch = open(&request);
    let data = batch.open().unwrap();
    let read = |data: &mut Data, field| Frame::field_of(data, Level::Item, 1, field);
    assert_eq!(read(data, Field::Duration), Ok((kind::INT, 1 << 40)));
    assert_eq!(read(data, Field::Period), Ok((kind::INT, -5i64 as u64)));
}
