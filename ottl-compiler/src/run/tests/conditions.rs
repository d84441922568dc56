//! When conditions hold.

use super::*;

#[test]
fn comparisons_follow_the_table_of_types() {
    let values = [
        "true",
        "false",
        "1",
        "2",
        "1.0",
        "1.5",
        "\"a\"",
        "\"b\"",
        "0xaa",
        "nil",
        "log.time",
        "log.observed_time",
        "Duration(\"1s\")",
        "@m",
        "@l",
        "log.span_id",
    ];
    // Which are of one family, and their order within it.
    let family = |at: usize| match at {
        0 => (0, 1.0),
        1 => (0, 0.0),
        2 | 4 => (1, 1.0),
        3 => (1, 2.0),
        5 => (1, 1.5),
        6 => (2, 0.0),
        7 => (2, 1.0),
        10 => (3, 0.0),
        11 => (3, 1.0),
        at => (at + 10, 0.0),
    };
    let mut batch = fixture(Context::Log);
    for (i, left) in values.iter().enumerate() {
        for (j, right) in values.iter().enumerate() {
            let ((a, x), (b, y)) = (family(i), family(j));
            let ordered = a < 4 || matches!(i, 8 | 12);
            let nil = i == 9;
            let same = a == b;
            for (op, expected) in [
                ("==", same && x == y),
                ("!=", !(same && x == y)),
                ("<", same && ordered && x < y),
                ("<=", same && (ordered || nil) && x <= y),
                (">", same && ordered && x > y),
                (">=", same && (ordered || nil) && x >= y),
            ] {
                // A literal on both sides is folded, so each is tried behind a converter too.
                for text in [
                    format!("{left} {op} {right}"),
                    format!("Coalesce([{left}]) {op} {right}"),
                ] {
                    let holds = condition(batch.open().unwrap(), &names(&text));
                    assert_eq!(holds, Ok(expected), "{text}");
                }
            }
        }
    }
}

#[test]
fn conditions_hold_as_in_the_reference() {
    for (text, expected) in [
        ("{\"a\":1} == {\"a\":1.0}", Ok(false)),
        ("{\"a\":1, \"b\":[2]} == {\"b\":[2], \"a\":1}", Ok(true)),
        ("@m[\"n\"] == {\"y\":\"z\"}", Ok(true)),
        ("@l == [\"v1\", 42, true]", Ok(true)),
        ("@l == [\"v1\", 42.0, true]", Ok(false)),
        ("Keys({\"a\":1}) == [\"a\"]", Ok(true)),
        (
            "Split(@s, \",\") == Split(@s, \",\")",
            Err("comparing two values of type []string is not supported"),
        ),
        ("Split(@s, \",\") != 1", Ok(true)),
        ("@eb == nil", Ok(true)),
        ("@eb < 0xde", Ok(false)),
        ("@eb != 0xde", Ok(true)),
        ("@by == 0xdead", Ok(true)),
        ("@missing > nil", Ok(false)),
        ("@missing >= nil", Ok(true)),
        ("@none == nil", Ok(true)),
        ("@s[\"q\"] == 1 and false", Ok(false)),
        ("@s[\"q\"] == 1 or true", Ok(true)),
        (
            "@s[\"q\"] == 1",
            Err("type Str does not support string indexing"),
        ),
        ("@i == 2 and @s[\"q\"] == 1", Ok(false)),
        ("@i == 1 or @s[\"q\"] == 1", Ok(true)),
        ("not (@i == 1)", Ok(false)),
        ("log.span_id == SpanID(0x0102030405060708)", Ok(true)),
        ("log.span_id == 0x0102030405060708", Ok(false)),
        ("log.severity_number == SEVERITY_NUMBER_TRACE", Ok(true)),
        ("IsMatch(@s, \"l{2}\") and HasPrefix(@s, \"he\")", Ok(true)),
        (
            "Len(@s)",
            Err("value returned from Converter in constant expression must be bool but got int64"),
        ),
    ] {
        let mut batch = fixture(Context::Log);
        let text = names(text);
        let holds = condition(batch.open().unwrap(), &text);
        assert_eq!(
            holds.map_err(|e| e.to_string()),
            expected.map_err(str::to_owned),
            "{text}"
        );
    }
}
