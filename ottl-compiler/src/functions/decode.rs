//! `Decode`.

use std::sync::Arc;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{Prepared, dates::literal};
use crate::{
    failure::Failure,
    go::charset::Charset,
    program::{Args, Argument},
    value::Value,
};

/// How a text or bytes are decoded.
enum Decoder {
    Base64(&'static GeneralPurpose),
    Charset(Charset),
}

/// As Go reads base64: the bits behind the last byte do not count.
const fn base64(alphabet: &alphabet::Alphabet, padding: DecodePaddingMode) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(padding);
    GeneralPurpose::new(alphabet, config)
}

static STANDARD: GeneralPurpose = base64(&alphabet::STANDARD, DecodePaddingMode::RequireCanonical);
static RAW: GeneralPurpose = base64(&alphabet::STANDARD, DecodePaddingMode::RequireNone);
static URL: GeneralPurpose = base64(&alphabet::URL_SAFE, DecodePaddingMode::RequireCanonical);
static RAW_URL: GeneralPurpose = base64(&alphabet::URL_SAFE, DecodePaddingMode::RequireNone);

impl Decoder {
    fn find(name: &str) -> Result<Decoder, String> {
        Ok(Decoder::Base64(match name {
            "base64" => &STANDARD,
            "base64-raw" => &RAW,
            "base64-url" => &URL,
            "base64-raw-url" => &RAW_URL,
            name => return Charset::find(name).map(Decoder::Charset),
        }))
    }

    fn decode(&self, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        match self {
            Decoder::Charset(charset) => Ok(charset.decode(bytes)),
            Decoder::Base64(engine) => {
                // Line breaks do not count wherever they are.
                let kept: Vec<u8> = bytes
                    .iter()
                    .copied()
                    .filter(|byte| !matches!(byte, b'\r' | b'\n'))
                    .collect();
                engine
                    .decode(kept)
                    .map_err(|error| Failure::Parse(format!("could not decode: {error}")))
            }
        }
    }
}

/// The encoding, if it is a literal.
pub(super) fn prepare(args: &[Argument]) -> Result<Option<Prepared>, String> {
    match literal(args, 1) {
        Some(name) => Ok(Some(Arc::new(Decoder::find(&name)?))),
        None => Ok(None),
    }
}

/// `Decode(target, encoding)`
pub(super) fn decode(args: &Args<'_>) -> Result<Value, Failure> {
    let bytes = match args.value(0) {
        Value::String(bytes) | Value::Bytes(bytes) => bytes,
        other => {
            return Err(Failure::Function(format!(
                "unsupported type provided to Decode function: {}",
                other.type_name()
            )));
        }
    };
    let decoded = match args.prepared::<Decoder>() {
        Some(decoder) => decoder.decode(bytes),
        None => {
            let name = String::from_utf8_lossy(args.text(1)?);
            let decoder = Decoder::find(&name).map_err(Failure::Function)?;
            decoder.decode(bytes)
        }
    };
    decoded.map(Value::text)
}
