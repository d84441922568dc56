//! Converters of times and durations. What needs formats is in `dates`.

use crate::{
    failure::Failure,
    go::{
        time::{self, Time, parse_duration},
        zone::Zone,
    },
    program::Args,
    value::Value,
};

/// `Now()`
pub(super) fn now(_: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::Time(time::now()))
}

/// `Unix(seconds, nanoseconds?)`
pub(super) fn unix(args: &Args<'_>) -> Result<Value, Failure> {
    let time = Time::unix(args.int(0)?, args.int_or(1, 0)?);
    Ok(Value::Time(time.told_in(Zone::local())))
}

/// `UnixSeconds(time)`
pub(super) fn unix_seconds(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::Int(args.time(0)?.seconds))
}

fn unix_in(args: &Args<'_>, a_second: i64) -> Result<Value, Failure> {
    let time = args.time(0)?;
    let part = i64::from(time.nanos) / (1_000_000_000 / a_second);
    Ok(Value::Int(
        time.seconds.wrapping_mul(a_second).wrapping_add(part),
    ))
}

/// `UnixMilli(time)`
pub(super) fn unix_milli(args: &Args<'_>) -> Result<Value, Failure> {
    unix_in(args, 1_000)
}

/// `UnixMicro(time)`
pub(super) fn unix_micro(args: &Args<'_>) -> Result<Value, Failure> {
    unix_in(args, 1_000_000)
}

/// `UnixNano(time)`
pub(super) fn unix_nano(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::Int(args.time(0)?.unix_nanos()))
}

/// `Year(time)`
pub(super) fn year(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::Int(args.time(0)?.date().0))
}

/// `Month(time)`
pub(super) fn month(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::Int(args.time(0)?.date().1.into()))
}

/// `Day(time)`
pub(super) fn day(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::Int(args.time(0)?.date().2.into()))
}

/// `Hour(time)`
pub(super) fn hour(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::Int(args.time(0)?.clock().0.into()))
}

/// `Minute(time)`
pub(super) fn minute(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::Int(args.time(0)?.clock().1.into()))
}

/// `Second(time)`
pub(super) fn second(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::Int(args.time(0)?.clock().2.into()))
}

/// `Nanosecond(time)`
pub(super) fn nanosecond(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::Int(args.time(0)?.nanos.into()))
}

/// `Weekday(time)`
pub(super) fn weekday(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::Int(args.time(0)?.weekday().into()))
}

/// `TruncateTime(time, duration)`
pub(super) fn truncate_time(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::Time(args.time(0)?.truncate(args.duration(1)?)))
}

/// `Duration(duration)`
pub(super) fn duration(args: &Args<'_>) -> Result<Value, Failure> {
    let text = String::from_utf8_lossy(args.text(0)?);
    parse_duration(&text)
        .map(Value::Duration)
        .map_err(Failure::Parse)
}

/// Whole units and the rest apart, as Go does it, so that large durations stay exact.
fn in_floats(args: &Args<'_>, unit: i64) -> Result<Value, Failure> {
    let nanos = args.duration(0)?;
    let (whole, rest) = (nanos / unit, nanos % unit);
    Ok(Value::Float(whole as f64 + rest as f64 / unit as f64))
}

/// `Hours(duration)`
pub(super) fn hours(args: &Args<'_>) -> Result<Value, Failure> {
    in_floats(args, 3_600_000_000_000)
}

/// `Minutes(duration)`
pub(super) fn minutes(args: &Args<'_>) -> Result<Value, Failure> {
    in_floats(args, 60_000_000_000)
}

/// `Seconds(duration)`
pub(super) fn seconds(args: &Args<'_>) -> Result<Value, Failure> {
    in_floats(args, 1_000_000_000)
}

/// `Milliseconds(duration)`
pub(super) fn milliseconds(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::Int(args.duration(0)? / 1_000_000))
}

/// `Microseconds(duration)`
pub(super) fn microseconds(args: &Args<'_>) -> Result<Value, Failure> {
    Ok(Value::Int(args.duration(0)? / 1_000))
}

/// `Nanoseconds(duration)`
pub(super) fn nanoseconds(args: &Args<'_>) -> Result<Value, Failure> {
    args.duration(0).map(Value::Int)
}
