//! The same configuration in the real Go Collector and in the gateway, the same OTLP/JSON to
//! both, and what comes out compared: one pipeline a case, its statements or conditions in
//! `transform` or `filter`. What one refuses at start and the other takes is a difference, too.
//! Which cases there are is in `cases`, how outputs are compared in `outputs`, what the run
//! covered in `matrix`; differences that stay are listed with their reasons in `known.txt`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cases;
mod matrix;
mod outputs;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::{Path, PathBuf},
};

use trunkline_tests::{
    Launch, Port, Runtime, Signal, binary,
    http::{self, Request},
    peer::Peer,
    runtime,
};

use cases::{Case, INPUTS, Processor};
use matrix::{Fate, Matrix};

/// Without it there are no pipelines of profiles.
const GATE: &str = "--feature-gates=service.profilesSupport";

/// Pipelines in one configuration.
const CHUNK: usize = 400;

#[test]
fn the_collector_and_the_gateway_do_the_same() {
    let Some(collector) = Peer::Otelcol.get("the_collector_and_the_gateway_do_the_same") else {
        return;
    };
    let cases = cases::all();
    let known = known();
    let (mut matrix, mut found) = (Matrix::default(), Vec::new());
    runtime::block_on(async {
        for chunk in cases.chunks(CHUNK) {
            let fates = compare(&collector, chunk).await;
            for (case, fate) in chunk.iter().zip(fates) {
                matrix.add(case, &fate);
                if let Fate::Different(what) = fate {
                    found.push((case.to_string(), what));
                }
            }
        }
    });
    println!("{matrix}");
    let new: Vec<String> = found
        .iter()
        .filter(|(case, _)| !known.contains_key(case))
        .map(|(case, what)| format!("{case}\n{what}"))
        .collect();
    let seen: BTreeSet<&String> = found.iter().map(|(case, _)| case).collect();
    let gone: Vec<&String> = known.keys().filter(|case| !seen.contains(case)).collect();
    assert!(
        new.is_empty(),
        "{} new differences among {} cases:\n{}",
        new.len(),
        cases.len(),
        new.join("\n")
    );
    assert!(
        gone.is_empty(),
        "known.txt lists what is the same by now:\n{gone:#?}"
    );
}

/// Differences that stay, by case: a line `# <reason>`, then the cases it is true of.
fn known() -> BTreeMap<String, String> {
    let mut known = BTreeMap::new();
    let mut reason = String::new();
    for line in include_str!("known.txt").lines() {
        match line.strip_prefix("# ") {
            Some(text) => text.clone_into(&mut reason),
            None if line.is_empty() => {}
            None => {
                assert!(!reason.is_empty(), "no reason for {line}");
                known.insert(line.to_owned(), reason.clone());
            }
        }
    }
    known
}

/// What became of each case.
async fn compare(collector: &Path, cases: &[Case]) -> Vec<Fate> {
    let all: BTreeSet<usize> = (0..cases.len()).collect();
    let theirs = refused(collector, cases).await;
    let ours = refused(binary::trunkline(), cases).await;
    let run: BTreeSet<usize> = all
        .into_iter()
        .filter(|at| !theirs.contains_key(at) && !ours.contains_key(at))
        .collect();
    let yaml = configuration(cases, &run);
    let from_them = outputs(Launch::configured(collector, &yaml), &run).await;
    let gateway = Launch::new(Runtime::Epoll, &yaml);
    let from_us = outputs(gateway, &run).await;
    (0..cases.len())
        .map(|at| match (theirs.get(&at), ours.get(&at)) {
            (Some(_), Some(_)) => Fate::Refused,
            (None, Some(why)) if why.contains("is not supported yet by Trunkline") => Fate::Missing,
            (None, Some(why)) => Fate::Different(format!("  refused here: {why}")),
            (Some(why), None) => Fate::Different(format!("  refused there: {why}")),
            (None, None) => {
                let (theirs, ours) = (&from_them[&at], &from_us[&at]);
                match outputs::difference(&cases[at], theirs, ours) {
                    None if ours.is_empty() => Fate::Silent,
                    None => Fate::Same,
                    Some(what) => Fate::Different(what),
                }
            }
        })
        .collect()
}

/// The cases whose statements a program refuses, and what it says of them. Programs stop at
/// different stages, so they are asked again without those until nothing is left to say.
async fn refused(program: &Path, cases: &[Case]) -> BTreeMap<usize, String> {
    let mut refused: BTreeMap<usize, String> = BTreeMap::new();
    loop {
        let left = (0..cases.len())
            .filter(|at| !refused.contains_key(at))
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yaml");
        std::fs::write(&file, configuration(cases, &left)).unwrap();
        let finished = environment(Launch::of(program), folder.path(), &Port::free())
            .arg("validate")
            .arg(GATE)
            .arg("--config")
            .arg(&file)
            .run()
            .await;
        if finished.status.success() {
            return refused;
        }
        let before = refused.len();
        for line in finished.log.lines() {
            if let Some((at, why)) = complaint(line) {
                refused.entry(at).or_insert_with(|| why.to_owned());
            }
        }
        assert!(
            refused.len() > before,
            "{}: {}",
            program.display(),
            finished.log
        );
    }
}

/// The case that a line of complaint is about: `processors::transform/17: …`, or
/// `… failed to create "filter/17" processor …: …`.
fn complaint(line: &str) -> Option<(usize, &str)> {
    let line = line.strip_prefix("Error: ").unwrap_or(line);
    for name in ["transform/", "filter/"] {
        for before in [
            format!("processors::{name}"),
            format!("failed to create \"{name}"),
        ] {
            let Some((_, rest)) = line.split_once(&before) else {
                continue;
            };
            let digits = rest.find(|c: char| !c.is_ascii_digit())?;
            let (number, why) = rest.split_at(digits);
            return Some((
                number.parse().ok()?,
                why.trim_start_matches([':', ' ', '"']),
            ));
        }
    }
    None
}

/// One pipeline a case, each with a file of its own; all are fed by one receiver.
fn configuration(cases: &[Case], run: &BTreeSet<usize>) -> String {
    let mut yaml = "receivers: {otlp: {protocols: {http: {endpoint: '127.0.0.1:${env:PORT}'}}}}\nprocessors:\n".to_owned();
    for at in run {
        let name = cases[*at].processor.name();
        writeln!(yaml, "  {name}/{at}: {}", cases[*at].block()).unwrap();
    }
    yaml += "exporters:\n  nop:\n";
    for at in run {
        writeln!(yaml, "  file/{at}: {{path: '${{env:OUT}}/{at}.json'}}").unwrap();
    }
    yaml += "service:\n  pipelines:\n";
    // A signal must be taken even where no case of a chunk has it.
    for (signal, _) in INPUTS {
        writeln!(
            yaml,
            "    {}: {{receivers: [otlp], exporters: [nop]}}",
            signal.name()
        )
        .unwrap();
    }
    for at in run {
        let case = &cases[*at];
        let (signal, name) = (case.signal.name(), case.processor.name());
        writeln!(
            yaml,
            "    {signal}/{at}: {{receivers: [otlp], processors: [{name}/{at}], exporters: [file/{at}]}}"
        )
        .unwrap();
    }
    yaml
}

fn environment(launch: Launch, folder: &Path, port: &Port) -> Launch {
    launch
        .env("OUT", folder.as_os_str())
        .env("PORT", port.to_string())
}

/// Sends every signal's input, stops the program, and reads what each pipeline wrote.
async fn outputs(launch: Launch, run: &BTreeSet<usize>) -> BTreeMap<usize, String> {
    let folder = tempfile::tempdir().unwrap();
    let port = Port::free();
    let launch = environment(launch, folder.path(), &port).arg(GATE);
    let gateway = launch.start().await;
    for (signal, input) in INPUTS {
        // Where a statement fails under `propagate` the answer is a refusal; which pipelines
        // carried on, their files show.
        http::send(&port, &Request::json(signal, input)).await;
    }
    let finished = gateway.stop().await;
    assert_eq!(finished.code(), 0, "{}", finished.log);
    let file = |at: &usize| -> PathBuf { folder.path().join(format!("{at}.json")) };
    run.iter()
        .map(|at| (*at, std::fs::read_to_string(file(at)).unwrap_or_default()))
        .collect()
}

impl Case {
    /// The processor's settings.
    fn block(&self) -> String {
        // A `$` begins a reference in a configuration.
        let quoted = |text: &String| serde_json::to_string(text).unwrap().replace('$', "$$");
        let list: Vec<String> = self.statements.iter().map(quoted).collect();
        let word = match (self.processor, self.signal) {
            (Processor::Transform, Signal::Traces) => "trace_statements",
            (Processor::Transform, Signal::Metrics) => "metric_statements",
            (Processor::Transform, Signal::Logs) => "log_statements",
            (Processor::Transform, Signal::Profiles) => "profile_statements",
            (Processor::Filter, Signal::Traces) => "trace_conditions",
            (Processor::Filter, Signal::Metrics) => "metric_conditions",
            (Processor::Filter, Signal::Logs) => "log_conditions",
            (Processor::Filter, Signal::Profiles) => "profile_conditions",
        };
        let list = list.join(", ");
        let list = match (self.context, self.processor) {
            (None, _) => list,
            (Some(context), Processor::Transform) => {
                format!("{{context: {context}, statements: [{list}]}}")
            }
            (Some(context), Processor::Filter) => {
                format!("{{context: {context}, conditions: [{list}]}}")
            }
        };
        format!("{{error_mode: {}, {word}: [{list}]}}", self.mode)
    }
}
