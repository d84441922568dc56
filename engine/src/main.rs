//! The `trunkline` command.

mod alloc;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    alloc::keep_pages_mapped();
    trunkline::cli::main(trunkline::run::run)
}
