//! What the targets share: how an input names its signal, and what "means the same" is.

use trunkline_proto::{Signal, batch::tests::generate::Request};

/// The first byte is the signal (its last two bits); the rest is the target's.
pub fn signal(data: &[u8]) -> Option<(Signal, &[u8])> {
    let (first, rest) = data.split_first()?;
    Some((Signal::ALL[usize::from(first & 3)], rest))
}

/// What prost, which shares no code with the reader, says of a request. `None` where it refuses
/// what passes through here: strings that are not UTF-8, and at the greatest depth fields that it
/// does not know, each of which it counts as one level more.
pub fn reference(signal: Signal, bytes: &[u8]) -> Option<Result<Request, ()>> {
    match Request::decode(signal, bytes) {
        Ok(request) => Some(Ok(request)),
        Err(error) => {
            let text = error.to_string();
            let passes = text.contains("UTF-8") || text.contains("recursion limit");
            (!passes).then_some(Err(()))
        }
    }
}
