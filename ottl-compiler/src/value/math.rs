//! Math: integers wrap, an integer and a double make a double, times and durations add and
//! subtract; everything else is an error.

use super::Value;
use crate::{failure::Failure, ops::MathOp};

/// `left op right`.
///
/// # Errors
/// [`Failure::DivideByZero`], and [`Failure::Math`] for operands that it does not work on.
pub fn calculate(op: MathOp, left: &Value, right: &Value) -> Result<Value, Failure> {
    use Value::{Duration, Float, Int, Time};
    match (left, right) {
        (Int(a), Int(b)) => int(op, *a, *b).map(Int),
        (Float(a), Float(b)) => float(op, *a, *b).map(Float),
        (Int(a), Float(b)) => float(op, *a as f64, *b).map(Float),
        (Float(a), Int(b)) => float(op, *a, *b as f64).map(Float),
        (Time(_) | Duration(_), Time(_) | Duration(_)) => match (op, left, right) {
            (MathOp::Sub, Time(a), Time(b)) => Ok(Duration(a.since(*b))),
            (MathOp::Add, Time(a), Duration(b)) => Ok(Time(a.plus(*b))),
            (MathOp::Sub, Time(a), Duration(b)) => match b.checked_neg() {
                Some(b) => Ok(Time(a.plus(b))),
                None => Ok(Time(a.plus(i64::MAX).plus(1))),
            },
            (MathOp::Add, Duration(a), Time(b)) => Ok(Time(b.plus(*a))),
            (MathOp::Add, Duration(a), Duration(b)) => Ok(Duration(a.wrapping_add(*b))),
            (MathOp::Sub, Duration(a), Duration(b)) => Ok(Duration(a.wrapping_sub(*b))),
            _ => Err(only_sums()),
        },
        (Time(_) | Duration(_), other) | (other, Time(_) | Duration(_))
            if matches!(other, Int(_) | Float(_)) =>
        {
            match op {
                MathOp::Mul | MathOp::Div => Err(only_sums()),
                _ => Err(operand(other, "time.Time or time.Duration")),
            }
        }
        (Int(_) | Float(_) | Time(_) | Duration(_), other) => Err(wrong(other)),
        (other, _) => Err(wrong(other)),
    }
}

/// `-operand`.
///
/// # Errors
/// [`Failure::Math`] for anything but a number.
pub fn negate(operand: &Value) -> Result<Value, Failure> {
    match operand {
        Value::Int(value) => Ok(Value::Int(value.wrapping_neg())),
        Value::Float(value) => Ok(Value::Float(-value)),
        other => Err(Failure::Math(format!(
            "unsupported unary minus operation on type {}",
            other.type_name()
        ))),
    }
}

fn only_sums() -> Failure {
    Failure::Math(
        "only addition and subtraction supported for time.Time and time.Duration".to_owned(),
    )
}

fn wrong(value: &Value) -> Failure {
    operand(value, "int64, float64, time.Time or time.Duration")
}

fn operand(value: &Value, wanted: &str) -> Failure {
    Failure::Math(match value {
        Value::String(text) => format!(
            "{} must be {wanted}",
            std::string::String::from_utf8_lossy(text)
        ),
        Value::Nil => format!("<nil> must be {wanted}"),
        value => format!("a value of type {} must be {wanted}", value.type_name()),
    })
}

fn int(op: MathOp, a: i64, b: i64) -> Result<i64, Failure> {
    Ok(match op {
        MathOp::Add => a.wrapping_add(b),
        MathOp::Sub => a.wrapping_sub(b),
        MathOp::Mul => a.wrapping_mul(b),
        MathOp::Div if b == 0 => return Err(Failure::DivideByZero),
        MathOp::Div => a.wrapping_div(b),
    })
}

fn float(op: MathOp, a: f64, b: f64) -> Result<f64, Failure> {
    Ok(match op {
        MathOp::Add => a + b,
        MathOp::Sub => a - b,
        MathOp::Mul => a * b,
        MathOp::Div if b == 0.0 => return Err(Failure::DivideByZero),
        MathOp::Div => a / b,
    })
}
