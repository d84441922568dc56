//! Hashes of strings, in hex.

use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use crate::{failure::Failure, program::Args, value::Value};

fn digest<D: Digest>(args: &Args<'_>) -> Result<Value, Failure> {
    let hash = D::digest(args.text(0)?);
    Ok(Value::text(hex::encode(hash)))
}

/// `SHA1(target)`
pub(super) fn sha1(args: &Args<'_>) -> Result<Value, Failure> {
    digest::<Sha1>(args)
}

/// `SHA256(target)`
pub(super) fn sha256(args: &Args<'_>) -> Result<Value, Failure> {
    digest::<Sha256>(args)
}

/// `SHA512(target)`
pub(super) fn sha512(args: &Args<'_>) -> Result<Value, Failure> {
    digest::<Sha512>(args)
}

/// `FNV(target)`: FNV-1a of 64 bits, as an integer with a sign.
pub(super) fn fnv(args: &Args<'_>) -> Result<Value, Failure> {
    let hash = args
        .text(0)?
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    Ok(Value::Int(hash as i64))
}
