//! How much of what people write runs over columns: statements by how they run, and why some do
//! not. The table in `docs/performance.md` is what this prints.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use crate::{
    Compiler,
    columns::{Described, Executor, Mark},
    contexts::Context,
    functions::Host,
    run::tests::names,
};

/// Of 100 statements of the golden cases so many may run by rows, as a whole or in part. They are
/// every editor on every kind of target, most of which nobody writes.
const MOST_BY_ROWS: usize = 19;

/// How a statement runs: the worst of its nodes.
fn how(of: &Described) -> String {
    fn reasons(of: &Described, out: &mut Vec<&'static str>) {
        if let Mark::Rows(reason) = of.mark {
            out.push(reason);
        }
        of.of.iter().for_each(|node| reasons(node, out));
    }
    let mut found = Vec::new();
    reasons(of, &mut found);
    let one_by_one = |reason: &&&str| reason.contains("one value after the other");
    let by_rows = found.iter().find(|reason| !one_by_one(reason));
    match (by_rows, found.first(), &of.mark) {
        (Some(reason), _, Mark::Rows(_)) if of.of.is_empty() => {
            format!("statement by rows: {reason}")
        }
        (Some(reason), _, _) => format!("value or condition by rows: {reason}"),
        (None, Some(_), _) => {
            "over columns, a function called on one value after the other".to_owned()
        }
        (None, None, _) => "over columns by kernels alone".to_owned(),
    }
}

/// Counts statements by how they run; those that do not compile by themselves are left out.
fn table(statements: &[String]) -> BTreeMap<String, Vec<&str>> {
    let compiler = Compiler::new(Host::Transform, &[Context::Log]).in_context(Context::Log);
    let mut table: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for statement in statements {
        let Ok(program) = compiler.statements(&[statement], &[]) else {
            continue;
        };
        let described = Executor::new(Arc::new(program)).describe();
        table.entry(how(&described[0])).or_default().push(statement);
    }
    table
}

fn print(table: &BTreeMap<String, Vec<&str>>) -> usize {
    let all: usize = table.values().map(Vec::len).sum();
    for (how, statements) in table {
        let share = 100.0 * statements.len() as f64 / all as f64;
        println!("| {how} | {} | {share:.1} % |", statements.len());
        let examples = match how.contains("by rows") {
            true => statements.len().min(40),
            false => 0,
        };
        for statement in &statements[..examples] {
            println!("    {statement}");
        }
    }
    all
}

/// With `OTTL_STATEMENTS` naming a file of one statement a line, and `--nocapture`, the table of
/// that file.
#[test]
fn few_statements_run_by_rows() {
    if let Some(path) = std::env::var_os("OTTL_STATEMENTS") {
        let text = std::fs::read_to_string(path).unwrap();
        let statements: Vec<String> = text.lines().map(str::to_owned).collect();
        let table = table(&statements);
        let all = print(&table);
        println!("{all} of {}", statements.len());
        let taken: BTreeSet<&str> = table.values().flatten().copied().collect();
        let refused = statements.iter().filter(|of| !taken.contains(of.as_str()));
        refused.for_each(|of| println!("    refused: {of}"));
    }
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/ottl/cases.txt");
    let cases = std::fs::read_to_string(cases).unwrap();
    let statements = cases.lines().filter_map(|case| case.strip_prefix("s "));
    let statements = statements.flat_map(|case| case.split(";;"));
    let mut statements: Vec<String> = statements.map(names).collect();
    statements.sort();
    statements.dedup();
    let table = table(&statements);
    let all = print(&table);
    let by_rows = table.iter().filter(|(how, _)| how.contains("by rows"));
    let by_rows: usize = by_rows.map(|(_, statements)| statements.len()).sum();
    assert!(all > 2000, "{all}");
    assert!(by_rows * 100 <= all * MOST_BY_ROWS, "{by_rows} of {all}");
}
