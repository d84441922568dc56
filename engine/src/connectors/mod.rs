//! Components that end one pipeline and start another, one folder a component,
//! named by its configuration id.

pub mod forward;
