//! `Format`.

use crate::{failure::Failure, go::sprintf::sprintf, program::Args, value::Value};

/// `Format(format, vals)`
pub(super) fn format(args: &Args<'_>) -> Result<Value, Failure> {
    let text = sprintf(args.text(0)?, args.items(1)?).map_err(Failure::Function)?;
    Ok(Value::text(text))
}
