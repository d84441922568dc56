//! What is shown of a run: the difference that it made, what each statement did, and plans.

use std::fmt::Write as _;

use similar::{ChangeTag, TextDiff};
use trunkline_ottl::{
    columns::{Described, Executor, Mark},
    program::Program,
};

use super::apply::Did;

/// Lines around a change.
const CONTEXT: usize = 3;

/// Writes with or without colours.
#[derive(Clone, Copy)]
pub(super) struct Paint(pub bool);

impl Paint {
    fn in_colour(self, code: &str, text: &str) -> String {
        match self.0 {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    fn red(self, text: &str) -> String {
        self.in_colour("31", text)
    }

    fn green(self, text: &str) -> String {
        self.in_colour("32", text)
    }

    fn faint(self, text: &str) -> String {
        self.in_colour("2", text)
    }
}

/// The lines in which two texts differ, with some around them; nothing for equal ones.
pub(super) fn difference(before: &str, after: &str, paint: Paint) -> String {
    let diff = TextDiff::from_lines(before, after);
    let mut out = String::new();
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        let _ = writeln!(out, "{}", paint.faint(&hunk.header().to_string()));
        for change in hunk.iter_changes() {
            let line = change.value().trim_end_matches('\n');
            let line = match change.tag() {
                ChangeTag::Delete => paint.red(&format!("-{line}")),
                ChangeTag::Insert => paint.green(&format!("+{line}")),
                ChangeTag::Equal => format!(" {line}"),
            };
            let _ = writeln!(out, "{line}");
        }
    }
    out
}

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
    let _ = writeln!(out, "{count} statements on each {}", program.context);
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
