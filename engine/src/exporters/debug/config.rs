//! Keys and defaults of the exporter `debug`.

use crate::{
    component::{Optional, Problems, declare},
    config::level::Level,
    queue::config::SendingQueue,
};

declare! {
    /// Writes what passes to the log or to the console.
    pub struct Config as "debugexporter.Config", check Config::rules {
        /// How much: `basic` (a count a request), `normal` (a line an item), `detailed` (every field).
        verbosity: Level = Level::Basic, omit "";
        /// So many messages a second are written in full.
        sampling_initial: i64 = 2;
        /// Of the rest one in so many. 1: all; 0: none.
        sampling_thereafter: i64 = 1;
        /// Write through Trunkline's own log, under its level and sampling.
        use_internal_logger: bool = true;
        /// Where to write when `use_internal_logger` is false: `stdout`, `stderr`, files. Unset: `stdout`.
        output_paths: OutputPaths = OutputPaths::default();
        /// Messages wait here until they are written.
        sending_queue: Optional<SendingQueue> = Optional::off(SendingQueue::default()), no_effect "requests are answered after they were written; there is no queue yet";
    }
}

/// A list that knows whether it was given at all.
pub type OutputPaths = Option<Vec<String>>;

impl Config {
    fn rules(&self, problems: &mut Problems) {
        if self.verbosity == Level::None {
            problems.push("verbosity level \"None\" is not supported");
        }
        if self.use_internal_logger && self.output_paths.is_some() {
            problems.push("output_paths is not supported when use_internal_logger is true");
        }
        if !self.use_internal_logger && self.output_paths.as_ref().is_some_and(Vec::is_empty) {
            problems.push("output_paths must not be empty when use_internal_logger is false");
        }
    }
}
