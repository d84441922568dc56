//! The `trunkline` command.

use std::process::ExitCode;

/// Keeps its pages mapped: a large body must land in memory that is warm.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    trunkline::cli::main(trunkline::run::run)
}
