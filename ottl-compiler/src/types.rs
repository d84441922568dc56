//! The types of values as the checker knows them: sets, since most of what a statement reads
//! has its type only when it runs. Values themselves are in `value`.

use std::fmt;

/// A type of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Type {
    /// `nil`
    Nil,
    /// A bool.
    Bool,
    /// 64 bits, signed.
    Int,
    /// A double.
    Float,
    /// A string; it need not be UTF-8.
    String,
    /// Bytes.
    Bytes,
    /// A point in time.
    Time,
    /// A duration.
    Duration,
    /// A map.
    Map,
    /// A list, of telemetry or a literal.
    List,
    /// A list whose elements are of one Go type: what `Split` gives, bounds, bucket counts.
    Typed,
    /// 16 bytes.
    TraceId,
    /// 8 bytes.
    SpanId,
    /// 16 bytes.
    ProfileId,
    /// A part of a request that can only be copied: events, links, status, …
    Opaque,
}

const ALL: [Type; 15] = [
    Type::Nil,
    Type::Bool,
    Type::Int,
    Type::Float,
    Type::String,
    Type::Bytes,
    Type::Time,
    Type::Duration,
    Type::Map,
    Type::List,
    Type::Typed,
    Type::TraceId,
    Type::SpanId,
    Type::ProfileId,
    Type::Opaque,
];

impl Type {
    /// Its name in errors: Go's.
    pub fn name(self) -> &'static str {
        match self {
            Type::Nil => "nil",
            Type::Bool => "bool",
            Type::Int => "int64",
            Type::Float => "float64",
            Type::String => "string",
            Type::Bytes => "[]byte",
            Type::Time => "time.Time",
            Type::Duration => "time.Duration",
            Type::Map => "pcommon.Map",
            Type::List => "pcommon.Slice",
            Type::Typed => "a typed slice",
            Type::TraceId => "pcommon.TraceID",
            Type::SpanId => "pcommon.SpanID",
            Type::ProfileId => "pprofile.ProfileID",
            Type::Opaque => "a pdata object",
        }
    }
}

/// A type as an error names it.
pub type Shown = &'static str;

/// Which types a value can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TypeSet(u16);

impl TypeSet {
    /// No type: nothing ever comes out of it.
    pub const NONE: TypeSet = TypeSet(0);
    /// Any type.
    pub const ANY: TypeSet = TypeSet((1 << ALL.len()) - 1);
    /// What an attribute can hold.
    pub const ATTRIBUTE: TypeSet = TypeSet::of(&[
        Type::Nil,
        Type::Bool,
        Type::Int,
        Type::Float,
        Type::String,
        Type::Bytes,
        Type::Map,
        Type::List,
    ]);

    /// These types.
    pub const fn of(types: &[Type]) -> TypeSet {
        let (mut bits, mut at) = (0, 0);
        while at < types.len() {
            bits |= 1 << types[at] as u16;
            at += 1;
        }
        TypeSet(bits)
    }

    /// This type.
    pub const fn one(of: Type) -> TypeSet {
        TypeSet(1 << of as u16)
    }

    /// Whether a value can be of this type.
    pub const fn has(self, of: Type) -> bool {
        self.0 >> of as u16 & 1 == 1
    }

    /// Either set.
    pub const fn or(self, other: TypeSet) -> TypeSet {
        TypeSet(self.0 | other.0)
    }

    /// What is in both.
    pub const fn and(self, other: TypeSet) -> TypeSet {
        TypeSet(self.0 & other.0)
    }

    /// Whether it is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The types in it.
    pub fn types(self) -> impl Iterator<Item = Type> {
        ALL.into_iter().filter(move |of| self.has(*of))
    }

    /// The one type it has, if it is one.
    pub fn single(self) -> Option<Type> {
        let mut types = self.types();
        types.next().filter(|_| types.next().is_none())
    }
}

impl fmt::Display for TypeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == TypeSet::ANY {
            return f.write_str("any");
        }
        let names: Vec<&str> = self.types().map(Type::name).collect();
        f.write_str(&names.join("|"))
    }
}
