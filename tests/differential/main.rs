//! The same configuration in the real Go Collector and in the gateway, the same OTLP/JSON to
//! both, and what comes out compared: one pipeline a case, its statements or conditions in
//! `transform` or `filter`. What one refuses at start and the other takes is a difference, too.
//! Which cases there are is in `cases`; which cells the matrix of functions, arguments and error
//! modes has in `cells`, the programs that fill them in `probes`, and that none is empty in
//! `matrix`; how outputs are compared is in `outputs`. Differences that stay are listed with their reasons in `known.txt`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cases;
mod cells;
mod matrix;
mod outputs;
mod probes;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Instant,
};

use trunkline_tests::{
    Launch, Port, Runtime, Signal, binary,
    http::{self, Request},
    peer::Peer,
    runtime,
};

use cases::{Case, INPUTS, Processor};
use matrix::{Fate, Matrix};
use probes::Probe;

/// Without them there are no pipelines of profiles, and no lambdas.
const GATE: &str = "--feature-gates=service.profilesSupport,ottl.functions.enableLambda";

/// Pipelines in one configuration.
const CHUNK: usize = 400;

/// Statements in one configuration.
const STATEMENTS: usize = 1_500;

#[test]
fn the_collector_and_the_gateway_do_the_same() {
    let Some(collector) = Peer::Otelcol.get("the_collector_and_the_gateway_do_the_same") else {
        return;
    };
    let started = Instant::now();
    let mut cases = cases::all();
    let mut probes = cells::all();
    probes.extend(probes::tables());
    // For whoever looks into one function: only the rows that this is part of.
    let only = std::env::var("TRUNKLINE_DIFFERENTIAL_ONLY").ok();
    if let Some(only) = &only {
        probes.retain(|probe| probe.row.contains(only));
        cases.clear();
    }
    let known = known();
    let (mut matrix, mut found) = (Matrix::default(), Vec::new());
    runtime::block_on(async {
        for chunk in cases.chunks(CHUNK) {
            let fates = compare(&collector, chunk).await;
            for (case, fate) in chunk.iter().zip(fates) {
                matrix.count(&case.about, &fate);
                if let Fate::Different(what) = fate {
                    found.push((case.to_string(), what));
                }
            }
        }
        println!("{} cases: {:?}", cases.len(), started.elapsed());
        found.extend(fill(&collector, &probes, &mut matrix).await);
    });
    println!("{matrix}");
    println!(
        "{} cells' probes and all: {:?}",
        probes.len(),
        started.elapsed()
    );
    let new: Vec<String> = found
        .iter()
        .filter(|(case, _)| !known.contains_key(case))
        .map(|(case, what)| format!("{case}\n{what}"))
        .collect();
    let seen: BTreeSet<&String> = found.iter().map(|(case, _)| case).collect();
    let gone: Vec<&String> = known.keys().filter(|case| !seen.contains(case)).collect();
    let whole = only.is_none();
    assert!(
        new.is_empty(),
        "{} new differences:\n{}",
        new.len(),
        new.join("\n")
    );
    assert!(
        gone.is_empty() || !whole,
        "known.txt lists what is the same by now:\n{gone:#?}"
    );
    let empty = matrix.empty();
    assert!(empty.is_empty(), "cells that nothing is in:\n{empty:#?}");
    let names = trunkline_ottl::functions::all().map(|function| function.name);
    let names = names.filter(|name| !cells::ELSEWHERE.iter().any(|(of, _)| of == name));
    let never = matrix.never_taken(names);
    assert!(
        never.is_empty() || !whole,
        "functions that no case takes: {never:?}"
    );
}

/// Runs the probes and fills their cells; gives the differences. Whether statements are taken is
/// asked of each by itself; what they do, of many in one pipeline, and again one by one where a
/// pipeline differs.
async fn fill(collector: &Path, probes: &[Probe], matrix: &mut Matrix) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut taken = Vec::new();
    for (chunk, first) in probes.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
        let cases: Vec<Case> = chunk.iter().map(|probe| probe.case("ignore")).collect();
        let (theirs, ours) = tokio::join!(
            refused(collector, &cases),
            refused(binary::trunkline(), &cases)
        );
        for (at, probe) in chunk.iter().enumerate() {
            matrix.expect(&probe.row, probe.column, probe.modes);
            let Some(fate) = refusal(theirs.get(&at), ours.get(&at)) else {
                taken.push(first + at);
                continue;
            };
            matrix.count(&probe.row, &fate);
            matrix.see(&probe.row, probe.column, "", &fate);
            if let Fate::Different(what) = fate {
                found.push((cases[at].to_string(), what));
            }
        }
    }
    let mut again = Vec::new();
    let mut pipelines = probes::pipelines(probes, &taken);
    while !pipelines.is_empty() {
        // Both take their time to read statements, too.
        let mut statements = 0;
        let fits = pipelines.iter().take(CHUNK).take_while(|(_, _, case)| {
            statements += case.statements.len();
            statements <= STATEMENTS
        });
        let rest = pipelines.split_off(fits.count().max(1));
        let chunk = std::mem::replace(&mut pipelines, rest);
        let cases: Vec<Case> = chunk.iter().map(|(_, _, case)| case.clone()).collect();
        for ((mode, members, case), fate) in chunk.iter().zip(run(collector, &cases).await) {
            if let Fate::Different(what) = fate {
                match members[..] {
                    [at] => {
                        matrix.count(&probes[at].row, &Fate::Different(String::new()));
                        found.push((case.to_string(), what));
                    }
                    _ => again.extend(members.iter().map(|at| (*mode, *at))),
                }
                continue;
            }
            for at in members {
                let probe = &probes[*at];
                matrix.count(&probe.row, &fate);
                matrix.see(&probe.row, probe.column, mode, &fate);
            }
        }
    }
    for chunk in again.chunks(CHUNK) {
        let cases: Vec<Case> = chunk
            .iter()
            .map(|(mode, at)| probes[*at].case(mode))
            .collect();
        for ((mode, at), fate) in chunk.iter().zip(run(collector, &cases).await) {
            let probe = &probes[*at];
            matrix.count(&probe.row, &fate);
            matrix.see(&probe.row, probe.column, mode, &fate);
            if let Fate::Different(what) = fate {
                found.push((probe.case(mode).to_string(), what));
            }
        }
    }
    found
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
    let (theirs, ours) = tokio::join!(
        refused(collector, cases),
        refused(binary::trunkline(), cases)
    );
    let refusals: Vec<Option<Fate>> = (0..cases.len())
        .map(|at| refusal(theirs.get(&at), ours.get(&at)))
        .collect();
    let taken: Vec<Case> = cases
        .iter()
        .zip(&refusals)
        .filter(|(_, refusal)| refusal.is_none())
        .map(|(case, _)| case.clone())
        .collect();
    let mut ran = run(collector, &taken).await.into_iter();
    let fates = refusals.into_iter();
    fates
        .map(|fate| fate.unwrap_or_else(|| ran.next().unwrap()))
        .collect()
}

/// What it means that one refuses a case, or both do; nothing where both take it.
fn refusal(theirs: Option<&String>, ours: Option<&String>) -> Option<Fate> {
    match (theirs, ours) {
        (Some(_), Some(_)) => Some(Fate::Refused),
        (None, Some(why)) if why.contains("is not supported yet by Trunkline") => {
            Some(Fate::Missing)
        }
        (None, Some(why)) => Some(Fate::Different(format!("  refused here: {why}"))),
        (Some(why), None) => Some(Fate::Different(format!("  refused there: {why}"))),
        (None, None) => None,
    }
}

/// What comes of cases that both take.
async fn run(collector: &Path, cases: &[Case]) -> Vec<Fate> {
    let all: BTreeSet<usize> = (0..cases.len()).collect();
    let yaml = configuration(cases, &all);
    let (theirs, ours) = tokio::join!(
        outputs(Launch::configured(collector, &yaml), &all),
        outputs(Launch::new(Runtime::Epoll, &yaml), &all)
    );
    cases
        .iter()
        .enumerate()
        .map(|(at, case)| {
            let (theirs, ours) = (&theirs[&at], &ours[&at]);
            match outputs::difference(case, theirs, ours) {
                None if ours.is_empty() => Fate::Silent,
                None => Fate::Same,
                Some(what) => Fate::Different(what),
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
