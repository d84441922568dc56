//! Cases that are met and such as are not, what is told of them, and what is written anew.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{fs, path::Path};

use super::*;

const CONFIG: &str = r#"
receivers: {nop: }
processors:
  transform: {error_mode: propagate, log_statements: ['set(log.attributes["len"], Len(log.body))']}
  filter/x: {log_conditions: ['log.severity_number == 1']}
  batch: {metadata_keys: [x-tenant]}
exporters: {debug/a: , debug/b: }
connectors:
  rules: {logs: "otelcol.client.metadata['x-tenant'][0] == 'b' > route('b')", default_pipelines: [logs/a]}
service:
  pipelines:
    logs: {receivers: [nop], processors: [filter/x, transform, batch], exporters: [rules]}
    logs/a: {receivers: [rules], exporters: [debug/a]}
    logs/b: {receivers: [rules], exporters: [debug/b]}
"#;

/// A folder with a configuration and a file of cases.
fn folder(config: &str, cases: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.yaml"), config).unwrap();
    fs::write(folder.path().join("config.test.yaml"), cases).unwrap();
    folder
}

/// What is said, with the folder left out, and the error.
fn test(folder: &Path, flags: &[&str]) -> (String, Option<String>) {
    let config = folder.join("config.yaml").display().to_string();
    let arguments = flags.iter().copied().chain([config.as_str()]);
    let mut out = Vec::new();
    let result = run(arguments.map(OsString::from), &mut out, false);
    let cut = |text: String| text.replace(&format!("{}/", folder.display()), "");
    (cut(String::from_utf8(out).unwrap()), result.err().map(cut))
}

const RECORD: &str =
    r#"{resourceLogs: [{scopeLogs: [{logRecords: [{body: {stringValue: "abc"}}]}]}]}"#;

fn case(rest: &str) -> String {
    format!("cases:\n  - name: one\n    input: {RECORD}\n{rest}\n")
}

#[test]
fn the_example_of_the_documentation_passes() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/testing.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks: Vec<&str> = page
        .split("```yaml\n")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        .collect();
    let folder = folder(blocks[0], blocks[1]);
    let (out, error) = test(folder.path(), &[]);
    assert_eq!(error, None, "{out}");
    assert!(out.ends_with("3 passed, 0 failed\n"), "{out}");
}

#[test]
fn cases_are_met_or_told_with_their_place_and_the_difference() {
    let expected = r#"{resource_logs: [{scopeLogs: [{logRecords: [{severityNumber: 0, body: {stringValue: abc}, attributes: [{key: len, value: {intValue: 3}}]}]}]}]}"#;
    let other = expected.replace("intValue: 3", "intValue: 4");
    for (rest, told) in [
        (
            format!("    pipeline: logs\n    expect: {{debug/a: {expected}}}"),
            vec![],
        ),
        (
            format!("    pipeline: logs\n    expect:\n      debug/a: {other}"),
            vec![
                "FAIL one (config.test.yaml:2:5)",
                "debug/a: (- expected, + arrived)",
                "-                    \"intValue\": \"4\"",
                "+                    \"intValue\": \"3\"",
            ],
        ),
        (
            format!(
                "    pipeline: logs\n    metadata: {{X-Tenant: b}}\n    expect: {{debug/b: {expected}}}"
            ),
            vec![],
        ),
        (
            format!(
                "    pipeline: logs\n    metadata: {{x-tenant: b}}\n    expect: {{debug/a: {expected}}}"
            ),
            vec![
                "debug/a: nothing arrived",
                "debug/b: nothing was expected here",
            ],
        ),
        (
            "    pipeline: logs/b\n    items: {debug/b: 1, debug/a: 0}".to_owned(),
            vec![],
        ),
        (
            "    pipeline: logs\n    items: {debug/a: 2}".to_owned(),
            vec!["debug/a: expected 2 items, 1 arrived"],
        ),
        (
            "    pipeline: logs\n    dropped: true".to_owned(),
            vec!["debug/a: nothing was expected here"],
        ),
        (
            "    processor: filter/x\n    dropped: {filter/x: 1}".to_owned(),
            vec!["\"filter/x\": expected 1 items dropped; dropped: nothing"],
        ),
        (
            "    processor: filter/x\n    items: {output: 1}".to_owned(),
            vec![],
        ),
        (
            "    pipeline: logs\n    refused: busy".to_owned(),
            vec!["expected a refusal with \"busy\", it was taken"],
        ),
    ] {
        let folder = folder(CONFIG, &case(&rest));
        let (out, error) = test(folder.path(), &[]);
        assert_eq!(error.is_none(), told.is_empty(), "{rest}: {out} {error:?}");
        assert_eq!(
            error.is_some(),
            error.as_deref() == Some("1 of 1 cases failed")
        );
        for part in told {
            assert!(out.contains(part), "{rest}: {out}");
        }
    }
    let broken = case("    pipeline: logs\n    refused: failed to execute statement")
        .replace("{stringValue: \"abc\"}", "{intValue: 1}");
    let folder = folder(CONFIG, &broken);
    assert_eq!(
        test(folder.path(), &[]),
        ("ok   one\n1 passed, 0 failed\n".to_owned(), None)
    );
}

#[test]
fn all_cases_are_run_and_some_can_be_chosen() {
    let cases = case("    pipeline: logs\n    items: {debug/a: 5}")
        + "  - name: two\n    processor: transform\n    input: in.json\n    items: {output: 1}\n";
    let folder = folder(CONFIG, &cases);
    let record =
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}]}"#;
    fs::write(folder.path().join("in.json"), record).unwrap();
    let (out, error) = test(folder.path(), &[]);
    assert!(out.ends_with("ok   two\n1 passed, 1 failed\n"), "{out}");
    assert_eq!(error.as_deref(), Some("1 of 2 cases failed"));
    assert_eq!(test(folder.path(), &["--case", "tw"]).1, None);
    let none = test(folder.path(), &["--case", "three"]).1.unwrap();
    assert_eq!(none, "no case is called like [\"three\"]");
}

#[test]
fn what_cannot_be_a_case_is_refused_with_its_place() {
    for (cases, told) in [
        ("cases: []", "there are no cases"),
        (
            "cases:\n  - {name: a, pipeline: logs, inptu: {}}",
            "config.test.yaml:2",
        ),
        (
            "cases:\n  - name: a\n    dropped: true",
            "config.test.yaml:2:5: say which pipeline",
        ),
        (
            &case("    pipeline: logs"),
            "config.test.yaml:2:5: say what is to come of it",
        ),
        (
            &case("    pipeline: traces\n    dropped: true"),
            "config.test.yaml:3:5: the input is of logs, the pipeline is \"traces\"",
        ),
        (
            &case("    pipeline: logs\n    dropped: some"),
            "config.test.yaml:5:5: expected true, or numbers",
        ),
        (
            &case("    pipeline: logs/c\n    dropped: true"),
            "no pipeline \"logs/c\"",
        ),
        (
            &case("    processor: transform\n    expect: {debug: {}}"),
            "behind a processor there is \"output\" alone",
        ),
        (
            &case("    pipeline: logs\n    expect: {debug/a: [1]}"),
            "expected OTLP/JSON or the path of a file",
        ),
        (
            &case("    pipeline: logs\n    expect: {debug/a: gone.json}"),
            "cannot read gone.json",
        ),
        ("cases: [", "config.test.yaml:1"),
    ] {
        let folder = folder(CONFIG, cases);
        let (out, error) = test(folder.path(), &[]);
        let error = error.unwrap_or_else(|| panic!("{cases}: {out}"));
        assert!(error.contains(told), "{cases}: {error}");
    }
    let arguments = |given: &[&str]| {
        let given = given.iter().map(OsString::from);
        run(given.collect::<Vec<_>>(), &mut Vec::new(), false).unwrap_err()
    };
    assert!(arguments(&[]).contains("say which configuration"));
    assert!(arguments(&["--updat"]).contains("did you mean --update?"));
    assert!(arguments(&["env:CONFIG"]).contains("with --cases"));
}

#[test]
fn an_update_writes_what_came_out_and_leaves_the_rest() {
    let cases = format!(
        "# ours\ncases:\n  - name: one # the first\n    expect:\n      debug/a: {{}}\n    # kept\n    pipeline: logs\n    input: {RECORD}\n    items:\n      debug/a: 7\n\n  - name: two\n    pipeline: logs\n    dropped: true\n    input: {RECORD}\n  - name: three\n    pipeline: logs\n    expect:\n      debug/a: out.json\n    input: {RECORD}\n  - name: four\n    processor: filter/x\n    input: {}\n    expect: {{output: {RECORD}}}\n",
        RECORD.replace("{body", "{severityNumber: 1, body")
    );
    let folder = folder(CONFIG, &cases);
    fs::write(folder.path().join("out.json"), "{}").unwrap();
    let (out, error) = test(folder.path(), &["--update"]);
    assert_eq!(error, None, "{out}");
    assert!(
        out.contains("debug/a: expected 7 items, 1 arrived"),
        "{out}"
    );
    assert!(out.ends_with("0 passed, 4 updated, 0 failed\n"), "{out}");
    let written = fs::read_to_string(folder.path().join("config.test.yaml")).unwrap();
    for kept in [
        "# ours\n",
        "  - name: one # the first\n    expect:\n      debug/a: {\n",
        "    # kept\n    pipeline: logs\n",
        "      debug/a: \"out.json\"\n",
        "    dropped: true\n",
    ] {
        assert!(written.contains(kept), "{kept}: {written}");
    }
    assert!(
        !written.contains("debug/a: 7") && !written.contains("debug/a: {}"),
        "{written}"
    );
    let (out, error) = test(folder.path(), &[]);
    assert_eq!(
        (error, out.ends_with("4 passed, 0 failed\n")),
        (None, true),
        "{out}\n{written}"
    );
    let again = fs::read_to_string(folder.path().join("config.test.yaml")).unwrap();
    assert_eq!(again, written);
    // In flow style there are no lines to replace.
    let flow = format!("cases: [{{name: a, pipeline: logs, input: {RECORD}, dropped: true}}]\n");
    fs::write(folder.path().join("config.test.yaml"), &flow).unwrap();
    let (_, error) = test(folder.path(), &["--update"]);
    assert!(error.unwrap().contains("block style"));
    assert_eq!(
        fs::read_to_string(folder.path().join("config.test.yaml")).unwrap(),
        flow
    );
}
