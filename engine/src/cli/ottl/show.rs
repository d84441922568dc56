//! What is shown of a run: the difference that it made, what each statement did, and plans.

use std::fmt::Write as _;

use trunkline_ottl::{
    columns::{Described, Executor, Mark},
    program::Program,
};

use super::{super::diff::Paint, apply::Did};

/// A table of what each statement did.
pub(super) fn table(statements: &[Did], paint: Paint) -> String {
    let mut out = String::from("  matched  changed   failed  statement\n");
    for did in statements {
        let changed = did.changed.map_or("-".to_owned(), |n| n.to_string());
        let failed = format!("{:>9}", did.failed);
        let failed = match did.failed {
            0 => failed,
            _ => paint.red(&failed),
        };
        let _ = writeln!(
            out,
            "{:>9}{changed:>9}{failed}  {}",
            did.matched, did.source
        );
        for (reason, rows) in &did.reasons {
            let rows = match rows {
                1 => "1 row".to_owned(),
                n => format!("{n} rows"),
            };
            let _ = writeln!(out, "{:29}{}", "", paint.red(&format!("{rows}: {reason}")));
        }
        if did.more_reasons > 0 {
            let _ = writeln!(out, "{:29}and {} other reasons", "", did.more_reasons);
        }
    }
    out
}

/// The plan of a group of statements.
pub(super) fn plan(program: &Program, executor: &Executor, paint: Paint) -> String {
    let mut out = String::new();
    let count = program.statements.len();
    let statements = if count == 1 {
        "statement"
    } else {
        "statements"
    };
    let _ = writeln!(out, "{count} {statements} on each {}", program.context);
    let conditions = program.conditions.len();
    for (at, node) in executor.describe().iter().enumerate() {
        described(node, 1, paint, &mut out);
        let Some(statement) = at
            .checked_sub(conditions)
            .and_then(|at| program.statements.get(at))
        else {
            continue;
        };
        for (word, prints) in [("reads", &statement.reads), ("writes", &statement.writes)] {
            let mut names: Vec<String> = prints.iter().map(ToString::to_string).collect();
            names.sort();
            names.dedup();
            if !names.is_empty() {
                let line = format!("{:20}{word} {}", "", names.join(", "));
                let _ = writeln!(out, "{}", paint.faint(&line));
            }
        }
    }
    out
}

fn described(node: &Described, depth: usize, paint: Paint, out: &mut String) {
    let mark = format!("{:<18}", node.mark.name());
    let (mark, why) = match node.mark {
        Mark::Rows(why) => (paint.red(&mark), format!("  ({why})")),
        _ => (paint.green(&mark), String::new()),
    };
    let _ = writeln!(
        out,
        "{mark}{:indent$}{}{why}",
        "",
        node.text,
        indent = depth * 2
    );
    for part in &node.of {
        described(part, depth + 1, paint, out);
    }
}
