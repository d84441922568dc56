//! What can be wrong with a statement. The texts are the reference's where it has one; what it
//! only says by the names of its grammar, or not at all, is said in words. [`Problem::help`]
//! adds what would be right.

use std::fmt;

/// What is wrong.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "the fields are the words of the message beneath"
)]
pub enum Problem {
    // Syntax.
    Unexpected {
        expected: &'static str,
        found: String,
    },
    UnclosedString,
    NoToken(char),
    ChainedComparison,
    NotACondition {
        what: &'static str,
    },
    NotAValue {
        what: &'static str,
    },
    NotAnOperand {
        what: &'static str,
    },
    NotAKey {
        what: &'static str,
    },
    LambdaBody,
    TooDeep,
    // Literals.
    IntSyntax {
        text: String,
    },
    IntRange {
        text: String,
    },
    FloatRange {
        text: String,
    },
    OddBytes {
        text: String,
    },
    Escape {
        shown: String,
        quoted: String,
    },
    RawNewline,
    // Functions.
    UndefinedFunction {
        name: String,
        nearest: Option<String>,
        elsewhere: Option<&'static str>,
    },
    UndefinedReference {
        name: String,
        nearest: Option<String>,
    },
    NotBuilt {
        name: String,
    },
    Gated {
        name: String,
        gate: &'static str,
    },
    EditorName {
        name: String,
    },
    ConverterName {
        name: String,
    },
    IndexedEditor {
        shown: String,
    },
    BadReference {
        name: String,
        into: String,
    },
    FunctionAsValue {
        name: String,
    },
    // Arguments.
    Count {
        least: usize,
        most: usize,
        given: usize,
        signature: String,
    },
    NoParameter {
        name: String,
        nearest: Option<String>,
    },
    PositionalAfterNamed,
    GivenTwice {
        name: String,
    },
    Missing {
        name: String,
        signature: String,
    },
    Argument {
        function: String,
        at: usize,
        cause: Box<Problem>,
        signature: String,
    },
    Element {
        at: usize,
        cause: Box<Problem>,
    },
    MustBe {
        what: String,
        got: String,
    },
    Create {
        cause: String,
    },
    // Names.
    UndefinedEnum {
        name: String,
        nearest: Option<String>,
        elsewhere: Option<&'static str>,
    },
    MissingContext {
        path: String,
        options: Vec<String>,
    },
    WrongContext {
        context: String,
        path: String,
        options: Vec<String>,
    },
    UndefinedPath {
        segment: String,
        path: String,
        context: &'static str,
        nearest: Option<String>,
    },
    ExtraSegment {
        section: String,
    },
    ExtraKeys {
        segment: String,
    },
    ForeignCache {
        given: String,
        wanted: String,
    },
    StrayLambda,
    DuplicateLocal {
        name: String,
    },
    DottedLocal {
        path: String,
    },
    // Inference.
    NoContext {
        supported: Vec<&'static str>,
        statements: Vec<String>,
        conditions: Vec<String>,
        cause: String,
    },
    // Rules.
    TwoReadings {
        first: String,
        second: String,
    },
    UndefinedAction {
        name: String,
        nearest: Option<String>,
    },
    ToCome {
        name: String,
    },
    DecidesTwice {
        first: String,
    },
    NothingToDecide {
        action: &'static str,
        context: &'static str,
    },
    NoSignal,
    // Operands.
    Fold {
        cause: String,
    },
}

impl Problem {
    /// Whether the text does not follow the grammar, or else means something impossible.
    pub(crate) fn is_syntax(&self) -> bool {
        matches!(
            self,
            Problem::Unexpected { .. }
                | Problem::ChainedComparison
                | Problem::NotACondition { .. }
                | Problem::NotAValue { .. }
                | Problem::NotAnOperand { .. }
                | Problem::NotAKey { .. }
                | Problem::TwoReadings { .. }
        )
    }

    /// What would be right, if that can be said.
    pub fn help(&self) -> Option<String> {
        let meant = |name: &String| format!("did you mean `{name}`?");
        Some(match self {
            Problem::UndefinedFunction {
                elsewhere: Some(context),
                ..
            } => format!("it is to be had in the context {context}"),
            Problem::UndefinedEnum {
                elsewhere: Some(context),
                ..
            } => format!("it is a symbol of the context {context}"),
            Problem::UndefinedFunction { nearest, .. }
            | Problem::UndefinedReference { nearest, .. }
            | Problem::UndefinedAction { nearest, .. }
            | Problem::NoParameter { nearest, .. }
            | Problem::UndefinedEnum { nearest, .. }
            | Problem::UndefinedPath { nearest, .. } => meant(nearest.as_ref()?),
            Problem::Count { signature, .. } | Problem::Missing { signature, .. } => {
                format!("it is declared {signature}")
            }
            Problem::Argument {
                cause, signature, ..
            } if cause.is_of_kind() => match cause.help() {
                Some(help) => format!("{help}\n    it is declared {signature}"),
                None => format!("it is declared {signature}"),
            },
            Problem::Argument { cause, .. } => return cause.help(),
            // The reference shows keys without quotes, which is not how they are written.
            Problem::MissingContext { options, .. }
                if options.iter().any(|option| option.contains('[')) =>
            {
                let contexts = options.iter().filter_map(|option| option.split_once('.'));
                let contexts: Vec<String> = contexts.map(|(name, _)| format!("{name}.")).collect();
                format!("begin it with {}", alternatives(&contexts))
            }
            Problem::MissingContext { options, .. } | Problem::WrongContext { options, .. } => {
                format!("write {}", alternatives(options))
            }
            Problem::Unexpected { found, .. } if found == "'" => {
                "strings are written in double quotes".to_owned()
            }
            Problem::NoToken('\'') => "strings are written in double quotes".to_owned(),
            Problem::NoToken('%') => "there is no modulo in the language".to_owned(),
            Problem::NoToken('!') => "write `not`, or `!=`".to_owned(),
            Problem::NoToken('&') => "write `and`".to_owned(),
            Problem::NoToken('|') => "write `or`".to_owned(),
            Problem::NoToken('$') => {
                "if this was to be a variable of the environment, write `${env:NAME}`".to_owned()
            }
            Problem::UnclosedString => "it is closed by `\"`".to_owned(),
            Problem::Escape { shown, .. } if shown == "\\'" => {
                "a single quote needs no backslash".to_owned()
            }
            Problem::Escape { shown, .. } => {
                format!("for a backslash, as in a regular expression, write `\\{shown}`")
            }
            Problem::RawNewline => "write `\\n`".to_owned(),
            Problem::IntSyntax { text } => format!(
                "a leading 0 means octal; write `{}`",
                text.trim_start_matches('0')
            ),
            Problem::NotACondition { what } => match *what {
                "a path" => "compare it: `… == true`, `… != nil`".to_owned(),
                _ => "a condition is a comparison, a converter that gives a bool, true or false"
                    .to_owned(),
            },
            Problem::NotAnOperand { .. } => {
                "math works on numbers, times and durations; strings are joined by Concat"
                    .to_owned()
            }
            Problem::ChainedComparison => "join two comparisons by `and`".to_owned(),
            Problem::Gated { gate, .. } => format!("start with --feature-gates={gate}"),
            Problem::Element { cause, .. } => return cause.help(),
            _ => return None,
        })
    }

    /// Whether an argument is not of the kind that is declared.
    fn is_of_kind(&self) -> bool {
        match self {
            Problem::MustBe { .. } | Problem::Fold { .. } => true,
            Problem::Element { cause, .. } => cause.is_of_kind(),
            _ => false,
        }
    }
}

fn alternatives(options: &[String]) -> String {
    let quoted: Vec<String> = options.iter().map(|option| format!("`{option}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

fn quoted(options: &[String]) -> String {
    let quoted: Vec<String> = options.iter().map(|option| format!("{option:?}")).collect();
    quoted.join(", ")
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Unexpected { expected, found } if found.is_empty() => {
                write!(f, "unexpected end (expected {expected})")
            }
            Problem::Unexpected { expected, found } => {
                write!(f, "unexpected token {found:?} (expected {expected})")
            }
            Problem::UnclosedString => write!(f, "the string is not closed"),
            Problem::NoToken(c) => write!(f, "invalid input text {:?}", c.to_string()),
            Problem::ChainedComparison => write!(f, "comparisons cannot be chained"),
            Problem::NotACondition { what } => write!(f, "{what} is not a condition"),
            Problem::NotAValue { what } => write!(f, "{what} is not a value"),
            Problem::NotAnOperand { what } => write!(f, "{what} cannot be an operand of math"),
            Problem::NotAKey { what } => write!(
                f,
                "{what} cannot be a key (expected a string, an int, or a path, converter or \
                 math giving one)"
            ),
            Problem::LambdaBody => write!(f, "a lambda expression cannot return another one"),
            Problem::TooDeep => write!(
                f,
                "expression is nested more than {} levels deep",
                crate::syntax::MAX_NESTING
            ),
            Problem::IntSyntax { text } => write!(
                f,
                "failed to conform: strconv.ParseInt: parsing {text:?}: invalid syntax"
            ),
            Problem::IntRange { text } => write!(
                f,
                "failed to conform: strconv.ParseInt: parsing {text:?}: value out of range"
            ),
            Problem::FloatRange { text } => write!(
                f,
                "failed to conform: strconv.ParseFloat: parsing {text:?}: value out of range"
            ),
            Problem::OddBytes { text } => write!(
                f,
                "failed to capture: byte literals must have an even number of hexadecimal \
                 digits, but got {text}: encoding/hex: odd length hex string"
            ),
            Problem::Escape { quoted, .. } => {
                write!(f, "invalid quoted string {quoted:?}: invalid syntax")
            }
            Problem::RawNewline => write!(f, "invalid quoted string: a line ends within it"),
            Problem::UndefinedFunction { name, .. } => write!(f, "undefined function {name:?}"),
            Problem::UndefinedReference { name, .. } => write!(f, "undefined function {name}"),
            Problem::NotBuilt { name } => {
                write!(f, "function {name:?} is not supported yet by Trunkline")
            }
            Problem::Gated { name, gate } => write!(
                f,
                "function {name:?} is experimental and requires the `{gate}` feature gate to be \
                 enabled"
            ),
            Problem::EditorName { name } => write!(
                f,
                "editor names must start with a lowercase letter but got '{name}'"
            ),
            Problem::ConverterName { name } => write!(
                f,
                "converter names must start with an uppercase letter but got '{name}'"
            ),
            Problem::IndexedEditor { shown } => write!(
                f,
                "only paths and converters may be indexed, not editors, but got {shown}"
            ),
            Problem::BadReference { name, into } => write!(
                f,
                "function {name:?} cannot be passed to {into}: it must take exactly one string \
                 parameter"
            ),
            Problem::FunctionAsValue { name } => write!(
                f,
                "{name} is the name of a function and not a value; to call it, write {name}(…)"
            ),
            Problem::Count {
                least, most, given, ..
            } => {
                write!(f, "incorrect number of arguments. Expected: ")?;
                match least == most {
                    true => write!(f, "{most}")?,
                    false => write!(f, "{least} to {most}")?,
                }
                write!(f, " Received: {given}")
            }
            Problem::NoParameter { name, .. } => write!(f, "no such parameter: {name}"),
            Problem::PositionalAfterNamed => {
                write!(f, "unnamed argument used after named argument")
            }
            Problem::GivenTwice { name } => write!(f, "parameter {name:?} is given twice"),
            Problem::Missing { name, .. } => write!(f, "missing required parameter {name:?}"),
            Problem::Argument {
                function,
                at,
                cause,
                ..
            } => write!(
                f,
                "error while parsing arguments for call to {function:?}: invalid argument at \
                 position {at}: {cause}"
            ),
            Problem::Element { at, cause } => {
                write!(
                    f,
                    "error while parsing list argument at index {at}: {cause}"
                )
            }
            Problem::MustBe { what, got } => write!(f, "must be {what} but got {got}"),
            Problem::Create { cause } => write!(f, "couldn't create function: {cause}"),
            Problem::UndefinedEnum { name, .. } => write!(f, "enum symbol, {name}, not found"),
            Problem::MissingContext { path, options } => write!(
                f,
                "missing context name for path {path:?}, possibly valid options are: {}",
                quoted(options)
            ),
            Problem::WrongContext {
                context,
                path,
                options,
            } => write!(
                f,
                "context {context:?} from path {path:?} is not valid, it must be replaced by \
                 one of: {}",
                quoted(options)
            ),
            Problem::UndefinedPath {
                segment,
                path,
                context,
                ..
            } => write!(
                f,
                "segment {segment:?} from path {path:?} is not a valid path nor a valid OTTL \
                 keyword for the {context} context"
            ),
            Problem::ExtraSegment { section } => write!(
                f,
                "the path section {section:?} was not used by the context - this likely means \
                 you are using extra path sections"
            ),
            Problem::ExtraKeys { segment } => write!(
                f,
                "the keys indexing {segment:?} were not used by the context - this likely means \
                 you are trying to index a path that does not support indexing"
            ),
            Problem::ForeignCache { given, wanted } => write!(
                f,
                "access to cache must be performed using the same context, please replace \
                 {given:?} with {wanted:?}"
            ),
            Problem::StrayLambda => write!(
                f,
                "lambda expressions can only be passed to function arguments that accept them"
            ),
            Problem::DuplicateLocal { name } => write!(f, "duplicate local identifier {name:?}"),
            Problem::DottedLocal { path } => write!(
                f,
                "local identifier {path:?} cannot use \".\" to access nested fields"
            ),
            Problem::NoContext {
                supported,
                statements,
                conditions,
                cause,
            } => write!(
                f,
                "unable to infer a valid context ({}) from statements {statements:?} and \
                 conditions {conditions:?}: {cause}",
                supported.join(", ")
            ),
            Problem::TwoReadings { first, second } => write!(
                f,
                "the rule can be read in two ways: as {first}, or as {second}"
            ),
            Problem::UndefinedAction { name, .. } => write!(f, "undefined action {name:?}"),
            Problem::ToCome { name } => write!(
                f,
                "{name:?} looks at a window of a series: it belongs to the analytics to come"
            ),
            Problem::DecidesTwice { first } => {
                write!(f, "{first} has decided already what becomes of the item")
            }
            Problem::NothingToDecide { action, context } => {
                write!(
                    f,
                    "{action} does not apply to rows of the context {context:?}"
                )
            }
            Problem::NoSignal => {
                write!(f, "there is no signal in which all paths of the rule exist")
            }
            Problem::Fold { cause } => f.write_str(cause),
        }
    }
}
