//! A protobuf writer that fills its buffer from the end to the front.
//!
//! A message's length stands before its bytes, and only after them is it known. Written
//! backwards, each length is known when its turn comes: nothing is moved, nothing is
//! measured beforehand, whatever the nesting.

/// Bytes written so far are `buf[head..]`; `head <= buf.len()` always.
#[derive(Default)]
pub(super) struct Reverse {
    buf: Vec<u8>,
    head: usize,
}

impl Reverse {
    /// Empties the buffer and makes room for `expected` bytes.
    pub fn clear(&mut self, expected: usize) {
        if self.buf.len() < expected {
            self.buf = vec![0; expected];
        }
        self.head = self.buf.len();
    }

    pub fn written(&self) -> &[u8] {
        &self.buf[self.head..]
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.buf.len() - self.head
    }

    /// The `n` bytes before what is written, which the caller fills.
    #[inline]
    pub fn slot(&mut self, n: usize) -> &mut [u8] {
        if self.head < n {
            self.grow(n);
        }
        let end = self.head;
        self.head -= n;
        &mut self.buf[self.head..end]
    }

    #[cold]
    fn grow(&mut self, n: usize) {
        let len = self.len();
        let size = (self.buf.len() * 2).max(len + n).max(256);
        let mut buf = vec![0; size];
        buf[size - len..].copy_from_slice(self.written());
        self.buf = buf;
        self.head = size - len;
    }

    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.slot(bytes.len()).copy_from_slice(bytes);
    }

    #[inline]
    pub fn varint(&mut self, mut value: u64) {
        if value < 0x80 {
            self.slot(1)[0] = value as u8;
            return;
        }
        let n = (70 - (value | 1).leading_zeros() as usize) / 7;
        let slot = self.slot(n);
        for byte in slot.iter_mut() {
            *byte = value as u8 | 0x80;
            value >>= 7;
        }
        slot[n - 1] &= 0x7f;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_those_of_prost() {
        let mut out = Reverse::default();
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, u64::MAX >> shift] {
                out.clear(0);
                out.varint(value);
                let mut expected = Vec::new();
                prost::encoding::encode_varint(value, &mut expected);
                assert_eq!(out.written(), expected);
            }
        }
    }
}
