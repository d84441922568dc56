//! The flags of `trunkline ottl`.

use std::{ffi::OsString, path::PathBuf};

use lexopt::{Arg, Parser};
use trunkline_ottl::run::ErrorMode;
use trunkline_proto::Signal;

use crate::config::{Gates, diagnostics::nearest};

/// What the command line asks for.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub signal: Option<Signal>,
    pub context: Option<String>,
    pub conditions: Vec<String>,
    pub mode: ErrorMode,
    pub explain: bool,
    pub interactive: bool,
    /// Whether to colour; `None`: on a terminal.
    pub colour: Option<bool>,
    pub input: Option<PathBuf>,
    /// Files of statements.
    pub files: Vec<PathBuf>,
    pub configs: Vec<String>,
    pub processor: Option<String>,
    pub gates: Gates,
    pub statements: Vec<String>,
    pub help: bool,
}

pub(super) const HELP: &str = "\
Runs OTTL statements, as the processor transform would, on OTLP/JSON, and shows what they changed.

Usage:
  trunkline ottl [flags] STATEMENT...          statements from the command line
  trunkline ottl [flags] --file STATEMENTS     from a file, one a line; # begins a comment
  trunkline ottl [flags] --config URI          those of a processor of a configuration

Flags:
  --input FILE            OTLP/JSON, one request or one a line (else standard input)
  --signal NAME           traces, metrics or logs (else what the input holds)
  --context NAME          What the rows are (else what the statements' paths say)
  --condition CONDITION   Rows on which the statements run; repeatable, one must hold
  --error-mode MODE       ignore, silent or propagate (default ignore)
  --processor ID          Which of the configuration's transform processors
  --feature-gates LIST    Feature gates, separated by commas
  --explain               Print the plan instead: what is read and written, and what runs how
  --interactive           Read statements from standard input, one a line, and show what each does
  --color WHEN            auto, always or never
  -h, --help              This text
";

const FLAGS: &[&str] = &[
    "input",
    "signal",
    "context",
    "condition",
    "error-mode",
    "processor",
    "feature-gates",
    "explain",
    "interactive",
    "color",
    "file",
    "config",
    "help",
];

impl Options {
    /// Reads what follows `ottl`.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Options, String> {
        let mut options = Options::default();
        let mut parser = Parser::from_args(arguments);
        while let Some(argument) = parser.next().map_err(|e| e.to_string())? {
            let name = match argument {
                Arg::Long(name) => name.to_owned(),
                Arg::Short('h') => "help".to_owned(),
                Arg::Short(c) => return Err(format!("unknown shorthand flag: {c:?} in -{c}")),
                Arg::Value(value) => {
                    options.statements.push(text(value));
                    continue;
                }
            };
            let mut value = || {
                let value = parser.value().map(text);
                value.map_err(|_| format!("flag needs an argument: --{name}"))
            };
            let choice = |value: &str, known: &str| {
                format!("invalid argument {value:?} for \"--{name}\" flag: it is one of {known}")
            };
            match name.as_str() {
                "input" => options.input = Some(value()?.into()),
                "file" => options.files.push(value()?.into()),
                "config" => options.configs.push(value()?),
                "processor" => options.processor = Some(value()?),
                "context" => options.context = Some(value()?),
                "condition" => options.conditions.push(value()?),
                "signal" => {
                    let value = value()?;
                    let signals = Signal::ALL;
                    let found = signals.into_iter().find(|signal| signal.name() == value);
                    let known = "traces, metrics, logs";
                    options.signal = Some(found.ok_or_else(|| choice(&value, known))?);
                }
                "error-mode" => {
                    let value = value()?;
                    let mode = value.parse();
                    options.mode = mode.map_err(|_| choice(&value, "ignore, silent, propagate"))?;
                }
                "color" => {
                    let value = value()?;
                    options.colour = match value.as_str() {
                        "auto" => None,
                        "always" => Some(true),
                        "never" => Some(false),
                        _ => return Err(choice(&value, "auto, always, never")),
                    };
                }
                "feature-gates" => {
                    let list = value()?;
                    options.gates.set(&list).map_err(|why| {
                        format!("invalid argument {list:?} for \"--feature-gates\" flag: {why}")
                    })?;
                }
                "explain" => options.explain = true,
                "interactive" => options.interactive = true,
                "help" => options.help = true,
                _ => {
                    let hint = nearest(&name, FLAGS.iter().copied());
                    let hint = hint.map(|near| format!(" (did you mean --{near}?)"));
                    return Err(format!(
                        "unknown flag: --{name}{}",
                        hint.unwrap_or_default()
                    ));
                }
            }
        }
        let sources = [
            !options.statements.is_empty(),
            !options.files.is_empty(),
            !options.configs.is_empty(),
        ];
        let given = sources.into_iter().filter(|given| *given).count();
        if options.help || (options.interactive && given == 0) {
            return Ok(options);
        }
        match given {
            1 if options.interactive && options.input.is_none() => Err(
                "--interactive reads statements from standard input: give the data with --input"
                    .to_owned(),
            ),
            1 => Ok(options),
            0 => Err("no statements: give some, or --file, or --config".to_owned()),
            _ => Err("statements, --file and --config exclude each other".to_owned()),
        }
    }
}

fn text(value: OsString) -> String {
    value.to_string_lossy().into_owned()
}
