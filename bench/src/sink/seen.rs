//! Which sequence numbers have come, how often one came twice, and which are missing.

/// More items than a benchmark sends; beyond it numbers are counted as strange (128 MiB of bits).
const MOST: u64 = 1 << 30;

/// A set of sequence numbers.
#[derive(Default)]
pub struct Seen {
    words: Vec<u64>,
    /// Distinct numbers.
    pub unique: u64,
    /// Numbers that had come before.
    pub duplicates: u64,
    /// Numbers that no load generator gives out.
    pub strange: u64,
    /// One more than the highest number.
    pub end: u64,
}

impl Seen {
    /// Adds one.
    pub fn add(&mut self, sequence: u64) {
        if sequence >= MOST {
            self.strange += 1;
            return;
        }
        let (at, bit) = ((sequence / 64) as usize, 1u64 << (sequence % 64));
        if at >= self.words.len() {
            self.words.resize((at + 1).next_power_of_two(), 0);
        }
        if let Some(word) = self.words.get_mut(at) {
            if *word & bit == 0 {
                *word |= bit;
                self.unique += 1;
            } else {
                self.duplicates += 1;
            }
        }
        self.end = self.end.max(sequence + 1);
    }

    /// Whether a number has come.
    pub fn contains(&self, sequence: u64) -> bool {
        self.words
            .get((sequence / 64) as usize)
            .is_some_and(|w| w & (1 << (sequence % 64)) != 0)
    }

    /// The ranges `[from, to)` below `end` that have not come, at most `limit` of them.
    pub fn missing(&self, limit: usize) -> Vec<(u64, u64)> {
        let mut ranges = Vec::new();
        let mut at = 0;
        while at < self.end && ranges.len() < limit {
            if at % 64 == 0 && self.words.get((at / 64) as usize) == Some(&u64::MAX) {
                at += 64;
            } else if self.contains(at) {
                at += 1;
            } else {
                let from = at;
                while at < self.end && !self.contains(at) {
                    at += 1;
                }
                ranges.push((from, at));
            }
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_gaps_and_strangers_are_told_apart() {
        let mut seen = Seen::default();
        for n in (0..200).filter(|n| !(70..75).contains(n)) {
            seen.add(n);
        }
        seen.add(3);
        seen.add(u64::MAX);
        seen.add(300);
        assert_eq!(
            (seen.unique, seen.duplicates, seen.strange, seen.end),
            (196, 1, 1, 301)
        );
        assert_eq!(seen.missing(10), [(70, 75), (200, 300)]);
        assert_eq!(seen.missing(1), [(70, 75)]);
    }

    #[test]
    fn nothing_is_missing_from_a_full_set() {
        let mut seen = Seen::default();
        assert!(seen.missing(10).is_empty());
        (0..1_000).rev().for_each(|n| seen.add(n));
        assert!(seen.missing(10).is_empty());
        assert_eq!(seen.unique, 1_000);
    }
}
