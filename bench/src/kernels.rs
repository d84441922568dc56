//! Not yet.
use crate::error::Error;
pub fn command(_: &mut lexopt::Parser) -> Result<(), Error> {
    Err(Error::Usage("kernels is not there yet".to_owned()))
}
