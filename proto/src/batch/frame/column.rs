//! A column of a frame: by position a kind and 64 bits of payload, and what became of the value
//! since it was loaded.

/// What a value is. Kinds from [`kind::FREE`] on are whoever's who works with the frame; a value
/// of such a kind cannot be written.
pub mod kind {
    /// Nothing: not there, or empty.
    pub const NIL: u8 = 0;
    /// A bool: 0 or 1.
    pub const BOOL: u8 = 1;
    /// An integer with sign.
    pub const INT: u8 = 2;
    /// The bits of a double.
    pub const DOUBLE: u8 = 3;
    /// The [`span`](super::span) of a string.
    pub const STRING: u8 = 4;
    /// The span of bytes.
    pub const BYTES: u8 = 5;
    /// The span of an encoded `AnyValue` that is a map.
    pub const MAP: u8 = 6;
    /// The span of an encoded `AnyValue` that is a list.
    pub const LIST: u8 = 7;
    /// The first kind that frames know nothing of.
    pub const FREE: u8 = 16;
}

/// Where bytes are, in 64 bits: an address (payload or arena) or, with the highest bit set, an
/// offset into the frame's heap; above it the length.
pub mod span {
    /// Bytes that a heap holds at most.
    pub const MOST: usize = (1 << 31) - 1;
    const HEAP: u64 = 1 << 63;

    /// Between two addresses.
    #[inline(always)]
    pub(crate) fn between(start: u32, end: u32) -> u64 {
        u64::from(start) | u64::from(end.wrapping_sub(start)) << 32
    }

    /// In the heap.
    #[inline(always)]
    pub fn heap(at: usize, len: usize) -> u64 {
        HEAP | at as u64 | (len as u64) << 32
    }

    /// Its length in bytes.
    #[inline(always)]
    pub fn len(span: u64) -> usize {
        (span << 1 >> 33) as usize
    }

    /// Its first `len` bytes.
    #[inline(always)]
    pub fn cut(span: u64, len: usize) -> u64 {
        span & (HEAP | 0xffff_ffff) | (len as u64) << 32
    }

    /// `len` bytes from `from` on.
    #[inline(always)]
    pub fn slice(span: u64, from: usize, len: usize) -> u64 {
        cut(span + from as u64, len)
    }

    /// Whether it is in the heap.
    #[inline(always)]
    pub fn is_heap(span: u64) -> bool {
        span & HEAP != 0
    }

    #[inline(always)]
    pub(crate) fn start(span: u64) -> u32 {
        span as u32
    }
}

/// What became of a value.
pub(super) mod state {
    /// There was none, and is none.
    pub const ABSENT: u8 = 0;
    /// As it was loaded.
    pub const ORIGINAL: u8 = 1;
    /// Another stands in its place.
    pub const REPLACED: u8 = 2;
    /// It was removed.
    pub const GONE: u8 = 3;
    /// There was none.
    pub const NEW: u8 = 4;
    /// It was removed, and one put at the end.
    pub const MOVED: u8 = 5;

    /// What becomes of a value that is written, and whether it is born by that.
    #[inline(always)]
    pub fn written(of: u8) -> (u8, bool) {
        // Without branches and tables, so that many are done at once.
        let is_born = of == ABSENT || of == GONE;
        let birth = if of == ABSENT { NEW } else { MOVED };
        let stays = of + u8::from(of == ORIGINAL);
        (if is_born { birth } else { stays }, is_born)
    }
}

/// Values by position.
#[derive(Clone, Debug, Default)]
pub struct Column {
    pub(super) kinds: Vec<u8>,
    pub(super) bits: Vec<u64>,
    pub(super) states: Vec<u8>,
    /// For what is new: the turn in which it came to be.
    pub(super) births: Vec<u32>,
    /// Whether anything of it came to be.
    pub(super) born: bool,
    /// Whether anything was written since it was loaded.
    pub(super) written: bool,
}

pub(super) static EMPTY: Column = Column {
    kinds: Vec::new(),
    bits: Vec::new(),
    states: Vec::new(),
    births: Vec::new(),
    born: false,
    written: false,
};

impl Column {
    /// The kinds.
    #[inline(always)]
    pub fn kinds(&self) -> &[u8] {
        &self.kinds
    }

    /// The payloads.
    #[inline(always)]
    pub fn bits(&self) -> &[u64] {
        &self.bits
    }

    /// Bytes of the longest string.
    pub(super) fn longest(&self) -> usize {
        // Of lengths, which have 31 bits, many are compared at once.
        let of = |(of, bits): (&u8, &u64)| match *of {
            super::kind::STRING => (*bits >> 32) as i32 & i32::MAX,
            _ => 0,
        };
        let all = self.kinds.iter().zip(&self.bits).map(of);
        all.fold(0, i32::max) as usize
    }

    /// The kinds and payloads of a column that no row has: somewhere to compute into.
    #[inline(always)]
    pub fn parts_mut(&mut self) -> (&mut [u8], &mut [u64]) {
        (&mut self.kinds, &mut self.bits)
    }

    /// Makes room for so many positions; new ones are nil.
    pub fn resize(&mut self, rows: usize) {
        self.kinds.resize(rows, 0);
        self.bits.resize(rows, 0);
    }

    /// Kind and payload at a position; nil where there is none.
    #[inline(always)]
    pub fn get(&self, position: usize) -> (u8, u64) {
        match (self.kinds.get(position), self.bits.get(position)) {
            (Some(kind), Some(bits)) => (*kind, *bits),
            _ => (0, 0),
        }
    }

    /// Whether there is a value, be it an empty one.
    #[inline(always)]
    pub fn is_there(&self, position: usize) -> bool {
        !matches!(
            self.states.get(position),
            None | Some(&state::ABSENT | &state::GONE)
        )
    }

    pub(super) fn reset(&mut self, rows: usize, kind: u8, bits: u64) {
        self.kinds.clear();
        self.kinds.resize(rows, kind);
        // Of what is nil nobody reads them.
        if kind != super::kind::NIL {
            self.bits.clear();
        }
        self.bits.resize(rows, bits);
        self.states.clear();
        self.states.resize(rows, state::ABSENT);
        self.births.resize(rows, 0);
        self.born = false;
        self.written = false;
    }

    /// What a row has; false when it has something already.
    #[inline(always)]
    pub(super) fn load(&mut self, at: usize, kind: u8, bits: u64) -> bool {
        if let (Some(kinds), Some(payload), Some(of)) = (
            self.kinds.get_mut(at),
            self.bits.get_mut(at),
            self.states.get_mut(at),
        ) {
            *kinds = kind;
            *payload = bits;
            return std::mem::replace(of, state::ORIGINAL) == state::ABSENT;
        }
        false
    }

    /// What a row has, unless it has something already: false then.
    #[inline(always)]
    pub(super) fn fill(&mut self, at: usize, kind: u8, bits: u64) -> bool {
        if let (Some(kinds), Some(payload), Some(of @ &mut state::ABSENT)) = (
            self.kinds.get_mut(at),
            self.bits.get_mut(at),
            self.states.get_mut(at),
        ) {
            (*kinds, *payload, *of) = (kind, bits, state::ORIGINAL);
            return true;
        }
        false
    }

    /// Writes values at these positions, which ascend; whether any was born, for which `turn` is
    /// noted.
    #[inline(always)]
    pub(super) fn put(&mut self, at: &[u16], value: impl Fn(u16) -> (u8, u64), turn: u32) -> bool {
        let n = self.kinds.len().min(self.bits.len());
        let n = n.min(self.states.len()).min(self.births.len());
        let (kinds, bits) = (&mut self.kinds[..n], &mut self.bits[..n]);
        let (states, births) = (&mut self.states[..n], &mut self.births[..n]);
        let mut any = false;
        if at.len() == n {
            // All of them.
            for (p, (kind, bits)) in (0u16..).zip(kinds.iter_mut().zip(bits)) {
                (*kind, *bits) = value(p);
            }
            for (of, birth) in states.iter().zip(births) {
                let (_, is_born) = state::written(*of);
                *birth = if is_born { turn } else { *birth };
            }
            let mut any = 0;
            for of in states {
                let (next, is_born) = state::written(*of);
                *of = next;
                any |= u8::from(is_born);
            }
            return any != 0;
        }
        for position in at {
            let p = usize::from(*position);
            if p >= n {
                continue;
            }
            (kinds[p], bits[p]) = value(*position);
            let (next, is_born) = state::written(states[p]);
            states[p] = next;
            births[p] = if is_born { turn } else { births[p] };
            any |= is_born;
        }
        any
    }

    /// Removes a value; whether there was one.
    #[inline(always)]
    pub(super) fn take(&mut self, at: usize) -> bool {
        let (Some(kinds), Some(of)) = (self.kinds.get_mut(at), self.states.get_mut(at)) else {
            return false;
        };
        let (next, was) = match *of {
            state::ORIGINAL | state::REPLACED | state::MOVED => (state::GONE, true),
            state::NEW => (state::ABSENT, true),
            same => (same, false),
        };
        *kinds = 0;
        *of = next;
        was
    }

    #[inline(always)]
    pub(super) fn state(&self, at: usize) -> u8 {
        self.states.get(at).copied().unwrap_or(state::ABSENT)
    }
}
