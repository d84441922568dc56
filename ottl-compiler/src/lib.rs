//! OTTL.
pub mod error;
pub mod ops;
pub mod syntax;
pub mod types;
