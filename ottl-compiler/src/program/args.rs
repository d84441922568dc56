//! Arguments as a function sees them when it runs: evaluated, and of the types that its
//! declaration asks for. Asking for another type is an error, not a panic.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::{
    Argument, Call, Lambda,
    patterns::{self, Pattern},
};
use crate::{
    failure::Failure,
    functions::{Build, Function, Prepared},
    go::time::Time,
    value::Value,
};

/// The arguments of one call on one row.
pub struct Args<'a> {
    pub(crate) arguments: &'a [Argument],
    pub(crate) prepared: Option<&'a Prepared>,
    pub(crate) values: SmallVec<[Cow<'a, Value>; 4]>,
    /// Parameters whose evaluation failed, of a function that may not ask for them: their value
    /// is nil.
    pub(crate) failed: Vec<(usize, Failure)>,
}

static NIL: Value = Value::Nil;

impl<'a> Args<'a> {
    /// Those of a call that are literals; what is not counts as nil.
    pub(crate) fn of_literals(call: &'a Call) -> Args<'a> {
        let values = call.args.iter().map(|argument| match argument.literal() {
            Some(value) => Cow::Borrowed(value),
            None => Cow::Owned(Value::Nil),
        });
        Args {
            arguments: &call.args,
            prepared: call.prepared.as_ref(),
            values: values.collect(),
            failed: Vec::new(),
        }
    }

    /// A lambda; nothing when it was left out.
    pub fn lambda(&self, at: usize) -> Option<&'a Lambda> {
        match self.arguments.get(at) {
            Some(Argument::Lambda(lambda)) => Some(lambda),
            _ => None,
        }
    }
}

impl Args<'_> {
    /// The value of parameter `at`; nil for one left out.
    pub fn value(&self, at: usize) -> &Value {
        self.values.get(at).map_or(&NIL, |value| &**value)
    }

    /// Whether parameter `at` was given.
    pub fn has(&self, at: usize) -> bool {
        !matches!(self.arguments.get(at), None | Some(Argument::Absent))
    }

    /// A string.
    pub fn text(&self, at: usize) -> Result<&[u8], Failure> {
        match self.value(at) {
            Value::String(text) => Ok(text),
            other => Err(self.failure(at).unwrap_or_else(|| wrong("string", other))),
        }
    }

    /// Why a parameter of a function that need not ask for it has no value, or not all elements.
    pub fn failure(&self, at: usize) -> Option<Failure> {
        let mut failed = self.failed.iter().filter(|(of, _)| *of == at);
        failed.next().map(|(_, failure)| failure.clone())
    }

    /// A string that was left out or is nil counts as none.
    pub fn text_or_none(&self, at: usize) -> Result<Option<&[u8]>, Failure> {
        match self.value(at) {
            Value::Nil => Ok(None),
            _ => self.text(at).map(Some),
        }
    }

    /// An integer.
    pub fn int(&self, at: usize) -> Result<i64, Failure> {
        match self.value(at) {
            Value::Int(value) => Ok(*value),
            other => Err(wrong("int64", other)),
        }
    }

    /// An integer, or this when it was left out.
    pub fn int_or(&self, at: usize, default: i64) -> Result<i64, Failure> {
        if self.has(at) {
            self.int(at)
        } else {
            Ok(default)
        }
    }

    /// A bool, or this when it was left out.
    pub fn bool_or(&self, at: usize, default: bool) -> Result<bool, Failure> {
        match self.value(at) {
            Value::Nil if !self.has(at) => Ok(default),
            Value::Bool(value) => Ok(*value),
            other => Err(wrong("bool", other)),
        }
    }

    /// A time.
    pub fn time(&self, at: usize) -> Result<Time, Failure> {
        match self.value(at) {
            Value::Time(time) => Ok(*time),
            other => Err(wrong("time.Time", other)),
        }
    }

    /// A duration in nanoseconds.
    pub fn duration(&self, at: usize) -> Result<i64, Failure> {
        match self.value(at) {
            Value::Duration(nanos) => Ok(*nanos),
            other => Err(wrong("time.Duration", other)),
        }
    }

    /// The elements of a list literal.
    pub fn items(&self, at: usize) -> Result<&[Value], Failure> {
        match self.value(at) {
            Value::List(items) => Ok(items),
            other => Err(wrong("a list", other)),
        }
    }

    /// A regular expression: the one compiled with the statement, or the text of this row.
    ///
    /// # Errors
    /// Go's text for a pattern that is none.
    pub fn regex(&self, at: usize) -> Result<Pattern<'_>, Failure> {
        self.pattern(at, patterns::Kind::Regex)
    }

    /// A glob, as a regular expression: the one compiled with the statement, or the text of
    /// this row.
    ///
    /// # Errors
    /// What is wrong with the glob.
    pub fn glob(&self, at: usize) -> Result<Pattern<'_>, Failure> {
        self.pattern(at, patterns::Kind::Glob)
    }

    fn pattern(&self, at: usize, kind: patterns::Kind) -> Result<Pattern<'_>, Failure> {
        match self.arguments.get(at) {
            Some(Argument::Regex(regex)) => Ok(Pattern::Known(regex)),
            _ => patterns::compiled(kind, self.text(at)?).map(Pattern::Kept),
        }
    }

    /// What the function made of its literal arguments when the statement was compiled.
    pub fn prepared<T: 'static>(&self) -> Option<&T> {
        self.prepared?.downcast_ref()
    }

    /// Whether a function was passed.
    pub fn has_function(&self, at: usize) -> bool {
        matches!(self.arguments.get(at), Some(Argument::Function(_)))
    }

    /// Calls the function that was passed with one string.
    pub fn call(&self, at: usize, text: &[u8]) -> Result<Value, Failure> {
        let Some(Argument::Function(function)) = self.arguments.get(at) else {
            return Err(Failure::Function("invalid function name given".to_owned()));
        };
        call_with(function, text)
    }
}

fn call_with(function: &'static Function, text: &[u8]) -> Result<Value, Failure> {
    if function.params.len() != 1 {
        return Err(Failure::Function(format!(
            "incorrect number of arguments. Expected: {} Received: 1",
            function.params.len()
        )));
    }
    let Build::Scalar(scalar) = function.build else {
        return Err(Failure::Function(format!(
            "function {:?} is not supported yet by Trunkline",
            function.name
        )));
    };
    let mut values = SmallVec::new();
    values.push(Cow::Owned(Value::text(text)));
    scalar(&Args {
        arguments: &[],
        prepared: None,
        values,
        failed: Vec::new(),
    })
}

fn wrong(wanted: &'static str, got: &Value) -> Failure {
    let got = got.type_name();
    Failure::Type { wanted, got }
}
