//! The kinds of values that declarations are made of: numbers, text, secrets,
//! durations, lists, maps, headers, optional blocks, references. What each
//! accepts, and in which words it refuses, is the Collector's (go-mapstructure
//! without weak typing).

use std::{collections::BTreeMap, fmt, time::Duration};

use super::{
    ComponentId,
    declaration::{Printed, Problems, Setting, Shape},
};
use crate::config::{
    diagnostics::Decoder,
    node::{Node, Value},
};

fn unconvertible(node: &Node, wanted: &str, cx: &mut Decoder<'_>) {
    let phrase = format!(
        "expected type '{wanted}', got unconvertible type '{}'",
        node.go_type()
    );
    cx.error(node, phrase, None);
}

impl Setting for bool {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        match node.value {
            Value::Null => {
                if node.original.is_some() {
                    *self = false;
                }
            }
            Value::Bool(value) => *self = value,
            _ => unconvertible(node, "bool", cx),
        }
    }
    fn clear(&mut self) {
        *self = false;
    }
    fn print(&self) -> Printed {
        Printed::Bool(*self)
    }
    fn shape(&self) -> Shape {
        Shape::Bool
    }
}

macro_rules! integers {
    ($($ty:ty as $name:literal),*) => {$(
        impl Setting for $ty {
            fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
                let value = match node.value {
                    Value::Null => {
                        if node.original.is_some() {
                            *self = 0;
                        }
                        return;
                    }
                    Value::Integer(value) => value,
                    // A fraction is cut off, as there.
                    Value::Float(value) if value.is_finite() => value as i128,
                    _ => return unconvertible(node, $name, cx),
                };
                match <$ty>::try_from(value) {
                    Ok(value) => *self = value,
                    Err(_) => {
                        let phrase = format!("cannot parse value as '{}': {value} overflows {}", $name, $name.trim_end_matches(char::is_numeric));
                        let hint = format!("from {} to {}", <$ty>::MIN, <$ty>::MAX);
                        cx.error(node, phrase, Some(hint));
                    }
                }
            }
            fn clear(&mut self) {
                *self = 0;
            }
            fn print(&self) -> Printed {
                Printed::Integer(i128::from(*self))
            }
            fn shape(&self) -> Shape {
                Shape::Integer { min: i128::from(<$ty>::MIN), max: i128::from(<$ty>::MAX) }
            }
        }
    )*};
}
integers!(i64 as "int", u32 as "uint32", u16 as "uint16");

impl Setting for f64 {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        match node.value {
            Value::Null => {
                if node.original.is_some() {
                    *self = 0.0;
                }
            }
            Value::Integer(value) => *self = value as f64,
            Value::Float(value) => *self = value,
            _ => unconvertible(node, "float64", cx),
        }
    }
    fn clear(&mut self) {
        *self = 0.0;
    }
    fn print(&self) -> Printed {
        Printed::Float(*self)
    }
    fn shape(&self) -> Shape {
        Shape::Float
    }
}

/// The text of a node, where it has one: what a reference stood for counts as
/// it was written.
fn text_of<'n>(node: &'n Node, wanted: &str, cx: &mut Decoder<'_>) -> Option<&'n str> {
    match (&node.value, &node.original) {
        (_, Some(original)) => Some(original),
        (Value::Text(text), None) => Some(text),
        (Value::Null, None) => None,
        _ => {
            let hint = match node.value {
                Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {
                    Some("put the value in quotes".to_owned())
                }
                _ => None,
            };
            let phrase = format!(
                "expected type '{wanted}', got unconvertible type '{}'",
                node.go_type()
            );
            cx.error(node, phrase, hint);
            None
        }
    }
}

impl Setting for String {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        if let Some(text) = text_of(node, "string", cx) {
            *self = text.to_owned();
        }
    }
    fn clear(&mut self) {
        String::clear(self);
    }
    fn print(&self) -> Printed {
        Printed::Text(self.clone())
    }
    fn shape(&self) -> Shape {
        Shape::Text
    }
}

/// Text that is printed as `[REDACTED]`, also by `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Opaque(String);

impl Opaque {
    /// A secret.
    pub fn new(text: impl Into<String>) -> Self {
        Opaque(text.into())
    }

    /// The secret itself. Not for logs.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Nothing set?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

impl Setting for Opaque {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        if let Some(text) = text_of(node, "configopaque.String", cx) {
            self.0 = text.to_owned();
        }
    }
    fn clear(&mut self) {
        self.0.clear();
    }
    fn print(&self) -> Printed {
        Printed::Secret(self.0.clone())
    }
    fn shape(&self) -> Shape {
        Shape::Opaque
    }
}

/// A length of time as Go writes it (`1h30m`, `200ms`); a bare number is
/// nanoseconds. May be negative; rules decide what that means.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration {
    nanos: i64,
}

impl GoDuration {
    /// No time.
    pub const ZERO: GoDuration = GoDuration { nanos: 0 };

    /// From nanoseconds.
    pub const fn nanos(nanos: i64) -> Self {
        GoDuration { nanos }
    }

    /// From milliseconds.
    pub const fn millis(millis: i64) -> Self {
        GoDuration {
            nanos: millis.saturating_mul(1_000_000),
        }
    }

    /// From seconds.
    pub const fn secs(secs: i64) -> Self {
        GoDuration {
            nanos: secs.saturating_mul(1_000_000_000),
        }
    }

    /// Nanoseconds.
    pub const fn as_nanos(self) -> i64 {
        self.nanos
    }

    /// The duration; negative counts as none.
    pub fn get(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.nanos).unwrap_or(0))
    }

    /// The duration when it is more than none: where 0 means "no limit".
    pub fn positive(self) -> Option<Duration> {
        (self.nanos > 0).then(|| self.get())
    }

    /// Reads Go's notation.
    ///
    /// # Errors
    /// The phrase of the Collector's message, without the input.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const INVALID: &str = "time: invalid duration";
        let (negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, text.get(1..).unwrap_or("")),
            Some(b'+') => (false, text.get(1..).unwrap_or("")),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(GoDuration::ZERO);
        }
        if rest.is_empty() {
            return Err(INVALID);
        }
        let mut total: i128 = 0;
        while !rest.is_empty() {
            let cut = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();
            let (whole, after) = rest.split_at(cut(rest));
            let (fraction, after) = match after.strip_prefix('.') {
                Some(after) => after.split_at(cut(after)),
                None => ("", after),
            };
            if whole.is_empty() && fraction.is_empty() {
                return Err(INVALID);
            }
            let end = after
                .find(|c: char| c == '.' || c.is_ascii_digit())
                .unwrap_or(after.len());
            let (unit, after) = after.split_at(end);
            let unit: i128 = match unit {
                "" => return Err("time: missing unit in duration"),
                "ns" => 1,
                "us" | "µs" | "μs" => 1_000,
                "ms" => 1_000_000,
                "s" => 1_000_000_000,
                "m" => 60_000_000_000,
                "h" => 3_600_000_000_000,
                _ => return Err("time: unknown unit"),
            };
            let whole: i128 = match whole {
                "" => 0,
                digits => digits.parse().map_err(|_| INVALID)?,
            };
            // Digits beyond the eighteenth are far below a nanosecond.
            let fraction = fraction.get(..fraction.len().min(18)).unwrap_or("");
            let part: i128 = match fraction {
                "" => 0,
                digits => {
                    digits.parse::<i128>().map_err(|_| INVALID)? * unit
                        / 10_i128.pow(digits.len() as u32)
                }
            };
            total = whole
                .checked_mul(unit)
                .and_then(|whole| total.checked_add(whole)?.checked_add(part))
                .filter(|total| *total <= i128::from(i64::MAX) + 1)
                .ok_or(INVALID)?;
            rest = after;
        }
        let total = if negative { -total } else { total };
        i64::try_from(total)
            .map(GoDuration::nanos)
            .map_err(|_| INVALID)
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.nanos.unsigned_abs();
        if self.nanos < 0 {
            f.write_str("-")?;
        }
        let number = |value: u64, scale: u64| {
            let (whole, fraction) = (value / scale, value % scale);
            let digits = scale.ilog10() as usize;
            let text = format!("{whole}.{fraction:0digits$}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        match nanos {
            0 => f.write_str("0s"),
            n if n < 1_000 => write!(f, "{n}ns"),
            n if n < 1_000_000 => write!(f, "{}µs", number(n, 1_000)),
            n if n < 1_000_000_000 => write!(f, "{}ms", number(n, 1_000_000)),
            n => {
                let (hours, minutes) = (n / 3_600_000_000_000, n / 60_000_000_000 % 60);
                if hours > 0 {
                    write!(f, "{hours}h{minutes}m")?;
                } else if minutes > 0 {
                    write!(f, "{minutes}m")?;
                }
                write!(f, "{}s", number(n % 60_000_000_000, 1_000_000_000))
            }
        }
    }
}

impl fmt::Debug for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Setting for GoDuration {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        match &node.value {
            Value::Null => {
                if node.original.is_some() {
                    self.nanos = 0;
                }
            }
            Value::Integer(value) => match i64::try_from(*value) {
                Ok(nanos) => self.nanos = nanos,
                Err(_) => cx.error(node, "time: invalid duration", None),
            },
            // What does not fit becomes the smallest number, as on the Collector's machines.
            Value::Float(value) => {
                let fits = value.abs() < i64::MAX as f64;
                self.nanos = if fits { *value as i64 } else { i64::MIN };
            }
            Value::Text(text) => match GoDuration::parse(text) {
                Ok(duration) => *self = duration,
                Err(phrase) => {
                    let hint = "write a number with a unit, as 500ms, 5s, 1m30s; units: ns, us, ms, s, m, h";
                    cx.error(node, phrase, Some(hint.to_owned()));
                }
            },
            _ => unconvertible(node, "time.Duration", cx),
        }
    }
    fn clear(&mut self) {
        self.nanos = 0;
    }
    fn print(&self) -> Printed {
        Printed::Duration(self.nanos)
    }
    fn shape(&self) -> Shape {
        Shape::Duration
    }
}

impl<T: Setting + Default> Setting for Vec<T> {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        let split;
        let items: &[Node] = match &node.value {
            Value::Null => return,
            Value::Sequence(items) => items,
            // A text where a list of texts belongs is a list with commas, as there.
            Value::Text(text) if matches!(T::default().shape(), Shape::Text) => {
                split = if text.is_empty() {
                    Vec::new()
                } else {
                    text.split(',')
                        .map(|part| Node::new(Value::Text(part.to_owned()), node.at.clone()))
                        .collect()
                };
                &split
            }
            _ => {
                let found = match node.value {
                    Value::Mapping(_) => "map",
                    _ => node.go_type(),
                };
                let phrase = format!("source data must be an array or slice, got {found}");
                cx.error(node, phrase, None);
                return;
            }
        };
        *self = items
            .iter()
            .enumerate()
            .map(|(i, item)| {
                let mut value = T::default();
                cx.at_index(i, |cx| value.decode(item, cx));
                value
            })
            .collect();
    }
    fn clear(&mut self) {
        Vec::clear(self);
    }
    fn print(&self) -> Printed {
        Printed::List(self.iter().map(Setting::print).collect())
    }
    fn shape(&self) -> Shape {
        Shape::List(Box::new(T::default().shape()))
    }
    fn check(&self, problems: &mut Problems) {
        for (i, item) in self.iter().enumerate() {
            problems.within(i.to_string(), |problems| item.check(problems));
        }
    }
}

impl<T: Setting + Default> Setting for BTreeMap<String, T> {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        match &node.value {
            Value::Null => {}
            Value::Mapping(mapping) => {
                for (key, entry) in mapping {
                    let value = self.entry(key.clone()).or_default();
                    cx.within(key, |cx| value.decode(&entry.node, cx));
                }
            }
            _ => {
                let phrase = format!("expected a map, got '{}'", node.go_type());
                cx.error(node, phrase, None);
            }
        }
    }
    fn clear(&mut self) {
        BTreeMap::clear(self);
    }
    fn print(&self) -> Printed {
        Printed::Map(self.iter().map(|(k, v)| (k.clone(), v.print())).collect())
    }
    fn shape(&self) -> Shape {
        Shape::Map(Box::new(T::default().shape()))
    }
    fn check(&self, problems: &mut Problems) {
        for (key, item) in self {
            problems.within(key.clone(), |problems| item.check(problems));
        }
    }
}

/// A value that may be absent; `null` makes no difference to what is there.
impl<T: Setting + Default> Setting for Option<T> {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        if node.is_null() {
            return;
        }
        self.get_or_insert_with(T::default).decode(node, cx);
    }
    fn clear(&mut self) {
        *self = None;
    }
    fn print(&self) -> Printed {
        // The Collector prints `[]` for a list that is not there, which it then does
        // not load again.
        self.as_ref().map_or(Printed::Null, Setting::print)
    }
    fn shape(&self) -> Shape {
        Shape::Nullable(Box::new(T::default().shape()))
    }
    fn check(&self, problems: &mut Problems) {
        if let Some(value) = self {
            value.check(problems);
        }
    }
}

/// The id of an extension, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtensionRef(Option<ComponentId>);

impl ExtensionRef {
    /// The id, where one is given.
    pub fn get(&self) -> Option<&ComponentId> {
        self.0.as_ref()
    }
}

impl Setting for ExtensionRef {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        let text = match (&node.value, &node.original) {
            (Value::Null, _) => return,
            (Value::Text(text), _) => text,
            (_, Some(original)) => original,
            _ => {
                let found = match node.value {
                    Value::Sequence(_) => "slice",
                    Value::Mapping(_) => "map",
                    _ => node.go_type(),
                };
                let phrase = format!("expected a map or struct, got \"{found}\"");
                return cx.error(node, phrase, Some("an extension's id is text".into()));
            }
        };
        match text.parse() {
            Ok(id) => self.0 = Some(id),
            Err(phrase) => cx.error(node, phrase, None),
        }
    }
    fn clear(&mut self) {
        self.0 = None;
    }
    fn print(&self) -> Printed {
        self.0
            .as_ref()
            .map_or(Printed::Null, |id| Printed::Text(id.to_string()))
    }
    fn shape(&self) -> Shape {
        Shape::Reference("extensions")
    }
}

/// Header names and values, in the order in which they are sent. Written as a map
/// (then sorted by name) or as a list of `{name, value}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Headers(Vec<(String, Opaque)>);

impl Headers {
    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.reveal()))
    }

    /// None at all?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Setting for Headers {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        let mut headers = Vec::new();
        match &node.value {
            Value::Null => return,
            Value::Mapping(mapping) => cx.nested(|cx| {
                for (name, entry) in mapping {
                    let mut value = Opaque::default();
                    cx.within(&format!("[{name}]"), |cx| value.decode(&entry.node, cx));
                    headers.push((name.clone(), value));
                }
            }),
            Value::Sequence(items) => {
                for (i, item) in items.iter().enumerate() {
                    let mut pair = HeaderPair::default();
                    cx.at_index(i, |cx| pair.decode(item, cx));
                    if headers.iter().any(|(name, _)| *name == pair.name) {
                        cx.error(item, format!("duplicate name {:?}", pair.name), None);
                    }
                    headers.push((pair.name, pair.value));
                }
            }
            _ => {
                let phrase = format!(
                    "source data must be an array or slice, got {}",
                    node.go_type()
                );
                cx.error(node, phrase, None);
                return;
            }
        }
        self.0 = headers;
    }
    fn clear(&mut self) {
        self.0.clear();
    }
    fn print(&self) -> Printed {
        let pair = |(name, value): &(String, Opaque)| {
            Printed::Map(vec![
                ("name".into(), Printed::Text(name.clone())),
                ("value".into(), value.print()),
            ])
        };
        Printed::List(self.0.iter().map(pair).collect())
    }
    fn shape(&self) -> Shape {
        Shape::Headers
    }
}

super::declare! {
    /// One header.
    struct HeaderPair as "configopaque.Pair" {
        /// Name.
        name: String = String::new();
        /// Value.
        value: Opaque = Opaque::default();
    }
}

/// A value of any type, as it was written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Anything(Option<Node>);

impl Anything {
    /// The value, where one other than `null` is given.
    pub fn get(&self) -> Option<&Node> {
        self.0.as_ref()
    }
}

impl Setting for Anything {
    fn decode(&mut self, node: &Node, _: &mut Decoder<'_>) {
        if !node.is_null() {
            self.0 = Some(node.clone());
        }
    }
    fn clear(&mut self) {
        self.0 = None;
    }
    fn print(&self) -> Printed {
        self.0.as_ref().map_or(Printed::Null, print_node)
    }
    fn shape(&self) -> Shape {
        Shape::Any
    }
}

/// A tree as it is.
pub fn print_node(node: &Node) -> Printed {
    match &node.value {
        Value::Null => Printed::Null,
        Value::Bool(b) => Printed::Bool(*b),
        Value::Integer(i) => Printed::Integer(*i),
        Value::Float(f) => Printed::Float(*f),
        Value::Text(t) => Printed::Text(t.clone()),
        Value::Sequence(items) => Printed::List(items.iter().map(print_node).collect()),
        Value::Mapping(mapping) => Printed::Map(
            mapping
                .iter()
                .map(|(key, entry)| (key.clone(), print_node(&entry.node)))
                .collect(),
        ),
    }
}

fn not_a_switch(node: &Node, cx: &mut Decoder<'_>) {
    let kind = if node.is_null() {
        "<nil>"
    } else {
        node.go_type()
    };
    let phrase = format!(
        "unexpected type {kind} for 'enabled': got '{}' value expected 'true' or 'false'",
        go_value(node)
    );
    cx.error(node, phrase, None);
}

/// A value as Go's `%v` shows it.
fn go_value(node: &Node) -> String {
    match &node.value {
        Value::Sequence(items) => {
            let items: Vec<String> = items.iter().map(go_value).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Mapping(mapping) => {
            let entries: Vec<String> = mapping
                .iter()
                .map(|(key, entry)| format!("{key}:{}", go_value(&entry.node)))
                .collect();
            format!("map[{}]", entries.join(" "))
        }
        _ => super::print::scalar_text(&print_node(node)).unwrap_or_else(|| "<nil>".into()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Presence {
    /// Off until it is written; `null` leaves it off.
    Absent,
    /// Off until it is written; written without a value it is on with its defaults.
    Off,
    /// On.
    On,
}

/// A block that may be on or off. Written, it is on; `enabled: false` in it
/// switches it off.
#[derive(Clone, Debug)]
pub struct Optional<T> {
    value: T,
    presence: Presence,
    switch: bool,
}

impl<T> Optional<T> {
    /// Off until written; `null` leaves it off.
    pub fn absent(base: T) -> Self {
        Optional {
            value: base,
            presence: Presence::Absent,
            switch: true,
        }
    }

    /// Off until written; a key without a value is on with these defaults.
    pub fn off(base: T) -> Self {
        Optional {
            value: base,
            presence: Presence::Off,
            switch: true,
        }
    }

    /// On with these defaults.
    pub fn on(base: T) -> Self {
        Optional {
            value: base,
            presence: Presence::On,
            switch: true,
        }
    }

    /// The same without the key `enabled`.
    pub fn without_switch(mut self) -> Self {
        self.switch = false;
        self
    }

    /// The block, when it is on.
    pub fn get(&self) -> Option<&T> {
        (self.presence == Presence::On).then_some(&self.value)
    }

    /// The block, when it is on.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        (self.presence == Presence::On).then_some(&mut self.value)
    }

    /// Is it on?
    pub fn is_on(&self) -> bool {
        self.presence == Presence::On
    }

    /// Switches it on and gives it.
    pub fn insert(&mut self) -> &mut T {
        self.presence = Presence::On;
        &mut self.value
    }

    /// Switches it off.
    pub fn remove(&mut self) {
        self.presence = Presence::Absent;
    }
}

impl<T: Setting + Default> Setting for Optional<T> {
    fn decode(&mut self, node: &Node, cx: &mut Decoder<'_>) {
        match &node.value {
            Value::Null => {
                if self.presence != Presence::Absent {
                    self.presence = Presence::On;
                }
            }
            // Without a switch this is a pointer to a block there, and no step of its own.
            Value::Mapping(_) if !self.switch => {
                self.value.decode(node, cx);
                self.presence = Presence::On;
            }
            Value::Mapping(mapping) => {
                let mut on = true;
                if let Some(switch) = mapping.get("enabled") {
                    match &switch.node.value {
                        Value::Bool(value) => on = *value,
                        _ => return not_a_switch(&switch.node, cx),
                    }
                }
                let mut rest = mapping.clone();
                rest.remove("enabled");
                let rest = Node::new(Value::Mapping(rest), node.at.clone());
                cx.leniently(false, |cx| {
                    cx.nested(|cx| self.value.decode(&rest, cx));
                });
                self.presence = if on { Presence::On } else { Presence::Absent };
            }
            _ => {
                let found = match node.value {
                    Value::Sequence(_) => "slice",
                    _ => node.go_type(),
                };
                let inner = if self.switch { "'' " } else { "" };
                let phrase = format!("{inner}expected a map or struct, got \"{found}\"");
                cx.error(node, phrase, None);
            }
        }
    }
    fn clear(&mut self) {}
    fn print(&self) -> Printed {
        self.get().map_or(Printed::Null, Setting::print)
    }
    fn shape(&self) -> Shape {
        Shape::Optional {
            on: self.is_on(),
            switch: self.switch,
            of: Box::new(self.value.shape()),
        }
    }
    fn check(&self, problems: &mut Problems) {
        if let Some(value) = self.get() {
            value.check(problems);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        for (text, result) in [
            ("5s", Ok("5s")),
            ("1h30m", Ok("1h30m0s")),
            ("1h1m", Ok("1h1m0s")),
            ("200ms", Ok("200ms")),
            ("1.5s", Ok("1.5s")),
            (".5s", Ok("500ms")),
            ("5.s", Ok("5s")),
            ("1500us", Ok("1.5ms")),
            ("1µs", Ok("1µs")),
            ("-5s", Ok("-5s")),
            ("90s", Ok("1m30s")),
            ("0", Ok("0s")),
            ("", Err("time: invalid duration")),
            ("x", Err("time: invalid duration")),
            ("5", Err("time: missing unit in duration")),
            ("1s2", Err("time: missing unit in duration")),
            ("5 s", Err("time: unknown unit")),
            ("1d", Err("time: unknown unit")),
            ("99999999999s", Err("time: invalid duration")),
        ] {
            let got = GoDuration::parse(text).map(|d| d.to_string());
            assert_eq!(got.as_deref().map_err(|e| *e), result, "{text:?}");
        }
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret = Opaque::new("hush");
        assert_eq!(format!("{secret:?}"), "[REDACTED]");
        assert_eq!(secret.reveal(), "hush");
    }
}
