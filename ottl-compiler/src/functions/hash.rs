//! Hashes of strings, in hex, and identifiers made up.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use twox_hash::{XxHash3_64, XxHash3_128};
use uuid::Uuid;

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

/// `MD5(target)`
pub(super) fn md5(args: &Args<'_>) -> Result<Value, Failure> {
    digest::<Md5>(args)
}

/// `XXH3(target)`: 64 bits, the highest first.
pub(super) fn xxh3(args: &Args<'_>) -> Result<Value, Failure> {
    let hash = XxHash3_64::oneshot(args.text(0)?);
    Ok(Value::text(format!("{hash:016x}")))
}

/// `XXH128(target)`: 128 bits, the highest first.
pub(super) fn xxh128(args: &Args<'_>) -> Result<Value, Failure> {
    let hash = XxHash3_128::oneshot(args.text(0)?);
    Ok(Value::text(format!("{hash:032x}")))
}

/// `Murmur3Hash(target)`: 32 bits, the lowest byte first.
pub(super) fn murmur3(args: &Args<'_>) -> Result<Value, Failure> {
    let hash = murmur3::murmur3_32(&mut args.text(0)?, 0).map_err(unreadable)?;
    Ok(Value::text(hex::encode(hash.to_le_bytes())))
}

/// `Murmur3Hash128(target)`: two halves of 64 bits, the lowest byte of each first.
pub(super) fn murmur3_128(args: &Args<'_>) -> Result<Value, Failure> {
    let hash = murmur3::murmur3_x64_128(&mut args.text(0)?, 0).map_err(unreadable)?;
    Ok(Value::text(hex::encode(hash.to_le_bytes())))
}

/// Reading bytes in memory does not fail; the library's signature says it could.
fn unreadable(error: std::io::Error) -> Failure {
    Failure::Function(error.to_string())
}

/// `UUID()`: version 4.
pub(super) fn uuid(_: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::text(Uuid::new_v4().to_string()))
}

/// `UUIDv7()`
pub(super) fn uuid_v7(_: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::text(Uuid::now_v7().to_string()))
}
