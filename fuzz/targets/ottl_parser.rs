//! OTTL as a user writes it: any text, read as a statement, a condition and a value. Whatever the
//! text: no panic, bounded recursion; a tree, whose places lie within the text, or one error that
//! shows where.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_ottl::{
    error::Diagnostic,
    syntax::{parse_condition, parse_statement, parse_value},
};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Err(error) = parse_statement(text) {
        check(text, &error);
    }
    match parse_condition(text) {
        Ok(tree) => assert!(text.get(tree.span.range()).is_some()),
        Err(error) => check(text, &error),
    }
    match parse_value(text) {
        Ok(tree) => assert!(text.get(tree.span.range()).is_some()),
        Err(error) => check(text, &error),
    }
});

fn check(text: &str, error: &Diagnostic) {
    assert!(!error.to_string().is_empty());
    assert!(!error.excerpt().is_empty());
    let (line, column) = error.position();
    assert!(line >= 1 && column >= 1);
    assert!(line <= text.lines().count() + 1, "{line} of {text:?}");
    assert!(error.span().end as usize <= text.len());
}
