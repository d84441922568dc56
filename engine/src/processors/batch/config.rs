//! Keys and defaults of the processor `batch`.

use crate::{
    component::{GoDuration, Problems, declare},
    queue::config::duplicate_key,
};

declare! {
    /// Joins requests to larger ones. Callers wait for the fate of their own items,
    /// so a batch leaves as soon as its core has no other request in hand.
    pub struct Config as "batchprocessor.Config", check Config::rules {
        /// Longest wait before a batch leaves. 0: every request leaves at once.
        timeout: GoDuration = GoDuration::millis(200);
        /// A batch leaves when it holds so many items. 0: every request leaves at once.
        send_batch_size: u32 = 8192;
        /// Larger batches are split. 0: no limit.
        send_batch_max_size: u32 = 0;
        /// Only requests whose callers sent the same values of these headers are joined (needs `include_metadata` at the receiver).
        metadata_keys: Vec<String> = Vec::new();
        /// Most distinct combinations of values; more are refused.
        metadata_cardinality_limit: u32 = 1000;
    }
}

impl Config {
    fn rules(&self, problems: &mut Problems) {
        if self.send_batch_max_size > 0 && self.send_batch_max_size < self.send_batch_size {
            return problems
                .push("send_batch_max_size must be greater or equal to send_batch_size");
        }
        if let Some(key) = duplicate_key(&self.metadata_keys) {
            return problems.push(format!(
                "duplicate entry in metadata_keys: {key:?} (case-insensitive)"
            ));
        }
        if self.timeout < GoDuration::ZERO {
            problems.push("timeout must be greater or equal to 0");
        }
    }
}
