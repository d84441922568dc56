//! Edits: the input chooses a request and edits of it, each of which is done to the batch and to
//! the decoded message; the spliced request must decode to that message, and unknown fields
//! must be in it. The first byte's last two bits are the signal and its third bit says which
//! request: a random one (the choices are the input's bytes), or the very bytes of the input
//! where they are a valid request.
//!
//! After the first byte: the number of edits (one byte), each edit (kind, level and three bytes
//! of seed), then the request.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_fuzz::{reference, signal};
use trunkline_proto::{
    Batch,
    batch::tests::{
        edits::{KINDS, Matrix, Op, check_edits},
        generate::{Request, Rng, rewrite},
    },
};

fuzz_target!(|data: &[u8]| {
    let Some((signal, rest)) = signal(data) else {
        return;
    };
    let raw = data[0] & 4 != 0;
    let Some((count, rest)) = rest.split_first() else {
        return;
    };
    let count = usize::from(*count & 15).min(rest.len() / 5);
    let (ops, rest) = rest.split_at(count * 5);
    let ops: Vec<Op> = ops
        .chunks_exact(5)
        .map(|op| {
            let seed = u64::from(u32::from_le_bytes([op[2], op[3], op[4], 0]));
            (usize::from(op[0]) % KINDS.len(), usize::from(op[1]), seed)
        })
        .collect();
    let (batch, request, marks) = if raw {
        let Some(Ok(request)) = reference(signal, rest) else {
            return;
        };
        // A NaN is not equal to itself; the model could not be compared.
        if request != request.clone() {
            return;
        }
        (rest.to_vec(), request, Vec::new())
    } else {
        let r = &mut Rng::from_bytes(1, rest.to_vec());
        let request = Request::random(signal, r);
        let (bytes, marks) = rewrite(signal, &request.encode(), r);
        (bytes, request, marks)
    };
    let batch = Batch::from_protobuf(signal, batch.into()).expect("prost takes it");
    check_edits(batch, request, &marks, &ops, &mut Matrix::new());
});
