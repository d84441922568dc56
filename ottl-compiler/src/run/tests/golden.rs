//! What the reference gives, and what is given here: every case of `tests/ottl/cases.txt`
//! against `tests/ottl/expected.txt`, which the Go program beside them made.

use std::path::Path;

use super::*;

#[path = "../../../../tests/ottl/case.rs"]
mod case;

/// Cases in which the reference does something else, and why that is left so.
const DIFFERENT: [&str; 1] = [
    // The source is changed while it is read: the copy holds a half-made copy of itself.
    "s merge_maps(@m[\"n\"], @m, \"upsert\")",
];

#[test]
fn every_case_gives_what_the_reference_gives() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/ottl");
    let cases = std::fs::read_to_string(folder.join("cases.txt")).unwrap();
    let expected = std::fs::read_to_string(folder.join("expected.txt")).unwrap();
    let (cases, expected): (Vec<&str>, Vec<&str>) =
        (cases.lines().collect(), expected.lines().collect());
    assert_eq!(cases.len(), expected.len());
    let base = fixture(Context::Log);
    let compiler = Compiler::new(Host::Library, &[Context::Log]).in_context(Context::Log);
    let mut wrong = Vec::new();
    for (case, expected) in cases.iter().zip(expected) {
        let (kind, text) = case.split_once(' ').unwrap();
        let given = shown(&compiler, base.clone(), kind, &names(text));
        if (given == expected) == DIFFERENT.contains(case) {
            wrong.push(format!(
                "{case}\n  reference: {expected}\n  here:      {given}"
            ));
        }
    }
    let shown = wrong
        .iter()
        .take(20)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{shown}",
        wrong.len(),
        cases.len()
    );
}

/// What a case gives, as the Go program shows it.
fn shown(compiler: &Compiler, mut batch: Batch, kind: &str, text: &str) -> String {
    let given = case::give(compiler, Context::Log, &mut batch, kind, text);
    given.text(show).unwrap_or_else(|| {
        let failed = matches!(&given, case::Given::Ran(failed) if failed.last() == Some(&true));
        let mark = if failed { "ERROR " } else { "" };
        let data = batch.open().unwrap();
        let attributes = told(evaluate(data, Context::Log, 0, "log.attributes"));
        let body = told(evaluate(data, Context::Log, 0, "log.body"));
        format!("{mark}{attributes} {body}")
    })
}
