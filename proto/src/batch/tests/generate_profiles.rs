//! Random profiles, their samples and the dictionary, with references to its strings wherever there
//! can be some. What is the same for all signals is in [`super::generate`].

use super::generate::{KEYS, Rng, any_value, id, text};
use crate::otlp::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    profiles::v1development::{
        KeyValueAndUnit, Profile, ProfilesDictionary, ResourceProfiles, Sample, ValueType,
    },
};

/// Entries that the tables of a dictionary have at least: indices are below it.
pub const TABLE: usize = 9;

fn index(r: &mut Rng) -> i32 {
    r.below(TABLE) as i32
}

pub fn dictionary(r: &mut Rng) -> ProfilesDictionary {
    let mut strings = vec![String::new()];
    strings.extend(KEYS.map(String::from));
    strings.extend(r.many(2, 4, text));
    let attribute = |r: &mut Rng| KeyValueAndUnit {
        key_strindex: index(r),
        value: (!r.one_in(8)).then(|| {
            let mut value = any_value(r, 0);
            refer_value(&mut value, r);
            value
        }),
        unit_strindex: if r.one_in(4) { index(r) } else { 0 },
    };
    let mut attributes = vec![KeyValueAndUnit::default()];
    attributes.extend(r.many(TABLE - 1, TABLE + 2, attribute));
    ProfilesDictionary {
        string_table: strings,
        attribute_table: attributes,
        ..Default::default()
    }
}

/// Makes references of some of the strings in a value.
fn refer_value(value: &mut AnyValue, r: &mut Rng) {
    match &mut value.value {
        Some(Value::StringValue(_)) if r.one_in(2) => {
            value.value = Some(Value::StringValueStrindex(index(r)));
        }
        Some(Value::ArrayValue(list)) => {
            list.values.iter_mut().for_each(|item| refer_value(item, r));
        }
        Some(Value::KvlistValue(map)) => refer(&mut map.values, r),
        _ => {}
    }
}

/// Makes references of some keys and values.
fn refer(attributes: &mut [KeyValue], r: &mut Rng) {
    for entry in attributes {
        if r.one_in(2) {
            (entry.key, entry.key_strindex) = (String::new(), index(r));
        }
        if let Some(value) = &mut entry.value {
            refer_value(value, r);
        }
    }
}

pub fn referring(mut resource: ResourceProfiles, r: &mut Rng) -> ResourceProfiles {
    if let Some(resource) = &mut resource.resource {
        refer(&mut resource.attributes, r);
    }
    for scope in &mut resource.scope_profiles {
        if let Some(scope) = &mut scope.scope {
            refer(&mut scope.attributes, r);
        }
    }
    resource
}

pub fn sample(r: &mut Rng) -> Sample {
    Sample {
        stack_index: index(r),
        values: r.many(0, 3, |r| r.draw() as i64),
        attribute_indices: r.many(0, 3, index),
        link_index: index(r),
        timestamps_unix_nano: r.many(0, 2, |r| r.draw()),
    }
}

pub fn profile(r: &mut Rng) -> Profile {
    let value_type = |r: &mut Rng| {
        (!r.one_in(3)).then(|| ValueType {
            type_strindex: index(r),
            unit_strindex: index(r),
        })
    };
    Profile {
        sample_type: value_type(r),
        samples: r.many(0, 4, sample),
        time_unix_nano: r.draw(),
        duration_nano: r.draw() >> r.below(64),
        period_type: value_type(r),
        period: r.draw() as i64 >> r.below(64),
        profile_id: if r.one_in(2) { id(r, 16) } else { Vec::new() },
        attribute_indices: r.many(0, 3, index),
        original_payload: id(r, 5),
        ..Default::default()
    }
}
