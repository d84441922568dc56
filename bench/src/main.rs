//! `trunkline-bench`: load generator, sink, relay, and comparisons.
//!
//! This file holds the choice of the command; each command is a module of its own. How to
//! repeat every published figure is in `docs/benchmarks.md`.

mod alloc;
mod args;
mod compare;
mod copy;
mod error;
mod generate;
mod histogram;
mod json;
mod kernels;
mod load;
mod net;
mod proc;
mod relay;
mod sink;
mod wire;

use std::process::ExitCode;

use error::Error;

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "\
trunkline-bench COMMAND [options]      (COMMAND --help lists its options)

  load      send telemetry in a closed loop or at a rate; latency, CPU and memory of the gateway
  sink      receive telemetry: count, verify ids, delay, fail
  relay     the limit: HTTP/2 in, HTTP/2 out, never looks inside
  copy      bytes from socket to socket, no HTTP/2
  compare   gateways beside each other in one run
  kernels   micro-benchmarks of decode, gather, edit and splice
";

fn main() -> ExitCode {
    alloc::keep_pages_mapped();
    let mut args = lexopt::Parser::from_env();
    match run(&mut args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Help(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(e @ Error::Usage(_)) => {
            eprintln!("trunkline-bench: {e}");
            ExitCode::from(2)
        }
        Err(e) => {
            eprintln!("trunkline-bench: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &mut lexopt::Parser) -> Result<(), Error> {
    use lexopt::prelude::*;
    match args.next()? {
        Some(Value(command)) => match command.string()?.as_str() {
            "load" => load::command(args),
            "sink" => sink::command(args),
            "relay" => relay::command(args),
            "copy" => copy::command(args),
            "compare" => compare::command(args),
            "kernels" => kernels::command(args),
            other => Err(Error::Usage(format!(
                "no command {other:?}; there are load, sink, relay, copy, compare, kernels"
            ))),
        },
        Some(Short('h') | Long("help")) | None => Err(Error::Help(USAGE.to_owned())),
        Some(other) => Err(other.unexpected().into()),
    }
}
