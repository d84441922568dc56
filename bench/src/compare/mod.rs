//! Not yet.
use crate::error::Error;
pub fn command(_: &mut lexopt::Parser) -> Result<(), Error> {
    Err(Error::Usage("compare is not there yet".to_owned()))
}
