//! Statements as a user writes them: the first byte says for which component and which context,
//! every further line is a statement, or after `?` a condition of the group. Whatever the text: no
//! panic; a program, or errors that each show a place in one of the texts; and the same again for
//! the same text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_ottl::{Compiler, contexts::Context, functions::Host};

const HOSTS: [Host; 6] = [
    Host::Transform,
    Host::Filter,
    Host::Routing,
    Host::TailSampling,
    Host::SignalToMetrics,
    Host::Library,
];

fuzz_target!(|data: &[u8]| {
    let Some((first, text)) = data.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let contexts: &[Context] = match first & 3 {
        0 => &[
            Context::SpanEvent,
            Context::Span,
            Context::Scope,
            Context::Resource,
        ],
        1 => &[
            Context::Exemplar,
            Context::DataPoint,
            Context::Metric,
            Context::Scope,
            Context::Resource,
        ],
        2 => &[Context::Log, Context::Scope, Context::Resource],
        _ => &[Context::Profile, Context::Scope, Context::Resource],
    };
    let host = HOSTS[usize::from(first >> 2) % HOSTS.len()];
    let mut compiler = Compiler::new(host, contexts).with_lambdas(first & 0x40 != 0);
    if first & 0x80 != 0 {
        compiler = compiler.in_context(contexts[0]);
    }
    let (mut statements, mut conditions) = (Vec::new(), Vec::new());
    for line in text.lines().take(8) {
        match line.strip_prefix('?') {
            Some(condition) => conditions.push(condition),
            None => statements.push(line),
        }
    }
    let told = |outcome: Result<_, trunkline_ottl::error::Diagnostics>| match outcome {
        Ok(program) => format!("{program:?}"),
        Err(errors) => {
            assert!(!errors.0.is_empty());
            for error in &errors.0 {
                let text = error.source_text();
                assert!(error.span().end as usize <= text.len(), "{error}");
                assert!(!error.excerpt().is_empty());
            }
            errors.to_string()
        }
    };
    let once = told(compiler.statements(&statements, &conditions));
    assert_eq!(once, told(compiler.statements(&statements, &conditions)));
    for condition in &conditions {
        if let Err(errors) = compiler.condition(condition) {
            assert!(!errors.to_string().is_empty());
        }
        if let Err(errors) = compiler.value(condition) {
            assert!(!errors.to_string().is_empty());
        }
    }
});
