//! The connector `forward` has no keys.

use crate::component::declare;

declare! {
    /// Hands batches from the pipelines that export to it to those that receive from it, unchanged.
    pub struct Config as "forwardconnector.Config" {}
}
