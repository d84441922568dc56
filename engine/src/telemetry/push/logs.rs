//! The log over OTLP (`service::telemetry::logs::processors`): what was logged waits in
//! a bounded queue, from any thread, and the control thread sends it.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::sync::{Notify, watch};
use tracing::{
    Event, Level,
    field::{Field, Visit},
};
use trunkline_proto::{
    Signal,
    otlp::common::v1::{KeyValue, any_value::Value},
};

use super::{LAST, Origin, Sender, Target, encode, failed, millis};
use crate::config::telemetry::{LogExporter, LogProcessor};

/// Events with this target are not sent: they are about the sending itself.
pub const ABOUT_PUSHING: &str = "trunkline::push";

/// A record of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub(super) time: SystemTime,
    pub(super) level: &'static str,
    pub(super) severity: i32,
    pub(super) body: String,
    pub(super) attributes: Vec<KeyValue>,
    /// Which component speaks: attributes of the scope, as the Collector has it.
    pub(super) scope: Vec<KeyValue>,
}

impl Record {
    /// An event as a record; `caller` adds where in the source it is.
    pub fn of(event: &Event<'_>, time: SystemTime, caller: bool) -> Record {
        let metadata = event.metadata();
        // Severity numbers of the log data model.
        let (level, severity) = match *metadata.level() {
            Level::ERROR => ("error", 17),
            Level::WARN => ("warn", 13),
            Level::INFO => ("info", 9),
            _ => ("debug", 5),
        };
        let mut record = Record {
            time,
            level,
            severity,
            body: String::new(),
            attributes: Vec::new(),
            scope: Vec::new(),
        };
        if caller {
            let file = metadata.file().unwrap_or("unknown").to_owned();
            let line = i64::from(metadata.line().unwrap_or(0));
            record.attributes = vec![
                encode::attribute("code.file.path", Value::StringValue(file)),
                encode::attribute("code.line.number", Value::IntValue(line)),
            ];
        }
        event.record(&mut record);
        record
    }

    fn field(&mut self, field: &Field, value: Value) {
        match field.name() {
            "message" => {
                if let Value::StringValue(text) = value {
                    self.body = text;
                }
            }
            name if name.starts_with("otelcol.") => self.scope.push(encode::attribute(name, value)),
            "error" => self
                .attributes
                .push(encode::attribute("exception.message", value)),
            name => self.attributes.push(encode::attribute(name, value)),
        }
    }
}

impl Visit for Record {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.field(field, Value::StringValue(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field, Value::StringValue(value.to_owned()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.field(field, Value::BoolValue(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.field(field, Value::IntValue(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        let value = i64::try_from(value)
            .map_or_else(|_| Value::StringValue(value.to_string()), Value::IntValue);
        self.field(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.field(field, Value::DoubleValue(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.field(field, Value::StringValue(value.to_string()));
    }
}

/// Records that wait to be sent.
#[derive(Debug)]
pub struct Queue {
    waiting: Mutex<Waiting>,
    /// Enough wait for a request.
    enough: Notify,
    size: usize,
    batch: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    records: VecDeque<Record>,
    lost: u64,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a record. Where there is no room the oldest is lost, as in the SDK.
    pub fn push(&self, record: Record) {
        let mut waiting = self.waiting();
        if waiting.records.len() >= self.size {
            waiting.records.pop_front();
            waiting.lost += 1;
        }
        waiting.records.push_back(record);
        if waiting.records.len() >= self.batch {
            self.enough.notify_one();
        }
    }

    /// The records of the next request, and how many were lost since the last one.
    fn take(&self) -> (Vec<Record>, u64) {
        let mut waiting = self.waiting();
        let n = waiting.records.len().min(self.batch);
        let records = waiting.records.drain(..n).collect();
        (records, std::mem::take(&mut waiting.lost))
    }

    fn has_a_batch(&self) -> bool {
        self.waiting().records.len() >= self.batch
    }
}

/// A log processor that does not send yet. Its queue takes records from the first line on; its
/// exporter is made on the control thread.
#[derive(Clone, Debug)]
pub struct LogPusher {
    /// Where records are put.
    pub queue: Arc<Queue>,
    target: Target,
    delay: Duration,
    timeout: Duration,
}

impl LogPusher {
    /// From its block; `None` where it sends nowhere that there is.
    ///
    /// # Errors
    /// The Collector's text for what cannot be used.
    pub fn new(processor: &LogProcessor) -> Result<Option<LogPusher>, String> {
        let (exporter, batch, size, delay, timeout) = match (&processor.batch, &processor.simple) {
            (Some(_), Some(_)) => {
                return Err("must not specify multiple log processor type".into());
            }
            (None, None) => {
                return Err(
                    "unsupported log processor type, must be one of simple or batch".into(),
                );
            }
            (None, Some(simple)) => (&simple.exporter, 1, 2048, 1000, millis(None, 30_000)),
            (Some(b), None) => {
                let checked = |given: Option<i64>, what: &str| match given {
                    Some(n) if n < 0 => Err(format!("invalid {what} {n}")),
                    _ => Ok(given),
                };
                let number = |given: Option<i64>, default: usize| {
                    let given = given.and_then(|n| usize::try_from(n).ok());
                    given.filter(|n| *n > 0).unwrap_or(default)
                };
                let timeout = millis(checked(b.export_timeout, "export timeout")?, 30_000);
                let batch = number(checked(b.max_export_batch_size, "batch size")?, 512);
                let size = number(checked(b.max_queue_size, "queue size")?, 2048);
                let delay = number(checked(b.schedule_delay, "schedule delay")?, 1000);
                (&b.exporter, batch.min(size), size, delay, timeout)
            }
        };
        Ok(target(exporter)?.map(|target| LogPusher {
            queue: Arc::new(Queue {
                waiting: Mutex::default(),
                enough: Notify::new(),
                size,
                batch,
            }),
            target,
            delay: Duration::from_millis(u64::try_from(delay).unwrap_or(u64::MAX)),
            timeout,
        }))
    }

    /// Its exporter, on this thread.
    ///
    /// # Errors
    /// The Collector's text for what cannot be used.
    pub fn sender(&self) -> Result<Sender, String> {
        self.target.sender(Signal::Logs)
    }

    /// Sends what waits, at intervals and as soon as there is enough, and the rest when `stop`
    /// changes.
    pub async fn run(self, sender: Sender, origin: Origin, mut stop: watch::Receiver<bool>) {
        loop {
            let stopped = tokio::select! {
                // An error says that nobody is left to say stop: the same as stop.
                _ = stop.changed() => true,
                () = self.queue.enough.notified() => false,
                () = tokio::time::sleep(self.delay) => false,
            };
            let limit = if stopped {
                self.timeout.min(LAST)
            } else {
                self.timeout
            };
            loop {
                let (records, lost) = self.queue.take();
                if lost > 0 {
                    tracing::warn!(target: ABOUT_PUSHING, dropped = lost, "dropped log records");
                }
                if records.is_empty() {
                    break;
                }
                if let Err(error) = sender.send(encode::logs(records, &origin), limit).await {
                    failed("logs", &error);
                    break;
                }
                if !stopped && !self.queue.has_a_batch() {
                    break;
                }
            }
            if stopped {
                return;
            }
        }
    }
}

fn target(exporter: &LogExporter) -> Result<Option<Target>, String> {
    if exporter.otlp.is_some() && exporter.console.is_some() {
        return Err("must not specify multiple exporters".into());
    }
    if exporter.console.is_some() {
        return Ok(None);
    }
    let target = exporter.otlp.as_ref().and_then(Target::new);
    target.map(Some).ok_or("no valid log exporter".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_records_give_way_and_are_counted() {
        let queue = Queue {
            waiting: Mutex::default(),
            enough: Notify::new(),
            size: 3,
            batch: 2,
        };
        for n in 0..5 {
            queue.push(Record {
                time: SystemTime::UNIX_EPOCH,
                level: "info",
                severity: 9,
                body: n.to_string(),
                attributes: Vec::new(),
                scope: Vec::new(),
            });
        }
        let taken = || {
            let (records, lost) = queue.take();
            let bodies = records.into_iter().map(|record| record.body);
            (bodies.collect::<Vec<_>>(), lost)
        };
        assert_eq!(taken(), (vec!["2".to_owned(), "3".to_owned()], 2));
        assert_eq!(taken(), (vec!["4".to_owned()], 0));
        assert_eq!(taken(), (Vec::new(), 0));
    }
}
