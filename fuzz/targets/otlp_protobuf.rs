//! OTLP protobuf as it comes from a client: the first byte is the signal, the rest the request.
//! Whatever the bytes: no panic; what prost takes is taken, `validate` agrees with it; the items
//! counted are the ones there are; unedited, the same bytes go out; what is split or partitioned
//! has the same items; every column can be read of a valid request; an error names a byte of the
//! request.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use trunkline_fuzz::{reference, signal};
use trunkline_proto::{
    Batch,
    batch::{Error, Level, tests::edits::use_all},
    wire::DecodeError,
};

/// An error says in words at which byte of the request something is wrong.
fn names_a_byte(error: &DecodeError, body: &[u8]) {
    assert!(error.offset <= body.len(), "{error:?}");
    let text = error.to_string();
    let (place, cause) = text.split_once(": ").expect("a place and a cause");
    assert_eq!(place, format!("invalid protobuf at byte {}", error.offset));
    assert!(!cause.is_empty(), "{error:?}");
}

fuzz_target!(|data: &[u8]| {
    let Some((signal, body)) = signal(data) else {
        return;
    };
    let body = Bytes::copy_from_slice(body);
    let wanted = reference(signal, &body);
    let door = Batch::from_protobuf(signal, body.clone());
    if let Some(Ok(_)) = &wanted {
        assert!(door.is_ok(), "prost takes it: {door:?}");
    }
    let mut batch = match door {
        Ok(batch) => batch,
        Err(error) => return names_a_byte(&error, &body),
    };
    assert_eq!(batch.to_protobuf(), body);
    let valid = batch.validate();
    if let Err(error) = &valid {
        names_a_byte(error, &body);
    }
    if let Some(wanted) = &wanted {
        assert_eq!(valid.is_ok(), wanted.is_ok(), "{valid:?}");
    }

    let items = batch.item_count();
    let Ok(data) = batch.open() else {
        panic!("small requests can be opened");
    };
    for level in Level::of(signal) {
        let rows = data.rows(*level);
        assert!(valid.is_err() || rows.is_ok(), "{rows:?}");
    }
    if valid.is_ok() {
        assert_eq!(data.item_count(), items);
    }
    assert!(!batch.is_edited());
    assert_eq!(batch.to_protobuf(), body, "reading changes nothing");

    let parts = batch.clone().split(2);
    assert_eq!(parts.iter().map(Batch::item_count).sum::<usize>(), items);
    for part in &parts {
        let again = Batch::from_protobuf(signal, part.to_protobuf());
        assert_eq!(again.map(|part| part.item_count()), Ok(part.item_count()));
        assert!(valid.is_err() || part.validate().is_ok());
    }
    let groups = [Some(0), Some(1), None, Some(0)];
    if let Ok(parts) = batch.partition_resources(&groups, 2) {
        for part in parts {
            assert!(valid.is_err() || part.validate().is_ok());
        }
    }

    let used = use_all(&mut batch);
    // An index that is in no table of the dictionary is legal protobuf, and an error of its row.
    let wrong_index = matches!(used, Err(Error::Index { .. }));
    if let Err(error) = &used
        && wrong_index
    {
        assert!(error.to_string().contains(" out of bounds [0, "), "{error}");
    }
    if valid.is_ok() {
        assert!(used.is_ok() || wrong_index, "{used:?}");
        let edited = Batch::from_protobuf(signal, batch.to_protobuf());
        assert!(edited.is_ok_and(|edited| edited.validate().is_ok()));
    }
});
