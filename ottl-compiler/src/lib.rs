//! OTTL: text to a checked program, and the program over batches.
//!
//! [`Compiler`] takes the statements of one component and gives a [`Program`]; [`run::run`] runs
//! it on the rows of a batch. Between them lie three steps, each a module:
//!
//! - [`syntax`]: text to a tree; knows the grammar and no name;
//! - [`check`]: tree to program; every name resolved against the declarations of [`contexts`]
//!   (paths, enum symbols) and [`functions`] (parameters), literals folded, everything that is
//!   wrong found at once and told by [`error`];
//! - [`program`]: what is to be done, with what it reads and writes, and not how. The evaluator
//!   by rows ([`run`]) is one way; whatever works on columns takes the same program.
//!
//! What values are and how they compare, calculate, convert and index is in [`value`], free
//! functions that know neither programs nor batches; what Go's standard library does in [`go`].
//!
//! ```
//! use trunkline_ottl::{Compiler, contexts::Context, functions::Host, run};
//! use trunkline_proto::{Batch, Signal, batch::{Level, Value}, json};
//!
//! let mut request = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[
//!     {"severityNumber":17,"body":{"stringValue":"no space left"}}]}]}]}"#.to_vec();
//! let mut batch = Batch::from_protobuf(Signal::Logs, json::to_protobuf(Signal::Logs, &mut request)?)?;
//!
//! let compiler = Compiler::new(Host::Transform, &[Context::Resource, Context::Scope, Context::Log]);
//! let program = compiler.statements(
//!     &[r#"set(log.attributes["alert"], true) where log.severity_number >= SEVERITY_NUMBER_ERROR"#],
//!     &[],
//! )?;
//!
//! let data = batch.open()?;
//! let mode = run::ErrorMode::Ignore;
//! let mut counts = Vec::new();
//! run::run(&program, data, &run::Request::default(), mode, None, &mut counts, &mut |_| ())?;
//! assert_eq!(data.attribute(Level::Item, 0, b"alert")?, Some(Value::Bool(true)));
//! assert_eq!(counts[0].matched, 1);
//!
//! // What is wrong is shown where it is.
//! let error = compiler.statements(&["set(log.severity_txt, 1)"], &[]).unwrap_err();
//! assert!(error.to_string().ends_with(
//!     "    set(log.severity_txt, 1)\n            ^^^^^^^^^^^^\n    did you mean `log.severity_text`?"
//! ));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// Tests share files with the tests of the whole, which name it so.
#[cfg(test)]
extern crate self as trunkline_ottl;

pub mod check;
pub mod columns;
pub mod contexts;
pub mod error;
pub mod failure;
pub mod functions;
pub mod go;
pub mod ops;
pub mod program;
pub mod rules;
pub mod run;
pub mod syntax;
pub mod types;
pub mod value;

pub use check::Compiler;
pub use program::Program;
