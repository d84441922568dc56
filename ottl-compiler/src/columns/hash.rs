//! SHA-256 of short texts: what most attributes hold is one block with its padding, for which
//! the buffer of a general digest, and copying it, takes half as long as the hash itself.

use sha2::{Digest, Sha256, block_api::compress256};

/// Bytes of a block, and of a text that is one block with its padding, at most.
const BLOCK: usize = 64;
const SHORT: usize = BLOCK - 9;

/// FIPS 180-4, section 5.3.3.
const START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The digest of a text.
#[inline]
pub(super) fn sha256(text: &[u8]) -> [u8; 32] {
    let mut block = [0; BLOCK];
    let room = block.get_mut(..text.len());
    let Some(room) = room.filter(|room| room.len() <= SHORT) else {
        return Sha256::digest(text).into();
    };
    room.copy_from_slice(text);
    // Section 5.1.1: a one, zeros, and the length in bits.
    block[text.len()] = 0x80;
    block[BLOCK - 8..].copy_from_slice(&(8 * text.len() as u64).to_be_bytes());
    let mut state = START;
    compress256(&mut state, &[block]);
    let mut digest = [0; 32];
    for (to, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_digest_at_every_length() {
        let text: Vec<u8> = (0..200_u8).map(|byte| byte.wrapping_mul(37)).collect();
        for len in 0..=text.len() {
            let text = &text[..len];
            assert_eq!(
                sha256(text),
                <[u8; 32]>::from(Sha256::digest(text)),
                "{len}"
            );
        }
    }
}
