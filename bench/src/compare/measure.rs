//! Takes the measurements of a row: rounds, latencies, starts.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Options;
use super::peers::{self, Peer};
use super::process::{self, Running};
use super::rows::Row;
use crate::error::Error;
use crate::generate::{Compression, Encoding, Pool, Shape};
use crate::load::Protocol;
use crate::load::client::{Connection, Outcome};
use crate::net;

/// How long a gateway may take from its start to its first accepted request.
const START: Duration = Duration::from_secs(20);
/// Rounds of the latency measurement.
const LATENCY_ROUNDS: usize = 3;

/// What was measured of one gateway.
#[derive(Default)]
pub struct Of {
    pub name: String,
    /// One a round; what `load` reported, null where that failed.
    pub rounds: Vec<Value>,
    /// Bytes of bodies that reached the sink, an item.
    pub bytes_out: Vec<f64>,
    /// Seconds from start to first accepted request.
    pub starts: Vec<f64>,
    /// Milliseconds: this gateway's p99 at half its own maximum rate, and the relay's there.
    pub p99: Vec<(f64, f64)>,
    pub half_rate: f64,
    /// What went wrong.
    pub trouble: Vec<String>,
}

/// What was measured of a row.
pub struct Measured {
    pub of: Vec<Of>,
    pub absent: Vec<(String, String)>,
}

struct Bench<'a> {
    options: &'a Options,
    row: Row,
    dir: PathBuf,
    sink: Running,
    control: std::net::SocketAddr,
    raw: std::net::SocketAddr,
    this: String,
}

/// A folder that goes when it is no longer needed.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind is a few log files in the system's temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Measures a row.
pub fn row(options: &Options, row: Row) -> Result<Measured, Error> {
    let folder = Folder(std::env::temp_dir().join(format!(
        "trunkline-bench-{}-{}",
        std::process::id(),
        row.name()
    )));
    std::fs::create_dir_all(&folder.0)
        .map_err(Error::io(format!("creating {}", folder.0.display())))?;
    let bench = Bench::new(options, row, &folder.0)?;
    let peers::Lineup { there, mut absent } = peers::of(options, row)?;
    let mut all = Vec::new();
    for peer in there {
        match bench.start(&peer) {
            Ok((running, _)) => {
                let of = Of {
                    name: peer.name.clone(),

                    ..Of::default()
                };
                all.push((peer, running, of));
            }
            Err(e) => absent.push((peer.name, e.to_string())),
        }
    }
    let progress = std::io::stderr().is_terminal();
    for round in 0..options.pairs {
        // Every other round the other way about: what drifts within a round cancels.
        let mut order: Vec<usize> = (0..all.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for at in order {
            if let Some((peer, running, of)) = all.get_mut(at) {
                if progress {
                    eprint!(
                        "\rround {} of {}: {:<16}",
                        round + 1,
                        options.pairs,
                        peer.name
                    );
                }
                bench.round(peer, running, of)?;
            }
        }
    }
    if progress {
        eprint!("\r{:<48}\r", "");
    }
    if options.latency {
        bench.latencies(&mut all)?;
    }
    let mut measured = Vec::new();
    for (peer, running, mut of) in all {
        running.stop()?;
        for _ in 0..options.starts {
            match bench.start(&peer) {
                Ok((running, took)) => {
                    of.starts.push(took.as_secs_f64());
                    running.stop()?;
                }
                Err(e) => of.trouble.push(e.to_string()),
            }
        }
        measured.push(of);
    }
    Ok(Measured {
        of: measured,
        absent,
    })
}

/// Not a number where there is none, which statistics leave out.
fn number(v: &Value) -> f64 {
    v.as_f64().unwrap_or(f64::NAN)
}

impl<'a> Bench<'a> {
    fn new(options: &'a Options, row: Row, dir: &Path) -> Result<Bench<'a>, Error> {
        let this = std::env::current_exe()
            .map_err(Error::io("finding this program"))?
            .display()
            .to_string();
        let (grpc, raw, control) = (
            process::free_address()?,
            process::free_address()?,
            process::free_address()?,
        );
        let mut command = vec![this.clone(), "sink".to_owned()];
        for (option, address) in [("--grpc", grpc), ("--raw", raw), ("--control", control)] {
            command.extend([option.to_owned(), address.to_string()]);
        }
        let sink = process::start("sink", &command, &options.load_cores, dir, grpc)?;
        let since = Instant::now();
        while std::net::TcpStream::connect(control).is_err() {
            if since.elapsed() > START {
                return Err(Error::Measure(format!(
                    "the sink does not start: {}",
                    sink.last_words()
                )));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(Bench {
            options,
            row,
            dir: dir.to_owned(),
            sink,
            control,
            raw,
            this,
        })
    }

    /// Starts a gateway and waits until it has accepted a request: how long that took.
    fn start(&self, peer: &Peer) -> Result<(Running, Duration), Error> {
        let began = Instant::now();
        let mut running = process::start_peer(
            peer,
            self.sink.listen,
            self.raw,
            &self.options.gateway_cores,
            &self.dir,
        )?;
        if peer.raw {
            while std::net::TcpStream::connect(running.listen).is_err() {
                self.still_starting(&mut running, began)?;
            }
            return Ok((running, began.elapsed()));
        }
        let shape = Shape {
            signal: self.options.signal,
            batch: 1,
            per_resource: 1,
            bodies: 1,
            seed: 1,
            encoding: Encoding::Protobuf,
            compression: Compression::None,
            verify: false,
            grpc: true,
        };
        let pool = Pool::new(shape.clone())?;
        loop {
            let (body, _, _) = pool.take()?;
            let outcome = net::block_on(async {
                let c = Connection::new(running.listen, Protocol::Grpc, &shape, None)?;
                Ok(c.send(body).await)
            })?;
            match outcome {
                Outcome::Accepted { rejected: 0 } => return Ok((running, began.elapsed())),
                _ => self.still_starting(&mut running, began)?,
            }
        }
    }

    fn still_starting(&self, running: &mut Running, began: Instant) -> Result<(), Error> {
        if let Some(why) = running.ended() {
            return Err(Error::Measure(why));
        }
        if began.elapsed() > START {
            let said = running.last_words();
            return Err(Error::Measure(format!(
                "no request was accepted within {START:?}: {said}"
            )));
        }
        std::thread::sleep(Duration::from_millis(1));
        Ok(())
    }

    /// Runs `load` against a gateway and gives its report.
    fn load(&self, peer: &Peer, running: &Running, rate: Option<f64>) -> Result<Value, Error> {
        let o = self.options;
        let report = self.dir.join("load.json");
        let compression = self.row.sent();
        let mut command = vec![self.this.clone(), "load".to_owned()];
        let mut option = |name: &str, value: String| command.extend([name.to_owned(), value]);
        option("--to", running.listen.to_string());
        option(
            "--protocol",
            if peer.raw { "raw" } else { "grpc" }.to_owned(),
        );
        option("--signal", o.signal_name.clone());
        option("--batch", o.batch.to_string());
        option("--per-resource", o.per_resource.to_string());
        option("--bodies", o.bodies.to_string());
        option("--connections", o.connections.to_string());
        option("--in-flight", o.in_flight.to_string());
        option("--pid", running.pid().to_string());
        option("--warm-up", format!("{}ms", o.warm_up.as_millis()));
        option("--duration", format!("{}ms", o.duration.as_millis()));
        option("--json", report.display().to_string());
        let compression = if compression == Compression::None {
            "none"
        } else {
            compression.name()
        };
        option("--compression", compression.to_owned());
        if o.frame_size < 1 << 20 {
            option("--frame-size", o.frame_size.to_string());
        }
        if let Some(rate) = rate {
            option("--rate", format!("{rate:.0}"));
        }
        let mut load = process::start("load", &command, &o.load_cores, &self.dir, running.listen)?;
        let longest = o.warm_up + o.duration + Duration::from_secs(30);
        let since = Instant::now();
        loop {
            if load.ended().is_some() {
                break;
            }
            if since.elapsed() > longest {
                return Err(Error::Measure(format!(
                    "load against {} does not end",
                    peer.name
                )));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let text = std::fs::read_to_string(&report).map_err(|_| {
            Error::Measure(format!("load against {}: {}", peer.name, load.last_words()))
        })?;
        let _ = std::fs::remove_file(&report);
        serde_json::from_str(&text).map_err(|e| Error::Measure(format!("the report of load: {e}")))
    }

    fn sink_stats(&self) -> Result<Value, Error> {
        net::block_on(crate::load::sink_stats(self.control))
    }

    /// One round of one gateway. What goes wrong is noted and leaves a gap, so that the rounds
    /// of all gateways stay side by side.
    fn round(&self, peer: &Peer, running: &mut Running, of: &mut Of) -> Result<(), Error> {
        let before = self.sink_stats()?;
        let report = match running.ended() {
            Some(why) => Err(why),
            None => self.load(peer, running, None).map_err(|e| e.to_string()),
        };
        let after = self.sink_stats()?;
        let report = report.unwrap_or_else(|why| {
            if of.trouble.last() != Some(&why) {
                of.trouble.push(why);
            }
            Value::Null
        });
        let signal = self.options.signal.name();
        let grown = |v: &dyn Fn(&Value) -> f64| v(&after) - v(&before);
        let requests = grown(&|s| number(&s["requests"][signal]));
        if requests > 0.0 && !peer.raw {
            let bytes = grown(&|s| number(&s["bytes"]));
            // Items are counted where the sink looked inside; a gateway may join requests. What
            // it did not look into came as it was sent.
            let items = match grown(&|s| number(&s["items"][signal])) {
                counted if counted > 0.0 => counted,
                _ => requests * self.options.batch as f64,
            };
            of.bytes_out.push(bytes / items);
        }
        let failed = report["failed_requests"].as_u64().unwrap_or(0);
        if failed > 0 {
            of.trouble
                .push(format!("{failed} requests failed: {}", report["failures"]));
        }
        of.rounds.push(report);
        Ok(())
    }

    /// The p99 of each gateway at half the rate it reached, beside the relay's at that rate.
    fn latencies(&self, all: &mut [(Peer, Running, Of)]) -> Result<(), Error> {
        let Some(limit) = all.iter().position(|(p, ..)| p.limit && !p.raw) else {
            for (_, _, of) in all {
                of.trouble
                    .push("no relay in this run to take added latency from".to_owned());
            }
            return Ok(());
        };
        for at in (0..all.len()).filter(|at| *at != limit) {
            let (Some(base), Some(own)) = (all.get(limit), all.get(at)) else {
                continue;
            };
            let rates: Vec<f64> = own
                .2
                .rounds
                .iter()
                .map(|r| number(&r["items_per_s"]))
                .collect();
            let Some(most) = super::statistics::summary(&rates).filter(|_| !own.0.raw) else {
                continue;
            };
            let rate = most.median / 2.0;
            let mut p99 = Vec::new();
            for _ in 0..LATENCY_ROUNDS {
                let p99_of = |(peer, running, _): &(Peer, Running, Of)| -> Result<f64, Error> {
                    let report = self.load(peer, running, Some(rate))?;
                    Ok(number(&report["latency"]["p99_ms"]))
                };
                let relay = p99_of(base)?;
                p99.push((p99_of(own)?, relay));
            }
            if let Some((_, _, of)) = all.get_mut(at) {
                of.half_rate = rate;
                of.p99 = p99;
            }
        }
        Ok(())
    }
}
