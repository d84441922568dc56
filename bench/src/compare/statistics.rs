//! Medians and spreads of a handful of measurements.

/// The middle of some measurements and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The median.
    pub median: f64,
    /// The smallest.
    pub low: f64,
    /// The largest.
    pub high: f64,
    /// The distance between the quartiles, in parts of the median: half of the measurements lie
    /// within it, and one round that another process disturbed does not decide it.
    pub spread: f64,
    /// How many there were.
    pub count: usize,
}

/// The summary; `None` of nothing.
pub fn summary(all: &[f64]) -> Option<Summary> {
    let mut sorted: Vec<f64> = all.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let median = quantile(&sorted, 0.5)?;
    let (low, high) = (*sorted.first()?, *sorted.last()?);
    let between = quantile(&sorted, 0.75)? - quantile(&sorted, 0.25)?;
    Some(Summary {
        median,
        low,
        high,
        spread: if median == 0.0 {
            0.0
        } else {
            (between / median).abs()
        },
        count: sorted.len(),
    })
}

/// The quantile of sorted numbers, between neighbours in proportion.
fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let at = q * (sorted.len().checked_sub(1)?) as f64;
    let below = sorted.get(at.floor() as usize)?;
    let above = sorted.get(at.ceil() as usize)?;
    Some(below + (above - below) * at.fract())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_disturbed_round_moves_neither_median_nor_spread_much() {
        let calm = summary(&[1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0]).unwrap();
        let disturbed = summary(&[1.0, 1.01, 0.99, 1.0, 1.02, 0.2, 1.0]).unwrap();
        assert_eq!(calm.median, 1.0);
        assert_eq!(disturbed.median, 1.0);
        assert!(calm.spread < 0.02 && disturbed.spread < 0.02);
        assert_eq!(
            (disturbed.low, disturbed.high, disturbed.count),
            (0.2, 1.02, 7)
        );
    }

    #[test]
    fn rounds_that_disagree_have_a_wide_spread() {
        assert!(
            summary(&[0.5, 1.5, 0.6, 1.4, 1.0, 0.4, 1.6])
                .unwrap()
                .spread
                > 0.2
        );
        assert_eq!(summary(&[]), None);
        assert_eq!(summary(&[f64::NAN]), None);
    }
}
