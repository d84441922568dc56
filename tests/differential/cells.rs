//! The cells of the matrix: every parameter of every function, with every kind of argument that
//! there is for it, from the declarations that the compiler has and one example call of each
//! function (`calls.txt`). What a cell asks is in its statements; which error modes it needs is in
//! `probes`.

use trunkline_ottl::{
    contexts::Context,
    functions::{self, Function, Host, Item, Param, ParamKind, Place},
    types::Type,
};
use trunkline_tests::Signal;

use crate::{
    cases::{MODES, Processor, arguments, in_context},
    probes::Probe,
};

/// Functions that no processor of the Collector's build has, and why.
pub const ELSEWHERE: [(&str, &str); 3] = [
    ("route", "the routing connector's module cannot be had"),
    (
        "AdjustedCount",
        "the signal_to_metrics connector's module cannot be had",
    ),
    (
        "convert_exponential_histogram_to_histogram",
        "the module pkg/expohisto cannot be had",
    ),
];

/// Types of paths: the column, an attribute of the inputs, and a literal of its value.
const TYPED: [(&str, &str, &str); 7] = [
    ("string", "s", "\"hello\""),
    ("int", "i", "1"),
    ("float", "d", "1.5"),
    ("bool", "t", "true"),
    ("bytes", "by", "0xdead"),
    ("map", "m", "{\"a\": 1}"),
    ("list", "l", "[\"v1\", 42]"),
];

/// All of them.
///
/// # Panics
/// When a function has no example, or an example no function: nothing may be left out unseen.
pub fn all() -> Vec<Probe> {
    let lines = include_str!("calls.txt").lines();
    let examples: Vec<Example> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(Example::read)
        .collect();
    let mut probes = Vec::new();
    let mut turn = 0;
    for function in functions::all() {
        let name = function.name;
        let example = examples.iter().find(|example| example.name == name);
        let elsewhere = ELSEWHERE.iter().any(|(of, _)| *of == name);
        assert_eq!(
            example.is_none(),
            elsewhere,
            "{name} needs an example in calls.txt, or a reason not to have one"
        );
        let Some(example) = example else { continue };
        assert_eq!(example.args.len(), function.params.len(), "{name}");
        let whole = Cell::new(function, example, &mut turn);
        probes.push(whole.probe("", "literal", example.args.clone()));
        for (at, param) in function.params.iter().enumerate() {
            for (kind, text) in kinds(function, example, at, param) {
                let cell = Cell::new(function, example, &mut turn);
                probes.push(cell.with(at, param, kind, text.as_deref()));
            }
        }
    }
    for example in &examples {
        let known = functions::all().any(|function| function.name == example.name);
        assert!(known, "there is no function {}", example.name);
    }
    probes
}

struct Example {
    name: &'static str,
    args: Vec<String>,
    condition: &'static str,
}

impl Example {
    fn read(line: &'static str) -> Example {
        let (call, condition) = match line.split_once(" where ") {
            Some((call, condition)) => (call, condition),
            None => (line, ""),
        };
        let (name, rest) = call.split_once('(').unwrap();
        Example {
            name,
            args: arguments(rest.strip_suffix(')').unwrap()),
            condition,
        }
    }
}

/// The kinds of arguments of a parameter, and the text of each; `None` is left out.
fn kinds(
    function: &Function,
    example: &Example,
    at: usize,
    param: &Param,
) -> Vec<(&'static str, Option<String>)> {
    use ParamKind as Kind;
    let literal = &example.args[at];
    let mut kinds: Vec<(&'static str, Option<String>)> = Vec::new();
    if param.optional {
        kinds.push(("left out", None));
    }
    let mut add = |kind, text: &str| kinds.push((kind, Some(text.to_owned())));
    add("nil", "nil");
    // By its name; of a required one that stands alone only.
    if at + 1 == function.params.len() {
        add("named", &format!("{}={literal}", param.name));
    }
    let wrong = match param.kind {
        Kind::String | Kind::Regex | Kind::Glob | Kind::LiteralString => "5",
        _ => "\"x\"",
    };
    match param.kind {
        Kind::Target(_) => {
            add("literal", "\"x\"");
            add("call", "Concat([\"x\"], \"\")");
        }
        Kind::Function => {
            add("literal", "\"x\"");
            add("wrong", "FNV");
            add("string", "@s");
            add("call", "Concat([\"x\"], \"\")");
            return kinds;
        }
        Kind::Lambda(_) => {
            add("wrong", "(a, b, c, d) => a");
            add("literal", "true");
            add("bool", "@t");
            return kinds;
        }
        Kind::LiteralString
        | Kind::LiteralInt
        | Kind::LiteralFloat
        | Kind::LiteralBool
        | Kind::LiteralStrings
        | Kind::LiteralFloats => {
            add("wrong", wrong);
            add("string", "@s");
            add("call", "Concat([\"x\"], \"\")");
            add("[]", "[]");
            return kinds;
        }
        Kind::Items(item, _) => {
            add("wrong", wrong);
            add("[]", "[]");
            add("{}", "{}");
            add("call", "Split(\"a,n\", \",\")");
            add("named", &format!("{}={literal}", param.name));
            let element = match item {
                Item::String => "[@s, @missing]",
                _ => "[@s, @i, @missing]",
            };
            add("held", element);
        }
        _ => {
            let call = match param.kind {
                // What stands in the example is a call already.
                Kind::Time | Kind::Duration => literal.clone(),
                Kind::String | Kind::Regex | Kind::Glob => format!("Concat([{literal}], \"\")"),
                _ => format!("Coalesce([nil, {literal}])"),
            };
            add("call", &call);
            add("wrong", wrong);
            add("[]", "[]");
            add("{}", "{}");
            // Neither a time nor a duration can be held.
            if !matches!(param.kind, Kind::Time | Kind::Duration) {
                add("held", "");
            }
        }
    }
    for (kind, attribute, _) in TYPED {
        add(kind, &format!("@{attribute}"));
    }
    if !matches!(param.kind, Kind::Target(_)) {
        add("time", "Unix(1581452772)");
    }
    add("absent", "@missing");
    kinds
}

/// Where a cell is tried: a context that has the function, and a number of its own.
struct Cell<'a> {
    function: &'static Function,
    example: &'a Example,
    context: Context,
    number: usize,
}

impl<'a> Cell<'a> {
    /// Functions that several contexts have are tried in each in turn.
    fn new(function: &'static Function, example: &'a Example, turn: &mut usize) -> Cell<'a> {
        *turn += 1;
        let contexts = [
            Context::Log,
            Context::Span,
            Context::DataPoint,
            Context::Metric,
        ];
        let host = match function.place {
            Place::FilterMetric => Host::Filter,
            _ => Host::Transform,
        };
        let mut able: Vec<Context> = contexts
            .into_iter()
            .filter(|context| function.offered(host, *context))
            .collect();
        if able.len() == contexts.len() {
            able.pop();
        }
        Cell {
            function,
            example,
            context: able[*turn % able.len()],
            number: *turn,
        }
    }

    fn with(&self, at: usize, param: &Param, kind: &'static str, text: Option<&str>) -> Probe {
        let mut args = self.example.args.clone();
        match text {
            None => {
                args.truncate(at);
                let behind = self.function.params.iter().zip(&self.example.args);
                args.extend(
                    behind
                        .skip(at + 1)
                        .map(|(param, text)| format!("{}={text}", param.name)),
                );
            }
            Some(text) => {
                args[at] = text.to_owned();
                // What follows one with a name needs one, too.
                if kind == "named" {
                    for (param, arg) in self.function.params.iter().zip(&mut args).skip(at + 1) {
                        *arg = format!("{}={arg}", param.name);
                    }
                }
            }
        }
        let held = (kind == "held" && text == Some("")).then(|| self.example.args[at].clone());
        if held.is_some() {
            args[at] = self.cache("v");
        }
        let mut probe = self.probe(param.name, kind, args);
        if let Some(literal) = held {
            let hold = format!("set({}, {literal})", self.cache("v"));
            probe.statements.insert(0, hold);
        }
        probe
    }

    /// Part of the scratch map that no other cell uses.
    fn cache(&self, name: &str) -> String {
        format!("{}.cache[\"{name}{}\"]", self.context, self.number)
    }

    fn probe(&self, param: &str, kind: &'static str, args: Vec<String>) -> Probe {
        let context = self.context;
        let mut statements = Vec::new();
        // Metrics have no attributes: what paths hold is put into the scratch map.
        let mut args: Vec<String> = args
            .iter()
            .map(|arg| match context {
                Context::Metric => {
                    let mut arg = arg.clone();
                    for (_, attribute, literal) in TYPED {
                        let path = format!("metric.cache[\"{attribute}\"]");
                        if arg.contains(&format!("@{attribute}")) && attribute != "m" {
                            statements.push(format!("set({path}, {literal})"));
                        }
                    }
                    arg = in_context(&arg, "metric");
                    arg.replace("metric.attributes", "metric.cache")
                }
                _ => in_context(arg, context.name()),
            })
            .collect();
        let out = format!("{context}.attributes[\"o{}\"]", self.number);
        let function = self.function;
        let own = matches!(
            function.place,
            Place::TransformMetric
                | Place::TransformDataPoint
                | Place::TransformSpan
                | Place::FilterMetric
        );
        let target = matches!(
            function.params.first().map(|param| param.kind),
            Some(ParamKind::Target(_))
        );
        if function.is_editor() && target {
            // What is changed is a copy; a path of no value is one in the scratch map.
            let path = self.cache("t");
            let mut put = |source: &str| statements.push(format!("set({path}, {source})"));
            let first = args[0].clone();
            let named = first.strip_prefix("target=").map(str::to_owned);
            let source = named.as_deref().unwrap_or(&first).to_owned();
            let is_path = source.contains(".attributes[");
            if is_path && !source.contains("missing") {
                put(&source);
            }
            if is_path {
                args[0] = match named {
                    Some(_) => format!("target={path}"),
                    None => path.clone(),
                };
            }
            statements.push(format!("{}({})", function.name, args.join(", ")));
            statements.push(format!("set({out}, {path})"));
        } else if function.is_editor() || function.place == Place::FilterMetric {
            let mut call = format!("{}({})", function.name, args.join(", "));
            if !self.example.condition.is_empty() {
                call += &format!(" where {}", self.example.condition);
            }
            statements.push(call);
            // A copy that is like the metric would be copied again without end.
            if function.name == "copy_metric" {
                let copied = "set(resource.attributes[\"copied\"], true)";
                statements.push(format!("{copied} where metric.name == \"gauge\""));
            }
        } else {
            let call = format!("{}({})", function.name, args.join(", "));
            statements.push(format!("set({out}, {})", self.storable(&call)));
        }
        let name = self.function.name;
        Probe {
            signal: match context {
                Context::Log => Signal::Logs,
                Context::Span => Signal::Traces,
                _ => Signal::Metrics,
            },
            processor: match function.place {
                Place::FilterMetric => Processor::Filter,
                _ => Processor::Transform,
            },
            context: context.name(),
            row: match param {
                "" => name.to_owned(),
                param => format!("{name} {param}"),
            },
            column: kind,
            statements,
            alone: own,
            modes: &MODES,
        }
    }

    /// What an attribute can hold, of a call that may give something else; of what nobody can
    /// know, that it is there.
    fn storable(&self, call: &str) -> String {
        let result = self.function.result;
        if !self.function.pure {
            return format!("IsEmpty({call})");
        }
        let other = [
            Type::Time,
            Type::Duration,
            Type::TraceId,
            Type::SpanId,
            Type::ProfileId,
        ];
        match other.into_iter().any(|of| result.single() == Some(of)) {
            true => format!("String({call})"),
            false => call.to_owned(),
        }
    }
}
