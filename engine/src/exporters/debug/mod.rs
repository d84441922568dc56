//! The exporter `debug`: writes what passes to the log or to the console.

pub mod config;
