//! Why a statement or condition failed on a row: the causes, in the reference's words where it
//! has words that users know.

use std::fmt;

use trunkline_proto::{batch, wire::DecodeError};

/// The largest value that may be made of itself, in bytes: it can double with every step.
const MOST_BUILT_UP: usize = 16 << 20;

/// Checks the size of a value that is made of itself.
///
/// # Errors
/// It is too large.
pub(crate) fn built_up(size: usize) -> Result<(), Failure> {
    match size > MOST_BUILT_UP {
        true => Err(Failure::Function(format!(
            "a value of {size} bytes is larger than may be built up ({MOST_BUILT_UP})"
        ))),
        false => Ok(()),
    }
}

/// Why a row's statement failed.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// A value is not of the type that is wanted.
    Type {
        /// What is wanted.
        wanted: &'static str,
        /// What there is.
        got: &'static str,
    },
    /// A field does not take values of that type.
    Setter {
        /// What it takes.
        wanted: &'static str,
        /// What it was given.
        got: &'static str,
    },
    /// A field cannot be nil.
    SetNil,
    /// No attribute can hold it.
    NotAssignable(String),
    /// The path cannot be written.
    ReadOnly(String),
    /// The converter's result was to be a condition.
    NotBool(&'static str),
    /// A value cannot be indexed so.
    Index(String),
    /// A number divided by 0.
    DivideByZero,
    /// Math does not work on these.
    Math(String),
    /// Two lists of one Go type cannot be compared.
    Incomparable(&'static str),
    /// A text does not parse as what it should be.
    Parse(String),
    /// What a function says of its arguments.
    Function(String),
    /// Values are nested deeper than [`crate::value::MAX_DEPTH`].
    TooDeep,
    /// A list that does not exist yet would become longer than is allowed.
    TooLong(i64),
    /// The batch could not be read or changed.
    Batch(batch::Error),
}

impl From<batch::Error> for Failure {
    fn from(error: batch::Error) -> Failure {
        Failure::Batch(error)
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Failure {
        Failure::Batch(batch::Error::Decode(error))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Type { wanted, got } => write!(f, "expected {wanted} but got {got}"),
            Failure::Setter { wanted, got } => write!(f, "expects {wanted} but got {got}"),
            Failure::SetNil => f.write_str("setting a value to nil is not supported"),
            Failure::ReadOnly(path) => write!(f, "{path:?} is read-only and cannot be modified"),
            Failure::NotBool(got) => write!(
                f,
                "value returned from Converter in constant expression must be bool but got {got}"
            ),
            Failure::DivideByZero => f.write_str("attempted to divide by 0"),
            Failure::Incomparable(name) => {
                write!(f, "comparing two values of type {name} is not supported")
            }
            Failure::NotAssignable(text)
            | Failure::Index(text)
            | Failure::Math(text)
            | Failure::Parse(text)
            | Failure::Function(text) => f.write_str(text),
            Failure::TooDeep => f.write_str("the value is nested too deeply"),
            Failure::TooLong(index) => write!(
                f,
                "index {index} exceeds the largest list that may be created ({})",
                crate::value::index::MAX_PADDING
            ),
            Failure::Batch(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}
