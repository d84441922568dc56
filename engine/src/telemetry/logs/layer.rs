//! From an event of `tracing` to a line: level, sampling, format. The line goes to
//! the `writer`.

use std::{
    cell::RefCell,
    fmt::Write,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant, SystemTime},
};

use tracing::{Event, Level, Metadata, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::layer::{Context, Layer};

use super::{
    Encoding, LogHandle, LogsConfig, LogsError, NO_CALLER,
    encode::{Fields, push_key, push_string},
    sampler::Sampler,
    writer::{Output, Writer},
};
use crate::telemetry::{
    clock,
    push::logs::{ABOUT_PUSHING, Queue, Record},
};

thread_local! {
    /// Buffers of a thread that logs, kept between lines.
    static FIELDS: RefCell<Fields> = RefCell::default();
}

/// A layer that writes events as the Collector writes its logs.
#[derive(Debug)]
pub struct LogLayer {
    shared: Arc<Shared>,
}

/// What layer and handle share.
#[derive(Debug)]
pub(super) struct Shared {
    state: RwLock<Arc<State>>,
    started: Instant,
}

#[derive(Debug)]
struct State {
    filter: LevelFilter,
    encoding: Encoding,
    caller: bool,
    sampler: Option<Sampler>,
    /// Initial fields and resource, encoded, without braces.
    prefix: String,
    writer: Writer,
    queues: Vec<Arc<Queue>>,
}

impl LogLayer {
    /// A layer for `config`, with its outputs open, and its handle.
    pub fn new(config: &LogsConfig) -> Result<(LogLayer, LogHandle), LogsError> {
        let outputs = Output::open_all(&config.output_paths)?;
        LogLayer::with_outputs(config, outputs)
    }

    /// As [`LogLayer::new`], but lines go to `outputs`.
    pub fn with_outputs(
        config: &LogsConfig,
        outputs: Vec<Output>,
    ) -> Result<(LogLayer, LogHandle), LogsError> {
        let shared = Arc::new(Shared {
            state: RwLock::new(Arc::new(State::new(config, outputs)?)),
            started: Instant::now(),
        });
        let handle = LogHandle {
            shared: shared.clone(),
        };
        Ok((LogLayer { shared }, handle))
    }
}

impl Shared {
    fn state(&self) -> Arc<State> {
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn replace(&self, config: &LogsConfig) -> Result<(), LogsError> {
        let outputs = Output::open_all(&config.output_paths)?;
        let new = State::new(config, outputs)?;
        new.writer.carry_lost(self.state().writer.lost());
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        *state = Arc::new(new);
        Ok(())
    }

    pub(super) fn flush(&self, limit: Duration) {
        self.state().writer.flush(limit);
    }

    pub(super) fn lost(&self) -> u64 {
        self.state().writer.lost()
    }
}

impl State {
    fn new(config: &LogsConfig, outputs: Vec<Output>) -> Result<State, LogsError> {
        let spaced = config.encoding == Encoding::Console;
        let mut prefix = String::new();
        let mut initial: Vec<_> = config.initial_fields.iter().collect();
        initial.sort_by_key(|(name, _)| name.as_str());
        for (name, value) in initial {
            push_key(&mut prefix, name, spaced);
            let _ = write!(prefix, "{value}");
        }
        if !config.resource.is_empty() {
            let mut resource = config.resource.clone();
            resource.sort();
            push_key(&mut prefix, "resource", spaced);
            prefix.push('{');
            for (name, value) in &resource {
                push_key(&mut prefix, name, spaced);
                push_string(&mut prefix, value);
            }
            prefix.push('}');
        }
        Ok(State {
            filter: config.level.filter(),
            encoding: config.encoding,
            caller: !config.disable_caller,
            sampler: config.sampling.map(Sampler::new),
            prefix,
            queues: config.queues.clone(),
            writer: Writer::start(outputs, Output::open_all(&config.error_output_paths)?)?,
        })
    }

    /// Own events by the configured level; those of libraries only when they warn.
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let own = metadata.target().starts_with("trunkline");
        let least = if own {
            self.filter
        } else {
            self.filter.min(LevelFilter::WARN)
        };
        metadata.is_event() && *metadata.level() <= least
    }

    fn line(&self, metadata: &Metadata<'_>, fields: &Fields, time: SystemTime) -> String {
        let mut line = String::with_capacity(
            128 + self.prefix.len() + fields.message.len() + fields.json.len(),
        );
        let caller = self.caller && metadata.target() != NO_CALLER;
        match self.encoding {
            Encoding::Console => {
                clock::write_millis(&mut line, time);
                let _ = write!(line, "\t{}\t", level_name(*metadata.level()));
                if caller {
                    write_caller(&mut line, metadata);
                    line.push('\t');
                }
                line.push_str(&fields.message);
                if !self.prefix.is_empty() || !fields.json.is_empty() {
                    line.push_str("\t{");
                    line.push_str(&self.prefix);
                    if !self.prefix.is_empty() && !fields.json.is_empty() {
                        line.push_str(", ");
                    }
                    line.push_str(&fields.json);
                    line.push('}');
                }
            }
            Encoding::Json => {
                let _ = write!(
                    line,
                    "{{\"level\":\"{}\",\"ts\":\"",
                    level_name(*metadata.level())
                );
                clock::write_millis(&mut line, time);
                line.push('"');
                if caller {
                    line.push_str(",\"caller\":\"");
                    write_caller(&mut line, metadata);
                    line.push('"');
                }
                line.push_str(",\"msg\":");
                push_string(&mut line, &fields.message);
                for part in [&self.prefix, &fields.json] {
                    if !part.is_empty() {
                        line.push(',');
                        line.push_str(part);
                    }
                }
                line.push('}');
            }
        }
        line.push('\n');
        line
    }
}

impl State {
    /// The same as a record, where somebody sends those. What is said of the sending is not
    /// sent: it would never end.
    fn queue(&self, event: &Event<'_>, now: SystemTime) {
        if self.queues.is_empty() || event.metadata().target() == ABOUT_PUSHING {
            return;
        }
        let caller = self.caller && event.metadata().target() != NO_CALLER;
        let record = Record::of(event, now, caller);
        for queue in &self.queues {
            queue.push(record.clone());
        }
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        _ => "debug",
    }
}

/// The last folder and the file, with the line: `otlp/server.rs:120`.
fn write_caller(line: &mut String, metadata: &Metadata<'_>) {
    let file = metadata.file().unwrap_or("unknown");
    let short = file
        .rmatch_indices('/')
        .nth(1)
        .map_or(file, |(at, _)| file.get(at + 1..).unwrap_or(file));
    let _ = write!(line, "{short}:{}", metadata.line().unwrap_or(0));
}

impl<S: Subscriber> Layer<S> for LogLayer {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.shared.state().wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.shared.state().filter)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let state = self.shared.state();
        let metadata = event.metadata();
        if !state.wants(metadata) {
            return;
        }
        FIELDS.with(|fields| {
            // A value whose formatting logs would come here again: that line is lost.
            let Ok(mut fields) = fields.try_borrow_mut() else {
                return;
            };
            fields.clear(state.encoding);
            event.record(&mut *fields);
            let admitted = state.sampler.as_ref().is_none_or(|sampler| {
                sampler.admits(
                    *metadata.level(),
                    &fields.message,
                    self.shared.started.elapsed(),
                )
            });
            if admitted {
                let now = SystemTime::now();
                state.writer.write(state.line(metadata, &fields, now));
                state.queue(event, now);
            }
            fields.shrink();
        });
    }
}
