//! What can be wrong with a JSON body, and where: the byte offset and the key path.

use std::fmt;

/// A body that is not OTLP/JSON.
///
/// Its text keeps the Collector's key phrase where it has one; the place follows.
#[derive(Debug)]
pub struct JsonError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: JsonErrorKind,
    offset: Option<usize>,
    /// From the innermost step out.
    path: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Key(&'static str),
    Index(usize),
}

/// What is wrong with the body.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// The body has no bytes but white space.
    Empty,
    /// The text is not JSON.
    Syntax(&'static str),
    /// The text is not a JSON object.
    NotAnObject(char),
    /// The value is of another JSON type than the field.
    Type {
        /// What the field takes.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// The number does not fit the field, or the string is not a number.
    Number {
        /// What the field takes.
        expected: &'static str,
    },
    /// A string that is not a name of the enum.
    EnumName,
    /// An id of another length.
    IdLength {
        /// Hex digits that the id has.
        expected: usize,
        /// Characters that stand there.
        found: usize,
    },
    /// An id with characters that are not hex digits.
    IdDigits,
    /// A bytes field that is not base64.
    Base64,
    /// Nested deeper than the reader goes.
    TooDeep,
}

impl JsonError {
    #[cold]
    pub(super) fn new(kind: JsonErrorKind) -> Self {
        JsonError(Box::new(Inner {
            kind,
            offset: None,
            path: Vec::new(),
        }))
    }

    #[cold]
    pub(super) fn at(kind: JsonErrorKind, offset: usize) -> Self {
        let mut error = Self::new(kind);
        error.0.offset = Some(offset);
        error
    }

    /// Adds the key that leads here, and where it stands if nothing nearer is known.
    #[cold]
    pub(super) fn in_field(mut self, name: &'static str) -> Self {
        self.0.path.push(Step::Key(name));
        self
    }

    #[cold]
    pub(super) fn in_element(mut self, index: usize) -> Self {
        self.0.path.push(Step::Index(index));
        self
    }

    #[cold]
    pub(super) fn or_offset(mut self, offset: Option<usize>) -> Self {
        if self.0.offset.is_none() {
            self.0.offset = offset;
        }
        self
    }

    /// What is wrong.
    pub fn kind(&self) -> &JsonErrorKind {
        &self.0.kind
    }

    /// Where, in bytes from the start of the body: at the value, or at the key nearest
    /// before it.
    pub fn offset(&self) -> Option<usize> {
        self.0.offset
    }

    /// The key path, `resourceSpans[0].scopeSpans[2].spans[7].traceId`; empty where the
    /// text itself is wrong.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for step in self.0.path.iter().rev() {
            match step {
                Step::Key(name) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }
}

impl fmt::Display for JsonErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JsonErrorKind::Empty => f.write_str("ReadObject: expect { or n, but the body is empty"),
            JsonErrorKind::Syntax(what) => f.write_str(what),
            JsonErrorKind::NotAnObject(found) => {
                write!(f, "ReadObject: expect {{ or n, but found {found}")
            }
            JsonErrorKind::Type { expected, found } => {
                write!(
                    f,
                    "unsupported value type: expect {expected}, but found {found}"
                )
            }
            JsonErrorKind::Number { expected } => write!(f, "not a number that fits {expected}"),
            JsonErrorKind::EnumName => f.write_str("ReadEnumValue: unknown string value"),
            JsonErrorKind::IdLength { expected, found } => write!(
                f,
                "ID.UnmarshalJSONIter: length mismatch, expect {expected} hex digits, but found {found}"
            ),
            JsonErrorKind::IdDigits => {
                f.write_str("ID.UnmarshalJSONIter: encoding/hex: invalid byte, expect hex digits")
            }
            JsonErrorKind::Base64 => f.write_str("base64.Decode: illegal base64 data"),
            JsonErrorKind::TooDeep => {
                f.write_str("exceeded max depth: the value is nested too deep")
            }
        }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.kind)?;
        if !self.0.path.is_empty() {
            write!(f, ", at {}", self.path())?;
        }
        if let Some(offset) = self.0.offset {
            write!(f, ", error found in #{offset} byte")?;
        }
        Ok(())
    }
}

impl std::error::Error for JsonError {}
