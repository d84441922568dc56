//! Differences between texts, line by line, with colours on terminals.

use std::fmt::Write as _;

use similar::{ChangeTag, TextDiff};

/// Lines around a change.
const CONTEXT: usize = 3;

/// Writes with or without colours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint(pub bool);

impl Paint {
    fn in_colour(self, code: &str, text: &str) -> String {
        match self.0 {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    pub fn red(self, text: &str) -> String {
        self.in_colour("31", text)
    }

    pub fn green(self, text: &str) -> String {
        self.in_colour("32", text)
    }

    pub fn faint(self, text: &str) -> String {
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
