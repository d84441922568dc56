//! The exporter `nop`: accepts everything and sends it nowhere.

pub mod config;
