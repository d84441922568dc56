//! The extension `zpages`: the admin page.

pub mod config;
