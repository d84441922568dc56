//! Micro-benchmarks of what the gateway does to a request between its sockets: decode, gather,
//! edit, splice, each on its own and all together, through `Batch`'s public interface.
//!
//! Time is for people; under callgrind only [`measured`] is to be counted
//! (`--toggle-collect='*measured*'`), so that preparing a request does not.

pub mod ottl;
pub mod routing;
mod steps;
mod variants;

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value as Json, json};
use trunkline_proto::{Signal, batch::Error as BatchError};

use crate::compare::statistics;
use crate::error::Error;
use crate::generate::{Compression, Encoding, Pool, Shape};
use crate::load::{SIGNALS, word};
use crate::{args, proc};

use steps::{KERNELS, Kernel, Step, Work};
use variants::Variant;

const USAGE: &str = "\
trunkline-bench kernels [options]

  --only A,B          copy, decode, validate, open, gather, fields, table, edit, splice, whole,
                      ottl, ottl-set, ottl-10, ottl-100, ottl-rows, ottl-splice, ottl-whole,
                      ottl-names, ottl-shuffled, ottl-distinct, ottl-mixed, ottl-filter,
                      routing
  --signal S          traces, metrics or logs [traces]
  --batch N           items a request [512]
  --per-resource N    items a resource [64]
  --bodies N          distinct requests, taken in turn [8]
  --seed N            [1]
  --duration D        of each kernel [300ms]
  --iterations N      this many requests instead: for callgrind
  --core N            pin to this core
  --json FILE         besides the table
Under callgrind: valgrind --tool=callgrind --toggle-collect='*measured*' trunkline-bench kernels \\
  --only splice --iterations 16
";

/// What is timed, and what callgrind counts.
#[inline(never)]
fn measured(run: Step, work: &mut Work) -> Result<(), BatchError> {
    run(work)
}

struct Options {
    only: Option<Vec<String>>,
    shape: Shape,
    duration: Duration,
    iterations: Option<u64>,
    json: Option<std::path::PathBuf>,
}

/// Runs the kernels, prints the table.
pub fn command(args: &mut lexopt::Parser) -> Result<(), Error> {
    let options = parse(args)?;
    let pool = Pool::new(options.shape.clone())?;
    let mut all = Vec::new();
    println!(
        "{:<13} {:>10} {:>12} {:>12} {:>8}",
        "kernel", "items", "ns an item", "best", "spread"
    );
    for kernel in &KERNELS {
        if options
            .only
            .as_ref()
            .is_some_and(|only| !only.iter().any(|n| n == kernel.name))
        {
            continue;
        }
        let result = measure(kernel, &pool, &options)?;
        println!(
            "{:<13} {:>10} {:>12.2} {:>12.2} {:>7.0}%   {}",
            kernel.name,
            result["items"],
            result["ns_per_item"].as_f64().unwrap_or(0.0),
            result["best_ns_per_item"].as_f64().unwrap_or(0.0),
            result["spread"].as_f64().unwrap_or(0.0) * 100.0,
            kernel.what,
        );
        all.push(result);
    }
    if let Some(path) = &options.json {
        let report = json!({
            "signal": options.shape.signal.name(),
            "batch": options.shape.batch,
            "per_resource": options.shape.per_resource,
            "bytes_per_item": pool.mean_size() / options.shape.batch as f64,
            "kernels": all,
        });
        std::fs::write(path, format!("{report:#}\n"))
            .map_err(Error::io(format!("writing {}", path.display())))?;
    }
    Ok(())
}

/// Nanoseconds an item: the median over requests, and the best.
fn measure(kernel: &Kernel, pool: &Pool, options: &Options) -> Result<Json, Error> {
    let failed = |e: BatchError| Error::Measure(format!("{}: {e}", kernel.name));
    let mut work = Work {
        signal: options.shape.signal,
        payload: Bytes::new(),
        batch: None,
        out: Vec::with_capacity(1 << 20),
        programs: ottl::Programs::default(),
        routes: routing::Routes::default(),
    };
    let (mut times, mut items, mut varied) = (Vec::new(), 0, Vec::new());
    let began = Instant::now();
    loop {
        let done = match options.iterations {
            Some(n) => times.len() as u64 >= n,
            None => !times.is_empty() && began.elapsed() >= options.duration,
        };
        if done {
            break;
        }
        let (payload, n, _) = pool.take()?;
        work.payload = match kernel.variant {
            Variant::Generated => payload,
            variant => {
                let at = times.len() % options.shape.bodies.max(1);
                if varied.len() <= at {
                    let level = steps::level(work.signal);
                    varied.push(
                        variants::vary(variant, work.signal, level, &payload).map_err(failed)?,
                    );
                }
                varied.get(at).cloned().unwrap_or_default()
            }
        };
        work.batch = None;
        (kernel.prepare)(&mut work).map_err(failed)?;
        let start = Instant::now();
        measured(kernel.run, &mut work).map_err(failed)?;
        times.push(start.elapsed().as_nanos() as f64 / n as f64);
        items += n;
    }
    let summary = statistics::summary(&times);
    Ok(json!({
        "kernel": kernel.name,
        "what": kernel.what,
        "requests": times.len(),
        "items": items,
        "ns_per_item": summary.map(|s| s.median),
        "best_ns_per_item": summary.map(|s| s.low),
        "spread": summary.map(|s| s.spread),
    }))
}

fn parse(args: &mut lexopt::Parser) -> Result<Options, Error> {
    use lexopt::prelude::*;
    let mut o = Options {
        only: None,
        shape: Shape {
            signal: Signal::Traces,
            batch: 512,
            per_resource: 64,
            bodies: 8,
            seed: 1,
            encoding: Encoding::Protobuf,
            compression: Compression::None,
            verify: false,
            grpc: false,
        },
        duration: Duration::from_millis(300),
        iterations: None,
        json: None,
    };
    while let Some(arg) = args.next()? {
        match arg {
            Long("only") => {
                let only: Vec<String> = args
                    .value()?
                    .string()?
                    .split(',')
                    .map(str::to_owned)
                    .collect();
                if let Some(unknown) = only.iter().find(|n| KERNELS.iter().all(|k| k.name != *n)) {
                    let names: Vec<&str> = KERNELS.iter().map(|k| k.name).collect();
                    return Err(Error::Usage(format!(
                        "no kernel {unknown:?}; there are {}",
                        names.join(", ")
                    )));
                }
                o.only = Some(only);
            }
            Long("signal") => {
                o.shape.signal = word("--signal", &args.value()?.string()?, &SIGNALS)?
            }
            Long("batch") => o.shape.batch = args.value()?.parse()?,
            Long("per-resource") => o.shape.per_resource = args.value()?.parse()?,
            Long("bodies") => o.shape.bodies = args.value()?.parse()?,
            Long("seed") => o.shape.seed = args.value()?.parse()?,
            Long("duration") => o.duration = args::duration(&args.value()?.string()?)?,
            Long("iterations") => o.iterations = Some(args.value()?.parse()?),
            Long("core") => proc::pin_self(&[args.value()?.parse()?])?,
            Long("json") => o.json = Some(args.value()?.into()),
            Short('h') | Long("help") => return Err(Error::Help(USAGE.to_owned())),
            other => return Err(other.unexpected().into()),
        }
    }
    if o.iterations == Some(0) {
        return Err(Error::Usage("--iterations is at least 1".to_owned()));
    }
    Ok(o)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn work(signal: Signal) -> (Work, u64) {
        let pool = Pool::new(Shape {
            signal,
            batch: 30,
            per_resource: 7,
            bodies: 1,
            seed: 1,
            encoding: Encoding::Protobuf,
            compression: Compression::None,
            verify: false,
            grpc: false,
        })
        .unwrap();
        let (payload, items, _) = pool.take().unwrap();
        (
            Work {
                signal,
                payload,
                batch: None,
                out: Vec::new(),
                programs: ottl::Programs::default(),
                routes: routing::Routes::default(),
            },
            items,
        )
    }

    #[test]
    fn every_kernel_runs_on_every_signal() {
        for (_, signal) in SIGNALS {
            for kernel in &KERNELS {
                let (mut work, _) = work(signal);
                (kernel.prepare)(&mut work).unwrap();
                measured(kernel.run, &mut work).unwrap();
            }
        }
    }

    #[test]
    fn routes_take_every_item_and_part_it() {
        for (_, signal) in SIGNALS {
            let (mut work, items) = work(signal);
            steps::decode(&mut work).unwrap();
            let batch = work.batch.as_mut().unwrap();
            let parts = routing::run(&mut work.routes, batch).unwrap();
            let counts = parts.iter().map(|part| part.item_count() as u64);
            assert_eq!(counts.sum::<u64>(), items, "{signal:?}");
        }
    }

    #[test]
    fn the_edited_request_has_what_was_inserted_and_not_what_was_deleted() {
        for (_, signal) in SIGNALS {
            let (mut work, items) = work(signal);
            steps::whole(&mut work).unwrap();
            let count = |key: &[u8]| memchr::memmem::find_iter(&work.out, key).count() as u64;
            assert_eq!(count(b"app.route"), items, "{signal:?}");
            assert_eq!(count(b"client.address"), 0, "{signal:?}");
            assert_eq!(count(b"enduser.id"), 0, "{signal:?}");
            assert_eq!(
                crate::wire::count_items(signal, &work.out),
                Ok(items),
                "{signal:?}"
            );
        }
    }
}
