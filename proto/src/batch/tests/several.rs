//! Random edits of several rows at once, and of the strings that profiles share, each done to a
//! batch and to the model. Edits of one entity are in [`super::edits`].

use std::collections::{HashMap, HashSet};

use super::{
    edits::position,
    generate::{KEYS, Request, Rng, text},
    model::{self, Owned, Slot},
};
use crate::batch::{Data, Error, Field, Level, Selection};

/// Keeps some of the entities of a level.
pub fn retain(data: &mut Data, request: &mut Request, level: Level, r: &mut Rng) {
    let rows = data.rows(level).unwrap();
    let keep: Vec<bool> = rows.iter().map(|_| !r.one_in(3)).collect();
    let stays: HashSet<u32> = rows
        .iter()
        .zip(&keep)
        .filter_map(|(row, keep)| keep.then_some(*row))
        .collect();
    data.retain_rows(level, |row| stays.contains(&row)).unwrap();
    for at in (0..rows.len()).rev().filter(|at| !keep[*at]) {
        let (list, within) = position(request, level, at);
        let mut lists = model::lists(request, level);
        lists[list].as_mut().unwrap().remove(within);
    }
}

/// Sets or clears a field of some of the entities of a level that have it, or of all. Whether
/// there is such a field.
pub fn set_fields(data: &mut Data, request: &mut Request, level: Level, r: &mut Rng) -> bool {
    let rows = data.rows(level).unwrap();
    let start = r.below(Field::ALL.len());
    for field in (0..Field::ALL.len()).map(|i| Field::ALL[(start + i) % Field::ALL.len()]) {
        let mut values: HashMap<u32, Option<Owned>> = HashMap::new();
        let mut selected = Vec::new();
        for (entity, row) in model::entities(request, level).into_iter().zip(&rows) {
            let new = !r.one_in(3);
            // Messages on the way to what is cleared are not made.
            let slot = entity.slot(field, new);
            if matches!(slot, Slot::NotThere) {
                continue;
            }
            selected.push(*row);
            values.insert(*row, new.then(|| slot.randomise(r)));
        }
        if selected.is_empty() {
            continue;
        }
        for (at, entity) in model::entities(request, level).into_iter().enumerate() {
            if let Some(None) = values.get(&rows[at]) {
                entity.slot(field, false).clear();
            }
        }
        let selection = match selected.len() == rows.len() {
            true => Selection::All,
            false => Selection::Rows(&selected),
        };
        let value = |row: u32| values[&row].as_ref().map(Owned::value);
        data.set_fields(level, selection, field, value).unwrap();
        return true;
    }
    false
}

/// Interns a string that is there, or one that is not.
pub fn intern(data: &mut Data, request: &mut Request, r: &mut Rng) {
    let Request::Profiles(request) = request else {
        unreachable!("other signals have no dictionary");
    };
    let text = match r.below(3) {
        0 => KEYS[r.below(KEYS.len())].to_owned(),
        1 => String::new(),
        _ => text(r),
    };
    let index = match data.intern_string(text.as_bytes()) {
        Ok(index) => index as usize,
        // Attributes that refer to long strings again and again.
        Err(error) => return assert_eq!(error, Error::TooLarge),
    };
    let table = &mut request.dictionary.get_or_insert_default().string_table;
    let known = table.iter().position(|known| *known == text);
    if known.is_none() {
        if table.is_empty() && !text.is_empty() {
            table.push(String::new());
        }
        table.push(text.clone());
    }
    assert_eq!(index, known.unwrap_or(table.len() - 1));
    assert_eq!(
        data.dictionary_string(index as i32),
        Ok(text.as_bytes()),
        "what was interned"
    );
}
