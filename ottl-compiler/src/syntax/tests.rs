//! The grammar, by example: what each text is read as, and where and why others are refused.
//! Sources: the reference's grammar (lexer rules, productions, the consequences of ordered
//! choice) as collected in the project's fact sheet.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Write as _;

use super::{
    MAX_NESTING,
    ast::{ArgValue, Call, Expr, ExprKind, Key, Path},
    parse_condition, parse_statement, parse_value,
};

/// A tree as text: operators in front, brackets as in Lisp.
fn show(expr: &Expr) -> String {
    let all = |exprs: &[Expr]| exprs.iter().map(show).collect::<Vec<_>>().join(" ");
    match &expr.kind {
        ExprKind::Nil => "nil".into(),
        ExprKind::Bool(value) => value.to_string(),
        ExprKind::Int(value) => value.to_string(),
        ExprKind::Float(value) => format!("{value:?}"),
        ExprKind::String(text) => format!("{:?}", String::from_utf8_lossy(text)),
        ExprKind::Bytes(bytes) => format!("0x{}", hex::encode(bytes)),
        ExprKind::Enum(name) => format!("#{name}"),
        ExprKind::Path(path) => show_path(path),
        ExprKind::Call(call) => show_call(call),
        ExprKind::List(items) => format!("[{}]", all(items)),
        ExprKind::Map(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| format!("{:?}:{}", String::from_utf8_lossy(key), show(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(" "))
        }
        ExprKind::Negate(inner) => format!("(neg {})", show(inner)),
        ExprKind::Plus(inner) => format!("(plus {})", show(inner)),
        ExprKind::Math { first, rest } => {
            let rest = rest
                .iter()
                .map(|(op, expr)| format!(" {op} {}", show(expr)));
            format!("({}{})", show(first), rest.collect::<String>())
        }
        ExprKind::Group(inner) => format!("<{}>", show(inner)),
        ExprKind::Compare { op, left, right } => format!("({op} {} {})", show(left), show(right)),
        ExprKind::Not(inner) => format!("(not {})", show(inner)),
        ExprKind::And(parts) => format!("(and {})", all(parts)),
        ExprKind::Or(parts) => format!("(or {})", all(parts)),
        ExprKind::Lambda(lambda) => {
            let params: Vec<&str> = lambda.params.iter().map(|p| p.text.as_str()).collect();
            format!("(\\{} {})", params.join(","), show(&lambda.body))
        }
    }
}

fn show_keys(keys: &[Key]) -> String {
    keys.iter()
        .map(|key| format!("[{}]", show(&key.expr)))
        .collect()
}

fn show_path(path: &Path) -> String {
    let segments = path
        .segments
        .iter()
        .map(|segment| format!("{}{}", segment.name.text, show_keys(&segment.keys)));
    segments.collect::<Vec<_>>().join(".")
}

fn show_call(call: &Call) -> String {
    let mut out = format!("{}(", call.name.text);
    for (at, arg) in call.args.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        if let Some(name) = &arg.name {
            let _ = write!(out, "{}=", name.text);
        }
        match &arg.value {
            ArgValue::Value(expr) => out.push_str(&show(expr)),
            ArgValue::Function(name) => {
                let _ = write!(out, "@{}", name.text);
            }
        }
    }
    out.push(')');
    out + &show_keys(&call.keys)
}

#[test]
fn values_are_read_as_the_grammar_says() {
    for (text, tree) in [
        ("nil", "nil"),
        ("true", "true"),
        ("1", "1"),
        ("010", "8"),
        ("0", "0"),
        ("9223372036854775807", "9223372036854775807"),
        ("1.", "1.0"),
        (".5", "0.5"),
        ("1.5e3", "1500.0"),
        (".5E-1", "0.05"),
        ("0xdeadBEEF", "0xdeadbeef"),
        (
            r#""a\tb\\d\"\x41\101\u00e9\U0001F600""#,
            r#""a\tb\\d\"AAé😀""#,
        ),
        ("SPAN_KIND_SERVER", "#SPAN_KIND_SERVER"),
        ("SHA256", "#SHA256"),
        ("log.attributes[\"a\"][0]", "log.attributes[\"a\"][0]"),
        ("body", "body"),
        ("where", "where"),
        ("orange.android", "orange.android"),
        ("x[-1]", "x[(neg 1)]"),
        ("x[(0+1)]", "x[<(0 + 1)>]"),
        ("x[1.5]", "x[1.5]"),
        (
            "x[log.attributes[\"i\"]+1]",
            "x[(log.attributes[\"i\"] + 1)]",
        ),
        ("x[Len(y)]", "x[Len(y)]"),
        ("Split(x, \",\")[0]", "Split(x, \",\")[0]"),
        ("Is Match (x)", "IsMatch(x)"),
        ("SHA256(x)", "SHA256(x)"),
        ("[]", "[]"),
        ("[1, [\"a\"], nil, A]", "[1 [\"a\"] nil #A]"),
        ("{}", "{}"),
        (
            "{\"a\": 1 \"b\": {\"c\": []},}",
            "{\"a\":1 \"b\":{\"c\":[]}}",
        ),
        ("1 + 2 * 3 - 6 / 2", "(1 + (2 * 3) - (6 / 2))"),
        ("10 - 3 - 2", "(10 - 3 - 2)"),
        ("a * b / c", "(a * b / c)"),
        ("a * b + c", "((a * b) + c)"),
        ("5 - -3", "(5 - (neg 3))"),
        ("-(a + 1) * +b", "((neg <(a + 1)>) * (plus b))"),
        (
            "F(x=1, aB=\"c\", ToUpperCase, SHA1, G(y))",
            "F(x=1, aB=\"c\", @ToUpperCase, #SHA1, G(y))",
        ),
        ("F(g = ToUpperCase)", "F(g=@ToUpperCase)"),
        ("F(a\n,\tb\r)", "F(a, b)"),
        (
            "All(x, (k, v) => v == 1 and true)",
            "All(x, (\\k,v (and (== v 1) true)))",
        ),
        ("Map(x, (_, _) => v + 1)", "Map(x, (\\_,_ (v + 1)))"),
        ("When(() => true, 1, 2)", "When((\\ true), 1, 2)"),
        ("F((a))", "F(<a>)"),
    ] {
        match parse_value(text) {
            Ok(expr) => assert_eq!(show(&expr), tree, "{text}"),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn conditions_bind_not_then_and_then_or() {
    for (text, tree) in [
        ("true", "true"),
        ("IsMatch(a, \"b\")", "IsMatch(a, \"b\")"),
        ("a == 1", "(== a 1)"),
        ("not a == b", "(not (== a b))"),
        (
            "a < 1 or b >= 2 and c != nil",
            "(or (< a 1) (and (>= b 2) (!= c nil)))",
        ),
        (
            "a == 1 and b == 2 and c == 3",
            "(and (== a 1) (== b 2) (== c 3))",
        ),
        (
            "(a == 1 or b == 2) and true",
            "(and <(or (== a 1) (== b 2))> true)",
        ),
        ("not (true and false)", "(not <(and true false)>)"),
        ("(a) == (b + 1)", "(== <a> <(b + 1)>)"),
        ("(IsInt(a))", "<IsInt(a)>"),
        ("((true))", "<<true>>"),
        ("true == false", "(== true false)"),
        ("not true and false", "(and (not true) false)"),
        ("{\"a\":1} == [1]", "(== {\"a\":1} [1])"),
        (
            "kind == SPAN_KIND_SERVER and true",
            "(and (== kind #SPAN_KIND_SERVER) true)",
        ),
        ("a + 1 > b * 2", "(> (a + 1) (b * 2))"),
    ] {
        match parse_condition(text) {
            Ok(expr) => assert_eq!(show(&expr), tree, "{text}"),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn statements_are_an_editor_and_perhaps_a_condition() {
    for (text, editor, condition) in [
        ("set(a, 1)", "set(a, 1)", None),
        ("set(a, 1) where true", "set(a, 1)", Some("true")),
        (
            " set ( where , 1 )where where == 1",
            "set(where, 1)",
            Some("(== where 1)"),
        ),
        ("drop()", "drop()", None),
        ("mergeMaps(a, b)", "mergeMaps(a, b)", None),
        // Refused later, where names are known.
        ("Len(a)", "Len(a)", None),
        ("set(a, 1)[\"x\"]", "set(a, 1)[\"x\"]", None),
    ] {
        let statement = parse_statement(text).unwrap();
        assert_eq!(show_call(&statement.editor), editor, "{text}");
        assert_eq!(
            statement.condition.as_ref().map(show).as_deref(),
            condition,
            "{text}"
        );
    }
}

#[derive(Clone, Copy)]
enum As {
    Statement,
    Condition,
    Value,
}

/// What is refused: position, and a piece of the message.
#[test]
fn errors_name_the_place_and_what_was_expected() {
    use As::*;
    for (how, text, line, column, message) in [
        (Statement, "", 1, 1, "expected the name of an editor"),
        (
            Statement,
            "set",
            1,
            4,
            "expected `(` after the function's name",
        ),
        (
            Statement,
            "set(a, 1",
            1,
            9,
            "unexpected end (expected `,`, an operator or `)`)",
        ),
        (
            Statement,
            "set(a 1)",
            1,
            7,
            "expected `,`, an operator or `)`",
        ),
        (
            Statement,
            "set(a, 1) were true",
            1,
            11,
            "expected `where` or the end",
        ),
        (
            Statement,
            "set(a, 1) where attributes[\"x\"]",
            1,
            17,
            "a path is not a condition",
        ),
        (
            Statement,
            "set(a, 1) where \"x\"",
            1,
            17,
            "a string is not a condition",
        ),
        (
            Statement,
            "set(a, 1) where set(a)",
            1,
            17,
            "a function call is not a condition",
        ),
        (
            Statement,
            "set(a, b == 1)",
            1,
            8,
            "a comparison is not a value",
        ),
        (Statement, "set(a, 1,)", 1, 10, "expected a value"),
        (
            Statement,
            "set(\n  a,\n  'x')",
            3,
            3,
            "invalid input text \"'\"",
        ),
        (Statement, "set(a, \"x", 1, 8, "the string is not closed"),
        (
            Statement,
            "set(a, \"\\d\")",
            1,
            9,
            "invalid quoted string \"\\\"\\\\d\\\"\": invalid syntax",
        ),
        (
            Statement,
            "set(a, \"\\400\")",
            1,
            9,
            "invalid quoted string",
        ),
        (
            Statement,
            "set(a, \"\\uD800\")",
            1,
            9,
            "invalid quoted string",
        ),
        (
            Statement,
            "set(a, \"x\ny\")",
            1,
            10,
            "a line ends within it",
        ),
        (Statement, "set(é)", 1, 5, "invalid input text \"é\""),
        (
            Value,
            "0x123",
            1,
            1,
            "byte literals must have an even number of hexadecimal digits",
        ),
        (
            Value,
            "09",
            1,
            1,
            "strconv.ParseInt: parsing \"09\": invalid syntax",
        ),
        (Value, "9223372036854775808", 1, 1, "value out of range"),
        (Value, "-9223372036854775808", 1, 2, "value out of range"),
        (Value, "1e5", 1, 2, "expected an operator or the end"),
        (Value, "[1 2]", 1, 4, "expected `,` or `]`"),
        (Value, "[,1]", 1, 2, "expected a value"),
        (Value, "[1,]", 1, 4, "expected a value"),
        (Value, "{1: 2}", 1, 2, "expected a string as key, or `}`"),
        (Value, "{\"a\" 2}", 1, 6, "expected `:`"),
        (Value, "x[0+1]", 1, 4, "expected `]` after the key"),
        (Value, "x[\"a\"+1]", 1, 6, "expected `]` after the key"),
        (Value, "x[nil]", 1, 3, "nil cannot be a key"),
        (Value, "x[A]", 1, 3, "an enum symbol cannot be a key"),
        (Value, "x[]", 1, 3, "expected a value"),
        (Value, "--1", 1, 2, "expected a value"),
        (
            Value,
            "1 + \"a\"",
            1,
            5,
            "a string cannot be an operand of math",
        ),
        (
            Value,
            "A + 1",
            1,
            1,
            "an enum symbol cannot be an operand of math",
        ),
        (Value, "1 + nil", 1, 5, "nil cannot be an operand of math"),
        (
            Value,
            "(\"a\")",
            1,
            2,
            "a string cannot be an operand of math",
        ),
        (Value, "a.B", 1, 3, "expected a path segment"),
        (Value, "a.or", 1, 3, "expected a path segment"),
        (Value, "a.", 1, 3, "expected a path segment"),
        (Value, "a.1", 1, 2, "expected an operator or the end"),
        (Value, "aB", 1, 3, "expected `(`"),
        (Value, "ToUpperCase", 1, 12, "expected `(`"),
        (Value, "For(x)", 1, 1, "an enum symbol is not a condition"),
        (Value, "a % 2", 1, 3, "invalid input text \"%\""),
        (Value, "a == 1", 1, 1, "a comparison is not a value"),
        (
            Value,
            "(k) => (v) => 1",
            1,
            8,
            "a lambda expression cannot return another one",
        ),
        (
            Condition,
            "a == 1 == 2",
            1,
            8,
            "comparisons cannot be chained",
        ),
        (Condition, "a == 1 and", 1, 11, "expected a value"),
        (Condition, "not not true", 1, 5, "expected a value"),
        (
            Condition,
            "(a == 1) == true",
            1,
            1,
            "an expression in brackets is not a value",
        ),
        (Condition, "a == not true", 1, 6, "expected a value"),
        (Condition, "true or a", 1, 9, "a path is not a condition"),
        (
            Condition,
            "a = 1",
            1,
            3,
            "expected an operator that compares",
        ),
        (Condition, "TRUE", 1, 1, "an enum symbol is not a condition"),
        (Condition, "a === 1", 1, 5, "expected a value"),
        (
            Condition,
            "a == 1)",
            1,
            7,
            "expected `and`, `or` or the end",
        ),
    ] {
        let error = match how {
            Statement => parse_statement(text).err(),
            Condition => parse_condition(text).err(),
            Value => parse_value(text).err(),
        };
        let Some(error) = error else {
            panic!("{text} was accepted");
        };
        assert!(error.line().contains(message), "{text}: {}", error.line());
        assert_eq!(error.position(), (line, column), "{text}: {}", error.line());
    }
}

#[test]
fn an_error_shows_the_statement_the_place_and_what_to_do() {
    let error = parse_statement("set(log.body,\n\t\"é\\d+\", 1)").unwrap_err();
    assert_eq!(
        error.to_string(),
        concat!(
            r#"unable to parse OTTL statement "set(log.body,\n\t\"é\\d+\", 1)": 2:4: statement "#,
            r#"failed to parse near `\d+", 1)`: invalid quoted string "\"é\\d+\"": invalid syntax"#,
            "\n    \t\"é\\d+\", 1)",
            "\n    \t  ^^",
            "\n    for a backslash, as in a regular expression, write `\\\\d`",
        )
    );
}

#[test]
fn nesting_is_bounded_and_chains_are_not_nesting() {
    let nested = |open: &str, inner: &str, close: &str, times: usize| {
        format!("{}{inner}{}", open.repeat(times), close.repeat(times))
    };
    let most = MAX_NESTING as usize;
    for (open, inner, close) in [
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("{\"a\":", "1", "}"),
        ("F(", "1", ")"),
        ("x[", "y", "]"),
    ] {
        assert!(
            parse_value(&nested(open, inner, close, most)).is_ok(),
            "{open}"
        );
        for times in [most + 1, 20_000] {
            let error = parse_value(&nested(open, inner, close, times)).unwrap_err();
            assert!(
                error.line().contains("nested more than 100 levels deep"),
                "{open}"
            );
        }
    }
    assert!(parse_condition(&nested("not (", "a == 1", ")", most)).is_ok());
    assert!(parse_value(&vec!["1"; 5_000].join("+")).is_ok());
    assert!(parse_condition(&vec!["true"; 5_000].join(" and ")).is_ok());
    assert!(parse_value(&nested("F((x) => ", "1", ")", most / 2)).is_ok());
}

proptest::proptest! {
    /// Whatever comes, there is a tree or an error whose place lies in the text.
    #[test]
    fn no_text_breaks_the_parser(text in r#"([a-z]{1,3}|[A-Z]{1,2}|[()\[\]{},.:"\\=<>+*/é -]|=>|and|or|not|[0-9]{1,3}){0,40}"#) {
        let errors = [
            parse_statement(&text).err(),
            parse_condition(&text).err(),
            parse_value(&text).err(),
        ];
        for error in errors.into_iter().flatten() {
            let (line, column) = error.position();
            proptest::prop_assert!(line >= 1 && column >= 1);
            proptest::prop_assert!(error.span().end as usize <= text.len());
            let _ = error.to_string();
        }
    }
}
