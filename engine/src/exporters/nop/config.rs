//! The exporter `nop` has no keys.

use crate::component::declare;

declare! {
    /// Accepts everything and sends it nowhere.
    pub struct Config as "struct {}" {}
}
