//! The four levels of detail that telemetry and `debug` share.

use crate::component::choice;

choice! {
    /// How much is said.
    pub enum Level as "configtelemetry.Level", message "unknown metrics level %q" zero "basic", any_case, numbered, title {
        /// Nothing.
        None = "none";
        /// The least.
        Basic = "basic";
        /// The usual.
        Normal = "normal";
        /// Everything.
        Detailed = "detailed";
    }
}
