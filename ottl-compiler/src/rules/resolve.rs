//! What a rule's names mean for the items of one signal: paths in the short spellings of rules
//! become paths of the language, status codes and plain numbers beside durations get their
//! types, actions become editors or what is decided. What comes out is an ordinary tree, for
//! `check` to check.

use trunkline_proto::Signal;

use super::{
    Decision,
    tree::{attribute_keys, call, named, path_of, text, value},
};
use crate::{
    contexts::Context,
    error::{Diagnostic, Kind, Problem, nearest},
    functions,
    ops::{CompareOp, MathOp},
    syntax::{
        Span,
        ast::{Arg, ArgValue, Call, Expr, ExprKind, Key, Path, Segment},
    },
};

/// Functions of series, named so that they can be refused by name.
const TO_COME: [&str; 5] = ["stddev", "mean", "ewma", "zscore", "rate"];

/// Actions that are no editors of the language.
const ACTIONS: [&str; 5] = ["keep", "drop", "route", "delete", "convert"];

/// What an action is.
pub enum Action {
    /// An edit.
    Edit(Call),
    /// What becomes of the item.
    Decide(Decision),
}

/// Resolves the names of one rule for one signal.
pub struct Resolver<'s> {
    pub signal: Signal,
    pub source: &'s str,
    pub problems: Vec<Diagnostic>,
    /// A bare name is a field of another signal's items: the rule is not about these.
    pub elsewhere: bool,
    writing: bool,
    locals: Vec<String>,
}

/// The context of the items that rules decide about.
pub fn item(signal: Signal) -> Context {
    match signal {
        Signal::Metrics => Context::DataPoint,
        Signal::Logs => Context::Log,
        Signal::Profiles => Context::ProfileSample,
        Signal::Traces => Context::Span,
    }
}

/// What a bare name can be an attribute of, from the inside out.
fn attributed(signal: Signal) -> &'static [Context] {
    match signal {
        Signal::Traces => &[Context::Span, Context::Resource],
        Signal::Metrics => &[Context::DataPoint, Context::Resource],
        Signal::Logs => &[Context::Log, Context::Resource],
        Signal::Profiles => &[Context::ProfileSample, Context::Profile, Context::Resource],
    }
}

/// The context of which a bare name is a field.
fn owner(signal: Signal, name: &str) -> Option<Context> {
    let around = match signal {
        Signal::Metrics => &[Context::DataPoint, Context::Metric][..],
        Signal::Logs => &[Context::Log],
        Signal::Profiles => &[Context::ProfileSample, Context::Profile],
        Signal::Traces => &[Context::Span],
    };
    let extra = match signal {
        Signal::Metrics => Some("value"),
        Signal::Logs => Some("severity"),
        Signal::Traces => Some("duration"),
        Signal::Profiles => None,
    };
    if extra == Some(name) || name == "attr" {
        return Some(item(signal));
    }
    let has = |context: &Context| {
        let mut paths = context.paths().iter();
        paths.any(|def| def.name.split('.').next() == Some(name))
    };
    around.iter().copied().find(has)
}

impl<'s> Resolver<'s> {
    pub fn new(signal: Signal, source: &'s str) -> Resolver<'s> {
        Resolver {
            signal,
            source,
            problems: Vec::new(),
            elsewhere: false,
            writing: false,
            locals: Vec::new(),
        }
    }

    fn report(&mut self, span: Span, problem: Problem) {
        let found = Diagnostic::new(Kind::Rule, self.source, span, problem);
        self.problems.push(found);
    }

    /// An expression with its names resolved.
    pub fn expr(&mut self, expr: &Expr) -> Expr {
        let span = expr.span;
        let boxed = |this: &mut Self, inner: &Expr| Box::new(this.expr(inner));
        let all = |this: &mut Self, items: &[Expr]| -> Vec<Expr> {
            items.iter().map(|item| this.expr(item)).collect()
        };
        let kind = match &expr.kind {
            ExprKind::Path(path) => self.path(path, span),
            ExprKind::Call(call) => ExprKind::Call(Box::new(self.call(call))),
            ExprKind::List(items) => ExprKind::List(all(self, items)),
            ExprKind::And(items) => ExprKind::And(all(self, items)),
            ExprKind::Or(items) => ExprKind::Or(all(self, items)),
            ExprKind::Map(entries) => {
                let entries = entries.iter();
                ExprKind::Map(
                    entries
                        .map(|(key, of)| (key.clone(), self.expr(of)))
                        .collect(),
                )
            }
            ExprKind::Negate(inner) => ExprKind::Negate(boxed(self, inner)),
            ExprKind::Plus(inner) => ExprKind::Plus(boxed(self, inner)),
            ExprKind::Group(inner) => ExprKind::Group(boxed(self, inner)),
            ExprKind::Not(inner) => ExprKind::Not(boxed(self, inner)),
            ExprKind::Math { first, rest } => ExprKind::Math {
                first: boxed(self, first),
                rest: rest.iter().map(|(op, of)| (*op, self.expr(of))).collect(),
            },
            ExprKind::Compare { op, left, right } => self.compare(*op, left, right),
            ExprKind::Lambda(lambda) => {
                let known = self.locals.len();
                let params = lambda.params.iter().map(|param| param.text.clone());
                self.locals.extend(params);
                let mut lambda = lambda.clone();
                lambda.body = self.expr(&lambda.body);
                self.locals.truncate(known);
                ExprKind::Lambda(lambda)
            }
            literal => literal.clone(),
        };
        Expr { kind, span }
    }

    fn call(&mut self, call: &Call) -> Call {
        if TO_COME.contains(&call.name.text.as_str()) {
            let name = call.name.text.clone();
            self.report(call.name.span, Problem::ToCome { name });
        }
        let mut call = call.clone();
        for arg in &mut call.args {
            if let ArgValue::Value(expr) = &mut arg.value {
                *expr = self.expr(expr);
            }
        }
        call.keys = self.keys(&call.keys);
        call
    }

    fn keys(&mut self, keys: &[Key]) -> Vec<Key> {
        let keys = keys.iter();
        keys.map(|key| Key {
            expr: self.expr(&key.expr),
            span: key.span,
        })
        .collect()
    }

    /// Both sides, each of the kind that the other asks for.
    fn compare(&mut self, op: CompareOp, left: &Expr, right: &Expr) -> ExprKind {
        let (new_left, new_right) = (self.beside(left, right), self.beside(right, left));
        ExprKind::Compare {
            op,
            left: Box::new(new_left),
            right: Box::new(new_right),
        }
    }

    /// An expression that stands beside another one.
    fn beside(&mut self, expr: &Expr, other: &Expr) -> Expr {
        let span = expr.span;
        if self.is_nanoseconds(other) {
            if let Some(nanos) = milliseconds(expr) {
                let kind = ExprKind::Int(nanos);
                return Expr { kind, span };
            }
            if self.is_duration(expr) {
                let args = vec![self.expr(expr)];
                let kind = call("Nanoseconds", args, Vec::new(), span);
                return Expr { kind, span };
            }
        }
        if self.is_duration(other)
            && let Some(nanos) = milliseconds(expr)
        {
            let kind = call(
                "Duration",
                vec![text(&format!("{nanos}ns"), span)],
                Vec::new(),
                span,
            );
            return Expr { kind, span };
        }
        match &expr.kind {
            ExprKind::Enum(symbol) if self.names(other, Context::Span, "status") => {
                let symbol = match symbol.to_ascii_uppercase().as_str() {
                    code @ ("ERROR" | "OK" | "UNSET") => format!("STATUS_CODE_{code}"),
                    _ => symbol.clone(),
                };
                let kind = ExprKind::Enum(symbol);
                Expr { kind, span }
            }
            ExprKind::Path(_) if self.names(expr, Context::Log, "severity") => {
                let by_text = matches!(other.kind, ExprKind::String(_) | ExprKind::Nil);
                let name = ["severity_number", "severity_text"][usize::from(by_text)];
                let kind = path_of(&["log", name], Vec::new(), span);
                Expr { kind, span }
            }
            _ => self.expr(expr),
        }
    }

    /// Whether it is this field of the signal's items, by its full or bare name.
    fn names(&self, expr: &Expr, context: Context, field: &str) -> bool {
        let ExprKind::Path(path) = &expr.kind else {
            return false;
        };
        let mut names = path
            .segments
            .iter()
            .map(|s| s.name.text.as_str())
            .peekable();
        if names.next_if_eq(&context.name()).is_none() && item(self.signal) != context {
            return false;
        }
        let rest: Vec<&str> = names.collect();
        rest == [field] || field == "status" && rest == ["status", "code"]
    }

    fn is_duration(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Call(call) => call.name.text == "Duration",
            ExprKind::Group(inner) | ExprKind::Negate(inner) => self.is_duration(inner),
            _ => self.names(expr, Context::Span, "duration"),
        }
    }

    /// Whether it is the bare name of a profile's duration, a number of nanoseconds that rules
    /// compare as they do a duration. The full path is a number like any other.
    fn is_nanoseconds(&self, expr: &Expr) -> bool {
        let ExprKind::Path(path) = &expr.kind else {
            return false;
        };
        self.signal == Signal::Profiles
            && matches!(path.segments.as_slice(), [only]
                if only.name.text == "duration" && only.keys.is_empty())
    }

    fn path(&mut self, path: &Path, span: Span) -> ExprKind {
        let mut segments = path.segments.clone();
        for segment in &mut segments {
            segment.keys = self.keys(&segment.keys);
        }
        let unchanged = ExprKind::Path(Path {
            segments: segments.clone(),
        });
        let Some(head) = segments.first() else {
            return unchanged;
        };
        let name = head.name.text.clone();
        if self.locals.contains(&name) {
            return unchanged;
        }
        if segments.len() > 1
            && head.keys.is_empty()
            && let Some(context) = Context::named(&name)
        {
            segments.remove(0);
            return self.field(context, segments, span).unwrap_or(unchanged);
        }
        if let Some(context) = owner(self.signal, &name) {
            return self.field(context, segments, span).unwrap_or(unchanged);
        }
        // What only profiles have a field for may well be an attribute of other items.
        let others = [Signal::Traces, Signal::Metrics, Signal::Logs];
        if others
            .into_iter()
            .any(|other| owner(other, &name).is_some())
        {
            self.elsewhere = true;
            return unchanged;
        }
        if segments.len() > 1 {
            return unchanged;
        }
        // No field: an attribute of the item, or else of the resource.
        let key = Key {
            expr: text(&name, span),
            span,
        };
        let keys: Vec<Key> = std::iter::once(key).chain(head.keys.clone()).collect();
        let of = |context: Context| Expr {
            kind: path_of(&[context.name(), "attributes"], keys.clone(), span),
            span,
        };
        match self.writing {
            true => of(item(self.signal)).kind,
            false => {
                let all = attributed(self.signal).iter().rev().copied().map(of);
                let first = all.reduce(|rest, first| Expr {
                    kind: call("FirstOf", vec![first, rest], Vec::new(), span),
                    span,
                });
                first.map_or(unchanged, |first| first.kind)
            }
        }
    }

    /// A field in a short spelling, or the full path of any other one. `None` leaves the path
    /// as it is.
    fn field(&self, context: Context, segments: Vec<Segment>, span: Span) -> Option<ExprKind> {
        let names: Vec<String> = segments.iter().map(|s| s.name.text.clone()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let plain = segments.iter().all(|segment| segment.keys.is_empty());
        match (context, names.as_slice()) {
            (Context::OtelCol, _) => None,
            (_, ["attributes" | "attr", ..]) => {
                // The attributes of a metric are those of its points.
                let of = match context {
                    Context::Metric => Context::DataPoint,
                    context => context,
                };
                let keys = attribute_keys(segments);
                Some(path_of(&[of.name(), "attributes"], keys, span))
            }
            (Context::Span, ["duration"]) if plain => {
                let end = |name| Expr {
                    kind: path_of(&["span", name], Vec::new(), span),
                    span,
                };
                let kind = ExprKind::Math {
                    first: Box::new(end("end_time")),
                    rest: vec![(MathOp::Sub, end("start_time"))],
                };
                Some(ExprKind::Group(Box::new(Expr { kind, span })))
            }
            (Context::Span, ["status"]) if plain => {
                Some(path_of(&["span", "status", "code"], Vec::new(), span))
            }
            (Context::Log, ["severity"]) if plain => {
                Some(path_of(&["log", "severity_text"], Vec::new(), span))
            }
            (Context::Metric | Context::DataPoint, ["value"]) if plain => match self.writing {
                true => Some(path_of(&["datapoint", "value_double"], Vec::new(), span)),
                false => Some(call("PointValue", Vec::new(), Vec::new(), span)),
            },
            (_, [id @ ("trace_id" | "span_id"), again]) if id == again && plain => {
                Some(path_of(&[context.name(), id], Vec::new(), span))
            }
            (Context::Span, ["events", ..]) if !self.writing => element(segments, "Event", span),
            (Context::Metric, ["data_points", ..]) if !self.writing => {
                element(segments, "Point", span)
            }
            _ => {
                let head = Segment {
                    name: named(context.name(), span),
                    keys: Vec::new(),
                };
                let segments = std::iter::once(head).chain(segments).collect();
                Some(ExprKind::Path(Path { segments }))
            }
        }
    }

    /// An action with its names resolved; `None` when something is wrong with it.
    pub fn action(&mut self, action: &Call) -> Option<Action> {
        let span = action.span;
        let decide = |decision| Some(Action::Decide(decision));
        match action.name.text.as_str() {
            "keep" => match action.args.is_empty() {
                true => decide(Decision::Keep),
                false => self.wrong(span, "keep takes no arguments"),
            },
            "drop" => match strings(action).as_deref() {
                Some([]) => decide(Decision::Drop(None)),
                Some([reason]) => decide(Decision::Drop(Some(reason.as_str().into()))),
                _ => self.wrong(span, "drop takes nothing, or a reason in quotes"),
            },
            "route" => match (strings(action).as_deref(), action.args.as_slice()) {
                (Some([to]), _) => decide(Decision::Route(to.as_str().into())),
                (_, [arg]) => match exporter(arg) {
                    Some(to) => decide(Decision::RouteToExporter(to.into())),
                    None => self.wrong(span, ROUTE),
                },
                _ => self.wrong(span, ROUTE),
            },
            "delete" => self.delete(action),
            "convert" => self.convert(action),
            name => {
                let editors = functions::all().filter(|function| function.is_editor());
                let editors = editors.map(|function| function.name);
                if !editors.clone().any(|editor| editor == name) {
                    let meant = nearest(name, editors.chain(ACTIONS)).map(str::to_owned);
                    let problem = Problem::UndefinedAction {
                        name: name.to_owned(),
                        nearest: meant,
                    };
                    self.report(action.name.span, problem);
                    return None;
                }
                self.edit(action).map(Action::Edit)
            }
        }
    }

    fn wrong<T>(&mut self, span: Span, cause: &str) -> Option<T> {
        let cause = cause.to_owned();
        self.report(span, Problem::Create { cause });
        None
    }

    fn edit(&mut self, action: &Call) -> Option<Call> {
        let mut edit = action.clone();
        let target = match action.args.first().map(|arg| &arg.value) {
            Some(ArgValue::Value(expr)) => Some(expr.clone()),
            _ => None,
        };
        for (at, arg) in edit.args.iter_mut().enumerate() {
            let ArgValue::Value(expr) = &mut arg.value else {
                continue;
            };
            *expr = match (&target, at) {
                (Some(_), 0) => {
                    self.writing = true;
                    let expr = match action.args.get(1).map(|arg| &arg.value) {
                        Some(ArgValue::Value(value)) => self.beside(expr, value),
                        _ => self.expr(expr),
                    };
                    self.writing = false;
                    expr
                }
                (Some(target), 1) if action.name.text == "set" => self.beside(expr, target),
                _ => self.expr(expr),
            };
        }
        Some(edit)
    }

    /// `delete(path)`: the key at its end, or what it holds.
    fn delete(&mut self, action: &Call) -> Option<Action> {
        let cause = "delete takes a path";
        let [arg] = action.args.as_slice() else {
            return self.wrong(action.span, cause);
        };
        let ArgValue::Value(expr) = &arg.value else {
            return self.wrong(action.span, cause);
        };
        self.writing = true;
        let mut target = self.expr(expr);
        self.writing = false;
        let ExprKind::Path(path) = &mut target.kind else {
            return self.wrong(action.span, cause);
        };
        let key = path.segments.last_mut().and_then(|last| last.keys.pop());
        let (name, second) = match key {
            Some(key) if matches!(key.expr.kind, ExprKind::Int(_)) => ("delete_index", key.expr),
            Some(key) => ("delete_key", key.expr),
            None => {
                let (kind, span) = (ExprKind::Nil, action.span);
                ("set", Expr { kind, span })
            }
        };
        Some(Action::Edit(Call {
            name: named(name, action.name.span),
            args: vec![value(target), value(second)],
            keys: Vec::new(),
            span: action.span,
        }))
    }

    /// `convert(path, "int")`: the path set to what the converter of that type makes of it.
    fn convert(&mut self, action: &Call) -> Option<Action> {
        let cause = "convert takes a path and \"int\", \"double\", \"string\" or \"bool\"";
        let [target, to] = action.args.as_slice() else {
            return self.wrong(action.span, cause);
        };
        let (ArgValue::Value(path), ArgValue::Value(to)) = (&target.value, &to.value) else {
            return self.wrong(action.span, cause);
        };
        let converter = match &to.kind {
            ExprKind::String(name) => match name.as_slice() {
                b"int" => "Int",
                b"double" => "Double",
                b"string" => "String",
                b"bool" => "Bool",
                _ => return self.wrong(to.span, cause),
            },
            _ => return self.wrong(to.span, cause),
        };
        self.writing = true;
        let target = self.expr(path);
        self.writing = false;
        let span = action.span;
        let kind = call(converter, vec![target.clone()], Vec::new(), span);
        Some(Action::Edit(Call {
            name: named("set", action.name.span),
            args: vec![value(target), value(Expr { kind, span })],
            keys: Vec::new(),
            span,
        }))
    }
}

const ROUTE: &str = "route takes the name of a pipeline in quotes, or `exporter.` and a name";

/// `events[0].attributes["key"]`, `data_points[0].value`: what is read of one element.
fn element(mut segments: Vec<Segment>, of: &str, span: Span) -> Option<ExprKind> {
    let rest = segments.split_off(1);
    let head = segments.pop()?;
    let [index] = head.keys.as_slice() else {
        return None;
    };
    let index = index.expr.clone();
    let names: Vec<&str> = rest.iter().map(|s| s.name.text.as_str()).collect();
    match (of, names.as_slice()) {
        (_, ["attributes" | "attr", ..]) => {
            let mut keys = attribute_keys(rest);
            if keys.is_empty() {
                return None;
            }
            let key = keys.remove(0).expr;
            let function = format!("{of}AttributeAt");
            Some(call(&function, vec![index, key], keys, span))
        }
        ("Event", ["name"]) => Some(call("EventNameAt", vec![index], Vec::new(), span)),
        ("Point", ["value"]) => Some(call("PointValueAt", vec![index], Vec::new(), span)),
        _ => None,
    }
}

/// A plain number of milliseconds in nanoseconds.
fn milliseconds(expr: &Expr) -> Option<i64> {
    match &expr.kind {
        ExprKind::Int(number) => number.checked_mul(1_000_000),
        ExprKind::Float(number) => Some((number * 1e6) as i64),
        ExprKind::Negate(inner) => milliseconds(inner).map(|nanos| -nanos),
        ExprKind::Group(inner) => milliseconds(inner),
        _ => None,
    }
}

/// The arguments, should all be strings.
fn strings(call: &Call) -> Option<Vec<String>> {
    let args = call.args.iter();
    args.map(|arg| match &arg.value {
        ArgValue::Value(Expr {
            kind: ExprKind::String(text),
            ..
        }) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    })
    .collect()
}

/// The name behind `exporter.`, as it is written.
fn exporter(arg: &Arg) -> Option<String> {
    let ArgValue::Value(expr) = &arg.value else {
        return None;
    };
    let ExprKind::Path(path) = &expr.kind else {
        return None;
    };
    let mut names = path.segments.iter().map(|s| s.name.text.as_str());
    (names.next() == Some("exporter")).then_some(())?;
    let rest: Vec<&str> = names.collect();
    (!rest.is_empty()).then(|| rest.join("."))
}
