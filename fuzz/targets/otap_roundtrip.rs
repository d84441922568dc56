//! A request as OTAP record batches and back: the first byte is the signal, the rest the
//! request. No panic; what is converted comes back as a valid request with as many items, and
//! converted again gives the same tables. Where the request was valid and the conversion says
//! that nothing was lost, converting the request that came back loses nothing either.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use trunkline_fuzz::signal;
use trunkline_proto::Batch;

fuzz_target!(|data: &[u8]| {
    let Some((signal, body)) = signal(data) else {
        return;
    };
    let Ok(batch) = Batch::from_protobuf(signal, Bytes::copy_from_slice(body)) else {
        return;
    };
    let Ok((tables, losses)) = batch.record_batches() else {
        return;
    };
    let back = Batch::from_record_batches(signal, &tables).expect("own tables can be read");
    assert_eq!(back.validate(), Ok(()));
    assert_eq!(back.item_count(), batch.item_count());
    let (again, lost) = back.record_batches().expect("converted again");
    assert!(lost.is_empty(), "{losses:?} {lost:?}");
    assert_eq!(again.len(), tables.len());
    for (one, other) in tables.iter().zip(&again) {
        assert_eq!(format!("{:?}", one.batches), format!("{:?}", other.batches));
    }
});
