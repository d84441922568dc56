//! The real binary with real peers on both sides.
