//! The exporter `debug`: writes what passes to the log or to the console, in the
//! Collector's words. Here is where it writes and how much; what one request
//! looks like is in `normal` and `detailed`, which read it through `message`.

pub mod config;
mod detailed;
mod dictionary;
mod message;
mod normal;
mod numbers;
mod points;

use std::{
    fs::File,
    io,
    os::fd::AsFd,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use smallvec::SmallVec;
use tonic::Code;
use trunkline_proto::{
    Batch, Signal,
    batch::{Error, Level as Rows},
};

use crate::{
    component::{
        ComponentId, ConsumeFuture, Consumer, CoreContext, Outcome, Refusal, RequestContext,
    },
    config::level::Level,
    exporters::file::{
        target::Target,
        writer::{Message, Writer},
    },
    telemetry::{
        logs::{ComponentFields, NO_CALLER, Output, Sampler, Sampling},
        metrics::{Destination, ExporterMetrics},
    },
};

/// Logs with the component's fields and, as there, without a caller.
macro_rules! show {
    ($component:expr, { $($field:tt)* }, $($text:tt)+) => {
        tracing::info!(
            target: NO_CALLER,
            {
                otelcol.component.id = $component.id.as_str(),
                otelcol.component.kind = $component.kind,
                otelcol.signal = $component.signal,
                $($field)*
            },
            $($text)+
        )
    };
}

/// Where messages go, and how many of them: one for all cores and signals.
pub struct Console {
    /// Trunkline's own log where there is none.
    writer: Option<Writer>,
    sampler: Sampler,
    started: Instant,
}

/// Opens the outputs for the whole process.
///
/// # Errors
/// An output cannot be opened; the Collector's text.
pub fn open(config: &config::Config) -> Result<Arc<Console>, String> {
    let writer = if config.use_internal_logger {
        None
    } else {
        let stdout = || vec!["stdout".to_owned()];
        let paths = config.output_paths.clone().unwrap_or_else(stdout);
        let targets = paths
            .iter()
            .map(|path| target(path))
            .collect::<Result<_, _>>()?;
        Some(Writer::to_all(targets)?)
    };
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    Ok(Arc::new(Console {
        writer,
        sampler: Sampler::new(Sampling {
            tick: Duration::from_secs(1),
            initial: number(config.sampling_initial),
            thereafter: number(config.sampling_thereafter),
        }),
        started: Instant::now(),
    }))
}

fn target(path: &str) -> Result<Target, String> {
    let failed = |e: io::Error| format!("open sink {path:?}: {e}");
    let file: File = match Output::open(path).map_err(|e| e.to_string())? {
        Output::Stdout => io::stdout()
            .as_fd()
            .try_clone_to_owned()
            .map_err(failed)?
            .into(),
        Output::Stderr => io::stderr()
            .as_fd()
            .try_clone_to_owned()
            .map_err(failed)?
            .into(),
        Output::File(file) => file.try_clone().map_err(failed)?,
        Output::Memory(_) => return Err(format!("open sink {path:?}: not a file")),
    };
    Target::opened(path.into(), file).map_err(failed)
}

/// The exporter for one signal on one core.
///
/// # Errors
/// None.
pub fn build(
    id: &ComponentId,
    config: &config::Config,
    signal: Signal,
    core: &CoreContext,
    console: Arc<Console>,
) -> Result<Rc<dyn Consumer>, String> {
    Ok(Rc::new(Debug {
        console,
        verbosity: config.verbosity,
        fields: ComponentFields {
            id: id.to_string(),
            kind: "exporter",
            pipeline: None,
            signal: Some(signal.name()),
        },
        metrics: ExporterMetrics::new(
            &core.registry,
            core.core,
            &id.to_string(),
            &Destination::default(),
        ),
    }))
}

struct Debug {
    console: Arc<Console>,
    verbosity: Level,
    fields: ComponentFields,
    metrics: ExporterMetrics,
}

/// How much is in a request: what the first line says.
struct Counts {
    resources: usize,
    metrics: usize,
    items: usize,
}

impl Counts {
    fn of(batch: &mut Batch) -> Result<Counts, Error> {
        let (signal, items) = (batch.signal(), batch.item_count());
        let data = batch.open()?;
        Ok(Counts {
            resources: data.rows(Rows::Resource)?.len(),
            metrics: match signal {
                Signal::Metrics => data.rows(Rows::Item)?.len(),
                _ => 0,
            },
            items,
        })
    }

    /// The line as the Collector's console encoder writes it.
    fn line(&self, signal: Signal) -> String {
        let Counts {
            resources,
            metrics,
            items,
        } = self;
        match signal {
            Signal::Traces => {
                format!("Traces\t{{\"resource spans\": {resources}, \"spans\": {items}}}\n")
            }
            Signal::Metrics => format!(
                "Metrics\t{{\"resource metrics\": {resources}, \"metrics\": {metrics}, \"data points\": {items}}}\n"
            ),
            Signal::Logs => {
                format!("Logs\t{{\"resource logs\": {resources}, \"log records\": {items}}}\n")
            }
            Signal::Profiles => format!(
                "Profiles\t{{\"resource profiles\": {resources}, \"sample records\": {items}}}\n"
            ),
        }
    }
}

impl Debug {
    async fn export(&self, mut batch: Batch) -> Outcome {
        let signal = batch.signal();
        let counts = match Counts::of(&mut batch) {
            Ok(counts) => counts,
            Err(e) => return refused(&e),
        };
        let text = match self.verbosity {
            Level::Normal => normal::text(signal, &batch.to_protobuf()),
            Level::Detailed => detailed::text(signal, &batch.to_protobuf()),
            Level::None | Level::Basic => Ok(String::new()),
        };
        let text = match text {
            Ok(text) => text,
            Err(e) => return refused(&e),
        };
        drop(batch);
        let first = self.admits(title(signal));
        let second = self.verbosity > Level::Basic && self.admits(&text);
        let Some(writer) = &self.console.writer else {
            if first {
                self.log(signal, &counts);
            }
            if second {
                show!(self.fields, {}, "{text}");
            }
            return Outcome::Accepted;
        };
        let mut out = String::new();
        if first {
            out.push_str(&counts.line(signal));
        }
        if second {
            out.push_str(&text);
            out.push('\n');
        }
        if out.is_empty() {
            return Outcome::Accepted;
        }
        let message = Message {
            path: None,
            length: None,
            body: out.into(),
        };
        match writer.write(SmallVec::from_buf([message])).await {
            Ok(()) => Outcome::Accepted,
            Err(failure) => Outcome::Refused(Refusal::retry(failure.message, None)),
        }
    }

    fn admits(&self, message: &str) -> bool {
        let now = self.console.started.elapsed();
        self.console
            .sampler
            .admits(tracing::Level::INFO, message, now)
    }

    /// The first line in Trunkline's own log.
    fn log(&self, signal: Signal, counts: &Counts) {
        let Counts {
            resources,
            metrics,
            items,
        } = *counts;
        match signal {
            Signal::Traces => {
                show!(self.fields, { "resource spans" = resources, "spans" = items }, "Traces");
            }
            Signal::Metrics => {
                show!(self.fields, { "resource metrics" = resources, "metrics" = metrics, "data points" = items }, "Metrics");
            }
            Signal::Logs => {
                show!(self.fields, { "resource logs" = resources, "log records" = items }, "Logs");
            }
            Signal::Profiles => {
                show!(self.fields, { "resource profiles" = resources, "sample records" = items }, "Profiles");
            }
        }
    }
}

const fn title(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "Traces",
        Signal::Metrics => "Metrics",
        Signal::Logs => "Logs",
        Signal::Profiles => "Profiles",
    }
}

fn refused(error: &dyn std::fmt::Display) -> Outcome {
    Outcome::Refused(Refusal::permanent(Code::InvalidArgument, error.to_string()))
}

impl Consumer for Debug {
    fn consume<'a>(&'a self, batch: Batch, _: &'a RequestContext) -> ConsumeFuture<'a> {
        Box::pin(async move {
            let (signal, items) = (batch.signal(), batch.item_count() as u64);
            let _in_flight = self.metrics.in_flight(signal);
            let outcome = self.export(batch).await;
            super::count(&self.metrics, signal, items, &outcome);
            outcome
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
