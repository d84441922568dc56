//! Keeps requests going, in a closed loop or at a rate, and counts what comes back while the
//! measurement lasts.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::client::{Connection, Outcome};
use super::{Options, Protocol};
use crate::error::Error;
use crate::generate::Pool;
use crate::histogram::Latencies;
use crate::proc::{self, Usage};

/// Requests that an open loop may have outstanding; what is due beyond is counted as not sent.
const MOST_OUTSTANDING: usize = 20_000;
/// Points in time of the plots.
const BUCKETS: u32 = 50;
/// How long answers are awaited after the end.
const DRAIN: Duration = Duration::from_secs(10);

/// One point of the plots: what happened since the point before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
    /// Seconds since the measurement began.
    pub at_s: f64,
    pub items: u64,
    pub requests: u64,
    pub latency_sum_ms: f64,
    pub latency_max_ms: f64,
    /// The gateway's CPU seconds and resident bytes.
    pub cpu_s: f64,
    pub resident: u64,
}

/// What a run gives.
#[derive(Default)]
pub struct Measured {
    pub seconds: f64,
    pub requests: u64,
    pub items: u64,
    pub rejected: u64,
    /// Bodies on the wire, in bytes.
    pub bytes: u64,
    /// Requests that failed, by what was answered.
    pub failures: BTreeMap<String, u64>,
    /// Due in the open loop, but too many were outstanding.
    pub not_sent: u64,
    pub latencies: Option<Latencies>,
    pub timeline: Vec<Bucket>,
    /// The gateway when the measurement began and ended.
    pub usage: Option<(Usage, Usage)>,
    pub resident_max: u64,
    pub mean_body: f64,
    /// With verification: `(first sequence number, items)` of every request accepted whole.
    pub accepted: Vec<(u64, u64)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Measure,
    Over,
}

/// What all requests of a run share.
pub struct Run {
    pub pool: Pool,
    verify: bool,
    phase: Cell<Phase>,
    measured: RefCell<Measured>,
    bucket: Cell<Bucket>,
}

impl Run {
    /// Generates the bodies.
    pub fn new(options: &Options) -> Result<Rc<Run>, Error> {
        let pool = Pool::new(options.shape.clone())?;
        let measured = Measured {
            latencies: Some(Latencies::new()),
            mean_body: pool.mean_size(),
            ..Measured::default()
        };
        Ok(Rc::new(Run {
            pool,
            verify: options.shape.verify,
            phase: Cell::new(Phase::WarmUp),
            measured: RefCell::new(measured),
            bucket: Cell::default(),
        }))
    }

    /// Whether no more requests are to be sent.
    pub fn over(&self) -> bool {
        self.phase.get() == Phase::Over
    }

    /// Counts an answer. `due` is when the request should have been sent.
    pub fn count(&self, outcome: Outcome, first: u64, items: u64, bytes: usize, due: Instant) {
        let accepted = matches!(outcome, Outcome::Accepted { rejected: 0 });
        if accepted && self.verify {
            self.measured.borrow_mut().accepted.push((first, items));
        }
        if self.phase.get() != Phase::Measure {
            return;
        }
        let latency = due.elapsed();
        let mut m = self.measured.borrow_mut();
        match outcome {
            Outcome::Accepted { rejected } => {
                m.requests += 1;
                m.items += items.saturating_sub(rejected);
                m.rejected += rejected;
                m.bytes += bytes as u64;
                let mut bucket = self.bucket.get();
                let ms = latency.as_secs_f64() * 1e3;
                bucket.items += items;
                bucket.requests += 1;
                bucket.latency_sum_ms += ms;
                bucket.latency_max_ms = bucket.latency_max_ms.max(ms);
                self.bucket.set(bucket);
            }
            Outcome::Refused(what) | Outcome::Broken(what) => {
                *m.failures.entry(what).or_default() += 1;
            }
        }
        if let Some(l) = &mut m.latencies {
            l.record(latency);
        }
    }

    /// Warms up, measures, and ends the run.
    pub async fn clock(&self, options: &Options) -> Result<(), Error> {
        tokio::time::sleep(options.warm_up).await;
        let look = || options.pid.map(proc::usage).transpose();
        let began = Instant::now();
        let first = look()?;
        self.phase.set(Phase::Measure);
        let step = (options.duration / BUCKETS).max(Duration::from_millis(20));
        let (mut before, mut resident_max) = (first, 0);
        loop {
            let left = options.duration.saturating_sub(began.elapsed());
            if left.is_zero() {
                break;
            }
            tokio::time::sleep(left.min(step)).await;
            let now = look()?;
            let mut bucket = self.bucket.take();
            bucket.at_s = began.elapsed().as_secs_f64();
            if let (Some(a), Some(b)) = (before, now) {
                bucket.cpu_s = b.cpu_s() - a.cpu_s();
                bucket.resident = b.resident;
                resident_max = resident_max.max(b.resident);
            }
            before = now;
            self.measured.borrow_mut().timeline.push(bucket);
        }
        self.phase.set(Phase::Over);
        let mut m = self.measured.borrow_mut();
        m.seconds = began.elapsed().as_secs_f64();
        m.usage = first.zip(before);
        m.resident_max = resident_max;
        Ok(())
    }

    /// What was measured, once nothing else holds the run.
    pub fn finish(self: Rc<Self>) -> Measured {
        self.measured.take()
    }
}

/// Runs the load over gRPC or HTTP.
pub async fn run(options: &Options) -> Result<Measured, Error> {
    let run = Run::new(options)?;
    // HTTP/1 carries one request at a time: each in flight has a connection of its own.
    let (connections, each) = match options.protocol {
        Protocol::Http => (options.connections * options.in_flight, 1),
        Protocol::Grpc | Protocol::Raw => (options.connections, options.in_flight),
    };
    let mut all = Vec::with_capacity(connections);
    for _ in 0..connections {
        let c = Connection::new(
            options.to,
            options.protocol,
            &options.shape,
            options.frame_size,
        )?;
        c.ready(options.connect_timeout).await?;
        all.push(Rc::new(c));
    }
    let mut tasks = tokio::task::JoinSet::new();
    match options.rate {
        None => {
            for connection in all.iter().flat_map(|c| std::iter::repeat_n(c, each)) {
                tasks.spawn_local(closed(run.clone(), connection.clone()));
            }
        }
        Some(rate) => {
            let interval = Duration::from_secs_f64(options.shape.batch as f64 / rate);
            tasks.spawn_local(open(run.clone(), all.clone(), interval));
        }
    }
    run.clock(options).await?;
    let drained = tokio::time::timeout(DRAIN, async {
        while let Some(end) = tasks.join_next().await {
            match end {
                Ok(end) => end?,
                Err(e) => return Err(Error::Measure(format!("a sender ended early: {e}"))),
            }
        }
        Ok(())
    });
    match drained.await {
        Ok(end) => end?,
        Err(_) => tasks.shutdown().await, // the unanswered ones are not counted as accepted
    }
    Ok(run.finish())
}

async fn closed(run: Rc<Run>, connection: Rc<Connection>) -> Result<(), Error> {
    while !run.over() {
        let (body, items, first) = run.pool.take()?;
        let (bytes, sent) = (body.len(), Instant::now());
        let outcome = connection.send(body).await;
        let broken = matches!(outcome, Outcome::Broken(_));
        run.count(outcome, first, items, bytes, sent);
        if broken {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    Ok(())
}

/// Sends a request every `interval`, whether or not the ones before were answered.
async fn open(
    run: Rc<Run>,
    connections: Vec<Rc<Connection>>,
    interval: Duration,
) -> Result<(), Error> {
    let ticks = Ticks::new(interval);
    let outstanding = Rc::new(Cell::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    let began = Instant::now();
    let mut sent = 0u32;
    'run: loop {
        ticks.next().await;
        loop {
            let due = began + interval * sent;
            if due > Instant::now() {
                break;
            }
            if run.over() {
                break 'run;
            }
            sent += 1;
            while tasks.try_join_next().is_some() {}
            if outstanding.get() >= MOST_OUTSTANDING {
                run.measured.borrow_mut().not_sent += 1;
                continue;
            }
            let Some(connection) = connections.get(sent as usize % connections.len().max(1)) else {
                break 'run;
            };
            let (run, connection, outstanding) =
                (run.clone(), connection.clone(), outstanding.clone());
            let (body, items, first) = run.pool.take()?;
            outstanding.set(outstanding.get() + 1);
            tasks.spawn_local(async move {
                let bytes = body.len();
                let outcome = connection.send(body).await;
                outstanding.set(outstanding.get() - 1);
                run.count(outcome, first, items, bytes, due);
            });
        }
    }
    while tasks.join_next().await.is_some() {}
    Ok(())
}

/// A timer finer than the reactor's own, which rounds to milliseconds: a thread that sleeps.
struct Ticks {
    tick: Arc<Notify>,
}

impl Ticks {
    fn new(interval: Duration) -> Ticks {
        let every = interval.clamp(Duration::from_micros(50), Duration::from_millis(1));
        let tick = Arc::new(Notify::new());
        let held = Arc::downgrade(&tick);
        std::thread::spawn(move || {
            while let Some(tick) = held.upgrade() {
                tick.notify_one();
                drop(tick);
                std::thread::sleep(every);
            }
        });
        Ticks { tick }
    }

    async fn next(&self) {
        self.tick.notified().await;
    }
}
