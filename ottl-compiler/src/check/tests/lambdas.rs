//! Lambdas that are refused, and the names that they introduce.

use super::*;

#[test]
fn lambdas_are_refused_with_the_reason() {
    let compiler = logs().with_lambdas(true);
    for (value, wanted) in [
        (
            "Any([1], (v) => true)",
            "couldn't create function: lambda should be defined with exactly 2 formal(s), but has 1",
        ),
        (
            "Reduce([1], 0, (a, b) => a)",
            "lambda should be defined with exactly 3 formal(s), but has 2",
        ),
        (
            "When((x) => true, 1, 2)",
            "lambda should be defined with exactly 0 formal(s), but has 1",
        ),
        (
            "Find([1], () => true)",
            "invalid predicate: lambda should be defined with exactly 2 formal(s), but has 0",
        ),
        (
            "Find([1], (_, _) => true, (v) => v)",
            "invalid mapper: lambda should be defined with exactly 2 formal(s), but has 1",
        ),
        (
            "Any([1], (a, a) => true)",
            "duplicate local identifier \"a\"",
        ),
        (
            "Any([1], (a, b) => a.b == 1)",
            "local identifier \"a.b\" cannot use \".\" to access nested fields",
        ),
        (
            "Any([1], (log, b) => log.body == 1)",
            "local identifier \"log.body\" cannot use \".\" to access nested fields",
        ),
        ("Any([1], true)", "must be a lambda expression"),
        (
            "Len((a) => a)",
            "lambda expressions can only be passed to function arguments that accept them",
        ),
        ("Any([1], (a, b) => (c) => true)", "a lambda expression"),
        // The names of one are gone behind it; `_` is none.
        ("Concat([Find([1], (a, b) => true), a], \"\")", "\"a\""),
        ("Any([1], (_, b) => _ == 1)", ""),
    ] {
        let statement = format!("set(log.body, {value})");
        let error = compiler.statements(&[&statement], &[]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(wanted), "{value}: {text}");
    }
}

#[test]
fn bodies_see_the_names_of_all_lambdas_around() {
    let compiler = logs().with_lambdas(true);
    for value in [
        "MapEach([[1]], (i, list) => MapEach(list, (j, item) => [i, j, item, list]))",
        "Any([1], (i, _) => When(() => i == 0, true, false))",
        "MapEach([1], (resource, log) => [resource, log])",
        "Filter(log.attributes, (key, value) => value[\"x\"][0] == key)",
        "MapEach([\"a\"], (_, key) => log.attributes[key][\"b\"])",
        "Reduce([1], 0, (_, _, _) => 1)",
        "Any([1], (_, v) => not (v == 1 or v == 2) and IsInt(v))",
    ] {
        let statement = format!("set(log.body, {value})");
        if let Err(errors) = compiler.statements(&[&statement], &[]) {
            panic!("{errors}");
        }
    }
}

#[test]
fn what_a_lambda_reads_the_statement_reads() {
    let compiler = logs().with_lambdas(true);
    let statement = "set(log.body, Any([1], (_, v) => log.severity_number == v)) where \
                     When(() => log.flags == 1, true, false)";
    let program = compiler.statements(&[statement], &[]).unwrap();
    let reads = &program.statements[0].reads;
    for field in ["SeverityNumber", "Flags"] {
        let found = reads.iter().any(|read| format!("{read:?}").contains(field));
        assert!(found, "{field}: {reads:?}");
    }
}
