//! Statements that do the same to every row: set attributes to constants, remove attributes. For
//! these no column is loaded. What they do is noted as edits of the rows, which are put off until
//! somebody looks at the rows or the request is written; where that cannot be, they run like all
//! others.

use std::collections::HashSet;

use trunkline_proto::batch::{AttributeEdit, Data, Level, Source, Value, When, frame::kind};

use super::{
    chunks::broken,
    expr::{Action, Expr, Take, Test},
    lower::Lower,
    plan::Step,
};
use crate::{program::Program, run::Stopped};

/// What such statements do, in order.
#[derive(Debug)]
pub(super) struct Constant {
    level: Level,
    edits: Vec<Edit>,
}

#[derive(Debug)]
enum Edit {
    /// A key, and the encoded `AnyValue` that it gets.
    Set(Vec<u8>, Vec<u8>),
    Remove(Vec<u8>),
}

impl Constant {
    /// `None` where a step does anything else.
    pub fn new(program: &Program, steps: &[Step], lower: &Lower) -> Option<Constant> {
        let key = |slot: &usize| lower.keys.get(*slot).cloned();
        let edits = steps.iter().map(|step| match step {
            Step {
                test: Test::Const(true),
                action:
                    Action::Set {
                        slot,
                        take: Take::Attribute,
                        value: Expr::Const((of, bits)),
                    },
            } => {
                let mut any = Vec::new();
                match *of {
                    kind::BOOL => Value::Bool(*bits != 0).write(&mut any),
                    kind::INT => Value::Int(*bits as i64).write(&mut any),
                    kind::DOUBLE => Value::Double(f64::from_bits(*bits)).write(&mut any),
                    kind::STRING => Value::String(lower.text(*bits)?).write(&mut any),
                    kind::BYTES => Value::Bytes(lower.text(*bits)?).write(&mut any),
                    _ => return None,
                }
                Some(Edit::Set(key(slot)?, any))
            }
            Step {
                test: Test::Const(true),
                action: Action::Remove(slot),
            } => Some(Edit::Remove(key(slot)?)),
            _ => None,
        });
        let edits = edits.collect::<Option<Vec<_>>>()?;
        // What is removed and set again goes to the end, which an edit does not know of.
        let mut removed = HashSet::new();
        for edit in &edits {
            match edit {
                Edit::Remove(key) => {
                    removed.insert(key);
                }
                Edit::Set(key, _) if removed.contains(key) => return None,
                Edit::Set(..) => {}
            }
        }
        Some(Constant {
            level: program.context.level()?,
            edits,
        })
    }

    /// Puts off what is done to these rows. False, and nothing is done, where that cannot be.
    pub fn put_off(&self, data: &mut Data, rows: &[u32]) -> Result<bool, Stopped> {
        let mut edits = Vec::with_capacity(self.edits.len());
        for edit in &self.edits {
            edits.push(match edit {
                Edit::Set(key, any) => AttributeEdit::Set {
                    key,
                    value: match Value::read(any) {
                        Ok(value) => Source::Value(value),
                        Err(_) => return Ok(false),
                    },
                    when: When::Always,
                },
                Edit::Remove(key) => AttributeEdit::Remove { key },
            });
        }
        data.put_off_edits(self.level, rows, &edits)
            .map_err(|error| broken(error.into()))
    }
}
