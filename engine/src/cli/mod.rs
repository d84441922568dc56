//! The command line: `run` (the default), `validate`, `components`, `print-config`,
//! `schema`, `featuregate`, `ottl`, `test`; `completion` is not there. Flags, texts and exit codes
//! are the Collector's (cobra and pflag): 0 on success, 1 for every error, which
//! goes to stderr as `Error: …`. What a command says is here; what it means is in
//! `config` and in the runner that `main` is given.

use std::{
    ffi::OsString,
    fmt::Write as _,
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use lexopt::{Arg, Parser};

use crate::{
    component::print,
    config::{
        ConfigErrors, Diagnostic, Gates, Load, Settings, diagnostics::nearest,
        source::process_environment,
    },
};

mod diff;
mod flags;
mod ottl;
mod requests;
mod say;
mod test;
#[cfg(test)]
mod tests;

use say::{components, feature_gates, help, schema};

const NAME: &str = "trunkline";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Which reactor the cores use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RuntimeChoice {
    /// io_uring where it works, else epoll.
    #[default]
    Auto,
    /// io_uring or an error.
    IoUring,
    /// epoll.
    Epoll,
}

/// What the command line says besides the configuration.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The reactor.
    pub runtime: RuntimeChoice,
    /// How many cores to use; by default what the process may use.
    pub cores: Option<usize>,
    /// Where the embedded default writes.
    pub data_dir: PathBuf,
    /// The embedded default is in use.
    pub embedded: bool,
    /// What was loaded, to load it again on SIGHUP.
    pub load: Load,
}

/// What runs the gateway until it is told to stop. An error is its text.
pub type Runner = fn(Settings, RunOptions) -> Result<(), String>;

/// Reads the process's command line and does what it says.
pub fn main(run: Runner) -> ExitCode {
    let arguments = std::env::args_os().skip(1);
    match execute(
        arguments,
        run,
        &mut std::io::stdout().lock(),
        &mut std::io::stderr(),
    ) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            // With stderr gone there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "Error: {text}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Run,
    Validate,
    Components,
    PrintConfig,
    Schema,
    FeatureGate,
    Help,
    Ottl,
    Test,
}

const COMMANDS: &[(&str, Command, &str)] = &[
    (
        "components",
        Command::Components,
        "Outputs available components in this distribution",
    ),
    (
        "featuregate",
        Command::FeatureGate,
        "Display feature gates information",
    ),
    ("help", Command::Help, "Help about any command"),
    (
        "ottl",
        Command::Ottl,
        "Runs OTTL statements on OTLP/JSON and shows what they change (see ottl --help)",
    ),
    (
        "print-config",
        Command::PrintConfig,
        "Prints the configuration with all defaults in the specified mode",
    ),
    ("run", Command::Run, "Runs the gateway (the default)"),
    (
        "schema",
        Command::Schema,
        "Prints a JSON Schema of the whole configuration, for editors",
    ),
    (
        "test",
        Command::Test,
        "Runs test cases through a configuration's pipelines (see test --help)",
    ),
    (
        "validate",
        Command::Validate,
        "Validates the config without running the gateway",
    ),
];

const FLAGS: &[(&str, &str)] = &[
    (
        "--config URI",
        "Path or URI (file:, env:, yaml:, http:, https:) of a configuration; repeat it to merge several in order. Without it an embedded default runs",
    ),
    (
        "--set a.b=c",
        "Sets a key of the configuration after all --config; repeatable",
    ),
    (
        "--feature-gates LIST",
        "Feature gates, separated by commas; '-' before one switches it off",
    ),
    (
        "--data-dir DIR",
        "Where the embedded default writes (else TRUNKLINE_DATA_DIR, else ./trunkline-data)",
    ),
    (
        "--cores N",
        "How many cores to use (else what affinity and cgroup allow)",
    ),
    (
        "--runtime auto|io_uring|epoll",
        "Which reactor the cores use",
    ),
    ("-h, --help", "Help for trunkline"),
    ("-v, --version", "Version of trunkline"),
];

#[derive(Debug, Default)]
struct Flags {
    configs: Vec<String>,
    sets: Vec<String>,
    gates: Gates,
    data_dir: Option<PathBuf>,
    cores: Option<usize>,
    runtime: RuntimeChoice,
    mode: Option<String>,
    format: Option<String>,
    validate: bool,
    help: bool,
    version: bool,
    rest: Vec<String>,
}

fn text(value: OsString) -> String {
    value.to_string_lossy().into_owned()
}

/// A boolean flag's value: `--x`, `--x=true`, `--x=f`, as strconv.ParseBool reads it.
fn boolean(parser: &mut Parser, name: &str) -> Result<bool, String> {
    let Some(value) = parser.optional_value() else {
        return Ok(true);
    };
    let value = text(value);
    match value.as_str() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!(
            "invalid argument {value:?} for \"--{name}\" flag: strconv.ParseBool: parsing {value:?}: invalid syntax"
        )),
    }
}

fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<(Option<Command>, Flags), String> {
    let mut flags = Flags::default();
    let mut command = None;
    let mut parser = Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|e| e.to_string())? {
        let name = match argument {
            Arg::Long(name) => name.to_owned(),
            Arg::Short('h') => {
                flags.help = true;
                continue;
            }
            Arg::Short('v') => {
                flags.version = true;
                continue;
            }
            Arg::Short(c) => return Err(format!("unknown shorthand flag: {c:?} in -{c}")),
            Arg::Value(value) => {
                let value = text(value);
                if command.is_none() {
                    let known = COMMANDS.iter().find(|(name, ..)| *name == value);
                    // An older name of print-config.
                    let alias = (value == "print-initial-config").then_some(Command::PrintConfig);
                    command = known.map(|(_, command, _)| *command).or(alias);
                    if command.is_none() {
                        return Err(unknown_command(&value));
                    }
                } else {
                    flags.rest.push(value);
                }
                continue;
            }
        };
        let mut value = || {
            parser
                .value()
                .map(text)
                .map_err(|_| format!("flag needs an argument: --{name}"))
        };
        let invalid = |value: &str, why: &str| {
            Err(format!(
                "invalid argument {value:?} for \"--{name}\" flag: {why}"
            ))
        };
        match name.as_str() {
            "config" => flags.configs.push(value()?),
            "set" => {
                let set = value()?;
                if !set.contains('=') {
                    return invalid(&set, "missing equal sign");
                }
                flags.sets.push(set);
            }
            "feature-gates" => {
                let list = value()?;
                if let Err(why) = flags.gates.set(&list) {
                    return invalid(&list, &why);
                }
            }
            "data-dir" => flags.data_dir = Some(PathBuf::from(value()?)),
            "cores" => {
                let cores = value()?;
                match cores.parse::<usize>() {
                    Ok(n) if (1..=1024).contains(&n) => flags.cores = Some(n),
                    _ => return invalid(&cores, "a number from 1 to 1024 is needed"),
                }
            }
            "runtime" => {
                let runtime = value()?;
                flags.runtime = match runtime.as_str() {
                    "auto" => RuntimeChoice::Auto,
                    "io_uring" => RuntimeChoice::IoUring,
                    "epoll" => RuntimeChoice::Epoll,
                    _ => return invalid(&runtime, "runtimes are: auto, io_uring, epoll"),
                };
            }
            "mode" if command == Some(Command::PrintConfig) => flags.mode = Some(value()?),
            "format" if command == Some(Command::PrintConfig) => flags.format = Some(value()?),
            "validate" if command == Some(Command::PrintConfig) => {
                flags.validate = boolean(&mut parser, "validate")?;
            }
            "help" => flags.help = boolean(&mut parser, "help")?,
            "version" => flags.version = boolean(&mut parser, "version")?,
            _ => return Err(unknown_flag(&name)),
        }
    }
    Ok((command, flags))
}

fn unknown_flag(name: &str) -> String {
    let names = FLAGS.iter().filter_map(|(flag, _)| {
        let flag = flag.rsplit(", ").next()?.strip_prefix("--")?;
        flag.split(' ').next()
    });
    let hint = match nearest(name, names) {
        Some(near) => format!(" (did you mean --{near}?)"),
        None => String::new(),
    };
    format!("unknown flag: --{name}{hint}")
}

fn unknown_command(name: &str) -> String {
    let mut out = format!("unknown command {name:?} for {NAME:?}\n");
    if let Some(near) = nearest(name, COMMANDS.iter().map(|(name, ..)| *name)) {
        let _ = write!(out, "\nDid you mean this?\n\t{near}\n");
    }
    let _ = write!(out, "\nRun '{NAME} --help' for usage.");
    out
}

/// Does what the arguments say. The error is the text after `Error: `.
fn execute(
    arguments: impl IntoIterator<Item = OsString>,
    run: Runner,
    out: &mut dyn std::io::Write,
    err: &mut dyn std::io::Write,
) -> Result<(), String> {
    let mut arguments = arguments.into_iter().peekable();
    // They have flags of their own.
    if arguments.next_if(|first| first == "ottl").is_some() {
        let terminal = std::io::stdout().is_terminal();
        return ottl::run(arguments, &mut std::io::stdin().lock(), out, terminal);
    }
    if arguments.next_if(|first| first == "test").is_some() {
        return test::run(arguments, out, std::io::stdout().is_terminal());
    }
    let (command, flags) = parse(arguments)?;
    let mut say = |text: &str| {
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(|e| format!("cannot write to standard output: {e}"))
    };
    if flags.help || command == Some(Command::Help) {
        return say(&help());
    }
    if flags.version {
        return say(&format!("{NAME} version {VERSION}\n"));
    }
    match command.unwrap_or(Command::Run) {
        Command::Help => Ok(()),
        Command::Ottl => Err("ottl comes first: trunkline ottl [flags] STATEMENT...".to_owned()),
        Command::Test => Err("test comes first: trunkline test [flags] CONFIG...".to_owned()),
        Command::Components => say(&components()),
        Command::FeatureGate => say(&feature_gates(&flags)?),
        Command::Schema => say(&schema()),
        Command::Validate => {
            let load = load(&flags);
            let result = Settings::load(&load);
            warn(
                result
                    .as_ref()
                    .map_or_else(|e| &e.warnings, |s| &s.warnings),
                err,
            );
            result.map(|_| ()).map_err(|e| e.text(false))
        }
        Command::PrintConfig => print_config(&flags, err).and_then(|text| say(&text)),
        Command::Run => {
            let load = load(&flags);
            let embedded = load.configs.is_empty();
            let settings = Settings::load(&load).map_err(|e: ConfigErrors| {
                warn(&e.warnings, err);
                e.text(true)
            })?;
            settings.startable().map_err(|e| e.text(true))?;
            let options = RunOptions {
                runtime: flags.runtime,
                cores: flags.cores,
                data_dir: load.data_dir.clone(),
                embedded,
                load,
            };
            run(settings, options)
        }
    }
}

fn warn(warnings: &[Diagnostic], err: &mut dyn std::io::Write) {
    for warning in warnings {
        // A warning that cannot be written changes nothing.
        let _ = writeln!(err, "Warning: {warning}");
    }
}

fn load(flags: &Flags) -> Load {
    let data_dir = flags
        .data_dir
        .clone()
        .or_else(|| std::env::var_os("TRUNKLINE_DATA_DIR").map(PathBuf::from))
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or_else(|| PathBuf::from("./trunkline-data"));
    Load {
        configs: flags.configs.clone(),
        sets: flags.sets.clone(),
        gates: flags.gates.clone(),
        data_dir,
        environment: process_environment,
    }
}

fn print_config(flags: &Flags, err: &mut dyn std::io::Write) -> Result<String, String> {
    let mode = flags.mode.as_deref().unwrap_or("redacted");
    let unredacted = match mode.to_ascii_lowercase().as_str() {
        "redacted" => false,
        "unredacted" => true,
        _ => {
            return Err(format!(
                "invalid mode {mode:?}: modes are: redacted, unredacted"
            ));
        }
    };
    let format = flags.format.as_deref().unwrap_or("yaml");
    let settings = Settings::load(&load(flags)).map_err(|e| {
        warn(&e.warnings, err);
        e.text(true)
    })?;
    warn(&settings.warnings, err);
    let mode = print::Mode { unredacted };
    match format.to_ascii_lowercase().as_str() {
        "yaml" => Ok(print::yaml(&settings.print(), mode)),
        "json" => serde_json::to_string_pretty(&print::json(&settings.print(), mode))
            .map(|text| text + "\n")
            .map_err(|e| e.to_string()),
        _ => Err(format!("unrecognized print format: {format}")),
    }
}
