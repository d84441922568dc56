//! Which of the named keys a key is: by its length and last byte, then by its bytes.

use crate::batch::value::same_key;

const BUCKETS: usize = 256;

/// The keys that have a slot.
#[derive(Debug)]
pub(super) struct Finder {
    keys: Vec<Box<[u8]>>,
    /// One more than the slot of the last key in a bucket, 0 for none.
    buckets: Box<[u16; BUCKETS]>,
    /// As `buckets`, by slot: the key added before.
    next: Vec<u16>,
}

#[inline(always)]
fn bucket(len: usize, last: u8) -> usize {
    (len.wrapping_mul(37) ^ usize::from(last)) % BUCKETS
}

impl Finder {
    pub fn new(keys: &[&[u8]]) -> Finder {
        let mut finder = Finder {
            keys: Vec::with_capacity(keys.len()),
            buckets: Box::new([0; BUCKETS]),
            next: Vec::with_capacity(keys.len()),
        };
        for (slot, key) in keys.iter().enumerate() {
            let at = bucket(key.len(), key.last().copied().unwrap_or(0));
            let first = finder.buckets.get_mut(at);
            let before = first.map(|first| std::mem::replace(first, slot as u16 + 1));
            finder.next.push(before.unwrap_or(0));
            finder.keys.push((*key).into());
        }
        finder
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn key(&self, slot: usize) -> Option<&[u8]> {
        self.keys.get(slot).map(|key| &**key)
    }

    /// Whether one of the keys can have this length and last byte.
    #[inline(always)]
    pub fn may_have(&self, len: usize, last: u8) -> bool {
        let last = if len == 0 { 0 } else { last };
        self.buckets
            .get(bucket(len, last))
            .is_some_and(|slot| *slot != 0)
    }

    /// The slot of a key.
    #[inline(always)]
    pub fn find(&self, key: &[u8]) -> Option<usize> {
        let at = bucket(key.len(), key.last().copied().unwrap_or(0));
        let mut candidate = self.buckets.get(at).copied().unwrap_or(0);
        while let Some(known) = self.keys.get((candidate as usize).wrapping_sub(1)) {
            if same_key(known, key) {
                return Some(candidate as usize - 1);
            }
            candidate = self.next.get(candidate as usize - 1).copied().unwrap_or(0);
        }
        None
    }
}
