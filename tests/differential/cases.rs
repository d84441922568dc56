//! The cases: a part of those that the row evaluator is held against (`tests/ottl/cases.txt`),
//! each function with each kind of argument in each error mode, spread over the signals; and
//! those of `statements.txt`, for what only some signals have.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use trunkline_tests::Signal;

/// What both are sent.
pub const INPUTS: [(Signal, &str); 4] = [
    (Signal::Traces, include_str!("traces.json")),
    (Signal::Metrics, include_str!("metrics.json")),
    (Signal::Logs, include_str!("logs.json")),
    (
        Signal::Profiles,
        include_str!("../ottl/transform/profiles.json"),
    ),
];

/// Error modes.
pub const MODES: [&str; 3] = ["ignore", "silent", "propagate"];

/// Which processor a case is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processor {
    /// Statements.
    Transform,
    /// Conditions.
    Filter,
}

impl Processor {
    /// Its type.
    pub fn name(self) -> &'static str {
        match self {
            Processor::Transform => "transform",
            Processor::Filter => "filter",
        }
    }
}

/// One pipeline.
#[derive(Clone, Debug)]
pub struct Case {
    /// The pipeline's signal.
    pub signal: Signal,
    /// Its processor.
    pub processor: Processor,
    /// Their context, where they are in a group that names one.
    pub context: Option<&'static str>,
    /// The processor's `error_mode`.
    pub mode: &'static str,
    /// The processor's statements or conditions.
    pub statements: Vec<String>,
    /// The function or operator that it is about.
    pub about: String,
}

impl fmt::Display for Case {
    /// As a line of `statements.txt`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (signal, processor) = (self.signal.name(), self.processor.name());
        write!(
            f,
            "{signal} {processor} {} {}",
            self.mode,
            self.statements.join(";;")
        )
    }
}

/// All of them.
pub fn all() -> Vec<Case> {
    let mut cases = written();
    cases.extend(spread());
    let mut seen = BTreeSet::new();
    cases.retain(|case| seen.insert(case.to_string()));
    cases
}

/// `<signal> <processor>[:<context>] <mode or *> <statements, separated by ;;>`.
fn written() -> Vec<Case> {
    let mut cases = Vec::new();
    for line in include_str!("statements.txt").lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let [signal, processor, mode, text] = words[..] else {
            panic!("no case: {line}");
        };
        let signal = Signal::ALL.into_iter().find(|known| known.name() == signal);
        let (processor, context) = match processor.split_once(':') {
            Some((processor, context)) => (processor, Some(context)),
            None => (processor, None),
        };
        let processor = match processor {
            "transform" => Processor::Transform,
            "filter" => Processor::Filter,
            other => panic!("no processor {other:?}: {line}"),
        };
        let (about, _) = subject(text);
        for known in MODES {
            if mode == "*" || mode == known {
                cases.push(Case {
                    signal: signal.unwrap(),
                    processor,
                    context,
                    mode: known,
                    statements: text.split(";;").map(str::to_owned).collect(),
                    about: about.clone(),
                });
            }
        }
    }
    cases
}

/// Of each function, or operator, with each kind of argument one case; of each comparison of two
/// kinds two. Error modes take turns, each of each is in `cells`; signals, too, where the case has
/// attributes only.
fn spread() -> Vec<Case> {
    let mut strata: BTreeMap<(char, String, &'static str), Vec<&str>> = BTreeMap::new();
    for line in include_str!("../ottl/cases.txt").lines() {
        let Some((kind, text)) = line.split_once(' ') else {
            continue;
        };
        let (about, argument) = subject(text);
        strata
            .entry((kind.chars().next().unwrap(), about, argument))
            .or_default()
            .push(text);
    }
    let mut cases = Vec::new();
    for (turn, ((form, about, _), texts)) in strata.into_iter().enumerate() {
        let wanted = if form == 'c' { 2 } else { 1 };
        for nth in 0..wanted {
            // Spread over the stratum, which is sorted by its second argument.
            let text = texts[nth * (texts.len() - 1) / (wanted - 1).max(1)];
            let context = match (turn + nth) % 3 {
                _ if names_log(text) => "log",
                0 => "log",
                1 => "span",
                _ => "datapoint",
            };
            let signal = match context {
                "span" => Signal::Traces,
                "datapoint" => Signal::Metrics,
                _ => Signal::Logs,
            };
            let text = in_context(text, context);
            let (processor, statements) = match form {
                'v' => (
                    Processor::Transform,
                    vec![format!("set({context}.attributes[\"out\"], {text})")],
                ),
                'c' if nth == 0 => (
                    Processor::Transform,
                    vec![format!(
                        "set({context}.attributes[\"out\"], true) where {text}"
                    )],
                ),
                'c' => (Processor::Filter, vec![text]),
                _ => (
                    Processor::Transform,
                    text.split(";;").map(str::to_owned).collect(),
                ),
            };
            // Where nothing says the context, a group must.
            let inferred = statements.iter().all(|text| has_context(text));
            cases.push(Case {
                signal,
                processor,
                context: (!inferred).then_some(context),
                mode: MODES[(turn / 3 + nth) % 3],
                statements,
                about: about.clone(),
            });
        }
    }
    cases
}

/// Whether a text names a path of log records other than their attributes, or scopes.
fn names_log(text: &str) -> bool {
    text.replace("log.attributes", "")
        .replace("log.cache", "")
        .contains("log.")
}

/// Whether a path of a text says which context it is in.
fn has_context(text: &str) -> bool {
    let contexts = ["log.", "span.", "datapoint.", "scope.", "resource."];
    contexts.iter().any(|context| text.contains(context))
}

/// `@x` for `log.attributes["x"]`, in another context.
pub fn in_context(text: &str, context: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('@') {
        let len = after
            .find(|c: char| !c.is_ascii_lowercase())
            .unwrap_or(after.len());
        let (name, after) = after.split_at(len);
        out += &format!("{before}{context}.attributes[\"{name}\"]");
        rest = after;
    }
    out += rest;
    match context {
        "log" => out,
        _ => out
            .replace("log.attributes", &format!("{context}.attributes"))
            .replace("log.cache", &format!("{context}.cache")),
    }
}

/// What a text is about: of a call the function, and the kind of the argument that it works with
/// (of an editor the second, the first being what it changes); else the operator and its left
/// operand.
fn subject(text: &str) -> (String, &'static str) {
    let text = text.trim_start_matches("not ").trim_start_matches('(');
    let name: String = text
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect();
    let rest = &text[name.len()..];
    let is_call = !name.is_empty() && rest.starts_with('(');
    let operator = ["==", "!=", "<=", ">=", "<", ">"]
        .into_iter()
        .find(|operator| text.contains(&format!(" {operator} ")));
    if let Some(operator) = operator
        && !(is_call && name.starts_with(|c: char| c.is_ascii_lowercase()))
    {
        let right = text
            .split_once(&format!(" {operator} "))
            .map_or("", |(_, right)| right);
        return (format!("{operator} {}", kind(right)), kind(text));
    }
    if !is_call {
        return ("expression".to_owned(), kind(text));
    }
    let mut arguments = rest[1..].trim_start();
    if name.starts_with(|c: char| c.is_ascii_lowercase()) {
        arguments = second(arguments).unwrap_or(arguments);
    }
    (name, kind(arguments))
}

/// What follows the first comma that is in no bracket and no string.
fn second(text: &str) -> Option<&str> {
    match comma(text) {
        (at, true) => Some(text[at + 1..].trim_start()),
        _ => None,
    }
}

/// The arguments between the brackets of a call.
pub fn arguments(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (at, more) = comma(rest);
        found.push(rest[..at].to_owned());
        rest = if more {
            rest[at + 1..].trim_start()
        } else {
            ""
        };
    }
    found
}

/// Where the first argument ends, and whether another follows: at a comma that is in no bracket
/// and no string.
fn comma(text: &str) -> (usize, bool) {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for (at, c) in text.char_indices() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match c {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => return (at, true),
            _ => {}
        }
        if depth < 0 {
            return (at, false);
        }
    }
    (text.len(), false)
}

/// The kind of the value that a text begins with.
fn kind(text: &str) -> &'static str {
    let word: String = text
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric())
        .collect();
    let number = text.trim_start_matches(['-', '+']);
    match text.chars().next() {
        None | Some(')') => "none",
        Some('"') => "string",
        Some('[') => "list",
        Some('{') => "map",
        _ if word == "nil" => "nil",
        _ if word == "true" || word == "false" => "bool",
        _ if text.starts_with("0x") => "bytes",
        _ if number.starts_with(|c: char| c.is_ascii_digit()) => {
            let end = number.find(|c: char| !(c.is_ascii_digit() || c == '.'));
            match number[..end.unwrap_or(number.len())].contains('.') {
                true => "float",
                false => "int",
            }
        }
        _ if text.starts_with(|c: char| c.is_ascii_uppercase())
            && text[word.len()..].starts_with('(') =>
        {
            "call"
        }
        _ => "path",
    }
}
