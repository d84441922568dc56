//! Configuration: any text through the whole of loading (YAML, references, types, rules). No
//! panic, no run-away of time or memory, and an error says something.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::config::{Gates, Load, Settings};

/// The variables that references can name; nothing is read from the process.
fn environment(name: &str) -> Option<String> {
    match name {
        "HOST" => Some("localhost".into()),
        "PORT" => Some("4317".into()),
        "MAP" => Some("{a: [1, 2], b: ${env:PORT}}".into()),
        "LOOP" => Some("${env:LOOP}".into()),
        _ => None,
    }
}

fuzz_target!(|text: &str| {
    // A reference can name a file or an address; a fuzzer is not to go there.
    if text.contains("${") && ["file", "http"].iter().any(|scheme| text.contains(scheme)) {
        return;
    }
    // Several sources, to be merged.
    let configs = text.split("\n---\n").take(3);
    let load = Load {
        configs: configs.map(|text| format!("yaml:{text}")).collect(),
        sets: Vec::new(),
        gates: Gates::default(),
        data_dir: "data".into(),
        environment,
    };
    match Settings::load(&load) {
        Ok(settings) => {
            let _ = settings.print();
            let _ = settings.startable();
        }
        Err(errors) => assert!(!errors.text(true).is_empty()),
    }
});
