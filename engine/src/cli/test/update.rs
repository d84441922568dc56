//! Puts into a file of cases what came out in place of what was expected. Only the keys in
//! question are written anew; everything else in the file stays as it is.

use std::fmt::Write as _;

use super::{
    cases::Case,
    judge::{Miss, lines, meaning},
    play::Played,
};
use crate::config::node::Mapping;

/// Lines of a file of cases to be replaced.
#[derive(Debug)]
pub(super) struct Change {
    /// The first, from 0.
    from: usize,
    /// The one behind the last.
    to: usize,
    text: String,
}

/// What is to be written in place of the keys that a case missed: in the file of cases, and in
/// files of their own. A refusal is left to the user.
///
/// # Errors
/// The case is not written in block style, or what came out cannot be written.
pub(super) fn changes(
    text: &str,
    case: &Case,
    misses: &[Miss],
    played: &Played,
) -> Result<Vec<Change>, String> {
    let Some(keys) = case.node.mapping() else {
        return Ok(Vec::new());
    };
    let missed = |key: &str| misses.iter().any(|miss| miss.key == key);
    let indent = indent(keys).ok_or_else(|| {
        let at = &case.node.at;
        format!("{at}: a case must be written in block style, a key a line, to be updated")
    })?;
    let mut changes = Vec::new();
    let mut written = String::new();
    if missed("expect") || (missed("dropped") && case.nothing) {
        match played.arrived.is_empty() {
            true => written = format!("{:indent$}dropped: true\n", ""),
            false => written = expected(case, played, indent)?,
        }
        for key in ["expect", "dropped"] {
            if key == "expect" || case.nothing {
                changes.extend(removed(text, keys, key, indent));
            }
        }
    }
    if missed("dropped") && !case.nothing {
        changes.extend(removed(text, keys, "dropped", indent));
        let _ = writeln!(written, "{:indent$}dropped:", "");
        for reason in case.dropped.keys() {
            let items = played.dropped.get(reason).copied().unwrap_or_default();
            let reason = serde_json::Value::from(reason.as_str());
            let _ = writeln!(written, "{:indent$}  {reason}: {items}", "");
        }
    }
    if missed("items") {
        changes.extend(removed(text, keys, "items", indent));
        let _ = writeln!(written, "{:indent$}items:", "");
        for exporter in case.items.keys() {
            let arrived = played.arrived.get(exporter);
            let items = arrived.map_or(0, |batch| batch.item_count());
            let _ = writeln!(written, "{:indent$}  {exporter}: {items}", "");
        }
    }
    // In the place of the first key that goes, or at the end of the case.
    match changes.iter_mut().min_by_key(|change| change.from) {
        Some(first) => first.text = written,
        None if !written.is_empty() => {
            let last = keys.values().map(|entry| entry.at.line as usize - 1).max();
            let end = last.map_or(0, |line| end(text, line, indent));
            changes.push(Change {
                from: end,
                to: end,
                text: written,
            });
        }
        None => {}
    }
    Ok(changes)
}

/// The expected requests as keys of a case; those in files of their own are written there.
fn expected(case: &Case, played: &Played, indent: usize) -> Result<String, String> {
    let mut out = format!("{:indent$}expect:\n", "");
    for (exporter, batch) in &played.arrived {
        let text = lines(&meaning(batch)?)?;
        let file = case.expect.get(exporter).and_then(|of| of.file.as_ref());
        if let Some(file) = file {
            std::fs::write(file, &text)
                .map_err(|e| format!("cannot write {}: {e}", file.display()))?;
            let written = case.node.get("expect").and_then(|node| node.get(exporter));
            if let Some(crate::config::node::Value::Text(path)) = written.map(|node| &node.value) {
                let path = serde_json::Value::from(path.as_str());
                let _ = writeln!(out, "{:indent$}  {exporter}: {path}", "");
                continue;
            }
        }
        let _ = write!(out, "{:indent$}  {exporter}:", "");
        for (i, line) in text.lines().enumerate() {
            let _ = match i {
                0 => writeln!(out, " {line}"),
                _ => writeln!(out, "{:indent$}    {line}", ""),
            };
        }
    }
    Ok(out)
}

/// How far the keys of a case are indented; nothing where they are not one a line.
fn indent(keys: &Mapping) -> Option<usize> {
    let mut places: Vec<(u32, u32)> = keys.values().map(|of| (of.at.line, of.at.column)).collect();
    places.sort_unstable();
    let column = places.first()?.1;
    let apart = places.windows(2).all(|two| match two {
        [a, b] => a.0 < b.0,
        _ => true,
    });
    let aligned = places.iter().all(|(_, of)| *of == column);
    // Keys of a case are behind its dash at least.
    (apart && aligned && column > 2).then_some(column as usize - 1)
}

/// The lines of a key and its value, to be taken out.
fn removed(text: &str, keys: &Mapping, key: &str, indent: usize) -> Option<Change> {
    let from = keys.get(key)?.at.line as usize - 1;
    Some(Change {
        from,
        to: end(text, from, indent),
        text: String::new(),
    })
}

/// The line behind the last of a key's value: what is indented further belongs to it.
fn end(text: &str, from: usize, indent: usize) -> usize {
    let mut end = from + 1;
    for (at, line) in text.lines().enumerate().skip(from + 1) {
        let content = line.trim_start();
        if content.is_empty() {
            continue;
        }
        if line.len() - content.len() <= indent {
            break;
        }
        end = at + 1;
    }
    end
}

/// A text with lines replaced.
pub(super) fn apply(text: &str, mut changes: Vec<Change>) -> String {
    changes.sort_by_key(|change| change.from);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (mut out, mut at) = (String::new(), 0);
    for change in changes {
        out.extend(
            lines
                .get(at..change.from)
                .unwrap_or_default()
                .iter()
                .copied(),
        );
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        out.push_str(&change.text);
        at = change.to.max(at);
    }
    out.extend(lines.get(at..).unwrap_or_default().iter().copied());
    out
}
