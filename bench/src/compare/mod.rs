//! Gateways beside each other in one run: interleaved, each measured as items per CPU-second of
//! its process, as a ratio to the one it is judged by.
//!
//! `rows` are the presets, `peers` what can be run and with which configuration, `process` starts
//! and stops them on their cores, `measure` takes the rounds, `report` says what came out.

mod measure;
mod peers;
mod process;
mod report;
mod rows;
pub mod statistics;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use trunkline_proto::Signal;

use crate::error::Error;
use crate::load::{SIGNALS, plot, word};
use crate::{args, net, proc};
use rows::Row;

const USAGE: &str = "\
trunkline-bench compare [options]

what is compared
  --row NAME            limit, plain, attributes, gzip-plain, gzip-gzip, gzip-untouched, ottl-ten,
                        ottl-set, ottl-set-10, ottl-set-100, filter, routing, or all;
                        may be given more than once [plain]
  --peers A,B           only these of the row's peers (copy, relay, relay-inflate, trunkline,
                        otelcol, rotel, and those given with --peer)
  --trunkline PATH      the gateway [TRUNKLINE_BIN, else beside this program]
  --otelcol PATH        the Go Collector [TRUNKLINE_OTELCOL]
  --rotel PATH          Rotel's rotel-agent [TRUNKLINE_ROTEL]
  --peer NAME=COMMAND   another gateway; {config} {listen} {listen_port} {sink} {sink_port} {http}
                        {metrics_port} {health} {dir} are filled in. In its configuration likewise
  --peer-config NAME=FILE

what is sent; the first three may be given more than once: every combination is measured
  --signal S            traces, metrics or logs [traces]
  --frame-size SIZE     DATA frames of the sender: 1m or 16k [1m]
  --per-resource N      [64]
  --batch N             [512]
  --bodies N            [8]
  --connections N       [1]
  --in-flight N         requests at once on each connection [8]

how it is measured
  --pairs N             rounds; each measures every gateway once [7]
  --duration D          of one measurement [2s]
  --warm-up D           before each [500ms]
  --latency             also: p99 at half of each gateway's own maximum rate, less the relay's at
                        that rate
  --starts N            also: start to first accepted request, this many times
  --gateway-cores LIST  like 1 or 1,3 [the last core]
  --load-cores LIST     sender and sink [the others]

what is said
  --json FILE  --html FILE     besides the table
";

/// The spread, in parts of the median, over which a ratio does not count.
const MOST_SPREAD: f64 = 0.2;

/// Every combination of these is measured.
#[derive(Default)]
struct Variants {
    rows: Vec<Row>,
    signals: Vec<(String, Signal)>,
    frame_sizes: Vec<u32>,
    per_resource: Vec<usize>,
}

/// How one row is measured.
#[derive(Clone, Debug)]
pub struct Options {
    only: Option<Vec<String>>,
    peers: peers::Given,
    signal: Signal,
    signal_name: String,
    frame_size: u32,
    batch: usize,
    per_resource: usize,
    bodies: usize,
    connections: usize,
    in_flight: usize,
    pairs: usize,
    duration: Duration,
    warm_up: Duration,
    latency: bool,
    starts: usize,
    gateway_cores: Vec<usize>,
    load_cores: Vec<usize>,
    json: Option<PathBuf>,
    html: Option<PathBuf>,
}

/// Measures every row, prints the table.
pub fn command(args: &mut lexopt::Parser) -> Result<(), Error> {
    let (variants, mut options) = parse(args)?;
    net::raise_open_files()?;
    process::end_together();
    let mut rows = Vec::new();
    for &row in &variants.rows {
        for (name, signal) in &variants.signals {
            for &frame_size in &variants.frame_sizes {
                for &per_resource in &variants.per_resource {
                    options.signal_name.clone_from(name);
                    options.signal = *signal;
                    options.frame_size = frame_size;
                    options.per_resource = per_resource;
                    let measured = measure::row(&options, row)?;
                    let measured = report::row_json(&options, row, &measured);
                    print!("{}", report::text(&measured));
                    rows.push(measured);
                }
            }
        }
    }
    let whole = json!({ "machine": machine(&options), "rows": rows });
    if let Some(path) = &options.json {
        write(path, &format!("{whole:#}\n"))?;
    }
    if let Some(path) = &options.html {
        write(
            path,
            &plot::page("trunkline-bench compare", &report::html(&whole)),
        )?;
    }
    Ok(())
}

fn write(path: &std::path::Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(Error::io(format!("writing {}", path.display())))
}

fn machine(options: &Options) -> Value {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|l| l.strip_prefix("model name")?.split_once(": "));
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    json!({
        "cpu": model.map(|(_, name)| name),
        "kernel": kernel.trim(),
        "cores": proc::cores_of(std::process::id()).unwrap_or_default().len(),
        "gateway_cores": options.gateway_cores,
        "load_cores": options.load_cores,
    })
}

fn cores(text: &str) -> Result<Vec<usize>, Error> {
    text.split(',')
        .map(|n| {
            n.parse()
                .map_err(|_| Error::Usage(format!("{text:?} is not a list of cores")))
        })
        .collect()
}

fn pair(text: &str) -> Result<(String, String), Error> {
    text.split_once('=')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .ok_or_else(|| Error::Usage(format!("{text:?} is not NAME=VALUE")))
}

fn parse(args: &mut lexopt::Parser) -> Result<(Variants, Options), Error> {
    use lexopt::prelude::*;
    let all = proc::cores_of(std::process::id())?;
    let (mut gateway_cores, mut load_cores) = (None, None);
    let mut v = Variants::default();
    let mut o = Options {
        only: None,
        peers: peers::Given::from_environment(),
        signal: Signal::Traces,
        signal_name: "traces".to_owned(),
        frame_size: 1 << 20,
        batch: 512,
        per_resource: 64,
        bodies: 8,
        connections: 1,
        in_flight: 8,
        pairs: 7,
        duration: Duration::from_secs(2),
        warm_up: Duration::from_millis(500),
        latency: false,
        starts: 0,
        gateway_cores: Vec::new(),
        load_cores: Vec::new(),
        json: None,
        html: None,
    };
    while let Some(arg) = args.next()? {
        match arg {
            Long("row") => match args.value()?.string()?.as_str() {
                "all" => v.rows.extend(rows::ALL.iter().map(|(_, row)| *row)),
                name => v.rows.push(word("--row", name, &rows::ALL)?),
            },
            Long("peers") => {
                o.only = Some(
                    args.value()?
                        .string()?
                        .split(',')
                        .map(str::to_owned)
                        .collect(),
                );
            }
            Long("trunkline") => o.peers.trunkline = Some(args.value()?.into()),
            Long("otelcol") => o.peers.otelcol = Some(args.value()?.into()),
            Long("rotel") => o.peers.rotel = Some(args.value()?.into()),
            Long("peer") => o.peers.others.push(pair(&args.value()?.string()?)?),
            Long("peer-config") => o.peers.configs.push(pair(&args.value()?.string()?)?),
            Long("signal") => {
                let name = args.value()?.string()?;
                let signal = word("--signal", &name, &SIGNALS)?;
                v.signals.push((name, signal));
            }
            Long("frame-size") => v
                .frame_sizes
                .push(args::frame_size(&args.value()?.string()?)?),
            Long("batch") => o.batch = args.value()?.parse()?,
            Long("per-resource") => v.per_resource.push(args.value()?.parse()?),
            Long("bodies") => o.bodies = args.value()?.parse()?,
            Long("connections") => o.connections = args.value()?.parse()?,
            Long("in-flight") => o.in_flight = args.value()?.parse()?,
            Long("pairs") => o.pairs = args.value()?.parse()?,
            Long("duration") => o.duration = args::duration(&args.value()?.string()?)?,
            Long("warm-up") => o.warm_up = args::duration(&args.value()?.string()?)?,
            Long("latency") => o.latency = true,
            Long("starts") => o.starts = args.value()?.parse()?,
            Long("gateway-cores") => gateway_cores = Some(cores(&args.value()?.string()?)?),
            Long("load-cores") => load_cores = Some(cores(&args.value()?.string()?)?),
            Long("json") => o.json = Some(args.value()?.into()),
            Long("html") => o.html = Some(args.value()?.into()),
            Short('h') | Long("help") => return Err(Error::Help(USAGE.to_owned())),
            other => return Err(other.unexpected().into()),
        }
    }
    if v.rows.is_empty() {
        v.rows.push(Row::Plain);
    }
    if v.signals.is_empty() {
        v.signals.push((o.signal_name.clone(), o.signal));
    }
    if v.frame_sizes.is_empty() {
        v.frame_sizes.push(o.frame_size);
    }
    if v.per_resource.is_empty() {
        v.per_resource.push(o.per_resource);
    }
    if o.pairs == 0 {
        return Err(Error::Usage("--pairs is at least 1".to_owned()));
    }
    o.gateway_cores = gateway_cores.unwrap_or_else(|| all.last().copied().into_iter().collect());
    o.load_cores = load_cores.unwrap_or_else(|| {
        let others: Vec<usize> = all
            .iter()
            .copied()
            .filter(|c| !o.gateway_cores.contains(c))
            .collect();
        // One core only: everything shares it, and the report says so.
        if others.is_empty() { all } else { others }
    });
    Ok((v, o))
}
