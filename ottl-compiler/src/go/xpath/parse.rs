//! Expressions of XPath from text. What the Go library does differently from the standard, and
//! what it leaves to chance, is refused here, each with a text that names it.

use super::{Axis, Expr, Function, Operator, Pick, Start, Step, Test, XPath};
use crate::go::{
    text::parse_double,
    xml_names::{begins_name, continues_name},
};

/// How deep expressions may nest.
const DEPTH: usize = 50;

impl XPath {
    /// Compiles an expression.
    ///
    /// # Errors
    /// Where it is none, or one that is not supported.
    pub fn compile(text: &str) -> Result<XPath, String> {
        let fail = |cause: String| format!("invalid xpath: {cause}");
        if text.is_empty() {
            return Err(fail("expr expression is nil".to_owned()));
        }
        let mut parser = Parser {
            rest: text,
            predicates: 0,
        };
        let root = parser.expression(DEPTH).map_err(fail)?;
        parser.space();
        if !parser.rest.is_empty() {
            return Err(fail(format!("unexpected {:?}", parser.rest)));
        }
        if root.has_position() && !root.has_predicate() {
            return Err(fail(
                "position() and last() outside of a predicate are not supported".to_owned(),
            ));
        }
        if let Expr::Binary(Operator::Or | Operator::And, ..) = root {
            return Err(fail(
                "a condition in place of a path is not supported".to_owned(),
            ));
        }
        Ok(XPath { root })
    }
}

struct Parser<'t> {
    rest: &'t str,
    /// Predicates around what is read.
    predicates: usize,
}

fn unsupported<T>(what: &str) -> Result<T, String> {
    Err(format!("{what} is not supported"))
}

impl<'t> Parser<'t> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn must(&mut self, token: &str) -> Result<(), String> {
        match self.take(token) {
            true => Ok(()),
            false => Err(format!("expected {token:?} before {:?}", self.rest)),
        }
    }

    /// A word of operators, and not the beginning of a longer one.
    fn word(&mut self, word: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(word) {
            Some(rest) if !rest.starts_with(continues_name) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn name(&mut self) -> Option<&'t str> {
        self.space();
        let len = self
            .rest
            .find(|c| !continues_name(c))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at_checked(len)?;
        // The library takes names that begin with what others only go on with, but for those that
        // are the beginning of something else to it.
        if !name.starts_with(|c| begins_name(c) || (!c.is_ascii() && !c.is_numeric())) {
            return None;
        }
        self.rest = rest;
        Some(name)
    }

    fn expression(&mut self, depth: usize) -> Result<Expr, String> {
        let depth = depth
            .checked_sub(1)
            .ok_or("the xpath query is too complex")?;
        self.binary(0, depth)
    }

    /// Operators that bind at least as strongly as this level.
    fn binary(&mut self, level: usize, depth: usize) -> Result<Expr, String> {
        use Operator::*;
        let operators: &[(&str, Operator)] = match level {
            0 => &[("or", Or)],
            1 => &[("and", And)],
            2 => &[("=", Equal), ("!=", NotEqual)],
            3 => &[
                ("<=", LessOrEqual),
                (">=", GreaterOrEqual),
                ("<", Less),
                (">", Greater),
            ],
            4 => &[("+", Plus), ("-", Minus)],
            5 => &[("*", Times), ("div", Divided), ("mod", Modulo)],
            _ => return self.unary(depth),
        };
        let mut left = self.binary(level + 1, depth)?;
        let mut depth = depth;
        loop {
            let found = operators.iter().find(|(token, _)| {
                match token.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    true => self.word(token),
                    false => self.take(token),
                }
            });
            let Some((_, operator)) = found else {
                return Ok(left);
            };
            depth = depth
                .checked_sub(1)
                .ok_or("the xpath query is too complex")?;
            let right = self.binary(level + 1, depth)?;
            moves(
                &[&left, &right],
                matches!(operator, Or | And) || operator.is_arithmetic(),
            )?;
            left = Expr::Binary(*operator, Box::new(left), Box::new(right));
        }
    }

    fn unary(&mut self, depth: usize) -> Result<Expr, String> {
        let mut minus = false;
        while self.take("-") {
            minus = !minus;
        }
        let mut left = self.path(depth)?;
        let mut depth = depth;
        while self.take("|") {
            depth = depth
                .checked_sub(1)
                .ok_or("the xpath query is too complex")?;
            let right = self.path(depth)?;
            if !left.is_nodes() || !right.is_nodes() {
                return unsupported("a union of what is not nodes");
            }
            left = Expr::Union(Box::new(left), Box::new(right));
        }
        Ok(match minus {
            true => Expr::Binary(
                Operator::Times,
                Box::new(left),
                Box::new(Expr::Number(-1.0)),
            ),
            false => left,
        })
    }

    fn path(&mut self, depth: usize) -> Result<Expr, String> {
        self.space();
        let first = self.rest.chars().next();
        let mut after = self.rest.chars().skip(1);
        match first {
            Some(quote @ ('"' | '\'')) => {
                let inner = self.rest.get(1..).unwrap_or_default();
                let (text, rest) = inner.split_once(quote).ok_or("unclosed string")?;
                self.rest = rest;
                return self.scalar(Expr::Text(text.as_bytes().to_vec()));
            }
            Some('$') => return unsupported("a variable"),
            Some('(') => return self.group(depth),
            Some(c)
                if c.is_ascii_digit()
                    || (c == '.' && after.next().is_some_and(|c| c.is_ascii_digit())) =>
            {
                let digits = |text: &str| {
                    let end = text.find(|c: char| !c.is_ascii_digit());
                    end.unwrap_or(text.len())
                };
                let whole = digits(self.rest);
                let fraction = self
                    .rest
                    .get(whole..)
                    .and_then(|rest| rest.strip_prefix('.'));
                let len = whole + fraction.map_or(0, |rest| 1 + digits(rest));
                let (number, rest) = self.rest.split_at_checked(len).unwrap_or_default();
                self.rest = rest;
                let number = parse_double(number.as_bytes()).ok_or("not a number")?;
                return self.scalar(Expr::Number(number));
            }
            _ => {}
        }
        let before = self.rest;
        if let Some(name) = self.name() {
            let is_type = matches!(name, "node" | "text" | "comment" | "processing-instruction");
            if !is_type && self.take("(") {
                let call = self.call(name, depth)?;
                return self.scalar(call);
            }
        }
        self.rest = before;
        let mut steps = Vec::new();
        let start = match (self.take("//"), self.rest.starts_with('/')) {
            (true, _) => {
                steps.push(anything());
                Start::Root
            }
            (false, true) => {
                self.rest = self.rest.get(1..).unwrap_or_default();
                self.space();
                let begins = |c: char| matches!(c, '.' | '@' | '*') || continues_name(c);
                if !self.rest.starts_with(begins) {
                    return Ok(Expr::Path(Start::Root, Pick::All, steps));
                }
                Start::Root
            }
            _ => Start::Context,
        };
        self.steps(&mut steps, depth)?;
        Ok(Expr::Path(start, Pick::All, steps))
    }

    /// What neither a predicate nor a path may follow.
    fn scalar(&mut self, expr: Expr) -> Result<Expr, String> {
        self.space();
        match self.rest.starts_with(['[', '/']) {
            true => unsupported("a path or a predicate behind what is not nodes"),
            false => Ok(expr),
        }
    }

    fn group(&mut self, depth: usize) -> Result<Expr, String> {
        self.must("(")?;
        let inner = self.expression(depth)?;
        self.must(")")?;
        if !inner.is_nodes() {
            return self.scalar(inner);
        }
        let mut pick = Pick::All;
        if self.take("[") {
            pick = match self.expression(depth)? {
                Expr::Number(number) => Pick::Nth(number),
                Expr::Call(Function::Last, _) => Pick::Last,
                _ => return unsupported("a predicate of a group other than a number or last()"),
            };
            self.must("]")?;
            if depth + 1 != DEPTH || !absolute(&inner) {
                return unsupported(
                    "a position in a group other than of all nodes of an absolute path",
                );
            }
            if self.take("[") {
                return unsupported("a second predicate of a group");
            }
        }
        let mut steps = Vec::new();
        if self.take("//") {
            steps.push(anything());
        } else if !self.take("/") {
            return Ok(Expr::Path(Start::Group(Box::new(inner)), pick, steps));
        }
        self.steps(&mut steps, depth)?;
        Ok(Expr::Path(Start::Group(Box::new(inner)), pick, steps))
    }

    fn steps(&mut self, steps: &mut Vec<Step>, depth: usize) -> Result<(), String> {
        let mut written = false;
        loop {
            let step = self.step(depth)?;
            // The library goes through descendants of descendants in its own way.
            let wide = matches!(step.axis, Axis::Descendant | Axis::DescendantOrSelf);
            let slashes = steps.last() == Some(&anything());
            if wide && (written || slashes) {
                return unsupported("an axis of descendants behind another");
            }
            written = wide;
            let joined = slashes && step.axis == Axis::Child && step.predicates.is_empty();
            // Written apart, `//x` is one walk through all descendants.
            if joined {
                steps.pop();
                steps.push(Step {
                    axis: Axis::Descendant,
                    test: step.test,
                    predicates: vec![],
                });
            } else {
                steps.push(step);
            }
            if steps.len() > DEPTH {
                return Err("the xpath query is too complex".to_owned());
            }
            if self.take("//") {
                if written {
                    return unsupported("an axis of descendants behind another");
                }
                steps.push(anything());
            } else if !self.take("/") {
                return Ok(());
            }
        }
    }

    fn step(&mut self, depth: usize) -> Result<Step, String> {
        let mut step = Step {
            axis: Axis::Child,
            test: Test::Node,
            predicates: Vec::new(),
        };
        let short = if self.take("..") {
            step.axis = Axis::Parent;
            true
        } else if self.take(".") {
            step.axis = Axis::Itself;
            true
        } else {
            false
        };
        if !short {
            if self.take("@") {
                step.axis = Axis::Attribute;
            }
            let before = self.rest;
            if let Some(name) = self.name()
                && self.take("::")
            {
                step.axis = match name {
                    "child" => Axis::Child,
                    "descendant" => Axis::Descendant,
                    "descendant-or-self" => Axis::DescendantOrSelf,
                    "attribute" => Axis::Attribute,
                    "parent" => Axis::Parent,
                    "self" => Axis::Itself,
                    "ancestor" => Axis::Ancestor,
                    "ancestor-or-self" => Axis::AncestorOrSelf,
                    "following-sibling" => Axis::FollowingSibling,
                    "preceding-sibling" => Axis::PrecedingSibling,
                    // Within a predicate the library goes on where it was at the node before.
                    "following" | "preceding" if self.predicates > 0 => {
                        return unsupported(&format!("the axis {name} within a predicate"));
                    }
                    "following" => Axis::Following,
                    "preceding" => Axis::Preceding,
                    other => return unsupported(&format!("the axis {other}")),
                };
            } else {
                self.rest = before;
            }
            step.test = self.test()?;
            if step.axis == Axis::Attribute && !matches!(step.test, Test::Name(_)) {
                return unsupported("a test of attributes other than by name");
            }
        }
        while self.take("[") {
            self.predicates += 1;
            let predicate = self.expression(depth)?;
            self.predicates -= 1;
            self.must("]")?;
            let position = predicate.is_number() || predicate.has_position();
            let counts = step.axis == Axis::Child || step.is_ancestors();
            if position && (!counts || !step.predicates.is_empty()) {
                return unsupported(
                    "a position other than in the first predicate behind a child or an ancestor",
                );
            }
            if predicate.has_position() && predicate.has_path() {
                return unsupported("position() or last() beside a path");
            }
            step.predicates.push(predicate);
        }
        Ok(step)
    }

    fn test(&mut self) -> Result<Test, String> {
        if self.take("*") {
            return Ok(Test::Name(None));
        }
        let name = self
            .name()
            .ok_or("expression must evaluate to a node-set")?;
        if self.rest.starts_with(':') {
            self.must(":")?;
            let local = self.name().ok_or("a name behind a prefix is missing")?;
            return Ok(Test::Name(Some((
                name.as_bytes().to_vec(),
                local.as_bytes().to_vec(),
            ))));
        }
        let test = match name {
            "node" => Test::Node,
            "text" => Test::Text,
            "comment" => Test::Comment,
            _ => Test::Name(Some((Vec::new(), name.as_bytes().to_vec()))),
        };
        if self.take("(") {
            if matches!(test, Test::Name(_)) {
                return unsupported(&format!("{name}() as a step"));
            }
            self.must(")")?;
            return Ok(test);
        }
        Ok(Test::Name(Some((Vec::new(), name.as_bytes().to_vec()))))
    }

    fn call(&mut self, name: &str, depth: usize) -> Result<Expr, String> {
        use Function::*;
        let (function, least, most) = match name {
            "contains" => (Contains, 2, 2),
            "starts-with" => (StartsWith, 2, 2),
            "ends-with" => (EndsWith, 2, 2),
            "not" => (Not, 1, 1),
            "count" => (Count, 1, 1),
            "name" => (Name, 0, 1),
            "local-name" => (LocalName, 0, 1),
            "position" => (Position, 0, 0),
            "last" => (Last, 0, 0),
            "true" => (True, 0, 0),
            "false" => (False, 0, 0),
            "string-length" => (StringLength, 1, 1),
            "normalize-space" => (NormalizeSpace, 0, 1),
            "string" => (String, 0, 1),
            "number" => (Number, 1, 1),
            "boolean" => (Boolean, 1, 1),
            "concat" => (Concat, 2, DEPTH),
            "substring" => (Substring, 2, 3),
            "substring-before" => (SubstringBefore, 2, 2),
            "substring-after" => (SubstringAfter, 2, 2),
            "translate" => (Translate, 3, 3),
            "replace" => (Replace, 3, 3),
            "matches" => (Matches, 2, 2),
            "lower-case" => (LowerCase, 1, 1),
            "string-join" => (StringJoin, 2, 2),
            "sum" => (Sum, 1, 1),
            "ceiling" => (Ceiling, 1, 1),
            "floor" => (Floor, 1, 1),
            "round" => (Round, 1, 1),
            other => return unsupported(&format!("the function {other}()")),
        };
        let mut args = Vec::new();
        if !self.take(")") {
            loop {
                args.push(self.expression(depth)?);
                if self.take(")") {
                    break;
                }
                self.must(",")?;
            }
        }
        if args.len() < least || args.len() > most {
            return unsupported(&format!("{name}() with {} arguments", args.len()));
        }
        let nodes = args.first().is_some_and(Expr::is_nodes);
        if matches!(function, Count | Name | LocalName) && !nodes && !args.is_empty() {
            return unsupported(&format!("{name}() of what is not nodes"));
        }
        // One that is a literal is seen at once.
        if let (Matches, Some(Expr::Text(pattern))) = (function, args.get(1)) {
            let pattern = std::string::String::from_utf8_lossy(pattern);
            crate::go::regexp::compile(&pattern)?;
        }
        moves(&args.iter().collect::<Vec<_>>(), false)?;
        Ok(Expr::Call(function, args))
    }
}

/// A predicate leaves the library at the node that it looked at last: what is evaluated after it
/// begins there, where the operator does not go back.
fn moves(parts: &[&Expr], goes_back: bool) -> Result<(), String> {
    let paths = parts.iter().filter(|part| part.has_path()).count();
    match !goes_back && paths > 1 && parts.iter().any(|part| part.has_predicate()) {
        true => unsupported("a predicate within one of several paths that are compared or joined"),
        false => Ok(()),
    }
}

fn absolute(expr: &Expr) -> bool {
    match expr {
        Expr::Path(start, _, _) => *start == Start::Root,
        Expr::Union(left, right) => absolute(left) && absolute(right),
        _ => false,
    }
}

fn anything() -> Step {
    Step {
        axis: Axis::DescendantOrSelf,
        test: Test::Node,
        predicates: Vec::new(),
    }
}
