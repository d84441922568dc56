//! Runs a case in the row evaluator: a value, a condition, or statements separated by `;;`, on one
//! row. Part of whoever holds that against the reference (the golden cases beside this file, and
//! random ones), each of which shows values in a form of its own.

use trunkline_ottl::{
    Compiler,
    contexts::Context,
    run::{Request, Row},
    value::Value,
};
use trunkline_proto::Batch;

/// What a case gives.
pub enum Given {
    /// It is no program.
    Refused,
    /// An error of the row.
    Failed,
    /// A value.
    Value(Value),
    /// Whether a condition holds.
    Holds(bool),
    /// Statements ran; of each, whether it failed.
    Ran(Vec<bool>),
}

impl Given {
    /// As the reference's program shows it, by how it shows values; of statements nothing.
    pub fn text(&self, show: impl FnOnce(&Value) -> String) -> Option<String> {
        Some(match self {
            Given::Refused => "REFUSED".to_owned(),
            Given::Failed => "ERROR".to_owned(),
            Given::Value(value) => show(value),
            Given::Holds(holds) => holds.to_string(),
            Given::Ran(_) => return None,
        })
    }
}

/// Runs a case on the first row of a context: `v`, `c` or `s`, and its text.
pub fn give(
    compiler: &Compiler,
    context: Context,
    batch: &mut Batch,
    kind: &str,
    text: &str,
) -> Given {
    let (mut cache, request) = (Vec::new(), Request::default());
    let data = batch.open().unwrap();
    let mut row = |run: &mut dyn FnMut(&mut Row<'_>) -> Given| {
        data.row_count(context.level().unwrap()).unwrap();
        run(&mut Row::new(data, context, 0, &mut cache, &request).unwrap())
    };
    match kind {
        "v" => match compiler.value(text) {
            Ok(program) => row(&mut |row| match row.value(&program.node) {
                Ok(value) => Given::Value(value.into_owned()),
                Err(_) => Given::Failed,
            }),
            Err(_) => Given::Refused,
        },
        "c" => match compiler.condition(text) {
            Ok((_, condition)) => row(&mut |row| match row.holds(&condition.condition) {
                Ok(holds) => Given::Holds(holds),
                Err(_) => Given::Failed,
            }),
            Err(_) => Given::Refused,
        },
        _ => {
            let statements: Vec<&str> = text.split(";;").collect();
            let Ok(program) = compiler.statements(&statements, &[]) else {
                return Given::Refused;
            };
            row(&mut |row| {
                let failed = program.statements.iter().map(|statement| {
                    let holds = row.holds(&statement.condition);
                    let result = holds.and_then(|holds| match holds {
                        true => row.edit(&statement.editor),
                        false => Ok(()),
                    });
                    result.is_err()
                });
                Given::Ran(failed.collect())
            })
        }
    }
}
