//! Attributes in the model, whatever they are kept as: those of profiles and samples are indices
//! into the dictionary, those of what is around them can refer to its strings. What an edit
//! leaves alone stays what it is, and what it made is interned as simply as can be.

use prost::Message as _;

use super::{Entity, entities};
use crate::{
    batch::{Level, tests::generate::Request},
    otlp::{
        common::v1::{AnyValue, KeyValue, any_value::Value},
        profiles::v1development::{KeyValueAndUnit, ProfilesDictionary},
    },
};

/// The attributes of the entities of a level, without references; none where the message that
/// would have them is not there. An entry that came from somewhere has in `key_strindex` from
/// where, counted from 1. Nothing at all where an index leads nowhere.
pub fn attributes(request: &mut Request, level: Level) -> Option<Vec<Option<Vec<KeyValue>>>> {
    let Request::Profiles(inner) = request else {
        let lists = entities(request, level).into_iter();
        return Some(lists.map(|e| e.attributes(false).cloned()).collect());
    };
    let dictionary = inner.dictionary.clone().unwrap_or_default();
    entities(request, level)
        .into_iter()
        .map(|entity| match entity {
            Entity::Profile(profile) => plain_of(&dictionary, &profile.attribute_indices).map(Some),
            Entity::Sample(sample) => plain_of(&dictionary, &sample.attribute_indices).map(Some),
            entity => match entity.attributes(false) {
                None => Some(None),
                Some(list) => list
                    .iter()
                    .enumerate()
                    .map(|(at, entry)| {
                        let mut entry = plain_entry(&dictionary, entry)?;
                        entry.key_strindex = at as i32 + 1;
                        Some(entry)
                    })
                    .collect::<Option<Vec<_>>>()
                    .map(Some),
            },
        })
        .collect()
}

fn plain_of(dictionary: &ProfilesDictionary, indices: &[i32]) -> Option<Vec<KeyValue>> {
    let resolve = |index: &i32| {
        let at = usize::try_from(*index).ok()?;
        let entry = dictionary.attribute_table.get(at)?;
        Some(KeyValue {
            key: string(dictionary, entry.key_strindex)?,
            value: match &entry.value {
                Some(value) => Some(plain(dictionary, value)?),
                None => None,
            },
            key_strindex: *index + 1,
        })
    };
    indices.iter().map(resolve).collect()
}

fn string(dictionary: &ProfilesDictionary, index: i32) -> Option<String> {
    let at = usize::try_from(index).ok()?;
    dictionary.string_table.get(at).cloned()
}

fn plain(dictionary: &ProfilesDictionary, value: &AnyValue) -> Option<AnyValue> {
    let value = match &value.value {
        Some(Value::StringValueStrindex(index)) => {
            Some(Value::StringValue(string(dictionary, *index)?))
        }
        Some(Value::ArrayValue(list)) => {
            let mut list = list.clone();
            for item in &mut list.values {
                *item = plain(dictionary, item)?;
            }
            Some(Value::ArrayValue(list))
        }
        Some(Value::KvlistValue(map)) => {
            let mut map = map.clone();
            for entry in &mut map.values {
                *entry = plain_entry(dictionary, entry)?;
            }
            Some(Value::KvlistValue(map))
        }
        other => other.clone(),
    };
    Some(AnyValue { value })
}

fn plain_entry(dictionary: &ProfilesDictionary, entry: &KeyValue) -> Option<KeyValue> {
    Some(KeyValue {
        key: match entry.key_strindex {
            0 => entry.key.clone(),
            index => string(dictionary, index)?,
        },
        value: match &entry.value {
            Some(value) => Some(plain(dictionary, value)?),
            None => None,
        },
        key_strindex: 0,
    })
}

/// Makes these the attributes of the entity at this position. Entries say where they came from
/// as [`attributes`] says.
pub fn put_attributes(request: &mut Request, level: Level, at: usize, list: Vec<KeyValue>) {
    let interned =
        matches!(request, Request::Profiles(_)) && matches!(level, Level::Item | Level::Sample);
    if !interned {
        let profiles = matches!(request, Request::Profiles(_));
        let entity = entities(request, level).into_iter().nth(at).unwrap();
        let kept = entity.attributes(true).unwrap();
        let from = std::mem::take(kept);
        *kept = list
            .into_iter()
            .map(|entry| match entry.key_strindex {
                index if profiles && index > 0 => from[index as usize - 1].clone(),
                _ => entry,
            })
            .collect();
        return;
    }
    let Request::Profiles(inner) = &mut *request else {
        unreachable!()
    };
    let mut dictionary = inner.dictionary.take();
    let mut indices = Vec::new();
    for entry in list {
        indices.push(match entry.key_strindex {
            0 => intern(dictionary.get_or_insert_default(), entry),
            index => index - 1,
        });
    }
    inner.dictionary = dictionary;
    match entities(request, level).into_iter().nth(at).unwrap() {
        Entity::Profile(profile) => profile.attribute_indices = indices,
        Entity::Sample(sample) => sample.attribute_indices = indices,
        _ => unreachable!(),
    }
}

fn intern(dictionary: &mut ProfilesDictionary, entry: KeyValue) -> i32 {
    let known = dictionary
        .string_table
        .iter()
        .position(|known| *known == entry.key);
    let key = known.unwrap_or_else(|| {
        if dictionary.string_table.is_empty() && !entry.key.is_empty() {
            dictionary.string_table.push(String::new());
        }
        dictionary.string_table.push(entry.key.clone());
        dictionary.string_table.len() - 1
    }) as i32;
    let encoded = |value: &Option<AnyValue>| {
        plain(dictionary, &value.clone().unwrap_or_default()).map(|value| value.encode_to_vec())
    };
    let wanted = encoded(&entry.value);
    let known = dictionary.attribute_table.iter().position(|known| {
        known.key_strindex == key && known.unit_strindex == 0 && encoded(&known.value) == wanted
    });
    known.unwrap_or_else(|| {
        if dictionary.attribute_table.is_empty() && (key != 0 || entry.value.is_some()) {
            dictionary.attribute_table.push(KeyValueAndUnit::default());
        }
        dictionary.attribute_table.push(KeyValueAndUnit {
            key_strindex: key,
            value: entry.value,
            unit_strindex: 0,
        });
        dictionary.attribute_table.len() - 1
    }) as i32
}
