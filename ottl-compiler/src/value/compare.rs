//! The six comparisons: never an error but for two lists of one Go type, and of values of
//! different types only `!=` is true (numbers aside).

use std::cmp::Ordering;

use super::{Value, tree::Tree};
use crate::{failure::Failure, ops::CompareOp};

/// `left op right`.
///
/// # Errors
/// [`Failure::Incomparable`] where the reference panics; [`Failure::TooDeep`] and what
/// decoding finds, when lists or maps are looked into.
pub fn compare(op: CompareOp, left: &Value, right: &Value) -> Result<bool, Failure> {
    use Value::*;
    let ordered = |ordering: Option<Ordering>| Ok(by_order(op, ordering));
    // Bytes that are empty count as nothing here, and only here.
    let nothing = |value: &Value| matches!(value, Bytes(bytes) if bytes.is_empty());
    match (left, right) {
        (a, b) if nothing(a) && !nothing(b) => compare(op, &Nil, b),
        (a, b) if nothing(b) => match nothing(a) {
            true => compare(op, &Nil, &Nil),
            false => compare(op, a, &Nil),
        },
        (Nil, Nil) => Ok(matches!(op, CompareOp::Eq | CompareOp::Le | CompareOp::Ge)),
        (Bool(a), Bool(b)) => ordered(Some(a.cmp(b))),
        (Int(a), Int(b)) => ordered(Some(a.cmp(b))),
        (Float(a), Float(b)) => ordered(a.partial_cmp(b)),
        (Int(a), Float(b)) => ordered((*a as f64).partial_cmp(b)),
        (Float(a), Int(b)) => ordered(a.partial_cmp(&(*b as f64))),
        (String(a), String(b)) | (Bytes(a), Bytes(b)) => ordered(Some(a.cmp(b))),
        (Time(a), Time(b)) => ordered(Some(a.instant().cmp(&b.instant()))),
        (Duration(a), Duration(b)) => ordered(Some(a.cmp(b))),
        (Typed(a), Typed(b)) if a.name() == b.name() => match op {
            CompareOp::Eq | CompareOp::Ne => Err(Failure::Incomparable(a.name())),
            _ => Ok(false),
        },
        (TraceId(a), TraceId(b)) | (ProfileId(a), ProfileId(b)) => Ok(equality(op, a == b)),
        (SpanId(a), SpanId(b)) => Ok(equality(op, a == b)),
        (GoInt(a), GoInt(b)) => Ok(equality(op, a == b)),
        (Part(a, x), Part(b, y)) => Ok(equality(op, a == b && x == y)),
        (Map(_) | RawMap(_), Map(_) | RawMap(_)) | (Slice(_) | List(_), Slice(_) | List(_)) => {
            match op {
                CompareOp::Eq => same(left, right),
                CompareOp::Ne => same(left, right).map(|same| !same),
                _ => Ok(false),
            }
        }
        _ => Ok(op == CompareOp::Ne),
    }
}

/// Whether two lists or maps are the same all the way down: types included, maps whatever the
/// order of their keys.
fn same(left: &Value, right: &Value) -> Result<bool, Failure> {
    Ok(Tree::of(left)?.same(&Tree::of(right)?))
}

fn by_order(op: CompareOp, ordering: Option<Ordering>) -> bool {
    match (op, ordering) {
        (CompareOp::Ne, None) => true,
        (_, None) => false,
        (CompareOp::Eq, Some(ordering)) => ordering.is_eq(),
        (CompareOp::Ne, Some(ordering)) => ordering.is_ne(),
        (CompareOp::Lt, Some(ordering)) => ordering.is_lt(),
        (CompareOp::Le, Some(ordering)) => ordering.is_le(),
        (CompareOp::Gt, Some(ordering)) => ordering.is_gt(),
        (CompareOp::Ge, Some(ordering)) => ordering.is_ge(),
    }
}

fn equality(op: CompareOp, same: bool) -> bool {
    match op {
        CompareOp::Eq => same,
        CompareOp::Ne => !same,
        _ => false,
    }
}
