//! The `trunkline` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    trunkline::cli::main(|_, _| Err("the gateway's runtime is not built in".into()))
}
