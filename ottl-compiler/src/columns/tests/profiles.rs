//! Profiles over columns. Also what random ones need to be run against rows: such as have no key
//! twice, and the same request with everything that refers to the dictionary looked up, so that
//! requests with dictionaries in another order can be compared.

use std::sync::Arc;

use trunkline_proto::{
    Batch, Signal,
    batch::tests::generate::Request as Random,
    otlp::{
        ExportProfilesServiceRequest,
        common::v1::{AnyValue, KeyValue, any_value::Value},
        profiles::v1development::{KeyValueAndUnit, Profile, ProfilesDictionary},
    },
};

use super::{Executor, hold};
use crate::{
    contexts::Context,
    run::{
        self, ErrorMode,
        tests::{batch, compiler},
    },
};

fn profiles(request: &mut ExportProfilesServiceRequest) -> impl Iterator<Item = &mut Profile> {
    let resources = request.resource_profiles.iter_mut();
    let scopes = resources.flat_map(|of| &mut of.scope_profiles);
    scopes.flat_map(|of| &mut of.profiles)
}

fn string(table: &[String], index: i32) -> String {
    let found = usize::try_from(index).ok().and_then(|at| table.get(at));
    found.map_or(format!("<{index}>"), Clone::clone)
}

fn resolve_value(table: &[String], any: &mut AnyValue) {
    match &mut any.value {
        Some(Value::StringValueStrindex(index)) => {
            any.value = Some(Value::StringValue(string(table, *index)));
        }
        Some(Value::ArrayValue(list)) => {
            let items = list.values.iter_mut();
            items.for_each(|item| resolve_value(table, item));
        }
        Some(Value::KvlistValue(map)) => resolve(table, &mut map.values),
        _ => {}
    }
}

fn resolve(table: &[String], attributes: &mut [KeyValue]) {
    for entry in attributes {
        if entry.key_strindex != 0 {
            entry.key = string(table, std::mem::take(&mut entry.key_strindex));
        }
        entry
            .value
            .iter_mut()
            .for_each(|any| resolve_value(table, any));
    }
}

/// The same request with a dictionary in the order in which it is referred to.
pub fn resolved(mut request: ExportProfilesServiceRequest) -> ExportProfilesServiceRequest {
    let old = request.dictionary.take().unwrap_or_default();
    let strings = &old.string_table;
    let mut new = ProfilesDictionary::default();
    let put_string = |new: &mut ProfilesDictionary, index: i32| {
        new.string_table.push(string(strings, index));
        new.string_table.len() as i32 - 1
    };
    let put = |new: &mut ProfilesDictionary, indices: &mut [i32]| {
        for index in indices {
            let found = usize::try_from(*index).ok();
            let Some(found) = found.and_then(|at| old.attribute_table.get(at)) else {
                *index = -1;
                continue;
            };
            // A value that is empty is like none.
            let mut value = Some(found.value.clone().unwrap_or_default());
            value.iter_mut().for_each(|any| resolve_value(strings, any));
            let entry = KeyValueAndUnit {
                key_strindex: put_string(new, found.key_strindex),
                value,
                unit_strindex: put_string(new, found.unit_strindex),
            };
            new.attribute_table.push(entry);
            *index = new.attribute_table.len() as i32 - 1;
        }
    };
    for profile in profiles(&mut request) {
        put(&mut new, &mut profile.attribute_indices);
        for sample in &mut profile.samples {
            put(&mut new, &mut sample.attribute_indices);
        }
        for of in [&mut profile.sample_type, &mut profile.period_type] {
            let of = of.get_or_insert_default();
            new.string_table.push(string(strings, of.type_strindex));
            new.string_table.push(string(strings, of.unit_strindex));
            (of.type_strindex, of.unit_strindex) = (0, 0);
        }
    }
    for of in &mut request.resource_profiles {
        let resource = of.resource.get_or_insert_default();
        resolve(strings, &mut resource.attributes);
        for of in &mut of.scope_profiles {
            resolve(strings, &mut of.scope.get_or_insert_default().attributes);
        }
    }
    request.dictionary = Some(new);
    request
}

/// A request encoded; one of profiles [`resolved`], for in what order things come into the
/// dictionary does not matter.
pub fn comparable(request: Random) -> Random {
    match request {
        Random::Profiles(request) => Random::Profiles(resolved(request)),
        request => request,
    }
}

/// Removes all but the first attribute of each key, and such as have no value.
pub fn without_duplicates(request: &mut ExportProfilesServiceRequest) {
    let dictionary = request.dictionary.clone().unwrap_or_default();
    let strings = &dictionary.string_table;
    let once = |indices: &mut Vec<i32>| {
        let mut seen = Vec::new();
        indices.retain(|index| {
            let Some(found) = dictionary.attribute_table.get(*index as usize) else {
                return false;
            };
            let key = string(strings, found.key_strindex);
            let new = found.value.is_some() && !seen.contains(&key);
            seen.push(key);
            new
        });
    };
    let plain = |attributes: &mut Vec<KeyValue>| {
        let mut seen = Vec::new();
        attributes.retain_mut(|entry| {
            entry.value.get_or_insert_default();
            let key = match entry.key_strindex {
                0 => entry.key.clone(),
                index => string(strings, index),
            };
            let new = !seen.contains(&key);
            seen.push(key);
            new
        });
    };
    for profile in profiles(request) {
        once(&mut profile.attribute_indices);
        let samples = profile.samples.iter_mut();
        samples.for_each(|sample| once(&mut sample.attribute_indices));
    }
    for of in &mut request.resource_profiles {
        of.resource
            .iter_mut()
            .for_each(|of| plain(&mut of.attributes));
        let scopes = of
            .scope_profiles
            .iter_mut()
            .filter_map(|of| of.scope.as_mut());
        scopes.for_each(|scope| plain(&mut scope.attributes));
    }
}

fn executor(context: Context, statements: &[&str]) -> Executor {
    let program = compiler(context).statements(statements, &[]).unwrap();
    Executor::new(Arc::new(program))
}

/// Three profiles; the attribute `u` has a unit, `n` is the same in all, `s` in two samples; that
/// of the resource refers to the dictionary.
fn request() -> Batch {
    batch(
        Signal::Profiles,
        r#"{"resourceProfiles":[{"resource":{"attributes":[{"keyStrindex":1,"value":{"stringValueStrindex":2}},
            {"key":"plain","value":{"intValue":"1"}}]},"scopeProfiles":[{"profiles":[
            {"sampleType":{"typeStrindex":3},"attributeIndices":[1,2],"samples":[{"attributeIndices":[3,99]},{"linkIndex":1}]},
            {"sampleType":{"typeStrindex":99},"attributeIndices":[2],"samples":[{"attributeIndices":[3]}]},
            {"attributeIndices":[2,1],"period":"7"}]}]}],
            "dictionary":{"stringTable":["","r","v","cpu","u","n","s","unit"],"attributeTable":[{},
            {"keyStrindex":4,"value":{"intValue":"5"},"unitStrindex":7},
            {"keyStrindex":5,"value":{"stringValueStrindex":2}},
            {"keyStrindex":6,"value":{"stringValue":"x"}}]}}"#,
    )
}

#[test]
fn what_profiles_refer_to_is_read_and_written_as_by_rows() {
    for (context, statements) in [
        (
            Context::Profile,
            &[
                "set(profile.attributes[\"made\"], 1) where profile.attributes[\"n\"] == \"v\"",
                "set(profile.attributes[\"n\"], \"w\") where profile.sample_type.type == \"cpu\"",
                "delete_key(profile.attributes, \"u\") where profile.period == 7",
                "set(profile.original_payload_format, resource.attributes[\"r\"])",
            ][..],
        ),
        (
            Context::ProfileSample,
            &[
                "set(profilesample.attributes[\"t\"], profile.sample_type.type) where profilesample.attributes[\"s\"] == \"x\"",
                "set(profilesample.link_index, 2) where profile.attributes[\"u\"] != nil",
                "truncate_all(profilesample.attributes, 1)",
            ],
        ),
        (
            Context::Resource,
            &[
                "set(resource.attributes[\"r\"], \"w\") where resource.attributes[\"r\"] == \"v\"",
                "set(resource.attributes[\"new\"], resource.attributes[\"plain\"])",
            ],
        ),
    ] {
        let mut executor = executor(context, statements);
        assert!(executor.is_all_columns(), "{context}");
        let program = executor.program().clone();
        hold(&program, &mut executor, &request());
    }
}

#[test]
fn a_value_that_many_profiles_are_given_is_in_the_dictionary_once() {
    let mut batch = request();
    let statement = "set(profile.attributes[\"made\"], \"x\")";
    let mut executor = executor(Context::Profile, &[statement]);
    let (request, mode) = (run::Request::default(), ErrorMode::Ignore);
    let mut counts = Vec::new();
    let tell = &mut |_: run::RowFailure<'_>| ();
    executor
        .run(
            batch.open().unwrap(),
            &request,
            mode,
            None,
            &mut counts,
            tell,
        )
        .unwrap();
    let Ok(Random::Profiles(left)) = Random::decode(Signal::Profiles, &batch.to_protobuf()) else {
        panic!("no profiles");
    };
    let dictionary = left.dictionary.unwrap();
    assert_eq!(dictionary.attribute_table.len(), 5);
    assert_eq!(dictionary.attribute_table[1].unit_strindex, 7);
    let profiles = &left.resource_profiles[0].scope_profiles[0].profiles;
    let indices: Vec<&[i32]> = profiles.iter().map(|of| &*of.attribute_indices).collect();
    assert_eq!(indices, [&[1, 2, 4][..], &[2, 4], &[2, 1, 4]]);
}
