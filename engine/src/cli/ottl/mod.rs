//! `trunkline ottl`: statements tried out on OTLP/JSON, with the difference they make, what each
//! of them did and why it failed, and the plan by which they run. Flags are in `options`, the
//! run in `apply`, what is shown in `show`.

mod apply;
mod options;
mod show;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    ffi::OsString,
    fmt::Write as _,
    io::{BufRead, Read as _, Write},
    sync::Arc,
};

use trunkline_ottl::{Compiler, columns::Executor, contexts::Context, functions::Host};
use trunkline_proto::{Batch, Signal, json};

use self::{
    apply::apply,
    options::{HELP, Options},
};
use super::{
    diff::{Paint, difference},
    requests::{documents, pretty, read, signal_of, text_of},
};
use crate::{
    config::{Load, Settings, source::process_environment},
    processors::transform::config::{Compiled, Config, contexts},
};

/// Does what the arguments behind `ottl` say. `terminal`: standard output is one.
///
/// # Errors
/// What is wrong with the arguments, the statements or the input, as text; and that a statement
/// failed with the error mode `propagate`.
pub(super) fn run(
    arguments: impl IntoIterator<Item = OsString>,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
    terminal: bool,
) -> Result<(), String> {
    let options = Options::parse(arguments)?;
    let paint = Paint(options.colour.unwrap_or(terminal));
    let mut say = |text: &str| {
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        written.map_err(|e| format!("cannot write to standard output: {e}"))
    };
    if options.help {
        return say(HELP);
    }
    if options.explain && !options.interactive {
        let signals = match options.signal {
            Some(signal) => vec![signal],
            None => Signal::ALL.to_vec(),
        };
        let explained = signals
            .into_iter()
            .map(|signal| explain(&options, signal, paint));
        let (mut texts, mut errors) = (Vec::new(), Vec::new());
        for outcome in explained {
            match outcome {
                Ok(text) => texts.push(text),
                Err(error) => errors.push((!error.contains(NO_CONTEXT), error)),
            }
        }
        // Statements fit the signals that they fit; where they fit none, it is said why not, by
        // the first signal that has their context.
        let told = errors.iter().position(|(fits, _)| *fits).unwrap_or(0);
        return match texts.is_empty() && told < errors.len() {
            true => Err(errors.swap_remove(told).1),
            false => say(&texts.concat()),
        };
    }
    let requests = read_requests(&options, input)?;
    if options.interactive {
        return converse(&options, requests, input, &mut say, paint);
    }
    let mut stopped = None;
    for request in requests {
        let groups = groups(&options, request.signal())?;
        let (text, end) = show(&groups, &request, paint)?;
        say(&text)?;
        stopped = stopped.or(end);
    }
    stopped.map_or(Ok(()), Err)
}

/// What errors say where no context of the signal fits the statements.
const NO_CONTEXT: &str = "unable to infer a valid context";

/// Runs groups on a request, and what is to be shown of it; and what ended the run early.
fn show(
    groups: &[Compiled],
    request: &Batch,
    paint: Paint,
) -> Result<(String, Option<String>), String> {
    let applied = apply(groups, request)?;
    let mut text = difference(&pretty(request)?, &pretty(&applied.batch)?, paint);
    if text.is_empty() {
        text.push_str("nothing changed\n");
    }
    let _ = writeln!(text, "\n{}", show::table(&applied.statements, paint));
    Ok((text, applied.stopped))
}

/// Bytes of a line that is read, at most.
const MOST_LINE: u64 = 1 << 20;

/// Reads statements line by line and shows what each does, on top of those kept before.
fn converse(
    options: &Options,
    mut requests: Vec<Batch>,
    input: &mut dyn BufRead,
    say: &mut dyn FnMut(&str) -> Result<(), String>,
    paint: Paint,
) -> Result<(), String> {
    say(
        "A statement shows what it would change; :keep keeps the last one's changes, :show prints the data, :quit ends.\n",
    )?;
    let mut last: Option<Vec<Batch>> = None;
    let mut line = Vec::new();
    loop {
        say("ottl> ")?;
        line.clear();
        let mut read = |line: &mut Vec<u8>| {
            let read = input.take(MOST_LINE).read_until(b'\n', line);
            read.map_err(|e| format!("cannot read standard input: {e}"))
        };
        if read(&mut line)? == 0 {
            return say("\n");
        }
        if line.len() as u64 == MOST_LINE && !line.ends_with(b"\n") {
            while read(&mut line)? > 0 && !line.ends_with(b"\n") {
                line.clear();
            }
            say(&format!("the line is longer than {MOST_LINE} bytes\n"))?;
            continue;
        }
        let line = match std::str::from_utf8(&line) {
            Ok(line) => line,
            Err(e) => {
                say(&format!(
                    "the line is not UTF-8 at byte {}\n",
                    e.valid_up_to()
                ))?;
                continue;
            }
        };
        match line.trim() {
            "" => {}
            ":quit" | ":q" => return Ok(()),
            ":keep" => match last.take() {
                Some(kept) => requests = kept,
                None => say("there is nothing to keep\n")?,
            },
            ":show" => {
                for request in &requests {
                    say(&pretty(request)?)?;
                }
            }
            command if command.starts_with(':') => {
                say("commands are :keep, :show and :quit\n")?;
            }
            statement => {
                let mut changed = Vec::new();
                for request in &requests {
                    let compiled =
                        compile(options, request.signal(), &[statement], &HashMap::new());
                    let group = match compiled {
                        Ok(group) => group,
                        Err(error) => {
                            say(&format!("{error}\n"))?;
                            break;
                        }
                    };
                    let groups = [group];
                    let (text, stopped) = show(&groups, request, paint)?;
                    say(&text)?;
                    if let Some(stopped) = stopped {
                        say(&format!("{stopped}\n"))?;
                    }
                    changed.push(apply(&groups, request)?.batch);
                }
                last = (changed.len() == requests.len()).then_some(changed);
            }
        }
    }
}

/// The groups that are to run on requests of a signal.
fn groups(options: &Options, signal: Signal) -> Result<Vec<Compiled>, String> {
    if !options.configs.is_empty() {
        return configured(options, signal);
    }
    let mut texts = options.statements.clone();
    // Of each statement of a file, where it stands.
    let mut places: HashMap<String, String> = HashMap::new();
    for file in &options.files {
        let text = read(file)?;
        let lines = text.lines().map(str::trim).zip(1..);
        let statements = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
        for (statement, line) in statements {
            let place = || format!("{}:{line}", file.display());
            places.entry(statement.to_owned()).or_insert_with(place);
            texts.push(statement.to_owned());
        }
    }
    if texts.is_empty() {
        return Err("there are no statements in the files given with --file".to_owned());
    }
    let statements: Vec<&str> = texts.iter().map(String::as_str).collect();
    compile(options, signal, &statements, &places).map(|group| vec![group])
}

fn compile(
    options: &Options,
    signal: Signal,
    statements: &[&str],
    places: &HashMap<String, String>,
) -> Result<Compiled, String> {
    let contexts = contexts(signal);
    let mut compiler = Compiler::new(Host::Transform, contexts)
        .with_lambdas(options.gates.is_on("ottl.functions.enableLambda"));
    if let Some(name) = &options.context {
        let context = Context::named(&name.to_lowercase());
        let context = context.filter(|context| contexts.contains(context));
        let known = || {
            let names: Vec<&str> = contexts.iter().map(|context| context.name()).collect();
            format!(
                "unknown context {name:?} for {}: it is one of {}",
                signal.name(),
                names.join(", ")
            )
        };
        compiler = compiler.in_context(context.ok_or_else(known)?);
    }
    let conditions: Vec<&str> = options.conditions.iter().map(String::as_str).collect();
    let program = compiler.statements(statements, &conditions);
    Ok(Compiled {
        program: program.map_err(|errors| {
            let told = errors
                .0
                .iter()
                .map(|error| match places.get(error.source_text()) {
                    Some(place) => format!("{place}: {error}"),
                    None => error.to_string(),
                });
            told.collect::<Vec<_>>().join("\n")
        })?,
        mode: options.mode,
        shared_cache: false,
    })
}

/// The groups of a configuration's processor.
fn configured(options: &Options, signal: Signal) -> Result<Vec<Compiled>, String> {
    let settings = Settings::load(&Load {
        configs: options.configs.clone(),
        sets: Vec::new(),
        gates: options.gates.clone(),
        data_dir: "./trunkline-data".into(),
        environment: process_environment,
    });
    let settings = settings.map_err(|e| e.text(true))?;
    let all = settings.processors.iter().filter_map(|(id, component)| {
        let config = component.config::<Config>()?;
        Some((id.to_string(), config))
    });
    let all: Vec<(String, &Config)> = all.collect();
    let ids = || -> String {
        let ids: Vec<&str> = all.iter().map(|(id, _)| id.as_str()).collect();
        ids.join(", ")
    };
    let (_, config) = match (&options.processor, all.as_slice()) {
        (None, [one]) => one,
        (None, []) => return Err("the configuration has no processor transform".to_owned()),
        (None, _) => {
            return Err(format!(
                "say which of the processors with --processor: {}",
                ids()
            ));
        }
        (Some(wanted), _) => all.iter().find(|(id, _)| id == wanted).ok_or_else(|| {
            format!(
                "the configuration has no processor {wanted:?}; there are: {}",
                ids()
            )
        })?,
    };
    config.compile(signal, &settings.gates).map_err(|faults| {
        let texts: Vec<String> = faults.into_iter().map(|(_, text)| text).collect();
        texts.join("\n")
    })
}

fn explain(options: &Options, signal: Signal, paint: Paint) -> Result<String, String> {
    let groups = groups(options, signal)?;
    let mut out = String::new();
    for group in groups {
        let executor = Executor::new(Arc::new(group.program.clone()));
        let plan = show::plan(&group.program, &executor, paint);
        let _ = writeln!(out, "{}: {plan}", signal.name());
    }
    Ok(out)
}

/// The requests of the input: one JSON document behind the other.
fn read_requests(options: &Options, input: &mut dyn BufRead) -> Result<Vec<Batch>, String> {
    let text = match &options.input {
        Some(file) => read(file)?,
        None if options.interactive => {
            return Err("--interactive needs the data with --input".to_owned());
        }
        None => text_of(input).map_err(|why| format!("cannot read standard input: {why}"))?,
    };
    let mut requests = Vec::new();
    for document in documents(&text) {
        let (from, document) = document.map_err(|e| format!("the input is not JSON: {e}"))?;
        let found = signal_of(document);
        if let (Some(wanted), Some(found)) = (options.signal, found)
            && wanted != found
        {
            return Err(format!(
                "the input at byte {from} is {}, and --signal says {}",
                found.name(),
                wanted.name()
            ));
        }
        let signal = options.signal.or(found).ok_or_else(|| {
            format!("the input at byte {from} is no OTLP request of traces, metrics or logs; is it one without data? Then say what it is with --signal")
        })?;
        let mut bytes = document.as_bytes().to_vec();
        let payload = json::to_protobuf(signal, &mut bytes)
            .map_err(|e| format!("the input at byte {from}: {e}"))?;
        requests.push(Batch::from_protobuf(signal, payload).map_err(|e| e.to_string())?);
    }
    match requests.is_empty() {
        true => Err("the input is empty: give OTLP/JSON".to_owned()),
        false => Ok(requests),
    }
}
