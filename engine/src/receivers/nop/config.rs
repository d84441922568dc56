//! The receiver `nop` has no keys.

use crate::component::declare;

declare! {
    /// Never receives anything; for tests of configurations.
    pub struct Config as "struct {}" {}
}
