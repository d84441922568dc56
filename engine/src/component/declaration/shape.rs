//! What a setting looks like from outside: a value as it is printed, and a type
//! as the schema and the documentation describe it.

/// A value as `print-config` shows it.
#[derive(Clone, Debug, PartialEq)]
pub enum Printed {
    /// Nothing; an optional block that is off.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// A number.
    Float(f64),
    /// Text.
    Text(String),
    /// Text that is shown as `[REDACTED]`.
    Secret(String),
    /// Nanoseconds; Go's notation in YAML, a number in JSON.
    Duration(i64),
    /// A list.
    List(Vec<Printed>),
    /// A map, in the order given.
    Map(Vec<(String, Printed)>),
}

impl Printed {
    /// Go's `omitempty`: is this the zero value of its type?
    pub fn is_zero(&self) -> bool {
        match self {
            Printed::Null => true,
            Printed::Bool(b) => !b,
            Printed::Integer(i) => *i == 0,
            Printed::Float(f) => *f == 0.0,
            Printed::Text(t) | Printed::Secret(t) => t.is_empty(),
            Printed::Duration(d) => *d == 0,
            Printed::List(items) => items.is_empty(),
            Printed::Map(entries) => entries.is_empty(),
        }
    }
}

/// A value's type, for people and editors.
#[derive(Clone, Debug)]
pub enum Shape {
    /// `true` or `false`.
    Bool,
    /// A whole number within bounds.
    Integer {
        /// Smallest.
        min: i128,
        /// Largest.
        max: i128,
    },
    /// A number.
    Float,
    /// Text.
    Text,
    /// Text that is never shown.
    Opaque,
    /// A Go duration.
    Duration,
    /// One of several words.
    Choice {
        /// The words.
        words: Vec<&'static str>,
        /// Letters of any case do.
        any_case: bool,
    },
    /// The id of a component of this section.
    Reference(&'static str),
    /// A list.
    List(Box<Shape>),
    /// A map from names.
    Map(Box<Shape>),
    /// A map or a list of `{name, value}`; values are never shown.
    Headers,
    /// A block of keys.
    Struct(StructShape),
    /// A block that may be absent.
    Optional {
        /// On unless switched off.
        on: bool,
        /// `enabled: false` switches it off.
        switch: bool,
        /// The block.
        of: Box<Shape>,
    },
    /// A value that may be `null`.
    Nullable(Box<Shape>),
    /// Text, or this.
    TextOr(Box<Shape>),
    /// Anything.
    Any,
}

/// A block's type.
#[derive(Clone, Debug)]
pub struct StructShape {
    /// The Collector's name for it.
    pub name: &'static str,
    /// Documentation.
    pub doc: String,
    /// Unknown keys pass.
    pub lenient: Option<&'static str>,
    /// Keys, those of squashed blocks included.
    pub fields: Vec<FieldShape>,
}

/// A key's type.
#[derive(Clone, Debug)]
pub struct FieldShape {
    /// The key.
    pub key: &'static str,
    /// Documentation.
    pub doc: String,
    /// Why it changes nothing, where it does not.
    pub no_effect: Option<&'static str>,
    /// What to use instead.
    pub deprecated: Option<&'static str>,
    /// Its default.
    pub default: Printed,
    /// Its type.
    pub shape: Shape,
}
