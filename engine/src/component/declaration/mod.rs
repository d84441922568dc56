//! One place per block of settings says its keys, types, defaults and
//! explanations: the `declare!` and
//! `choice!` macros. Reading, checking, printing, the
//! JSON Schema and the reference pages all walk what they declare. The kinds of
//! values (durations, optional blocks, headers, …) are in `kinds`.
//!
//! ```ignore
//! declare! {
//!     /// Joins requests.
//!     pub struct Config as "batchprocessor.Config", check Config::rules {
//!         /// Longest wait before a batch leaves.
//!         timeout: GoDuration = GoDuration::millis(200);
//!         /// Read, but changes nothing yet.
//!         metadata_keys: Vec<String> = Vec::new(), no_effect "batches are not split by metadata";
//!     }
//! }
//! ```

mod choices;
mod shape;

use std::fmt;

pub(crate) use choices::choice;
pub use choices::{ChoiceMeta, has_flag};
pub use shape::{FieldShape, Printed, Shape, StructShape};

use crate::config::{
    Gates,
    diagnostics::Decoder,
    node::{Mapping, Node, Position, Value},
    pending,
};

/// A value of a configuration: it knows how to read itself over its default,
/// print itself, and describe itself.
pub trait Setting: fmt::Debug + Send + Sync {
    /// Reads `node` over the present value. What does not fit is reported and
    /// leaves the value as it was. `null` keeps it (go-mapstructure's rule).
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>);

    /// What an unset variable as the whole value makes of it: Go's zero value.
    fn clear(&mut self);

    /// The value for `print-config` and for the defaults in the documentation.
    fn print(&self) -> Printed;

    /// What prints as Go's zero value; a key marked `omit` is not printed then.
    fn zero(&self) -> Printed {
        let printed = self.print();
        if printed.is_zero() {
            printed
        } else {
            Printed::Null
        }
    }

    /// Its type, for the schema and the documentation.
    fn shape(&self) -> Shape;

    /// Rules beyond types.
    fn check(&self, problems: &mut Problems) {
        let _ = problems;
    }

    /// The declared block, where this is one.
    fn structure(&self) -> Option<&dyn Structure> {
        None
    }

    /// The declared block, where this is one.
    fn structure_mut(&mut self) -> Option<&mut dyn Structure> {
        None
    }
}

/// A declared block of keys. Implemented by `declare!`.
pub trait Structure {
    /// Its name, documentation and whether unknown keys pass.
    fn meta(&self) -> &'static StructMeta;
    /// Declared keys with their values.
    fn fields(&self) -> Vec<(&'static FieldMeta, &dyn Setting)>;
    /// Declared keys with their values.
    fn fields_mut(&mut self) -> Vec<(&'static FieldMeta, &mut dyn Setting)>;
    /// The block's own rules, those of its members aside.
    fn own_rules(&self, problems: &mut Problems);
    /// What follows reading: derived defaults, deprecated forms.
    fn decoded(&mut self, mapping: &Mapping, at: &Position, cx: &mut Decoder<'_>);
}

/// What is declared about a block.
#[derive(Debug)]
pub struct StructMeta {
    /// The Go name that the Collector's messages give it (`debugexporter.Config`).
    pub name: &'static str,
    /// Its documentation.
    pub doc: &'static [&'static str],
    /// Unknown keys pass with a warning; the reason.
    pub lenient: Option<&'static str>,
}

/// What is declared about a key.
#[derive(Debug)]
pub struct FieldMeta {
    /// The Rust field's name, which is the key unless the modifier `key` says otherwise.
    pub field: &'static str,
    /// Its documentation.
    pub doc: &'static [&'static str],
    /// `(name, argument)`: `key`, `squash`, `no_effect`, `omit`, `deprecated`.
    pub modifiers: &'static [(&'static str, &'static str)],
}

impl FieldMeta {
    fn modifier(&self, name: &str) -> Option<&'static str> {
        self.modifiers
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, argument)| *argument)
    }

    /// The key in the configuration.
    pub fn key(&self) -> &'static str {
        self.modifier("key")
            .unwrap_or_else(|| self.field.strip_prefix("r#").unwrap_or(self.field))
    }

    /// The members belong to the enclosing block; the name that the Collector's
    /// rules give the inner block (`timeoutconfig`).
    pub fn squash(&self) -> Option<&'static str> {
        self.modifier("squash")
    }

    /// Read and checked, but without effect; why.
    pub fn no_effect(&self) -> Option<&'static str> {
        self.modifier("no_effect")
    }

    /// What to use instead of this key.
    pub fn deprecated(&self) -> Option<&'static str> {
        self.modifier("deprecated")
    }

    /// The Collector reads the block in a nested step, which its messages show.
    fn is_frame(&self) -> bool {
        self.modifier("frame").is_some()
    }

    /// `print-config` leaves it out while its value is zero.
    pub fn omits_zero(&self) -> bool {
        self.modifier("omit").is_some()
    }
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Path of keys; squashed blocks appear by the Collector's name.
    pub path: Vec<String>,
    /// The Collector's text.
    pub text: String,
    /// Where it was written, if that is known better than by the path.
    pub at: Option<Position>,
}

/// Broken rules, collected while the settings are walked.
#[derive(Debug, Default)]
pub struct Problems {
    path: Vec<String>,
    gates: Gates,
    /// What was found.
    pub found: Vec<Problem>,
}

impl Problems {
    /// Starts at a path.
    pub fn at(path: Vec<String>) -> Self {
        Problems {
            path,
            gates: Gates::default(),
            found: Vec::new(),
        }
    }

    /// With these feature gates, which some rules ask for.
    pub fn with_gates(mut self, gates: &Gates) -> Self {
        self.gates = gates.clone();
        self
    }

    /// Which feature gates are on.
    pub fn gates(&self) -> &Gates {
        &self.gates
    }

    /// Notes a broken rule of the current block.
    pub fn push(&mut self, text: impl Into<String>) {
        self.found.push(Problem {
            path: self.path.clone(),
            text: text.into(),
            at: None,
        });
    }

    /// Notes a broken rule of the current block that something at this place breaks.
    pub fn push_at(&mut self, at: &Position, text: impl Into<String>) {
        self.found.push(Problem {
            path: self.path.clone(),
            text: text.into(),
            at: Some(at.clone()),
        });
    }

    /// Runs `f` one key deeper.
    pub fn within(&mut self, key: impl Into<String>, f: impl FnOnce(&mut Self)) {
        self.path.push(key.into());
        f(self);
        self.path.pop();
    }
}

/// Reads a mapping over a declared block.
pub fn decode_structure(block: &mut dyn Structure, node: &Node, cx: &mut Decoder<'_>) {
    let mapping = match &node.value {
        Value::Null => {
            if node.original.is_some() {
                for (_, field) in block.fields_mut() {
                    field.clear();
                }
            }
            return;
        }
        Value::Mapping(mapping) => mapping,
        _ => {
            let found = match node.value {
                Value::Sequence(_) => "slice",
                _ => node.go_type(),
            };
            cx.error(
                node,
                format_args!("expected a map or struct, got \"{found}\""),
                None,
            );
            return;
        }
    };
    let meta = block.meta();
    let lenient = cx.lenient() || meta.lenient.is_some();
    cx.leniently(lenient, |cx| {
        decode_fields(block, mapping, &node.at, cx);
        let mut valid = Vec::new();
        collect_keys(block, &mut valid);
        let unknown: Vec<(&str, &Position)> = mapping
            .iter()
            .filter(|(key, _)| !valid.contains(&key.as_str()))
            .map(|(key, entry)| (key.as_str(), &entry.at))
            .collect();
        cx.unknown_keys(meta.name, &unknown, &valid);
    });
}

fn decode_fields(
    block: &mut dyn Structure,
    mapping: &Mapping,
    at: &Position,
    cx: &mut Decoder<'_>,
) {
    for (meta, field) in block.fields_mut() {
        if meta.squash().is_some() {
            if let Some(inner) = field.structure_mut() {
                decode_fields(inner, mapping, at, cx);
            }
            continue;
        }
        let Some(entry) = mapping.get(meta.key()) else {
            continue;
        };
        cx.within(meta.key(), |cx| {
            let why = meta
                .no_effect()
                .or_else(|| pending::why(&cx.declared_path()));
            let before = why.map(|why| (why, field.print()));
            if meta.is_frame() && entry.node.mapping().is_some() {
                cx.nested(|cx| field.decode(&entry.node, cx));
            } else {
                field.decode(&entry.node, cx);
            }
            if let Some((why, before)) = before
                && field.print() != before
            {
                cx.no_effect(&entry.at, why);
            }
        });
    }
    block.decoded(mapping, at, cx);
}

fn collect_keys(block: &dyn Structure, keys: &mut Vec<&'static str>) {
    for (meta, field) in block.fields() {
        match (meta.squash(), field.structure()) {
            (Some(_), Some(inner)) => collect_keys(inner, keys),
            _ => keys.push(meta.key()),
        }
    }
}

/// Prints a block.
pub fn print_structure(block: &dyn Structure) -> Printed {
    fn collect(block: &dyn Structure, out: &mut Vec<(String, Printed)>) {
        for (meta, field) in block.fields() {
            match (meta.squash(), field.structure()) {
                (Some(_), Some(inner)) => collect(inner, out),
                _ => {
                    let value = field.print();
                    // An optional block that is on is printed even where it is empty.
                    let zero = match value {
                        Printed::Map(_) => {
                            value.is_zero() && !matches!(field.shape(), Shape::Optional { .. })
                        }
                        _ => value == field.zero(),
                    };
                    if !(meta.omits_zero() && zero) {
                        out.push((meta.key().to_owned(), value));
                    }
                }
            }
        }
    }
    let mut entries = Vec::new();
    collect(block, &mut entries);
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    Printed::Map(entries)
}

/// Joins documentation lines to one text.
pub fn doc_text(lines: &[&str]) -> String {
    let mut out = String::new();
    for line in lines {
        let line = line.trim();
        if line.is_empty() {
            out.push_str("\n\n");
        } else {
            if !(out.is_empty() || out.ends_with('\n')) {
                out.push(' ');
            }
            out.push_str(line);
        }
    }
    out
}

/// Describes a block.
pub fn structure_shape(block: &dyn Structure) -> Shape {
    fn collect(block: &dyn Structure, out: &mut Vec<FieldShape>) {
        for (meta, field) in block.fields() {
            match (meta.squash(), field.structure()) {
                (Some(_), Some(inner)) => collect(inner, out),
                _ => out.push(FieldShape {
                    key: meta.key(),
                    doc: doc_text(meta.doc),
                    no_effect: meta.no_effect(),
                    deprecated: meta.deprecated(),
                    default: field.print(),
                    shape: field.shape(),
                }),
            }
        }
    }
    let mut fields = Vec::new();
    collect(block, &mut fields);
    let meta = block.meta();
    Shape::Struct(StructShape {
        name: meta.name,
        doc: doc_text(meta.doc),
        lenient: meta.lenient,
        fields,
    })
}

/// Walks the rules of a block and of its members, in the Collector's order:
/// the block itself first.
pub fn check_structure(block: &dyn Structure, problems: &mut Problems) {
    block.own_rules(problems);
    for (meta, field) in block.fields() {
        let name = meta.squash().unwrap_or_else(|| meta.key());
        problems.within(name, |problems| field.check(problems));
    }
}

/// Declares a block of keys; see the module's overview for the form. After a
/// default may follow, each `, name "argument"`:
/// `key` (the key, where it is no Rust name), `squash` (the members belong to the
/// enclosing block; the Collector's name for it), `no_effect` (why), `deprecated`
/// (what instead), `omit ""` (not printed while zero), `frame ""` (a nested step in messages).
macro_rules! declare {
    ($(#[doc = $doc:literal])* $vis:vis struct $name:ident as $go:literal
        $(, lenient $lenient:literal)? $(, check $check:path)? $(, decoded $decoded:path)? {
        $( $(#[doc = $fdoc:literal])* $field:ident : $ty:ty = $default:expr
            $(, $modifier:ident $argument:literal)* ; )*
    }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug)]
        $vis struct $name {
            $( $(#[doc = $fdoc])* pub $field: $ty, )*
        }

        impl Default for $name {
            fn default() -> Self {
                $name { $( $field: $default, )* }
            }
        }

        impl $crate::component::Structure for $name {
            fn meta(&self) -> &'static $crate::component::StructMeta {
                static META: $crate::component::StructMeta = $crate::component::StructMeta {
                    name: $go,
                    doc: &[$($doc),*],
                    lenient: [$(Some($lenient),)? None][0],
                };
                &META
            }

            fn fields(&self) -> Vec<(&'static $crate::component::FieldMeta, &dyn $crate::component::Setting)> {
                vec![$( ({
                    static META: $crate::component::FieldMeta = $crate::component::FieldMeta {
                        field: stringify!($field),
                        doc: &[$($fdoc),*],
                        modifiers: &[$((stringify!($modifier), $argument)),*],
                    };
                    &META
                }, &self.$field as &dyn $crate::component::Setting) ),*]
            }

            fn fields_mut(&mut self) -> Vec<(&'static $crate::component::FieldMeta, &mut dyn $crate::component::Setting)> {
                vec![$( ({
                    static META: $crate::component::FieldMeta = $crate::component::FieldMeta {
                        field: stringify!($field),
                        doc: &[$($fdoc),*],
                        modifiers: &[$((stringify!($modifier), $argument)),*],
                    };
                    &META
                }, &mut self.$field as &mut dyn $crate::component::Setting) ),*]
            }

            #[allow(unused_variables)]
            fn own_rules(&self, problems: &mut $crate::component::Problems) {
                $( $check(self, problems); )?
            }

            #[allow(unused_variables)]
            fn decoded(
                &mut self,
                mapping: &$crate::config::node::Mapping,
                at: &$crate::config::node::Position,
                cx: &mut $crate::config::diagnostics::Decoder<'_>,
            ) {
                $( $decoded(self, mapping, at, cx); )?
            }
        }

        impl $crate::component::Setting for $name {
            fn decode(&mut self, node: &$crate::config::node::Node, cx: &mut $crate::config::diagnostics::Decoder<'_>) {
                $crate::component::declaration::decode_structure(self, node, cx)
            }
            fn clear(&mut self) {
                for (_, field) in $crate::component::Structure::fields_mut(self) {
                    field.clear();
                }
            }
            fn print(&self) -> $crate::component::Printed {
                $crate::component::declaration::print_structure(self)
            }
            fn shape(&self) -> $crate::component::Shape {
                $crate::component::declaration::structure_shape(self)
            }
            fn check(&self, problems: &mut $crate::component::Problems) {
                $crate::component::declaration::check_structure(self, problems)
            }
            fn structure(&self) -> Option<&dyn $crate::component::Structure> {
                Some(self)
            }
            fn structure_mut(&mut self) -> Option<&mut dyn $crate::component::Structure> {
                Some(self)
            }
        }
    };
}
pub(crate) use declare;
