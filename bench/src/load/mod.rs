//! Sends telemetry and measures what becomes of it.
//!
//! `client` makes one request, `run` keeps many going (closed loop or at a rate) and counts,
//! `raw` is the loader of `copy`, `report` and `html` say what was measured.

pub mod client;
mod html;
pub mod plot;
mod raw;
mod report;
mod run;
mod verify;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use trunkline_proto::Signal;

use crate::error::Error;
use crate::generate::{Compression, Encoding, Shape};
use crate::{args, net};

const USAGE: &str = "\
trunkline-bench load --to HOST:PORT [options]

where to
  --to ADDR             the gateway
  --protocol P          grpc, http or raw (the loader of `copy`) [grpc]
  --connections N       [1]
  --in-flight N         requests at once on each connection; with http each has its own [8]
  --frame-size SIZE     DATA frames of at most this, whatever the peer takes (grpc-go: 16k)
  --connect-timeout D   keep trying to connect for this long [10s]

what
  --signal S            traces, metrics or logs [traces]
  --batch N             items a request [512]
  --per-resource N      items a resource [64]
  --bodies N            distinct bodies, sent in turn [8]
  --seed N              [1]
  --encoding E          protobuf or json (http only) [protobuf]
  --compression C       none, gzip or zstd [none]

how
  --rate N              open loop: items a second, each request at its due time; else closed loop
  --warm-up D           not measured [1s]
  --duration D          measured [5s]
  --pid PID             the gateway: its CPU time and memory, children included
  --verify              sequence numbers in trace ids (metrics: in an attribute `bench.id`)
  --control ADDR        the sink's control port: with --verify, says what was lost or doubled

what is said
  --json FILE           the report as JSON, - for standard output (instead of the text)
  --html FILE           the report as a page with plots
";

/// How requests travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP over HTTP/1.
    Http,
    /// Bodies one after the other, one byte back for each.
    Raw,
}

/// All that `load` was asked to do.
#[derive(Clone, Debug)]
pub struct Options {
    pub to: SocketAddr,
    pub protocol: Protocol,
    pub connections: usize,
    pub in_flight: usize,
    pub frame_size: Option<usize>,
    pub connect_timeout: Duration,
    pub shape: Shape,
    /// Items a second; closed loop where absent.
    pub rate: Option<f64>,
    pub warm_up: Duration,
    pub duration: Duration,
    pub pid: Option<u32>,
    pub control: Option<SocketAddr>,
    json: Option<PathBuf>,
    html: Option<PathBuf>,
}

/// Sends, measures and reports.
pub fn command(args: &mut lexopt::Parser) -> Result<(), Error> {
    let options = parse(args)?;
    net::raise_open_files()?;
    let report = net::block_on(measure(&options))?;
    if let Some(path) = &options.html {
        write(path, &html::page(&report))?;
    }
    match &options.json {
        Some(path) => write(path, &format!("{report:#}\n")),
        None => {
            print!("{}", report::text(&report));
            Ok(())
        }
    }
}

/// Runs the load and gives the JSON report.
async fn measure(options: &Options) -> Result<Value, Error> {
    let measured = match options.protocol {
        Protocol::Raw => raw::run(options).await?,
        Protocol::Grpc | Protocol::Http => run::run(options).await?,
    };
    let verified = match options.control {
        Some(control) if options.shape.verify => {
            Some(verify::against(control, &measured.accepted).await?)
        }
        _ => None,
    };
    Ok(report::json(options, &measured, verified))
}

/// The counts of a sink.
pub async fn sink_stats(control: SocketAddr) -> Result<Value, Error> {
    verify::get(control, "/stats").await
}

fn write(path: &std::path::Path, text: &str) -> Result<(), Error> {
    if path.as_os_str() == "-" {
        print!("{text}");
        return Ok(());
    }
    std::fs::write(path, text).map_err(Error::io(format!("writing {}", path.display())))
}

/// One of the words an option takes.
pub fn word<T: Copy>(option: &str, given: &str, all: &[(&str, T)]) -> Result<T, Error> {
    all.iter()
        .find(|(name, _)| *name == given)
        .map(|(_, value)| *value)
        .ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
            Error::Usage(format!(
                "{option} is one of {}, not {given:?}",
                names.join(", ")
            ))
        })
}

/// The words of `--signal`.
pub const SIGNALS: [(&str, Signal); 3] = [
    ("traces", Signal::Traces),
    ("metrics", Signal::Metrics),
    ("logs", Signal::Logs),
];

fn parse(args: &mut lexopt::Parser) -> Result<Options, Error> {
    use lexopt::prelude::*;
    let mut to = None;
    let mut options = Options {
        to: SocketAddr::from(([127, 0, 0, 1], 4317)),
        protocol: Protocol::Grpc,
        connections: 1,
        in_flight: 8,
        frame_size: None,
        connect_timeout: Duration::from_secs(10),
        shape: Shape {
            signal: Signal::Traces,
            batch: 512,
            per_resource: 64,
            bodies: 8,
            seed: 1,
            encoding: Encoding::Protobuf,
            compression: Compression::None,
            verify: false,
            grpc: true,
        },
        rate: None,
        warm_up: Duration::from_secs(1),
        duration: Duration::from_secs(5),
        pid: None,
        control: None,
        json: None,
        html: None,
    };
    while let Some(arg) = args.next()? {
        let o = &mut options;
        match arg {
            Long("to") => to = Some(args::address(&args.value()?.string()?)?),
            Long("protocol") => {
                let all = [
                    ("grpc", Protocol::Grpc),
                    ("http", Protocol::Http),
                    ("raw", Protocol::Raw),
                ];
                o.protocol = word("--protocol", &args.value()?.string()?, &all)?;
            }
            Long("connections") => o.connections = args.value()?.parse()?,
            Long("in-flight") => o.in_flight = args.value()?.parse()?,
            Long("frame-size") => o.frame_size = Some(args::size(&args.value()?.string()?)?),
            Long("connect-timeout") => {
                o.connect_timeout = args::duration(&args.value()?.string()?)?
            }
            Long("signal") => {
                o.shape.signal = word("--signal", &args.value()?.string()?, &SIGNALS)?
            }
            Long("batch") => o.shape.batch = args.value()?.parse()?,
            Long("per-resource") => o.shape.per_resource = args.value()?.parse()?,
            Long("bodies") => o.shape.bodies = args.value()?.parse()?,
            Long("seed") => o.shape.seed = args.value()?.parse()?,
            Long("encoding") => {
                let all = [("protobuf", Encoding::Protobuf), ("json", Encoding::Json)];
                o.shape.encoding = word("--encoding", &args.value()?.string()?, &all)?;
            }
            Long("compression") => {
                let all = [
                    ("none", Compression::None),
                    ("gzip", Compression::Gzip),
                    ("zstd", Compression::Zstd),
                ];
                o.shape.compression = word("--compression", &args.value()?.string()?, &all)?;
            }
            Long("rate") => o.rate = Some(args.value()?.parse()?),
            Long("warm-up") => o.warm_up = args::duration(&args.value()?.string()?)?,
            Long("duration") => o.duration = args::duration(&args.value()?.string()?)?,
            Long("pid") => o.pid = Some(args.value()?.parse()?),
            Long("verify") => o.shape.verify = true,
            Long("control") => o.control = Some(args::address(&args.value()?.string()?)?),
            Long("json") => o.json = Some(args.value()?.into()),
            Long("html") => o.html = Some(args.value()?.into()),
            Short('h') | Long("help") => return Err(Error::Help(USAGE.to_owned())),
            other => return Err(other.unexpected().into()),
        }
    }
    options.to = to.ok_or_else(|| Error::Usage("load needs --to".to_owned()))?;
    options.shape.grpc = options.protocol != Protocol::Http;
    let wrong = if options.connections == 0 || options.in_flight == 0 {
        Some("connections and requests in flight must be at least 1")
    } else if options.shape.encoding == Encoding::Json && options.protocol != Protocol::Http {
        Some("JSON goes over http only")
    } else if options.frame_size.is_some_and(|n| n == 0) {
        Some("a frame has at least one byte")
    } else if options.rate.is_some_and(|r| !(r.is_finite() && r > 0.0)) {
        Some("a rate is more than 0 items a second")
    } else if options.rate.is_some() && options.protocol == Protocol::Raw {
        Some("the loader of copy has no open loop")
    } else if options.duration.is_zero() {
        Some("a duration is more than 0")
    } else {
        None
    };
    match wrong {
        Some(text) => Err(Error::Usage(text.to_owned())),
        None => Ok(options),
    }
}
