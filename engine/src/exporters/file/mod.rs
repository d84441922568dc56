//! The exporter `file`: requests as lines of JSON or as framed protobuf in files,
//! with rotation, compression and one file per resource attribute.

pub mod config;
