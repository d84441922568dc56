//! The flags of `trunkline ottl`.

use std::{ffi::OsString, path::PathBuf};

use trunkline_ottl::run::ErrorMode;
use trunkline_proto::Signal;

use super::super::flags::{Flag, Flags};
use crate::config::Gates;

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
        let mut flags = Flags::new(arguments, FLAGS);
        while let Some(flag) = flags.next()? {
            let name = match flag {
                Flag::Named(name) => name,
                Flag::Other(statement) => {
                    options.statements.push(statement);
                    continue;
                }
            };
            match name.as_str() {
                "input" => options.input = Some(flags.value(&name)?.into()),
                "file" => options.files.push(flags.value(&name)?.into()),
                "config" => options.configs.push(flags.value(&name)?),
                "processor" => options.processor = Some(flags.value(&name)?),
                "context" => options.context = Some(flags.value(&name)?),
                "condition" => options.conditions.push(flags.value(&name)?),
                "signal" => {
                    let signal = flags.choice(&name, "traces, metrics, logs", |value| {
                        let mut all = Signal::ALL.into_iter();
                        all.find(|signal| signal.name() == value)
                    });
                    options.signal = Some(signal?);
                }
                "error-mode" => {
                    let words = "ignore, silent, propagate";
                    options.mode = flags.choice(&name, words, |value| value.parse().ok())?;
                }
                "color" => options.colour = flags.colour(&name)?,
                "feature-gates" => flags.gates(&name, &mut options.gates)?,
                "explain" => options.explain = true,
                "interactive" => options.interactive = true,
                _ => options.help = true,
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
