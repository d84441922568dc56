//! Buffers for bodies: taken from and given back to a pool of the core, last
//! used first, so that a large body lands in memory that is mapped and warm.
//!
//! Safety: the only unsafe act here is to count bytes as initialised after a
//! reader has said that it wrote them (`Buffer::advance`'s contract).
#![allow(unsafe_code)]

use std::{
    cell::RefCell,
    fmt,
    mem::MaybeUninit,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use bytes::Bytes;
use crossbeam_queue::ArrayQueue;

use super::admission::Charge;

/// Smaller buffers than this are left to the allocator.
const SMALLEST: usize = 4 << 10;
/// Steps between one power of two and the next.
const STEPS: usize = 4;
/// Size classes: from 4 KiB to 64 MiB and a little more.
const CLASSES: usize = 15 * STEPS + 1;
/// Bytes a core keeps for reuse, at most.
const RETAINED: usize = 12 << 20;
/// Buffers freed by other cores that wait to come home, at most.
const RETURNS: usize = 256;

type Home = ArrayQueue<Vec<u8>>;

struct Pool {
    home: Arc<Home>,
    classes: Vec<Vec<Vec<u8>>>,
    retained: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::new(Pool {
        home: Arc::new(ArrayQueue::new(RETURNS)),
        classes: (0..CLASSES).map(|_| Vec::new()).collect(),
        retained: 0,
    });
}

/// The capacity of a size class in bytes.
const fn class_size(class: usize) -> usize {
    let base = SMALLEST << (class / STEPS);
    base + base / STEPS * (class % STEPS)
}

/// The smallest class that holds `capacity` bytes, if one does.
fn class_for(capacity: usize) -> Option<usize> {
    if capacity > class_size(CLASSES - 1) {
        return None;
    }
    let capacity = capacity.max(SMALLEST);
    let power = (usize::BITS - 1 - (capacity / SMALLEST).leading_zeros()) as usize;
    let mut class = power * STEPS;
    while class_size(class) < capacity {
        class += 1;
    }
    Some(class)
}

impl Pool {
    fn take(&mut self, class: usize) -> Option<Vec<u8>> {
        if self.classes.get(class)?.is_empty() {
            while let Some(vec) = self.home.pop() {
                self.keep(vec);
            }
        }
        let vec = self.classes.get_mut(class)?.pop()?;
        self.retained -= vec.capacity();
        Some(vec)
    }

    fn keep(&mut self, mut vec: Vec<u8>) {
        let capacity = vec.capacity();
        if capacity < SMALLEST || self.retained + capacity > RETAINED {
            return;
        }
        // The largest class that this capacity still serves.
        let Some(mut class) = class_for(capacity) else {
            return;
        };
        if class_size(class) > capacity {
            class -= 1;
        }
        vec.clear();
        if let Some(slot) = self.classes.get_mut(class) {
            slot.push(vec);
            self.retained += capacity;
        }
    }
}

/// Bytes that grow at the end, in memory of the core's pool. Dropped on any core, the memory
/// goes back to the core it came from; a [`Charge`] it carries ends with it.
pub struct Buffer {
    vec: Vec<u8>,
    home: Option<Arc<Home>>,
    charge: Option<Charge>,
}

impl Buffer {
    /// A buffer with room for at least `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Buffer {
        let Some(class) = class_for(capacity) else {
            return Buffer {
                vec: Vec::with_capacity(capacity),
                home: None,
                charge: None,
            };
        };
        POOL.with_borrow_mut(|pool| Buffer {
            vec: pool
                .take(class)
                .unwrap_or_else(|| Vec::with_capacity(class_size(class))),
            home: Some(pool.home.clone()),
            charge: None,
        })
    }

    /// Ties a charge on the memory budget to this buffer's life.
    pub fn charged(mut self, charge: Charge) -> Buffer {
        self.charge = Some(charge);
        self
    }

    /// Makes room for `additional` more bytes. A larger buffer comes from the pool too, and the
    /// smaller one goes back to it; a charge stays with this buffer.
    pub fn grow(&mut self, additional: usize) {
        if self.vec.capacity() - self.vec.len() >= additional {
            return;
        }
        let mut larger = Buffer::with_capacity(self.vec.len().saturating_add(additional));
        larger.vec.extend_from_slice(&self.vec);
        std::mem::swap(&mut self.vec, &mut larger.vec);
        std::mem::swap(&mut self.home, &mut larger.home);
    }

    /// Room behind the bytes, not initialised.
    pub fn spare(&mut self) -> &mut [MaybeUninit<u8>] {
        self.vec.spare_capacity_mut()
    }

    /// Counts bytes that were just written at the start of [`Buffer::spare`].
    ///
    /// The caller must have written them: every caller passes what the kernel or a copy reported.
    pub(crate) fn advance(&mut self, n: usize) {
        debug_assert!(n <= self.vec.capacity() - self.vec.len());
        let n = n.min(self.vec.capacity() - self.vec.len());
        // SAFETY: within capacity; written by the caller, see above.
        unsafe { self.vec.set_len(self.vec.len() + n) };
    }

    /// The bytes, shared from here on.
    pub fn freeze(self) -> Bytes {
        if self.vec.is_empty() {
            return Bytes::new();
        }
        Bytes::from_owner(self)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(home) = self.home.take() else { return };
        let vec = std::mem::take(&mut self.vec);
        // While the thread ends its pool may be gone already; the memory is then just freed.
        let _ = POOL.try_with(|pool| {
            let Ok(mut pool) = pool.try_borrow_mut() else {
                return;
            };
            if Arc::ptr_eq(&pool.home, &home) {
                pool.keep(vec);
            } else {
                let _ = home.push(vec);
            }
        });
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.vec
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.vec
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.vec
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Buffer({} of {} bytes)",
            self.vec.len(),
            self.vec.capacity()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_what_is_asked_for_and_waste_at_most_a_quarter() {
        for capacity in (1..300_000)
            .step_by(997)
            .chain([64 << 20, SMALLEST, SMALLEST + 1])
        {
            let class = class_for(capacity).unwrap();
            assert!(class_size(class) >= capacity);
            assert!(
                class_size(class) <= capacity.max(SMALLEST) * 5 / 4 + 1,
                "{capacity}"
            );
        }
        assert_eq!(class_for(1 << 30), None);
    }

    #[test]
    fn the_buffer_used_last_is_used_next() {
        let mut first = Buffer::with_capacity(100_000);
        first.extend_from_slice(b"old");
        let address = first.as_ptr();
        drop(first);
        let second = Buffer::with_capacity(100_000);
        assert_eq!(second.as_ptr(), address);
        assert!(second.is_empty());
    }

    #[test]
    fn a_grown_buffer_keeps_its_bytes_and_gives_the_smaller_back() {
        let mut buffer = Buffer::with_capacity(5000);
        buffer.extend_from_slice(b"kept");
        let small = buffer.as_ptr();
        buffer.grow(70_000);
        assert_eq!(&buffer[..], b"kept");
        assert!(buffer.spare().len() >= 70_000);
        assert_eq!(Buffer::with_capacity(5000).as_ptr(), small);
    }

    #[test]
    fn a_buffer_dropped_elsewhere_comes_home() {
        let buffer = Buffer::with_capacity(200_000);
        let address = buffer.as_ptr() as usize;
        std::thread::spawn(move || drop(buffer.freeze()))
            .join()
            .unwrap();
        // `freeze` of an empty buffer drops it; either way the memory is back here.
        assert_eq!(Buffer::with_capacity(200_000).as_ptr() as usize, address);
    }
}
