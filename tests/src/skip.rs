//! Skipping, loudly. A test that cannot run here says so and leaves a line in
//! `target/skips`; `.ci/run` fails on every line that `tests/skips` does not permit.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::PathBuf,
};

/// Where skips are recorded: `$TRUNKLINE_SKIPS`, else `skips` in the target folder.
pub fn record() -> PathBuf {
    std::env::var_os("TRUNKLINE_SKIPS")
        .map_or_else(|| crate::binary::target().join("skips"), PathBuf::from)
}

/// Says that `test` did not run for want of `need`, and records it as `test need`.
pub fn skip(test: &str, need: &str, why: &str) {
    let path = record();
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).unwrap();
    }
    // One write, so that lines of tests running beside each other stay whole.
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .unwrap();
    file.write_all(format!("{need} {test}\n").as_bytes())
        .unwrap();
    // Past the capture of the test runner: a skip is never silent.
    let mut terminal = std::io::stderr().lock();
    writeln!(terminal, "SKIPPED {test}: needs {need}: {why}").unwrap();
}
