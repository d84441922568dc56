//! OTTL programs as kernels: the ten statements of the comparison, one, and 10 and 100 with a
//! condition each; over columns as the gateway runs them, and by rows.

use std::sync::Arc;

use trunkline_ottl::{
    Compiler,
    columns::Executor,
    contexts::Context,
    failure::Failure,
    functions::Host,
    run::{self, ErrorMode},
};
use trunkline_proto::{
    Batch, Signal,
    batch::{Error as BatchError, Level},
};

use super::variants::other_name;

/// Which statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statements {
    Ten,
    /// The ten, on attributes with [other names](other_name).
    TenOtherNames,
    One,
    Conditional(usize),
}

/// The programs of the last run, ready to run again.
#[derive(Default)]
pub struct Programs(Vec<(Statements, Executor)>, Option<Executor>);

fn context(signal: Signal) -> Context {
    match signal {
        Signal::Logs => Context::Log,
        Signal::Metrics => Context::DataPoint,
        _ => Context::Span,
    }
}

/// What the ten statements are, for rows of this signal.
fn ten(signal: Signal) -> Vec<String> {
    let (item, text) = match signal {
        Signal::Logs => ("log", "log.body"),
        Signal::Metrics => ("datapoint", "datapoint.attributes[\"http.route\"]"),
        _ => ("span", "span.attributes[\"url.full\"]"),
    };
    let (time, name) = match signal {
        Signal::Logs => (
            "set(log.attributes[\"lag_ns\"], log.observed_time_unix_nano - log.time_unix_nano)",
            "set(log.severity_text, Concat([log.attributes[\"http.request.method\"], \
             log.attributes[\"http.route\"]], \" \"))",
        ),
        Signal::Metrics => (
            "set(datapoint.attributes[\"span_ns\"], datapoint.time_unix_nano - \
             datapoint.start_time_unix_nano)",
            "set(datapoint.attributes[\"name\"], Concat([datapoint.attributes\
             [\"http.request.method\"], datapoint.attributes[\"http.route\"]], \" \"))",
        ),
        _ => (
            "set(span.attributes[\"duration_ns\"], span.end_time_unix_nano - \
             span.start_time_unix_nano)",
            "set(span.name, Concat([span.attributes[\"http.request.method\"], \
             span.attributes[\"http.route\"]], \" \"))",
        ),
    };
    let statements = [
        "set({}.attributes[\"service\"], resource.attributes[\"service.name\"])",
        "set({}.attributes[\"tier\"], \"edge\") where {}.attributes[\"http.request.method\"] == \"GET\"",
        "replace_pattern({text}, \"session=[0-9a-f]+\", \"session=*\")",
        "set({}.attributes[\"enduser.id\"], SHA256({}.attributes[\"enduser.id\"]))",
        "delete_key({}.attributes, \"client.address\")",
        "set({}.attributes[\"failed\"], true) where {}.attributes[\"http.response.status_code\"] >= 500",
        time,
        name,
        "truncate_all({}.attributes, 4096)",
        "set({}.attributes[\"api\"], true) where IsMatch({}.attributes[\"http.route\"], \"^/api/v[0-9]+/\")",
    ];
    let fill = |of: &str| of.replace("{}", item).replace("{text}", text);
    statements.into_iter().map(fill).collect()
}

/// The statements, for rows of this signal.
pub fn sources(of: Statements, signal: Signal) -> Vec<String> {
    let item = match signal {
        Signal::Logs => "log",
        Signal::Metrics => "datapoint",
        _ => "span",
    };
    match of {
        Statements::Ten => ten(signal),
        Statements::TenOtherNames => ten(signal).iter().map(|s| renamed(s, item)).collect(),
        Statements::One => vec![format!("set({item}.attributes[\"team\"], \"shop\")")],
        Statements::Conditional(count) => (0..count)
            .map(|at| {
                format!(
                    "set({item}.attributes[\"class.{}\"], {at}) where \
                     {item}.attributes[\"http.response.status_code\"] == {}",
                    at % 5,
                    200 + at
                )
            })
            .collect(),
    }
}

/// A statement on attributes of the item with other names.
fn renamed(statement: &str, item: &str) -> String {
    let statement = statement.replace(
        "\"client.address\"",
        &format!("\"{}\"", other_name("client.address")),
    );
    let begins = format!("{item}.attributes[\"");
    let mut parts = statement.split(&begins);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (key, rest) = part.split_once('"').unwrap_or((part, ""));
        out += &format!("{begins}{}\"{rest}", other_name(key));
    }
    out
}

/// What the filter of the comparison drops.
pub fn condition(signal: Signal) -> &'static str {
    match signal {
        Signal::Logs => "log.attributes[\"code.line.number\"] >= 45",
        Signal::Metrics => "datapoint.attributes[\"http.response.status_code\"] == 200",
        _ => "span.attributes[\"http.response.body.size\"] >= 10000",
    }
}

/// Drops the rows of a level on which the conditions hold.
pub fn filter(executor: &mut Executor, batch: &mut Batch, level: Level) -> Result<(), BatchError> {
    let request = run::Request::default();
    let data = batch.open()?;
    let mode = ErrorMode::Ignore;
    let verdict = executor.select(data, None, &request, mode, &mut |_| ());
    let selected = verdict.map_err(|cause| match cause {
        Failure::Batch(error) => error,
        _ => BatchError::TooLarge,
    })?;
    data.retain_rows(level, |row| !selected.selected.contains(row))
}

impl Programs {
    /// The condition of the filter, compiled when it is asked for first.
    pub fn condition(&mut self, signal: Signal) -> Option<&mut Executor> {
        if self.1.is_none() {
            let compiler = Compiler::new(Host::Filter, &[context(signal)]);
            let compiler = compiler.in_context(context(signal));
            let program = compiler.statements(&[], &[condition(signal)]).ok()?;
            self.1 = Some(Executor::new(Arc::new(program)));
        }
        self.1.as_mut()
    }

    /// The statements, compiled when they are asked for first.
    pub fn get(&mut self, of: Statements, signal: Signal) -> Option<&mut Executor> {
        if let Some(at) = self.0.iter().position(|(known, _)| *known == of) {
            return self.0.get_mut(at).map(|(_, executor)| executor);
        }
        let context = context(signal);
        let contexts = [Context::Resource, Context::Scope, context];
        let sources = sources(of, signal);
        let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
        let compiler = Compiler::new(Host::Transform, &contexts).in_context(context);
        let program = compiler.statements(&sources, &[]).ok()?;
        self.0.push((of, Executor::new(Arc::new(program))));
        self.0.last_mut().map(|(_, executor)| executor)
    }
}

/// Runs statements on a batch.
pub fn run(executor: &mut Executor, batch: &mut Batch, by_rows: bool) -> Result<(), BatchError> {
    let request = run::Request::default();
    let (data, mut counts) = (batch.open()?, Vec::new());
    let mode = ErrorMode::Ignore;
    let result = match by_rows {
        true => {
            let program = executor.program().clone();
            run::run(
                &program,
                data,
                &request,
                mode,
                None,
                &mut counts,
                &mut |_| (),
            )
        }
        false => executor.run(data, &request, mode, None, &mut counts, &mut |_| ()),
    };
    result.map_err(|stopped| match stopped.cause {
        Failure::Batch(error) => error,
        _ => BatchError::TooLarge,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_compile_and_run_over_columns() {
        for signal in [Signal::Traces, Signal::Logs, Signal::Metrics] {
            for of in [
                Statements::Ten,
                Statements::TenOtherNames,
                Statements::One,
                Statements::Conditional(10),
            ] {
                let mut programs = Programs::default();
                let executor = programs.get(of, signal);
                assert!(executor.is_some_and(|executor| executor.has_columns()));
            }
        }
    }
}
