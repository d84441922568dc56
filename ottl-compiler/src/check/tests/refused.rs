//! What is refused, where, why, and what is said to do instead.

use super::*;

/// Position, message, and what is said below the caret.
#[test]
fn statements_are_refused_with_place_reason_and_remedy() {
    for (statement, column, message, help) in [
        // Functions.
        (
            "st(log.body, 1)",
            1,
            "undefined function \"st\"",
            "did you mean `set`?",
        ),
        (
            "set(log.body, Lenn(log.body))",
            15,
            "undefined function \"Lenn\"",
            "did you mean `Len`?",
        ),
        (
            "set(log.body, IsRootSpan())",
            15,
            "undefined function \"IsRootSpan\"",
            "it is to be had in the context span",
        ),
        (
            "Set(log.body, 1)",
            1,
            "editor names must start with a lowercase letter but got 'Set'",
            "",
        ),
        (
            "set(log.body, set(1))",
            15,
            "converter names must start with an uppercase letter but got 'set'",
            "",
        ),
        (
            "set(log.body, 1)[\"x\"]",
            17,
            "only paths and converters may be indexed, not editors, but got set[x]",
            "",
        ),
        (
            "set(log.body, GetXML(log.body, \"//a[following::b]\"))",
            15,
            "the axis following within a predicate is not supported",
            "",
        ),
        (
            "set(log.body, All([1], (k, v) => true))",
            15,
            "function \"All\" is experimental and requires the `ottl.functions.enableLambda` feature gate to be enabled",
            "--feature-gates=ottl.functions.enableLambda",
        ),
        // Counts and names of arguments.
        (
            "set(log.body)",
            1,
            "incorrect number of arguments. Expected: 2 Received: 1",
            "it is declared set(target: path, value: any)",
        ),
        (
            "truncate_all(log.body)",
            1,
            "incorrect number of arguments. Expected: 2 to 4 Received: 1",
            "truncation_marker?: literal string",
        ),
        (
            "set(target=log.body, 1)",
            22,
            "unnamed argument used after named argument",
            "",
        ),
        (
            "set(log.body, valu=1)",
            15,
            "no such parameter: valu",
            "did you mean `value`?",
        ),
        (
            "set(target=log.body, target=log.body)",
            22,
            "parameter \"target\" is given twice",
            "",
        ),
        // Kinds of arguments.
        (
            "set(1, 2)",
            5,
            "invalid argument at position 0: must be a path but got an int",
            "it is declared set(",
        ),
        (
            "set(Len(\"a\"), 2)",
            5,
            "must be a path but got a function call",
            "",
        ),
        (
            "truncate_all(log.attributes, \"4\")",
            30,
            "invalid argument at position 1: must be an int but got a string",
            "",
        ),
        (
            "truncate_all(log.attributes, -4)",
            30,
            "must be an int but got math",
            "",
        ),
        (
            "truncate_all(log.attributes, 4, nil)",
            33,
            "must be a bool but got nil",
            "",
        ),
        (
            "limit(log.attributes, 1, [1])",
            27,
            "must be a list of type string but got an int",
            "",
        ),
        (
            "keep_keys(log.attributes, nil)",
            27,
            "must be a list, or a path or converter that gives one but got nil",
            "",
        ),
        (
            "keep_keys(log.attributes, [1])",
            28,
            "error while parsing list argument at index 0: expected string but got int64",
            "",
        ),
        (
            "delete_key(log.attributes, 1)",
            28,
            "expected string but got int64",
            "",
        ),
        (
            "delete_key(log.attributes, nil)",
            28,
            "expected string but got nil",
            "",
        ),
        (
            "set(log.body, Int(\"x\"))",
            19,
            "strconv.ParseInt: parsing \"x\": invalid syntax",
            "",
        ),
        (
            "set(log.body, IsString(1))",
            15,
            "expected string but got int64",
            "",
        ),
        (
            "set(log.body, IsBool(42))",
            15,
            "expected bool but got int64",
            "",
        ),
        (
            "set(log.body, IsMap(nil))",
            15,
            "expected pcommon.Map but got nil",
            "",
        ),
        (
            "set(log.body, ToUpperCase)",
            15,
            "ToUpperCase is the name of a function and not a value",
            "",
        ),
        (
            "set(log.body, SHA256)",
            15,
            "SHA256 is the name of a function and not a value",
            "",
        ),
        (
            "replace_pattern(log.body, \"a\", \"b\", Nope)",
            37,
            "undefined function Nope",
            "",
        ),
        (
            "replace_pattern(log.body, \"a\", \"b\", Len)",
            37,
            "function \"Len\" cannot be passed to replace_pattern: it must take exactly one string parameter",
            "",
        ),
        (
            "replace_pattern(log.body, \"a\", \"b\", Now)",
            37,
            "function \"Now\" cannot be passed to replace_pattern",
            "",
        ),
        (
            "replace_pattern(log.body, \"a\", \"b\", nil)",
            37,
            "must be the name of a function but got nil",
            "",
        ),
        (
            "replace_pattern(log.body, \"a(\", \"b\")",
            27,
            "couldn't create function: error parsing regexp: missing closing ): `a(`",
            "",
        ),
        (
            "flatten(log.attributes, depth=0)",
            1,
            "invalid depth for flatten function, 0 must be greater than 0",
            "",
        ),
        (
            "merge_maps(log.attributes, log.attributes, \"x\")",
            1,
            "must be one of insert, update, upsert",
            "",
        ),
        (
            "limit(log.attributes, 1, [\"a\", \"b\"])",
            1,
            "1 cannot be less than number of priority attributes 2",
            "",
        ),
        (
            "truncate_all(log.attributes, 1, true, \"..\")",
            1,
            "longer than the limit of 1",
            "",
        ),
        (
            "set(log.body, Coalesce([]))",
            15,
            "at least one value is required",
            "",
        ),
        (
            "set(log.body, (x) => 1)",
            15,
            "lambda expressions can only be passed to function arguments that accept them",
            "",
        ),
        // Paths.
        (
            "set(log.bogus, 1)",
            9,
            "segment \"bogus\" from path \"log.bogus\" is not a valid path nor a valid OTTL keyword for the log context",
            "",
        ),
        (
            "set(log.atributes[\"a\"], 1)",
            9,
            "segment \"atributes\" from path \"log.atributes[a]\"",
            "did you mean `log.attributes`?",
        ),
        (
            "set(log.body.strng, 1)",
            14,
            "segment \"strng\" from path \"log.body.strng\"",
            "did you mean `log.body.string`?",
        ),
        (
            "set(log.severity_text.x, 1)",
            23,
            "the path section \"x\" was not used by the context",
            "",
        ),
        (
            "set(log.severity_text[\"x\"], 1)",
            22,
            "the keys indexing \"severity_text\" were not used by the context",
            "",
        ),
        (
            "set(log.body[\"x\"].string, 1)",
            9,
            "the keys indexing \"body\" were not used by the context",
            "",
        ),
        (
            "set(log.cache, 1) where resource.cache[\"a\"] == 1",
            25,
            "access to cache must be performed using the same context, please replace \"resource.cache[a]\" with \"log.cache[a]\"",
            "",
        ),
        (
            "set(log.body, attributes[\"a\"])",
            15,
            "missing context name for path \"attributes[a]\", possibly valid options are: \"log.attributes[a]\", \"scope.attributes[a]\", \"resource.attributes[a]\"",
            "begin it with `log.`, `scope.` or `resource.`",
        ),
        // Enums.
        (
            "set(log.severity_number, SEVERITY_NUMBER_INF)",
            26,
            "enum symbol, SEVERITY_NUMBER_INF, not found",
            "did you mean `SEVERITY_NUMBER_INFO`?",
        ),
        (
            "set(log.severity_number, SPAN_KIND_SERVER)",
            26,
            "enum symbol, SPAN_KIND_SERVER, not found",
            "it is a symbol of the context span",
        ),
    ] {
        // Where inference would already refuse, the context is given.
        let compiler = match statement.contains("log.") {
            true => logs(),
            false => logs().in_context(Log),
        };
        let error = match compiler.statements(&[statement], &[]) {
            Err(error) => error,
            Ok(_) => panic!("{statement} was accepted"),
        };
        let first = error.0.first().unwrap();
        assert!(
            first.line().contains(message),
            "{statement}: {}",
            first.line()
        );
        assert_eq!(
            first.position(),
            (1, column),
            "{statement}: {}",
            first.line()
        );
        assert!(first.to_string().contains(help), "{first}");
    }
}
