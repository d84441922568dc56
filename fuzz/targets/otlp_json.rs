//! OTLP/JSON as it comes from a client: the first byte is the signal, the rest the text.
//! Whatever the text: no panic; what is accepted is a valid request; written as JSON and read
//! again it means the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_fuzz::signal;
use trunkline_proto::{Batch, batch::tests::generate::Request, json};

fuzz_target!(|data: &[u8]| {
    let Some((signal, text)) = signal(data) else {
        return;
    };
    let mut body = text.to_vec();
    let _ = json::memory_needed(&body);
    let Ok(first) = json::to_protobuf(signal, &mut body) else {
        return;
    };
    let batch = Batch::from_protobuf(signal, first.clone()).expect("what is accepted is valid");
    assert_eq!(batch.validate(), Ok(()));
    assert!(Request::decode(signal, &first).is_ok(), "prost reads it");

    let mut written = Vec::new();
    json::from_protobuf(signal, &first, &mut written).expect("what was read can be written");
    let mut again = written.clone();
    let second = json::to_protobuf(signal, &mut again).expect("what was written can be read");
    let mut twice = Vec::new();
    json::from_protobuf(signal, &second, &mut twice).expect("written a second time");
    // The text, because NaN is not equal to itself.
    assert_eq!(
        String::from_utf8_lossy(&written),
        String::from_utf8_lossy(&twice)
    );
    assert_eq!(
        Batch::from_protobuf(signal, second).map(|batch| batch.item_count()),
        Ok(batch.item_count())
    );
});
