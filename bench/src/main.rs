//! Load generator, sink, relay, and comparisons.
fn main() {}
