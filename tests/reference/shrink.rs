//! Makes a failing case small: parts of the text that can be left out or replaced by something
//! simpler, and attributes of the input that nothing depends on.

use serde_json::Value as Json;

use crate::{
    Fate,
    answers::{Input, Reference},
    look,
};

/// Questions asked for one case.
const PATIENCE: usize = 400;

/// A smaller case and input that are still answered differently.
pub fn smallest(reference: &mut Reference, case: String, input: Input) -> (String, Input) {
    let (mut case, mut input) = (case, input);
    let mut left = PATIENCE;
    let differs = |reference: &mut Reference, input: &Input, case: &str, left: &mut usize| {
        *left = left.saturating_sub(1);
        matches!(look(reference, input, case), Fate::Different(..))
    };
    'again: while left > 0 {
        for simpler in simpler(&case) {
            if left == 0 {
                break 'again;
            }
            if differs(reference, &input, &simpler, &mut left) {
                case = simpler;
                continue 'again;
            }
        }
        break;
    }
    for at in (0..64).rev() {
        let Some(json) = without(&input.json, at) else {
            continue;
        };
        let smaller = Input {
            context: input.context,
            json,
        };
        reference.input(&smaller);
        match matches!(look(reference, &smaller, &case), Fate::Different(..)) {
            true => input = smaller,
            false => reference.input(&input),
        }
    }
    (case, input)
}

/// What makes a case one of a kind: its letters but for those in strings.
pub fn outline(case: &str) -> String {
    let mut quoted = false;
    let kept = case.chars().filter(|c| {
        quoted ^= *c == '"';
        !quoted && (c.is_alphabetic() || "=<>+-*/".contains(*c))
    });
    kept.collect()
}

/// Shorter texts to try, the shortest first.
fn simpler(case: &str) -> Vec<String> {
    let (kind, text) = case.split_at(2);
    let mut found = Vec::new();
    for (at, part) in text.split(";;").enumerate() {
        let others: Vec<&str> = text
            .split(";;")
            .enumerate()
            .filter(|(other, _)| *other != at)
            .map(|(_, part)| part)
            .collect();
        if !others.is_empty() {
            found.push(others.join(";;"));
        }
        if let Some((before, _)) = part.split_once(" where ") {
            found.push(text.replacen(part, before, 1));
        }
    }
    for (start, end) in groups(text) {
        let inner = &text[start..end];
        let name = text[..start]
            .rfind(|c: char| !(c.is_ascii_alphanumeric() || "_.\"]".contains(c)))
            .map_or(0, |at| at + 1);
        let mut put = |from: usize, with: &str| {
            found.push(format!("{}{with}{}", &text[..from], &text[end..]));
        };
        for with in ["1", "\"a\"", "nil", "1.5", "true", "[]"] {
            if inner.len() > with.len() {
                put(name, with);
                put(start, with);
            }
        }
        // A call becomes one of its arguments, a list one of its elements.
        if inner.len() > 2 {
            for (from, to) in parts(&inner[1..inner.len() - 1]) {
                let part = inner[1 + from..1 + to].trim();
                put(name, part);
                let rest = format!(
                    "{}{}",
                    &inner[..1 + from],
                    inner[1 + to..].trim_start_matches([',', ' '])
                );
                put(start, &rest);
            }
        }
    }
    // Half of a text, or all but one letter.
    for (start, end) in strings(text) {
        let inner: Vec<char> = text[start + 1..end - 1].chars().collect();
        let put = |inner: &[char]| -> String {
            let inner: String = inner.iter().collect();
            format!("{}\"{inner}\"{}", &text[..start], &text[end..])
        };
        if inner.len() > 3 {
            found.push(put(&inner[..inner.len() / 2]));
            found.push(put(&inner[inner.len() / 2..]));
        }
        for at in 0..inner.len().min(30) {
            let mut fewer = inner.clone();
            fewer.remove(at);
            found.push(put(&fewer));
        }
    }
    found.retain(|other| other.len() < text.len());
    found.sort_by_key(String::len);
    found.dedup();
    found.iter().map(|text| format!("{kind}{text}")).collect()
}

/// Where brackets open and close, those of strings aside.
fn groups(text: &str) -> Vec<(usize, usize)> {
    let (mut open, mut found) = (Vec::new(), Vec::new());
    let strings = strings(text);
    for (at, c) in text.char_indices() {
        if strings.iter().any(|(from, to)| (*from..*to).contains(&at)) {
            continue;
        }
        match c {
            '(' | '[' | '{' => open.push(at),
            ')' | ']' | '}' => found.extend(open.pop().map(|from| (from, at + 1))),
            _ => {}
        }
    }
    found
}

/// Where strings are, with their quotes.
fn strings(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut start = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (start, c) {
            (Some(_), '\\') if !escaped => {
                escaped = true;
                continue;
            }
            (Some(from), '"') if !escaped => {
                found.push((from, at + 1));
                start = None;
            }
            (None, '"') => start = Some(at),
            _ => {}
        }
        escaped = false;
    }
    found
}

/// The parts between the commas of a list of arguments.
fn parts(text: &str) -> Vec<(usize, usize)> {
    let (strings, groups) = (strings(text), groups(text));
    let inside = |at: usize| {
        let mut all = strings.iter().chain(&groups);
        all.any(|(from, to)| (*from..*to).contains(&at))
    };
    let mut found = Vec::new();
    let mut start = 0;
    for (at, c) in text.char_indices() {
        if c == ',' && !inside(at) {
            found.push((start, at));
            start = at + 1;
        }
    }
    found.push((start, text.len()));
    found
}

/// The request without one of the item's attributes.
fn without(json: &str, at: usize) -> Option<String> {
    let mut request: Json = serde_json::from_str(json).ok()?;
    let mut lists = Vec::new();
    collect(&mut request, &mut lists);
    let mut left = at;
    for list in lists {
        if left < list.len() {
            list.remove(left);
            return Some(request.to_string());
        }
        left -= list.len();
    }
    None
}

/// Every list of attributes.
fn collect<'a>(value: &'a mut Json, out: &mut Vec<&'a mut Vec<Json>>) {
    match value {
        Json::Array(items) => items.iter_mut().for_each(|item| collect(item, out)),
        Json::Object(fields) => {
            for (name, value) in fields {
                match value.as_array_mut().is_some() && name == "attributes" {
                    true => out.extend(value.as_array_mut()),
                    false => collect(value, out),
                }
            }
        }
        _ => {}
    }
}
