//! The functions of the language: how each is declared ([`Function`], rows in `table`) and what
//! each does (`editors`, `strings`, …). A function is written once, over values; how rows get to
//! it is the evaluator's. One that is declared but not built yet is refused by name when a
//! statement uses it, after its arguments have been checked.

mod adjusted_count;
mod case;
mod cef;
mod clf;
mod convert;
mod csv;
mod dates;
mod decode;
mod editors;
mod elf;
mod flatten;
mod format;
mod grok;
mod hash;
mod lambdas;
mod leef;
mod lists;
mod metrics;
mod net;
mod parse;
mod points;
mod predicates;
mod replace;
mod rules;
mod severity;
mod simplified_xml;
mod span_name;
mod strings;
mod table;
mod times;
mod url;
mod user_agent;
mod xml;
mod xpath;

use std::{any::Any, sync::Arc};

pub(crate) use editors::ZERO_TIME;
pub(crate) use replace::replaced;

use crate::{
    contexts::Context,
    failure::Failure,
    program::{Args, Argument},
    run::{Row, Target},
    types::TypeSet,
    value::{Value, coerce::Want},
};

/// What a converter does with its arguments.
pub type Scalar = fn(&Args<'_>) -> Result<Value, Failure>;

/// What an editor does with its arguments. Its target is the first parameter.
pub type Editor = fn(&mut Target<'_, '_>, &Args<'_>) -> Result<(), Failure>;

/// What a converter does that looks at more of the row than its arguments.
pub type RowScalar = fn(&mut Row<'_>, &Args<'_>) -> Result<Value, Failure>;

/// What an editor does that changes the row itself, or what is around it.
pub type RowEditor = fn(&mut Row<'_>, &Args<'_>) -> Result<(), Failure>;

/// What a function says of its arguments when a statement is compiled.
pub type Check = fn(&[Argument]) -> Result<(), String>;

/// What a function makes of its literal arguments when a statement is compiled; nothing where it
/// has to see the row's.
pub type Prepare = fn(&[Argument]) -> Result<Option<Prepared>, String>;

/// What a function made of its literal arguments: its own type, which it finds again with
/// [`Args::prepared`].
pub type Prepared = Arc<dyn Any + Send + Sync>;

/// A function, declared.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Which hosts and contexts have it.
    pub place: Place,
    /// Its parameters, in order.
    pub params: &'static [Param],
    /// What it gives; nothing for an editor.
    pub result: TypeSet,
    /// What it does.
    pub build: Build,
    /// What must hold of literal arguments.
    pub check: Option<Check>,
    /// What is made of literal arguments once, for all rows.
    pub prepare: Option<Prepare>,
    /// Whether the same arguments always give the same result.
    pub pure: bool,
    /// Whether an argument that fails matters only where the function gets to it.
    pub by_need: bool,
}

/// What a function does.
#[derive(Clone, Copy, Debug)]
pub enum Build {
    /// It is declared, but not built yet.
    Pending,
    /// A converter.
    Scalar(Scalar),
    /// A converter that evaluates its arguments one after the other until one is not nil.
    Coalesce,
    /// A converter that evaluates a lambda without parameters, and then one of the other two
    /// arguments.
    When,
    /// A converter that looks at the row.
    RowScalar(RowScalar),
    /// A converter that asks whether the row is a span without a parent.
    IsRootSpan,
    /// An editor.
    Editor(Editor),
    /// An editor of the row itself; it may add rows.
    RowEditor(RowEditor),
    /// An editor that leaves a target alone that holds nothing, without a look at its
    /// other arguments.
    EditorOfSome(Editor),
    /// The editor `set`, which needs to know nothing of what it overwrites.
    Set,
    /// An editor that does nothing.
    Nothing,
}

/// Where a function is to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named after host and context")]
pub enum Place {
    Standard,
    SpanContext,
    Lambda,
    Profiles,
    TransformMetric,
    TransformDataPoint,
    TransformSpan,
    TransformLog,
    FilterMetric,
    Routing,
    SignalToMetrics,
    Rules,
    RulesSpan,
    RulesMetric,
    RulesPoint,
}

/// The component that a statement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// The transform processor's statements.
    Transform,
    /// The filter processor, and the conditions of statement groups of the transform processor.
    Filter,
    /// The routing connector.
    Routing,
    /// The tail sampling processor.
    TailSampling,
    /// The signal_to_metrics connector.
    SignalToMetrics,
    /// The rule form: what transform has, and some of its own.
    Rules,
    /// No component: the standard functions.
    Library,
}

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name, of which statements may write any spelling that camel case makes the same.
    pub name: &'static str,
    /// What it takes.
    pub kind: ParamKind,
    /// Whether it can be left out.
    pub optional: bool,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// A value.
    Any,
    /// Exactly a string.
    String,
    /// Exactly an integer.
    Int,
    /// Exactly a time.
    Time,
    /// Exactly a duration.
    Duration,
    /// Exactly a map.
    Map,
    /// Exactly a list.
    List,
    /// What can be made a string.
    StringLike,
    /// What can be made an integer.
    IntLike,
    /// What can be made a double.
    FloatLike,
    /// What can be made a bool.
    BoolLike,
    /// What can be made bytes.
    BytesLike,
    /// A string that is a regular expression.
    Regex,
    /// A string that is a glob.
    Glob,
    /// A path that is written.
    Target(TargetKind),
    /// A list literal, each element taken by itself; or, where true, whatever gives a list.
    Items(Item, bool),
    /// A string, literally.
    LiteralString,
    /// An integer without a sign, literally.
    LiteralInt,
    /// A number with a point and without a sign, literally.
    LiteralFloat,
    /// true or false, literally.
    LiteralBool,
    /// A list literal of string literals.
    LiteralStrings,
    /// A list literal of float literals.
    LiteralFloats,
    /// The name of a function.
    Function,
    /// A lambda expression of so many parameters.
    Lambda(u8),
}

/// What a target must be when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// Anything.
    Any,
    /// A map.
    Map,
    /// A list.
    List,
}

/// What the elements of a list must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// Anything.
    Any,
    /// Strings.
    String,
    /// What can be made a string.
    StringLike,
}

impl Item {
    /// What is wanted of each.
    pub fn want(self) -> Want {
        match self {
            Item::Any => Want::Any,
            Item::String => Want::Exactly(crate::types::Type::String),
            Item::StringLike => Want::StringLike,
        }
    }
}

impl Function {
    /// Whether it is an editor.
    pub fn is_editor(&self) -> bool {
        self.name.starts_with(|c: char| c.is_ascii_lowercase())
    }

    /// Number of parameters that cannot be left out.
    pub fn required(&self) -> usize {
        self.params.iter().filter(|param| !param.optional).count()
    }

    /// Whether a component has it in a context.
    pub fn offered(&self, host: Host, context: Context) -> bool {
        // Rules have what statements and conditions have.
        let transform = matches!(host, Host::Transform | Host::Rules);
        let filter = matches!(host, Host::Filter | Host::Rules);
        let components = transform || filter || host == Host::TailSampling;
        match self.place {
            Place::Standard if self.is_editor() => match host {
                Host::Transform | Host::Rules | Host::Library => true,
                Host::Routing => matches!(
                    self.name,
                    "append" | "delete_index" | "delete_key" | "delete_matching_keys"
                ),
                _ => matches!(self.name, "append" | "delete_index"),
            },
            Place::Standard => true,
            Place::SpanContext => context == Context::Span,
            Place::Rules => host == Host::Rules,
            Place::RulesSpan => host == Host::Rules && context == Context::Span,
            Place::RulesPoint => host == Host::Rules && context == Context::DataPoint,
            Place::RulesMetric => host == Host::Rules && context == Context::Metric,
            Place::Lambda | Place::Profiles => components,
            Place::TransformMetric => transform && context == Context::Metric,
            Place::TransformDataPoint => transform && context == Context::DataPoint,
            Place::TransformSpan => transform && context == Context::Span,
            Place::TransformLog => transform && context == Context::Log,
            Place::FilterMetric => filter && context == Context::Metric,
            Place::Routing => host == Host::Routing,
            Place::SignalToMetrics => host == Host::SignalToMetrics && context == Context::Span,
        }
    }

    /// The contexts whose entities it looks at, or changes, beyond its arguments.
    pub fn contexts(&self) -> &'static [Context] {
        match self.place {
            Place::TransformMetric | Place::TransformDataPoint => {
                &[Context::Metric, Context::DataPoint, Context::Exemplar]
            }
            Place::FilterMetric | Place::RulesMetric | Place::RulesPoint => {
                &[Context::Metric, Context::DataPoint]
            }
            Place::TransformSpan | Place::SignalToMetrics => &[Context::Span],
            Place::RulesSpan => &[Context::Span, Context::SpanEvent],
            _ => &[],
        }
    }

    /// The feature gate that it needs.
    pub fn gate(&self) -> Option<&'static str> {
        (self.place == Place::Lambda).then_some("ottl.functions.enableLambda")
    }

    /// How it is declared, as the documentation shows it.
    pub fn signature(&self) -> String {
        let params = self.params.iter().map(|param| {
            let optional = if param.optional { "?" } else { "" };
            format!("{}{optional}: {}", param.name, param.kind.name())
        });
        format!("{}({})", self.name, params.collect::<Vec<_>>().join(", "))
    }
}

impl ParamKind {
    /// What it takes, in a few letters.
    pub fn name(self) -> &'static str {
        match self {
            ParamKind::Any => "any",
            ParamKind::String => "string",
            ParamKind::Int => "int",
            ParamKind::Time => "time",
            ParamKind::Duration => "duration",
            ParamKind::Map => "map",
            ParamKind::List => "list",
            ParamKind::StringLike => "string-like",
            ParamKind::IntLike => "int-like",
            ParamKind::FloatLike => "float-like",
            ParamKind::BoolLike => "bool-like",
            ParamKind::BytesLike => "bytes-like",
            ParamKind::Regex => "regex",
            ParamKind::Glob => "glob",
            ParamKind::Target(TargetKind::Any) => "path",
            ParamKind::Target(TargetKind::Map) => "path of a map",
            ParamKind::Target(TargetKind::List) => "path of a list",
            ParamKind::Items(Item::Any, _) => "list of any",
            ParamKind::Items(Item::String, _) => "list of string",
            ParamKind::Items(Item::StringLike, _) => "list of string-like",
            ParamKind::LiteralString => "literal string",
            ParamKind::LiteralInt => "literal int",
            ParamKind::LiteralFloat => "literal float",
            ParamKind::LiteralBool => "literal bool",
            ParamKind::LiteralStrings => "list of literal string",
            ParamKind::LiteralFloats => "list of literal float",
            ParamKind::Function => "function",
            ParamKind::Lambda(0) => "() => bool",
            ParamKind::Lambda(2) => "(key, value) => …",
            ParamKind::Lambda(_) => "(accumulator, key, value) => …",
        }
    }

    /// What is wanted of a value passed for it; `None` where no value is.
    pub(crate) fn want(self) -> Option<Want> {
        use crate::types::Type;
        Some(match self {
            ParamKind::Any => Want::Any,
            ParamKind::String | ParamKind::Regex | ParamKind::Glob => Want::Exactly(Type::String),
            ParamKind::Int => Want::Exactly(Type::Int),
            ParamKind::Time => Want::Exactly(Type::Time),
            ParamKind::Duration => Want::Exactly(Type::Duration),
            ParamKind::Map => Want::Exactly(Type::Map),
            ParamKind::List => Want::Exactly(Type::List),
            ParamKind::StringLike => Want::StringLike,
            ParamKind::IntLike => Want::IntLike,
            ParamKind::FloatLike => Want::FloatLike,
            ParamKind::BoolLike => Want::BoolLike,
            ParamKind::BytesLike => Want::BytesLike,
            _ => return None,
        })
    }
}

pub(crate) use lambdas::wrong_result;

/// Every function there is, editors first.
pub fn all() -> impl Iterator<Item = &'static Function> + Clone {
    table::EDITORS
        .iter()
        .chain(table::CONVERTERS)
        .chain(table::ELSEWHERE)
}

/// Whether there is a function of this name anywhere, those of rules included.
pub(crate) fn declared(name: &str) -> bool {
    all()
        .chain(rules::TABLE)
        .any(|function| function.name == name)
}

/// The function of this name that a component has in a context.
pub fn find(name: &str, host: Host, context: Context) -> Option<&'static Function> {
    let own = match host {
        Host::Rules => rules::TABLE,
        _ => &[],
    };
    own.iter()
        .chain(all())
        .find(|function| function.name == name && function.offered(host, context))
}

/// A name as the reference matches names of parameters: in camel case.
pub(crate) fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = true;
    let mut after_capital = false;
    for c in name.chars() {
        let capital = c.is_ascii_uppercase();
        match c {
            '_' => upper = true,
            c => {
                out.push(match upper {
                    true => c.to_ascii_uppercase(),
                    // Of several capitals the first stays.
                    false if after_capital => c.to_ascii_lowercase(),
                    false => c,
                });
                upper = c.is_ascii_digit();
            }
        }
        after_capital = capital;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_the_language_is_declared_once() {
        let editors = all().filter(|function| function.is_editor()).count();
        let converters = all().filter(|function| !function.is_editor()).count();
        assert_eq!((editors, converters), (34, 112));
        let standard = |editor| {
            let standard = all().filter(|f| f.place == Place::Standard);
            standard.filter(|f| f.is_editor() == editor).count()
        };
        assert_eq!((standard(true), standard(false)), (17, 95));
        for function in all() {
            assert_eq!(
                all().filter(|f| f.name == function.name).count(),
                1,
                "{}",
                function.name
            );
            let first_optional = function.params.iter().position(|param| param.optional);
            let last_required = function.params.iter().rposition(|param| !param.optional);
            if let (Some(optional), Some(required)) = (first_optional, last_required) {
                assert!(required < optional, "{}", function.name);
            }
        }
    }

    #[test]
    fn names_of_parameters_are_matched_in_camel_case() {
        for (name, camelled) in [
            ("replacement_format", "ReplacementFormat"),
            ("replacementFormat", "ReplacementFormat"),
            ("source_i_p", "SourceIP"),
            ("source_ip", "SourceIp"),
            ("xPath", "XPath"),
            ("x_path", "XPath"),
            ("xpath", "Xpath"),
            ("uRI", "URi"),
        ] {
            assert_eq!(camel(name), camelled);
        }
    }
}
