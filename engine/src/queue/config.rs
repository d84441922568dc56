//! `sending_queue`, `retry_on_failure` and `timeout`, as every exporter that sends
//! over the network has them: keys, defaults and rules of the Collector's
//! `exporterhelper` and `configretry`.

use crate::{
    component::{ExtensionRef, GoDuration, Optional, Problems, choice, declare},
    config::{
        diagnostics::Decoder,
        node::{Mapping, Position},
    },
};

declare! {
    /// How long one attempt may take.
    pub struct Timeout as "exporterhelper.TimeoutConfig", check Timeout::rules {
        /// Longest wait for an answer, an attempt. 0: no limit.
        timeout: GoDuration = GoDuration::secs(5);
    }
}

impl Timeout {
    fn rules(&self, problems: &mut Problems) {
        if self.timeout < GoDuration::ZERO {
            problems.push("timeout value must be greater than or equal to 0");
        }
    }
}

declare! {
    /// Retries of failed requests, with growing pauses.
    pub struct Retry as "configretry.BackOffConfig", check Retry::rules {
        /// Retry at all.
        enabled: bool = true;
        /// The first pause.
        initial_interval: GoDuration = GoDuration::secs(5);
        /// Each pause is drawn from this share below to this share above its length.
        randomization_factor: f64 = 0.5;
        /// Each pause is so many times the one before.
        multiplier: f64 = 1.5;
        /// The longest pause.
        max_interval: GoDuration = GoDuration::secs(30);
        /// Give up after so long. 0: never; the caller's deadline ends it all the same.
        max_elapsed_time: GoDuration = GoDuration::secs(300);
    }
}

impl Retry {
    fn rules(&self, problems: &mut Problems) {
        if !self.enabled {
            return;
        }
        for (value, key) in [
            (self.initial_interval, "initial_interval"),
            (self.max_elapsed_time, "max_elapsed_time"),
            (self.max_interval, "max_interval"),
        ] {
            if value < GoDuration::ZERO {
                problems.push(format!("{key} value must be greater than or equal to 0"));
            }
        }
        if self.multiplier < 0.0 {
            problems.push("multiplier value must be greater than or equal to 0");
        }
        if self.randomization_factor < 0.0 {
            problems.push("randomization_factor value must be greater than or equal to 0");
        }
        if self.randomization_factor > 1.0 {
            problems.push("randomization_factor value must be less than or equal to 1");
        }
        if self.max_elapsed_time > GoDuration::ZERO {
            if self.max_elapsed_time < self.initial_interval {
                problems.push("'max_elapsed_time' must not be less than 'initial_interval'");
            } else if self.max_elapsed_time < self.max_interval {
                problems.push("'max_elapsed_time' must not be less than 'max_interval'");
            }
        }
    }
}

choice! {
    /// What a queue or a batch is measured in.
    pub enum Sizer as "request.SizerType", message "invalid sizer: %q" {
        /// Requests.
        Requests = "requests";
        /// Spans, log records, data points.
        Items = "items";
        /// Serialized bytes.
        Bytes = "bytes";
    }
}

declare! {
    /// Requests wait here until they are sent.
    pub struct SendingQueue as "queuebatch.Config", check SendingQueue::rules, decoded SendingQueue::decoded {
        /// How many requests are sent at a time.
        num_consumers: i64 = 10;
        /// Capacity in `sizer` units; what is being sent counts too.
        queue_size: i64 = 1000;
        /// What `queue_size` is measured in: `requests`, `items` or `bytes`.
        sizer: Sizer = Sizer::Requests;
        /// Wait for room instead of refusing.
        block_on_overflow: bool = false;
        /// Answer the caller when the request was sent, not when it was queued.
        wait_for_result: bool = false;
        /// Id of a storage extension that keeps the queue over restarts. There is none yet: the start fails.
        storage: ExtensionRef = ExtensionRef::default();
        /// Join requests before they are sent.
        batch: Optional<Batch> = Optional::off(Batch::default());
    }
}

impl SendingQueue {
    fn rules(&self, problems: &mut Problems) {
        if self.num_consumers <= 0 {
            return problems.push("`num_consumers` must be positive");
        }
        if self.queue_size <= 0 {
            return problems.push("`queue_size` must be positive");
        }
        if self.storage.get().is_some() && self.wait_for_result {
            return problems.push(
                "`wait_for_result` is not supported with a persistent queue configured with `storage`",
            );
        }
        if let Some(batch) = self.batch.get()
            && batch.sizer == self.sizer
            && batch.min_size > self.queue_size
        {
            problems.push("`min_size` must be less than or equal to `queue_size`");
        }
    }

    /// `batch::sizer` follows an explicit `sizer`.
    fn decoded(&mut self, mapping: &Mapping, _: &Position, _: &mut Decoder<'_>) {
        let batch = mapping.get("batch").map(|entry| &entry.node);
        let follows = mapping.contains_key("sizer")
            && batch.is_some_and(|batch| !batch.is_null() && batch.get("sizer").is_none());
        if follows {
            let sizer = self.sizer;
            if let Some(batch) = self.batch.get_mut() {
                batch.sizer = sizer;
            }
        }
    }
}

declare! {
    /// How requests are joined.
    pub struct Batch as "queuebatch.BatchConfig", check Batch::rules {
        /// Longest wait before a batch leaves.
        flush_timeout: GoDuration = GoDuration::millis(200);
        /// A batch leaves when it is so large, in `sizer` units.
        min_size: i64 = 8192;
        /// Larger ones are split. 0: no limit.
        max_size: i64 = 0;
        /// What sizes are measured in: `items` or `bytes`.
        sizer: Sizer = Sizer::Items;
        /// Requests are joined only with their like.
        partition: Partition = Partition::default();
    }
}

impl Batch {
    fn rules(&self, problems: &mut Problems) {
        if self.sizer == Sizer::Requests {
            return problems
                .push("`batch` supports only `items` or `bytes` sizer, found \"requests\"");
        }
        if self.flush_timeout <= GoDuration::ZERO {
            return problems.push(format!(
                "`flush_timeout` must be positive, found {}",
                self.flush_timeout.as_nanos()
            ));
        }
        if self.min_size < 0 {
            return problems.push(format!(
                "`min_size` must be non-negative, found {}",
                self.min_size
            ));
        }
        if self.max_size < 0 {
            return problems.push(format!(
                "`max_size` must be non-negative, found {}",
                self.max_size
            ));
        }
        if self.max_size > 0 && self.max_size < self.min_size {
            problems.push(format!(
                "`max_size` ({}) must be greater or equal to `min_size` ({})",
                self.max_size, self.min_size
            ));
        }
    }
}

declare! {
    /// By which of the caller's headers requests are told apart.
    pub struct Partition as "queuebatch.PartitionConfig", check Partition::rules {
        /// Header names, in any case.
        metadata_keys: Vec<String> = Vec::new();
        /// Most partitions at a time; the one unused longest is flushed.
        cache_size: i64 = 10_000;
        /// A partition that is empty for so long is removed.
        idle_timeout: GoDuration = GoDuration::secs(90);
    }
}

impl Partition {
    fn rules(&self, problems: &mut Problems) {
        if self.idle_timeout <= GoDuration::ZERO {
            return problems.push(format!(
                "`idle_timeout` must be positive, found {}",
                self.idle_timeout
            ));
        }
        if let Some(key) = duplicate_key(&self.metadata_keys) {
            return problems.push(format!(
                "duplicate entry in metadata_keys: {key:?} (case-insensitive)"
            ));
        }
        if self.cache_size <= 0 {
            problems.push(format!(
                "`cache_size` must be positive, found {}",
                self.cache_size
            ));
        }
    }
}

/// The first header name that occurs twice, in lower case.
pub fn duplicate_key(keys: &[String]) -> Option<String> {
    let mut seen = std::collections::BTreeSet::new();
    keys.iter()
        .map(|key| key.to_lowercase())
        .find(|key| !seen.insert(key.clone()))
}
