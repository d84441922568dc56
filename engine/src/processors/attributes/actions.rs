//! The actions of the processors `attributes` and `resource`, compiled once and
//! applied to a whole batch: every action runs over all rows before the next one
//! begins, which is the same as running all actions on one row after another,
//! because no action looks at another row.
//!
//! Neighbouring actions that only set and remove are one pass over the batch
//! that allocates nothing per row. Those that compute (hash, extract, convert)
//! read a column, make a column of new values, and write that.

use regex::bytes::Regex;
use sha2::{Digest, Sha256};
use smallvec::SmallVec;
use trunkline_ottl::go::{regexp, text};
use trunkline_proto::batch::{
    AttributeColumn, AttributeEdit, Data, Error, Level, Selection, Source, Value, ValueType,
    Values, When,
};

use super::{
    config::{Action, ActionKind, check_actions},
    raw,
};
use crate::component::RequestContext;

/// Compiled actions.
#[derive(Debug)]
pub struct Actions {
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    /// Sets and removals, in order, in one pass.
    Edit(Vec<Edit>),
    /// Sets from an attribute, or to a constant where that is missing.
    SetOr {
        key: Vec<u8>,
        from: Vec<u8>,
        or: Vec<u8>,
        when: When,
    },
    /// Removes what a pattern finds in the key.
    RemoveMatching(Regex),
    Hash(Vec<u8>),
    /// Hashes what a pattern finds in the key.
    HashMatching(Regex),
    /// Sets an attribute for each group; the names are the groups' from 1.
    Extract {
        key: Vec<u8>,
        pattern: Regex,
        names: Vec<Vec<u8>>,
    },
    Convert {
        key: Vec<u8>,
        to: ValueType,
    },
}

#[derive(Debug)]
enum Edit {
    Remove(Vec<u8>),
    /// An encoded value.
    Set(Vec<u8>, Vec<u8>, When),
    Copy {
        key: Vec<u8>,
        from: Vec<u8>,
        when: When,
    },
    /// From the request, else the encoded value, else not at all.
    FromContext {
        key: Vec<u8>,
        name: String,
        or: Option<Vec<u8>>,
        when: When,
    },
}

/// Rows that the actions are for, numbers rising.
#[derive(Debug)]
pub enum Rows {
    /// All that are in the request.
    All,
    /// These.
    Some(Vec<u32>),
}

impl Rows {
    fn selection(&self) -> Selection<'_> {
        match self {
            Rows::All => Selection::All,
            Rows::Some(rows) => Selection::Rows(rows),
        }
    }

    /// Whether each row, from 0 to `count`, is one of these.
    fn each(&self, count: usize) -> impl Iterator<Item = (u32, bool)> {
        let mut rows = match self {
            Rows::All => None,
            Rows::Some(rows) => Some(rows.iter().peekable()),
        };
        (0..count as u32).map(move |row| match &mut rows {
            None => (row, true),
            Some(rows) => (row, rows.next_if_eq(&&row).is_some()),
        })
    }
}

impl Actions {
    /// Compiles actions as they are configured.
    ///
    /// # Errors
    /// The Collector's text for the first broken rule.
    pub fn compile(actions: &[Action]) -> Result<Actions, String> {
        check_actions(actions)?;
        let mut steps = Vec::new();
        for (i, action) in actions.iter().enumerate() {
            compile(i, action, &mut steps)?;
        }
        Ok(Actions { steps })
    }

    /// Applies them to these rows of a level.
    ///
    /// # Errors
    /// [`Error::Decode`] when an entity is not valid; [`Error::TooLarge`].
    pub fn apply(
        &self,
        data: &mut Data,
        level: Level,
        rows: &Rows,
        context: &RequestContext,
    ) -> Result<(), Error> {
        for step in &self.steps {
            match step {
                Step::Edit(edits) => edit(data, level, rows, edits, context)?,
                Step::SetOr {
                    key,
                    from,
                    or,
                    when,
                } => set_or(data, level, rows, key, from, or, *when)?,
                Step::RemoveMatching(pattern) => {
                    data.retain_attributes(level, rows.selection(), |key, _| {
                        !pattern.is_match(key)
                    })?;
                }
                Step::Hash(key) => rewrite(data, level, rows, key, hash)?,
                Step::HashMatching(pattern) => {
                    let keys = data.attribute_table(level)?.dictionary;
                    for key in keys.iter().flatten().filter(|key| pattern.is_match(key)) {
                        rewrite(data, level, rows, key, hash)?;
                    }
                }
                Step::Extract {
                    key,
                    pattern,
                    names,
                } => extract(data, level, rows, key, pattern, names)?,
                Step::Convert { key, to } => {
                    rewrite(data, level, rows, key, |value, values| {
                        convert(value, *to, values)
                    })?;
                }
            }
        }
        Ok(())
    }
}

fn compile(i: usize, action: &Action, steps: &mut Vec<Step>) -> Result<(), String> {
    let key = action.key.clone().into_bytes();
    let pattern = || {
        regexp::compile(&action.pattern).map_err(|_| {
            format!(
                "error with key {:?} ({i}-th action): error creating AttrProc. Field \"pattern\" has invalid pattern: \"{}\"",
                action.key, action.pattern
            )
        })
    };
    let default = || action.default_value.get().map(raw::encode);
    match action.kind() {
        kind @ (ActionKind::Insert | ActionKind::Update | ActionKind::Upsert) => {
            let when = match kind {
                ActionKind::Insert => When::Absent,
                ActionKind::Update => When::Present,
                _ => When::Always,
            };
            if let Some(value) = action.value.get() {
                push_edit(steps, Edit::Set(key, raw::encode(value), when));
            } else if !action.from_context.is_empty() {
                let name = action.from_context.clone();
                push_edit(
                    steps,
                    Edit::FromContext {
                        key,
                        name,
                        or: default(),
                        when,
                    },
                );
            } else if action.from_attribute.is_empty() {
                push_edit(steps, Edit::Set(key, default().unwrap_or_default(), when));
            } else {
                let from = action.from_attribute.clone().into_bytes();
                match default() {
                    Some(or) => steps.push(Step::SetOr {
                        key,
                        from,
                        or,
                        when,
                    }),
                    None => push_edit(steps, Edit::Copy { key, from, when }),
                }
            }
        }
        // The key and what the pattern finds, both, as there; without a key it is the empty one.
        ActionKind::Delete => {
            push_edit(steps, Edit::Remove(key));
            if !action.pattern.is_empty() {
                steps.push(Step::RemoveMatching(pattern()?));
            }
        }
        ActionKind::Hash => {
            steps.push(Step::Hash(key));
            if !action.pattern.is_empty() {
                steps.push(Step::HashMatching(pattern()?));
            }
        }
        ActionKind::Extract => {
            let pattern = pattern()?;
            let names = regexp::group_names(&pattern)
                .flatten()
                .map(|name| name.as_bytes().to_vec())
                .collect();
            steps.push(Step::Extract {
                key,
                pattern,
                names,
            });
        }
        ActionKind::Convert => {
            let to = match action.converted_type.as_str() {
                "int" => ValueType::Int,
                "double" => ValueType::Double,
                _ => ValueType::String,
            };
            steps.push(Step::Convert { key, to });
        }
        ActionKind::Unset => {}
    }
    Ok(())
}

fn push_edit(steps: &mut Vec<Step>, edit: Edit) {
    match steps.last_mut() {
        Some(Step::Edit(edits)) => edits.push(edit),
        _ => steps.push(Step::Edit(vec![edit])),
    }
}

fn edit(
    data: &mut Data,
    level: Level,
    rows: &Rows,
    edits: &[Edit],
    context: &RequestContext,
) -> Result<(), Error> {
    let found: SmallVec<[Option<String>; 8]> = edits
        .iter()
        .map(|edit| match edit {
            Edit::FromContext { name, .. } => from_context(name, context),
            _ => None,
        })
        .collect();
    let constant = |encoded| Source::Value(Value::read(encoded).unwrap_or(Value::Empty));
    let edits: SmallVec<[AttributeEdit<'_>; 8]> = edits
        .iter()
        .zip(&found)
        .filter_map(|(edit, found)| {
            Some(match edit {
                Edit::Remove(key) => AttributeEdit::Remove { key },
                Edit::Set(key, value, when) => AttributeEdit::Set {
                    key,
                    value: constant(value),
                    when: *when,
                },
                Edit::Copy { key, from, when } => AttributeEdit::Set {
                    key,
                    value: Source::Attribute(from),
                    when: *when,
                },
                Edit::FromContext { key, or, when, .. } => {
                    let value = match found {
                        Some(text) => Source::Value(Value::String(text.as_bytes())),
                        None => constant(or.as_deref()?),
                    };
                    AttributeEdit::Set {
                        key,
                        value,
                        when: *when,
                    }
                }
            })
        })
        .collect();
    if edits.is_empty() {
        return Ok(());
    }
    data.edit_attributes(level, rows.selection(), &edits)
}

/// A value of the request: `client.address`, `metadata.NAME` or, as before there were prefixes,
/// `NAME`. Several values are joined by `;`. No authenticator leaves anything behind yet, so
/// `auth.NAME` is not there.
fn from_context(name: &str, context: &RequestContext) -> Option<String> {
    if name == "client.address" {
        let address = context
            .client
            .map(|client| client.ip().to_canonical().to_string());
        return Some(address.unwrap_or_default());
    }
    if name.starts_with("auth.") {
        return None;
    }
    let name = name.strip_prefix("metadata.").unwrap_or(name);
    let mut values = context
        .metadata
        .as_ref()?
        .iter()
        .filter(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str());
    let mut joined = values.next()?.to_owned();
    for value in values {
        joined.push(';');
        joined.push_str(value);
    }
    Some(joined)
}

fn is_absent(column: &AttributeColumn) -> bool {
    column
        .types()
        .iter()
        .all(|kind| *kind == AttributeColumn::ABSENT)
}

fn set_or(
    data: &mut Data,
    level: Level,
    rows: &Rows,
    key: &[u8],
    from: &[u8],
    or: &[u8],
    when: When,
) -> Result<(), Error> {
    let column = data.attribute_column(level, from)?;
    let default = Value::read(or).unwrap_or(Value::Empty);
    let mut values = Values::new();
    for (row, selected) in rows.each(column.len()) {
        match selected {
            true => values.push(column.value(data, row).unwrap_or(default)),
            false => values.push_none(),
        }
    }
    let value = Source::Rows(&values);
    data.edit_attributes(
        level,
        rows.selection(),
        &[AttributeEdit::Set { key, value, when }],
    )
}

/// Sets one attribute of each row that has it to what `new` pushes: a value or none.
fn rewrite(
    data: &mut Data,
    level: Level,
    rows: &Rows,
    key: &[u8],
    mut new: impl FnMut(Value<'_>, &mut Values),
) -> Result<(), Error> {
    let column = data.attribute_column(level, key)?;
    if is_absent(&column) {
        return Ok(());
    }
    let mut values = Values::new();
    for (row, selected) in rows.each(column.len()) {
        match column.value(data, row) {
            Some(value) if selected => new(value, &mut values),
            _ => values.push_none(),
        }
    }
    let edit = AttributeEdit::Set {
        key,
        value: Source::Rows(&values),
        when: When::Always,
    };
    data.edit_attributes(level, rows.selection(), &[edit])
}

/// SHA-256 in hexadecimal of a string's bytes or of a number's eight bytes, least first (a
/// boolean's one); everything else becomes the empty string.
fn hash(value: Value<'_>, values: &mut Values) {
    let digest = match value {
        Value::String(text) => Sha256::digest(text),
        Value::Bool(value) => Sha256::digest([u8::from(value)]),
        Value::Int(value) => Sha256::digest(value.to_le_bytes()),
        Value::Double(value) => Sha256::digest(value.to_bits().to_le_bytes()),
        _ => return values.push(Value::String(b"")),
    };
    let mut text = [0; 64];
    // The length fits, so this cannot fail.
    let _ = hex::encode_to_slice(digest, &mut text);
    values.push(Value::String(&text));
}

fn extract(
    data: &mut Data,
    level: Level,
    rows: &Rows,
    key: &[u8],
    pattern: &Regex,
    names: &[Vec<u8>],
) -> Result<(), Error> {
    let column = data.attribute_column(level, key)?;
    if is_absent(&column) {
        return Ok(());
    }
    let mut groups = vec![Values::new(); names.len()];
    let mut found = pattern.capture_locations();
    for (row, selected) in rows.each(column.len()) {
        let text = match column.value(data, row) {
            Some(Value::String(text)) if selected => text,
            _ => {
                groups.iter_mut().for_each(Values::push_none);
                continue;
            }
        };
        let matched = pattern.captures_read(&mut found, text).is_some();
        for (i, group) in groups.iter_mut().enumerate() {
            if matched {
                // A group that took no part is the empty string in Go.
                let (start, end) = found.get(i + 1).unwrap_or_default();
                group.push(Value::String(text.get(start..end).unwrap_or_default()));
            } else {
                group.push_none();
            }
        }
    }
    let edits: Vec<AttributeEdit<'_>> = names
        .iter()
        .zip(&groups)
        .map(|(key, values)| AttributeEdit::Set {
            key,
            value: Source::Rows(values),
            when: When::Always,
        })
        .collect();
    data.edit_attributes(level, rows.selection(), &edits)
}

/// What cannot be converted stays as it is.
fn convert(value: Value<'_>, to: ValueType, values: &mut Values) {
    let converted = match (to, value) {
        (ValueType::Int, Value::Double(value)) => Some(Value::Int(text::truncate(value))),
        (ValueType::Int, Value::Bool(value)) => Some(Value::Int(i64::from(value))),
        (ValueType::Int, Value::String(value)) => text::parse_int(value).map(Value::Int),
        (ValueType::Double, Value::Int(value)) => Some(Value::Double(value as f64)),
        (ValueType::Double, Value::Bool(value)) => Some(Value::Double(f64::from(u8::from(value)))),
        (ValueType::Double, Value::String(value)) => text::parse_double(value).map(Value::Double),
        (ValueType::String, Value::String(_)) => None,
        (ValueType::String, value) => {
            let mut written = Vec::new();
            text::as_text(&value, &mut written);
            return values.push(Value::String(&written));
        }
        _ => None,
    };
    match converted {
        Some(value) => values.push(value),
        None => values.push_none(),
    }
}
