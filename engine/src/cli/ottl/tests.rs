//! What `trunkline ottl` says.

#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;

const LOGS: &str = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"host","value":{"stringValue":"a"}}]},
  "scopeLogs":[{"logRecords":[
    {"severityNumber":9,"body":{"stringValue":"fine"}},
    {"severityNumber":17,"body":{"stringValue":"no space left"}},
    {"severityNumber":17,"body":{"intValue":"4"}}]}]}]}"#;

fn say(arguments: &[&str], input: &str) -> Result<String, String> {
    say_bytes(arguments, input.as_bytes())
}

fn say_bytes(arguments: &[&str], mut input: &[u8]) -> Result<String, String> {
    let mut out = Vec::new();
    let arguments = arguments.iter().map(OsString::from);
    run(arguments, &mut input, &mut out, false)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn the_difference_and_what_each_statement_did_are_shown() {
    let said = say(
        &[
            r#"set(log.attributes["alert"], true) where log.severity_number >= SEVERITY_NUMBER_ERROR"#,
            r#"set(log.body, Concat([log.body, resource.attributes["host"]], "@")) where IsString(log.body)"#,
            r#"set(log.attributes["n"], Len(log.severity_number))"#,
        ],
        LOGS,
    )
    .unwrap();
    for part in [
        "-                \"stringValue\": \"fine\"\n+                \"stringValue\": \"fine@a\"",
        "+                  \"key\": \"alert\"",
        "        2        2        0  set(log.attributes[\"alert\"]",
        "        2        2        0  set(log.body,",
        "        3        0        3  set(log.attributes[\"n\"]",
        "3 rows: ",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

#[test]
fn colours_are_for_terminals_or_on_demand() {
    let statement = r#"set(log.severity_number, 1)"#;
    assert!(!say(&[statement], LOGS).unwrap().contains("\x1b["));
    let coloured = say(&["--color=always", statement], LOGS).unwrap();
    assert!(coloured.contains("\x1b[31m-"), "{coloured}");
    assert!(coloured.contains("\x1b[32m+"), "{coloured}");
}

#[test]
fn what_changes_nothing_says_so() {
    let said = say(&["set(log.severity_number, 1) where false"], LOGS).unwrap();
    assert!(said.starts_with("nothing changed"), "{said}");
}

#[test]
fn a_change_of_what_is_around_a_row_counts_for_it() {
    let statement = r#"set(resource.attributes["q"], 5) where log.severity_number == 9"#;
    let one = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":9},{}]}]}]}"#;
    let said = say(&[statement], one).unwrap();
    assert!(
        said.contains("        1        2        0  set(resource"),
        "{said}"
    );
}

#[test]
fn several_requests_are_each_shown() {
    let two = format!("{LOGS}\n{LOGS}");
    let said = say(&["set(log.severity_number, 1)"], &two).unwrap();
    assert_eq!(said.matches("matched").count(), 2);
}

#[test]
fn a_plan_needs_no_data() {
    let said = say(
        &[
            "--explain",
            r#"set(log.attributes["a"], SHA256(log.attributes["b"])) where resource.attributes["c"] == "x""#,
        ],
        "",
    )
    .unwrap();
    for part in [
        "logs: 1 statement on each log",
        "lifted",
        "reads log.attributes[\"b\"], resource.attributes[\"c\"]",
        "writes log.attributes[\"a\"]",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

#[test]
fn statements_come_from_files_and_configurations() {
    let dir = std::env::temp_dir().join(format!("trunkline-ottl-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let statements = dir.join("statements");
    std::fs::write(&statements, "# one\n\nset(log.severity_number, 1)\n").unwrap();
    let data = dir.join("data.json");
    std::fs::write(&data, LOGS).unwrap();
    let (statements, data) = (statements.to_str().unwrap(), data.to_str().unwrap());
    let said = say(&["--file", statements, "--input", data], "").unwrap();
    assert!(
        said.contains("        3        3        0  set(log.sev"),
        "{said}"
    );
    let config = "yaml:{receivers: {nop: }, exporters: {nop: }, processors: {transform/a: {log_statements: ['set(log.severity_number, 1)']}, transform/b: {log_statements: ['set(log.severity_text, \"x\")']}}, service: {pipelines: {logs: {receivers: [nop], processors: [transform/a, transform/b], exporters: [nop]}}}}";
    let said = say(&["--config", config, "--processor", "transform/b"], LOGS).unwrap();
    assert!(
        said.contains("3        3        0  set(log.severity_text"),
        "{said}"
    );
    let error = say(&["--config", config], LOGS).unwrap_err();
    assert!(error.contains("transform/a, transform/b"), "{error}");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_conversation_keeps_what_it_is_told_to_keep() {
    let dir = std::env::temp_dir().join(format!("trunkline-converse-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let data = dir.join("data.json");
    std::fs::write(&data, LOGS).unwrap();
    let said = say(
        &["--interactive", "--input", data.to_str().unwrap()],
        "set(log.severity_number, 1)\n:keep\nset(log.nothing, 1)\nset(log.severity_number, 1)\n:quit\n",
    )
    .unwrap();
    assert!(said.contains("        3        3        0"), "{said}");
    assert!(said.contains("log.nothing"), "{said}");
    assert!(said.contains("nothing changed"), "{said}");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn what_is_wrong_is_told() {
    for (arguments, input, part) in [
        (&[][..], LOGS, "no statements"),
        (&["--signl", "logs"], LOGS, "did you mean --signal?"),
        (
            &["--signal", "loggs", "x"],
            LOGS,
            "it is one of traces, metrics, logs",
        ),
        (&["set(log.bdy, 1)"], LOGS, "did you mean `log.body`"),
        (
            &["--explain", "set(log.bdy, 1)"],
            "",
            "did you mean `log.body`",
        ),
        (
            &["--signal", "traces", "set(span.name, \"x\")"],
            LOGS,
            "the input at byte 0 is logs, and --signal says traces",
        ),
        (&["set(log.body, 1)"], "", "the input is empty"),
        (&["set(log.body, 1)"], "{\"a\":", "not JSON"),
        (&["set(log.body, 1)"], "{}", "say what it is with --signal"),
        (
            &["--context", "span", "set(log.body, 1)"],
            LOGS,
            "it is one of resource, scope, log",
        ),
        (
            &[
                "--error-mode=propagate",
                "set(log.attributes[\"x\"], Len(log.severity_number))",
            ],
            LOGS,
            "failed to execute statement",
        ),
    ] {
        let error = say(arguments, input).unwrap_err();
        assert!(error.contains(part), "{arguments:?}: {error}");
    }
}

/// A folder of its own for a test.
fn folder(name: &str) -> std::path::PathBuf {
    let dir = std::env::temp_dir().join(format!("trunkline-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

#[test]
fn what_is_wrong_in_a_file_is_told_with_its_line() {
    let dir = folder("statements");
    for (text, parts) in [
        (
            &b"set(log.body, 1)\n\n# no\nset(log.bdy, 1)\n  set(log.body,"[..],
            &[
                "/statements:4: unable to parse",
                "/statements:5: unable to parse",
            ][..],
        ),
        (b"# nothing\n\n", &["there are no statements in the files"]),
        (b"", &["there are no statements in the files"]),
        (
            b"set(log.body, 1)\nset(log.body, \"\xff\")",
            &["/statements: not UTF-8 at byte 32, line 2"],
        ),
    ] {
        let file = dir.join("statements");
        std::fs::write(&file, text).unwrap();
        let error = say(&["--file", file.to_str().unwrap()], LOGS).unwrap_err();
        for part in parts {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn input_that_is_no_text_is_told_with_its_place() {
    let statement = ["set(log.severity_number, 1)"];
    let told = |input: &[u8]| say_bytes(&statement, input).unwrap_err();
    assert!(told(b"{\n\"a\": \"\xff\"}").contains("not UTF-8 at byte 8, line 2"));
    for deep in ["[", "{\"a\":", "{\"resourceLogs\":["] {
        assert!(told(deep.repeat(100_000).as_bytes()).contains("not JSON"));
    }
    let with_mark = [b"\xef\xbb\xbf", LOGS.as_bytes()].concat();
    assert!(say_bytes(&statement, &with_mark).is_ok());
}

/// A log record with as many lists in each other for its body.
fn nested(levels: usize) -> String {
    let (open, close) = (r#"{"arrayValue":{"values":["#, "]}}");
    format!(
        r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{}{{}}{}}}]}}]}}]}}"#,
        open.repeat(levels),
        close.repeat(levels)
    )
}

#[test]
fn input_may_be_nested_as_deeply_as_the_gateway_takes_it() {
    let statement = "set(log.severity_number, 9)";
    for levels in [1, 40, 48] {
        let said = say(&[statement], &nested(levels)).unwrap();
        assert!(
            said.contains("+              \"severityNumber\": 9,"),
            "{said}"
        );
    }
    for levels in [49, 1_000, 100_000] {
        let told = say(&[statement], &nested(levels)).unwrap_err();
        assert!(told.contains("the input at byte 0: "), "{told}");
        assert!(told.contains("nested too deep"), "{told}");
    }
}

#[test]
fn a_line_that_cannot_be_a_statement_does_not_end_a_conversation() {
    let dir = folder("lines");
    let data = dir.join("data.json");
    std::fs::write(&data, LOGS).unwrap();
    let lines = [
        b"\xff\n",
        &b"x".repeat(3 << 20)[..],
        b"\n",
        &b"(".repeat(100_000),
        b"\nset(log.severity_number, 1)\n:quit\n",
    ];
    let arguments = ["--interactive", "--input", data.to_str().unwrap()];
    let said = say_bytes(&arguments, &lines.concat()).unwrap();
    for part in [
        "not UTF-8 at byte 0",
        "longer than 1048576 bytes",
        "        3        3        0",
    ] {
        assert_eq!(said.matches(part).count(), 1, "{part}");
    }
    // What is wrong is told, not the whole of it again.
    assert!(said.len() < 10_000, "{}", said.len());
    std::fs::remove_dir_all(&dir).unwrap();
}
