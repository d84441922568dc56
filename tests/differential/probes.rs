//! What the matrix is filled by: small programs, each for one cell, of which many share a
//! pipeline. The cells of functions are made in `cells`; those of the tables (comparison, math,
//! the paths of every context) here.

use trunkline_ottl::contexts::{Context, Keys, Write};
use trunkline_tests::Signal;

use crate::cases::{Case, MODES, Processor};

/// The statements of one cell.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The pipeline's signal.
    pub signal: Signal,
    /// Its processor.
    pub processor: Processor,
    /// The context of the statements.
    pub context: &'static str,
    /// The row of the matrix: a function and its parameter, an operator and its left operand, or
    /// a path.
    pub row: String,
    /// The column.
    pub column: &'static str,
    /// Statements, or one condition.
    pub statements: Vec<String>,
    /// Whether it changes what others would see.
    pub alone: bool,
    /// The error modes that its cell has.
    pub modes: &'static [&'static str],
}

impl Probe {
    /// A pipeline of its own.
    pub fn case(&self, mode: &'static str) -> Case {
        together(&[self], mode)
    }

    fn shares(&self, other: &Probe) -> bool {
        !self.alone && !other.alone && self.context == other.context && self.modes == other.modes
    }
}

/// Several in one pipeline.
pub fn together(probes: &[&Probe], mode: &'static str) -> Case {
    let first = probes[0];
    let statements = probes.iter().flat_map(|probe| probe.statements.clone());
    Case {
        signal: first.signal,
        processor: first.processor,
        context: Some(first.context),
        mode,
        statements: statements.collect(),
        about: first.row.clone(),
    }
}

/// Probes in one pipeline.
const TOGETHER: usize = 30;

/// Pipelines, and which probes are in each: where an error is passed on, each has its own.
pub fn pipelines<'p>(
    probes: &'p [Probe],
    taken: &[usize],
) -> Vec<(&'static str, Vec<usize>, Case)> {
    let mut out: Vec<(&'static str, Vec<usize>, Case)> = Vec::new();
    for mode in MODES {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for &at in taken {
            let probe: &'p Probe = &probes[at];
            if !probe.modes.contains(&mode) {
                continue;
            }
            let room = groups
                .iter_mut()
                .rev()
                .find(|group| group.len() < TOGETHER && probes[group[0]].shares(probe));
            match room {
                Some(group) if mode != "propagate" => group.push(at),
                _ => groups.push(vec![at]),
            }
        }
        for group in groups {
            let members: Vec<&Probe> = group.iter().map(|at| &probes[*at]).collect();
            let case = together(&members, mode);
            out.push((mode, group, case));
        }
    }
    out
}

/// The tables.
pub fn tables() -> Vec<Probe> {
    let mut probes = comparisons();
    probes.extend(math());
    probes.extend(paths());
    probes
}

/// Values of every type, as the statement reference's tables have them: the column, how it is
/// written, and what a path of it is.
const VALUES: [(&str, &str, &str); 13] = [
    ("bool", "true", "log.attributes[\"t\"]"),
    ("int", "1", "log.attributes[\"i\"]"),
    ("float", "1.0", "log.attributes[\"d\"]"),
    ("string", "\"hello\"", "log.attributes[\"s\"]"),
    ("bytes", "0xdead", "log.attributes[\"by\"]"),
    ("nil", "nil", "log.attributes[\"none\"]"),
    ("time", "Unix(1581452772)", "log.time"),
    (
        "duration",
        "Duration(\"1s\")",
        "(log.observed_time - log.time)",
    ),
    ("map", "{\"a\": 2}", "log.attributes[\"m\"]"),
    ("list", "[1, 2]", "log.attributes[\"l\"]"),
    (
        "call",
        "Split(\"a\", \",\")",
        "Split(log.attributes[\"s\"], \"l\")",
    ),
    ("id", "SpanID(0x0102030405060708)", "log.span_id"),
    (
        "absent",
        "log.attributes[\"eb\"]",
        "log.attributes[\"missing\"]",
    ),
];

fn log(row: String, column: &'static str, statements: Vec<String>) -> Probe {
    Probe {
        signal: Signal::Logs,
        processor: Processor::Transform,
        context: "log",
        row,
        column,
        statements,
        alone: false,
        modes: &MODES[..1],
    }
}

/// Where a table's result goes: a key that no other has.
fn out(number: usize) -> String {
    format!("log.attributes[\"r{number}\"]")
}

fn comparisons() -> Vec<Probe> {
    let mut probes = Vec::new();
    for operator in ["==", "!=", "<", "<=", ">", ">="] {
        for (left, literal, path) in VALUES {
            for (right, other_literal, other_path) in VALUES {
                // Lists of one Go type on both sides end the reference.
                if (left, right) == ("call", "call") && matches!(operator, "==" | "!=") {
                    continue;
                }
                let pairs = [
                    (path, other_literal),
                    (literal, other_path),
                    (path, other_path),
                ];
                let first = probes.len() * pairs.len();
                let statements = pairs.iter().enumerate().map(|(at, (a, b))| {
                    format!("set({}, true) where {a} {operator} {b}", out(first + at))
                });
                let statements = statements.collect();
                probes.push(log(format!("{operator} {left}"), right, statements));
            }
        }
    }
    probes
}

/// What can be calculated with, as a syntax: literals of other types are refused.
fn math() -> Vec<Probe> {
    let mut probes = Vec::new();
    let first = 10_000;
    for operator in ["+", "-", "*", "/"] {
        for (left, _, path) in VALUES {
            for (right, literal, other) in VALUES {
                let number = first + probes.len() * 2;
                let mut statements = vec![format!(
                    "set({}, String({path} {operator} {other}))",
                    out(number)
                )];
                if matches!(right, "int" | "float" | "time" | "duration") {
                    let call = format!("String({path} {operator} {literal})");
                    statements.push(format!("set({}, {call})", out(number + 1)));
                }
                probes.push(log(format!("{operator} {left}"), right, statements));
            }
        }
    }
    for (kind, literal, path) in VALUES {
        for sign in ["-", "+"] {
            let number = first + probes.len() * 2;
            let row = format!("{sign} alone");
            let statement = format!("set({}, String({sign}{path}))", out(number));
            probes.push(log(row.clone(), kind, vec![statement]));
            // Of literals only numbers and calls take a sign.
            let statement = format!("set({}, String({sign}{literal}))", out(number + 1));
            let mut probe = log(format!("{row}, literal"), kind, vec![statement]);
            probe.alone = true;
            probes.push(probe);
        }
    }
    probes
}

/// Every path of every context: read in several ways, and written with a value of each type.
fn paths() -> Vec<Probe> {
    let contexts = [
        (Context::Resource, Signal::Logs, "resource.attributes"),
        (Context::Scope, Signal::Traces, "scope.attributes"),
        (Context::Span, Signal::Traces, "span.attributes"),
        (Context::SpanEvent, Signal::Traces, "spanevent.attributes"),
        (Context::Metric, Signal::Metrics, "metric.metadata"),
        (Context::DataPoint, Signal::Metrics, "datapoint.attributes"),
        (
            Context::Exemplar,
            Signal::Metrics,
            "exemplar.filtered_attributes",
        ),
        (Context::Log, Signal::Logs, "log.attributes"),
    ];
    let mut probes = Vec::new();
    for (context, signal, attributes) in contexts {
        let readable = context.visible().iter().chain([&Context::OtelCol]);
        for of in readable {
            for path in of.paths() {
                if path.name == "cache" && *of != context {
                    continue;
                }
                let name = format!("{of}.{}", path.name);
                let mut probe = |column, statements: Vec<String>, alone| {
                    probes.push(Probe {
                        signal,
                        processor: Processor::Transform,
                        context: context.name(),
                        row: format!("{name} in {context}"),
                        column,
                        statements,
                        alone,
                        modes: &MODES[..1],
                    });
                };
                let number = format!("{name} {context}").replace(['.', ' '], "_");
                let at = |form: &str| format!("{attributes}[\"{number}{form}\"]");
                probe(
                    "read",
                    vec![
                        format!("set({}, {name})", at("")),
                        format!("set({}, String({name}))", at("s")),
                        format!("set({}, IsEmpty({name}))", at("e")),
                        format!("set({}, Len({name}))", at("l")),
                        format!("set({}, true) where {name} == nil", at("n")),
                    ],
                    false,
                );
                probe(
                    "key",
                    vec![format!("set({}, {name}[\"s\"])", at("k"))],
                    false,
                );
                // Of what is around an item only the item's own context is written here.
                if *of != context && !matches!(of, Context::OtelCol) {
                    continue;
                }
                for (column, value) in [
                    ("string", "\"0102030405060708\""),
                    ("int", "7"),
                    ("float", "2.5"),
                    ("bool", "true"),
                    ("bytes", "0xdead"),
                    ("map", "{\"k\": \"v\"}"),
                    ("list", "[1, 2]"),
                    ("time", "Unix(1581452772)"),
                    ("id", "SpanID(0x0102030405060708)"),
                    ("nil", "nil"),
                    ("absent", "resource.attributes[\"missing\"]"),
                    ("itself", name.as_str()),
                ] {
                    let statement = format!("set({name}, {value})");
                    // What is emptied shows nothing of what others do.
                    let empties = matches!(column, "nil" | "absent" | "map");
                    probe(column, vec![statement], empties);
                }
                if matches!(path.write, Write::Types(_)) && path.keys != Keys::None {
                    let statement = format!("set({name}[\"new\"][\"deep\"], 1)");
                    probe("held", vec![statement], true);
                }
            }
        }
    }
    probes
}
