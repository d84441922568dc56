//! Latencies: an HDR histogram in microseconds, and what of it the reports show.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// A minute; longer latencies count as this.
const HIGHEST_US: u64 = 60_000_000;

/// Latencies with three significant digits.
pub struct Latencies {
    histogram: Option<Histogram<u64>>,
}

impl Latencies {
    /// An empty histogram.
    pub fn new() -> Self {
        Latencies {
            histogram: Histogram::new_with_bounds(1, HIGHEST_US, 3).ok(),
        }
    }

    /// Adds one.
    pub fn record(&mut self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        if let Some(h) = &mut self.histogram {
            h.saturating_record(us.max(1));
        }
    }

    /// The latency in milliseconds that `percent` of the requests did not exceed.
    pub fn percentile(&self, percent: f64) -> f64 {
        self.histogram
            .as_ref()
            .map_or(0.0, |h| h.value_at_percentile(percent) as f64 / 1_000.0)
    }

    /// `[percent, milliseconds]` along the distribution, closer together towards its end.
    pub fn curve(&self) -> Vec<[f64; 2]> {
        const AT: [f64; 19] = [
            0.0, 10.0, 25.0, 50.0, 60.0, 70.0, 75.0, 80.0, 85.0, 90.0, 92.5, 95.0, 97.5, 99.0,
            99.5, 99.9, 99.95, 99.99, 100.0,
        ];
        AT.iter().map(|&p| [p, self.percentile(p)]).collect()
    }

    /// The summary in the JSON report, in milliseconds.
    pub fn summary(&self) -> Value {
        let h = self.histogram.as_ref();
        json!({
            "count": h.map_or(0, |h| h.len()),
            "mean_ms": h.map_or(0.0, |h| h.mean() / 1_000.0),
            "min_ms": h.map_or(0.0, |h| h.min() as f64 / 1_000.0),
            "p50_ms": self.percentile(50.0),
            "p90_ms": self.percentile(90.0),
            "p99_ms": self.percentile(99.0),
            "p99_9_ms": self.percentile(99.9),
            "max_ms": h.map_or(0.0, |h| h.max() as f64 / 1_000.0),
            "curve": self.curve(),
        })
    }
}
