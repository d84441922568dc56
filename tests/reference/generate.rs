//! Random cases: value expressions, conditions and statements along the grammar, of every function
//! and every path, mostly of the types that are wanted. What texts functions work with is in `texts`,
//! what cases run on in `inputs`.

use trunkline_ottl::{
    contexts::{Context, Keys, PathDef, Write},
    functions::{self, Function, Host, Item, Param, ParamKind, TargetKind},
    types::Type,
};

use crate::texts;

/// SplitMix64: a seed is a run.
pub struct Rng(pub u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// Below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// What makes up cases.
pub struct Generator {
    /// Where its choices come from.
    pub rng: Rng,
    /// What they are about.
    pub context: Context,
}

/// Attributes of inputs, by name, and the type that each has most of the time.
pub const NAMES: [(&str, Type); 13] = [
    ("s", Type::String),
    ("text", Type::String),
    ("i", Type::Int),
    ("j", Type::Int),
    ("d", Type::Float),
    ("t", Type::Bool),
    ("l", Type::List),
    ("ll", Type::List),
    ("m", Type::Map),
    ("mm", Type::Map),
    ("by", Type::Bytes),
    ("eb", Type::Bytes),
    ("none", Type::Nil),
];

/// Types that expressions are made up of.
pub const TYPES: [Type; 10] = [
    Type::Bool,
    Type::Int,
    Type::Float,
    Type::String,
    Type::Bytes,
    Type::Time,
    Type::Duration,
    Type::Map,
    Type::List,
    Type::Nil,
];

impl Generator {
    /// From a seed.
    pub fn new(seed: u64) -> Generator {
        Generator {
            rng: Rng(seed),
            context: Context::Log,
        }
    }

    /// An integer, now and then one at an edge.
    pub fn int(&mut self) -> i64 {
        match self.rng.one_in(3) {
            true => self.rng.pick(&texts::INTS),
            false => i64::try_from(self.rng.below(12)).unwrap() - 2,
        }
    }

    /// A text that functions may find something in.
    pub fn text(&mut self) -> String {
        let mut text = self.rng.pick(&texts::TEXTS).to_owned();
        if self.rng.one_in(6) {
            text += self.rng.pick(&texts::TEXTS);
        }
        if self.rng.one_in(6) && !text.is_empty() {
            let chars: Vec<char> = text.chars().collect();
            let (a, b) = (self.rng.below(chars.len()), self.rng.below(chars.len()));
            text = chars[a.min(b)..=a.max(b)].iter().collect();
        }
        text
    }

    /// A case.
    pub fn case(&mut self) -> String {
        let case = match self.rng.below(10) {
            0..=3 => {
                let of = self.rng.pick(&TYPES);
                format!("v {}", self.value(of, 3))
            }
            4 | 5 => format!("c {}", self.condition(3)),
            _ => {
                let first = self.statement();
                // Whatever removes an attribute leaves the others in another order, which those
                // that follow may see.
                let orders = ["delete_", "keep_", "limit", "flatten", "clear"];
                match self.rng.one_in(3) && !orders.iter().any(|name| first.contains(name)) {
                    true => format!("s {first};;{}", self.statement()),
                    false => format!("s {first}"),
                }
            }
        };
        match self.rng.one_in(25) {
            true => self.damaged(&case),
            false => case,
        }
    }

    /// With a character too few, too many, or another.
    fn damaged(&mut self, case: &str) -> String {
        let mut chars: Vec<char> = case.chars().collect();
        let at = 2 + self.rng.below(chars.len() - 2);
        let other = self.rng.pick(&[
            '"', '(', ')', '[', ']', ',', '.', '-', '1', 'a', 'A', ' ', '=', '{', '}', '\\', '<',
            '_', ':', '+', '*',
        ]);
        match self.rng.below(3) {
            0 => {
                chars.remove(at);
            }
            1 => chars.insert(at, other),
            _ => chars[at] = other,
        }
        chars.into_iter().collect()
    }

    fn statement(&mut self) -> String {
        let editors: Vec<&Function> = functions::all()
            .filter(|function| {
                function.is_editor() && function.offered(Host::Library, self.context)
            })
            .collect();
        let set = functions::find("set", Host::Library, self.context).unwrap();
        let editor = match self.rng.one_in(3) {
            true => set,
            false => self.rng.pick(&editors),
        };
        let call = self.call(editor, 3);
        match self.rng.one_in(4) {
            true => format!("{call} where {}", self.condition(2)),
            false => call,
        }
    }

    fn call(&mut self, function: &Function, depth: usize) -> String {
        let mut args = Vec::new();
        let mut named = false;
        for (at, param) in function.params.iter().enumerate() {
            if param.optional && self.rng.one_in(2) {
                // What follows has to be named, unless nothing does.
                named = true;
                continue;
            }
            let arg = self.argument(function, at, param, depth);
            named |= self.rng.one_in(15);
            args.push(match named {
                true => format!("{}={arg}", param.name),
                false => arg,
            });
        }
        format!("{}({})", function.name, args.join(", "))
    }

    fn argument(&mut self, function: &Function, at: usize, param: &Param, depth: usize) -> String {
        let pool = texts::of(function.name, at);
        if !pool.is_empty() && !self.rng.one_in(12) {
            return self.rng.pick(pool).to_owned();
        }
        let depth = depth.saturating_sub(1);
        if self.rng.one_in(40) {
            let of = self.rng.pick(&TYPES);
            return self.value(of, depth);
        }
        match param.kind {
            ParamKind::Any => {
                let of = self.rng.pick(&TYPES);
                self.value(of, depth)
            }
            ParamKind::String => self.value(Type::String, depth),
            ParamKind::Int => self.value(Type::Int, depth),
            ParamKind::Time => self.value(Type::Time, depth),
            ParamKind::Duration => self.value(Type::Duration, depth),
            ParamKind::Map => self.value(Type::Map, depth),
            ParamKind::List => self.value(Type::List, depth),
            ParamKind::StringLike
            | ParamKind::IntLike
            | ParamKind::FloatLike
            | ParamKind::BoolLike
            | ParamKind::BytesLike => {
                let of = self.rng.pick(&TYPES);
                self.value(of, depth)
            }
            ParamKind::Regex => match self.rng.one_in(3) {
                true => self.literal(&texts::REGEXES),
                false => {
                    let pattern = self.pattern(2);
                    quoted(&pattern)
                }
            },
            ParamKind::Glob => self.literal(&texts::GLOBS),
            ParamKind::Target(TargetKind::Map) => self.target(Type::Map),
            ParamKind::Target(TargetKind::List) => self.target(Type::List),
            ParamKind::Target(TargetKind::Any) => {
                let of = self.rng.pick(&TYPES);
                self.target(of)
            }
            ParamKind::Items(item, dynamic) => {
                if dynamic && self.rng.one_in(3) {
                    return self.value(Type::List, depth);
                }
                let len = self.rng.below(4);
                let items: Vec<String> = (0..len)
                    .map(|_| {
                        let of = match item {
                            Item::String => Type::String,
                            _ => self.rng.pick(&TYPES),
                        };
                        self.value(of, depth.min(1))
                    })
                    .collect();
                format!("[{}]", items.join(", "))
            }
            ParamKind::LiteralString => {
                let text = self.text();
                quoted(&text)
            }
            ParamKind::LiteralInt => self.rng.below(8).to_string(),
            ParamKind::LiteralFloat => "1.5".to_owned(),
            ParamKind::LiteralBool => self.rng.pick(&["true", "false"]).to_owned(),
            ParamKind::LiteralStrings => {
                let len = self.rng.below(4);
                let items: Vec<String> = (0..len)
                    .map(|_| quoted(self.rng.pick(&texts::KEYS)))
                    .collect();
                format!("[{}]", items.join(", "))
            }
            ParamKind::LiteralFloats => "[1.0, 2.5]".to_owned(),
            ParamKind::Function => self
                .rng
                .pick(&[
                    "SHA256",
                    "MD5",
                    "ToUpperCase",
                    "ToLowerCase",
                    "ToSnakeCase",
                    "Murmur3Hash",
                    "Trim",
                    "FNV",
                    "Nope",
                ])
                .to_owned(),
            ParamKind::Lambda(_) => "nil".to_owned(),
        }
    }

    fn literal(&mut self, of: &[&str]) -> String {
        let text = self.rng.pick(of);
        quoted(text)
    }

    /// A regular expression, mostly a right one.
    fn pattern(&mut self, depth: usize) -> String {
        let len = 1 + self.rng.below(3);
        (0..len)
            .map(|_| {
                let atom = match self.rng.below(8) {
                    0 if depth > 0 => format!("({})", self.pattern(depth - 1)),
                    1 if depth > 0 => format!(
                        "(?:{}|{})",
                        self.pattern(depth - 1),
                        self.pattern(depth - 1)
                    ),
                    2 if depth > 0 => {
                        format!("(?P<n{}>{})", self.rng.below(3), self.pattern(depth - 1))
                    }
                    _ => self.rng.pick(&texts::ATOMS).to_owned(),
                };
                atom + self
                    .rng
                    .pick(&["", "", "", "", "*", "+", "?", "{2}", "{0,3}", "*?", "+?"])
            })
            .collect()
    }

    /// A path that is written.
    fn target(&mut self, of: Type) -> String {
        if self.rng.one_in(4) {
            let paths: Vec<(Context, PathDef)> = self
                .paths()
                .into_iter()
                .filter(|(_, path)| !matches!(path.write, Write::Never))
                .collect();
            let (context, path) = self.rng.pick(&paths);
            let mut text = format!("{context}.{}", path.name);
            if path.keys != Keys::None && self.rng.one_in(2) {
                text += &self.keys();
            }
            return text;
        }
        if of == Type::Map && self.rng.one_in(3) {
            return format!("{}.attributes", self.context);
        }
        self.attribute(of)
    }

    fn paths(&self) -> Vec<(Context, PathDef)> {
        let around = self.context.visible().iter();
        around
            .flat_map(|context| context.paths().iter().map(|path| (*context, *path)))
            .filter(|(context, path)| {
                *context != Context::OtelCol && (path.name != "cache" || *context == self.context)
            })
            .collect()
    }

    /// An attribute or part of the scratch map.
    fn attribute(&mut self, of: Type) -> String {
        let names: Vec<&str> = NAMES
            .iter()
            .filter(|(_, kind)| *kind == of)
            .map(|(name, _)| *name)
            .collect();
        let name = match names.is_empty() || self.rng.one_in(6) {
            true => self.rng.pick(&["new", "missing", "s", "m", "l"]),
            false => self.rng.pick(&names),
        };
        let place = match self.rng.one_in(10) {
            true => "cache",
            false => "attributes",
        };
        let mut text = format!("{}.{place}[\"{name}\"]", self.context);
        if self.rng.one_in(6) {
            text += &self.keys();
        }
        text
    }

    fn keys(&mut self) -> String {
        let key = match self.rng.below(8) {
            0..=3 => quoted(self.rng.pick(&texts::KEYS)),
            4..=6 => self.rng.below(4).to_string(),
            _ => {
                let of = self.rng.pick(&[Type::Int, Type::String]);
                self.value(of, 1)
            }
        };
        match self.rng.one_in(4) {
            true => format!("[{key}]{}", self.keys()),
            false => format!("[{key}]"),
        }
    }

    fn path(&mut self, of: Type) -> String {
        if self.rng.one_in(3) {
            let paths: Vec<(Context, PathDef)> = self
                .paths()
                .into_iter()
                .filter(|(_, path)| path.types.has(of) && !path.types.has(Type::Opaque))
                .collect();
            if !paths.is_empty() {
                let (context, path) = self.rng.pick(&paths);
                return format!("{context}.{}", path.name);
            }
        }
        self.attribute(of)
    }

    /// An expression, of this type most of the time.
    pub fn value(&mut self, of: Type, depth: usize) -> String {
        let of = match self.rng.one_in(12) {
            true => self.rng.pick(&TYPES),
            false => of,
        };
        if depth == 0 || self.rng.one_in(4) {
            return match self.rng.one_in(2) {
                true => self.path(of),
                false => self.constant(of),
            };
        }
        let numbers = matches!(of, Type::Int | Type::Float | Type::Time | Type::Duration);
        if numbers && self.rng.one_in(4) {
            let other = self
                .rng
                .pick(&[of, of, Type::Int, Type::Float, Type::Duration]);
            let (left, right) = (self.operand(of, depth - 1), self.operand(other, depth - 1));
            let operator = self.rng.pick(&["+", "-", "*", "/"]);
            return format!("{left} {operator} {right}");
        }
        let able: Vec<&Function> = functions::all()
            .filter(|function| {
                !function.is_editor()
                    && function.offered(Host::Library, self.context)
                    && function.result.has(of)
                    && !texts::CLOCKS.contains(&function.name)
            })
            .collect();
        if able.is_empty() || of == Type::Nil {
            return self.path(of);
        }
        let function = self.rng.pick(&able);
        let call = self.call(function, depth);
        match matches!(of, Type::Map | Type::List) && self.rng.one_in(6) {
            true => call + &self.keys(),
            false => call,
        }
    }

    fn operand(&mut self, of: Type, depth: usize) -> String {
        match self.rng.below(6) {
            0 => format!("-{}", self.path(of)),
            1 => format!("({} + {})", self.path(of), self.path(of)),
            _ => self.value(of, depth),
        }
    }

    fn constant(&mut self, of: Type) -> String {
        match of {
            Type::Bool => self.rng.pick(&["true", "false"]).to_owned(),
            Type::Int => self.int().to_string(),
            Type::Float => self.rng.pick(&texts::FLOAT_LITERALS).to_owned(),
            Type::String => {
                let text = self.text();
                quoted(&text)
            }
            Type::Bytes => self
                .rng
                .pick(&[
                    "0xdead",
                    "0x01",
                    "0x0102030405060708",
                    "0x68656c6c6f",
                    "0xff",
                ])
                .to_owned(),
            Type::Time => self.rng.pick(&texts::TIMES).to_owned(),
            Type::Duration => format!("Duration({})", quoted(self.rng.pick(&texts::DURATIONS))),
            Type::Map => {
                // More than one entry would come in any order.
                let of = self.rng.pick(&TYPES);
                match self.rng.one_in(5) {
                    true => "{}".to_owned(),
                    false => format!(
                        "{{{}: {}}}",
                        quoted(self.rng.pick(&texts::KEYS)),
                        self.value(of, 1)
                    ),
                }
            }
            Type::List => {
                let len = self.rng.below(4);
                let items: Vec<String> = (0..len)
                    .map(|_| {
                        let of = self.rng.pick(&TYPES);
                        self.value(of, 1)
                    })
                    .collect();
                format!("[{}]", items.join(", "))
            }
            _ => "nil".to_owned(),
        }
    }

    fn condition(&mut self, depth: usize) -> String {
        if depth > 0 && self.rng.one_in(3) {
            let (left, right) = (self.condition(depth - 1), self.condition(depth - 1));
            return match self.rng.below(4) {
                0 => format!("{left} and {right}"),
                1 => format!("{left} or {right}"),
                2 => format!("not ({left} or {right})"),
                _ => format!("({left} and {right})"),
            };
        }
        match self.rng.below(8) {
            0 => self.rng.pick(&["true", "false"]).to_owned(),
            1 => {
                let able: Vec<&Function> = functions::all()
                    .filter(|function| {
                        function.result.has(Type::Bool)
                            && function.offered(Host::Library, self.context)
                            && !function.is_editor()
                    })
                    .collect();
                let function = self.rng.pick(&able);
                let call = self.call(function, 2);
                match self.rng.one_in(3) {
                    true => format!("not {call}"),
                    false => call,
                }
            }
            _ => {
                let of = self.rng.pick(&TYPES);
                let (left, right) = (self.value(of, 2), self.value(of, 2));
                let operator = self.rng.pick(&["==", "!=", "<", "<=", ">", ">="]);
                format!("{left} {operator} {right}")
            }
        }
    }
}

/// A string literal.
pub fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            '\n' => out += "\\n",
            '\r' => out += "\\r",
            '\t' => out += "\\t",
            '\0' => out += "\\x00",
            c => out.push(c),
        }
    }
    out + "\""
}
