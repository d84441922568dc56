//! `verbosity: normal`: a line an item, under a line for its resource and one for
//! its scope.

use std::fmt::Write;

use trunkline_proto::{Signal, wire::DecodeError};

use super::{
    dictionary::Known,
    message::{Attribute, Message},
    numbers::{f, v},
};

/// The text of a request.
///
/// # Errors
/// Something in it is not valid.
pub fn text(signal: Signal, request: &[u8]) -> Result<String, DecodeError> {
    let (resource_name, scope_name) = match signal {
        Signal::Traces => ("ResourceTraces", "ScopeTraces"),
        Signal::Metrics => ("ResourceMetrics", "ScopeMetrics"),
        Signal::Logs => ("ResourceLog", "ScopeLog"),
        Signal::Profiles => ("ResourceProfiles", "ScopeProfiles"),
    };
    let request = Message::new(request);
    // Only requests of profiles have this field.
    let dictionary = request.message(2);
    let known = Known::read(&dictionary);
    let mut out = String::new();
    for (i, resource) in request.messages(1).iter().enumerate() {
        let url = bracketed(&resource.text(3));
        let attributes = spaced(&resource.message(1).attributes(1)?);
        line(
            &mut out,
            format_args!("{resource_name} #{i}{url}{attributes}"),
        );
        for (j, list) in resource.messages(2).iter().enumerate() {
            let scope = list.message(1);
            let mut details = scope.text(1).into_owned();
            if !scope.bytes(2).is_empty() {
                details.push('@');
                details.push_str(&scope.text(2));
            }
            let url = bracketed(&list.text(3));
            if details.is_empty() {
                details = url;
            } else {
                details = format!(" {details}{url}");
            }
            let attributes = spaced(&scope.attributes(3)?);
            line(
                &mut out,
                format_args!("{scope_name} #{j}{details}{attributes}"),
            );
            for item in list.messages(2) {
                match signal {
                    Signal::Traces => line(
                        &mut out,
                        format_args!(
                            "{} {} {}{}",
                            item.text(5),
                            item.id(1),
                            item.id(2),
                            spaced(&item.attributes(9)?)
                        ),
                    ),
                    Signal::Logs => line(
                        &mut out,
                        format_args!(
                            "{} {}",
                            item.message(5).value()?.1,
                            joined(&item.attributes(6)?, " ")
                        ),
                    ),
                    Signal::Metrics => metric(&mut out, &item)?,
                    Signal::Profiles => profile(&mut out, &item, &known)?,
                }
            }
        }
    }
    Ok(out)
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}

fn bracketed(url: &str) -> String {
    if url.is_empty() {
        String::new()
    } else {
        format!(" [{url}]")
    }
}

fn joined(attributes: &[Attribute], separator: &str) -> String {
    let texts: Vec<String> = attributes
        .iter()
        .map(|attribute| format!("{}={}", attribute.key, attribute.text))
        .collect();
    texts.join(separator)
}

fn spaced(attributes: &[Attribute]) -> String {
    if attributes.is_empty() {
        String::new()
    } else {
        format!(" {}", joined(attributes, " "))
    }
}

fn metric(out: &mut String, metric: &Message<'_>) -> Result<(), DecodeError> {
    let Some(kind) = metric.member(&[5, 7, 9, 10, 11]) else {
        return Ok(());
    };
    let name = metric.text(1);
    for point in metric.message(kind).messages(1) {
        let (attributes, value) = match kind {
            9 => (9, histogram(&point)),
            10 => (1, exponential(&point)),
            11 => (7, summary(&point)),
            _ => (7, number(&point)),
        };
        let attributes = joined(&point.attributes(attributes)?, ",");
        line(out, format_args!("{name}{{{attributes}}} {value}"));
    }
    Ok(())
}

fn number(point: &Message<'_>) -> String {
    match point.member(&[4, 6]) {
        Some(4) => v(point.double(4).unwrap_or(0.0)),
        Some(_) => (point.uint(6) as i64).to_string(),
        None => String::new(),
    }
}

/// Count, sum, least and greatest of a histogram's point.
fn totals(point: &Message<'_>, [count, sum, min, max]: [u32; 4]) -> String {
    let mut text = format!("count={}", point.uint(count));
    for (name, field) in [("sum", sum), ("min", min), ("max", max)] {
        if let Some(value) = point.double(field) {
            let _ = write!(text, " {name}={}", v(value));
        }
    }
    text
}

fn histogram(point: &Message<'_>) -> String {
    let mut text = totals(point, [4, 5, 11, 12]);
    let bounds = point.fixed(7);
    for (n, count) in point.fixed(6).iter().enumerate() {
        text.push(' ');
        if let Some(bound) = bounds.get(n) {
            let _ = write!(text, "le{}=", v(f64::from_bits(*bound)));
        }
        let _ = write!(text, "{count}");
    }
    text
}

fn exponential(point: &Message<'_>) -> String {
    let mut text = totals(point, [4, 5, 12, 13]);
    let buckets = super::points::Buckets::read(point);
    for (_, upper, count) in buckets.negative() {
        let _ = write!(text, " le{}={count}", v(upper));
    }
    if point.uint(7) != 0 {
        let _ = write!(text, " zero={}", point.uint(7));
    }
    for (_, upper, count) in buckets.positive() {
        let _ = write!(text, " le{}={count}", v(upper));
    }
    text
}

fn summary(point: &Message<'_>) -> String {
    let mut text = format!(
        "count={} sum={}",
        point.uint(4),
        f(point.double(5).unwrap_or(0.0))
    );
    for quantile in point.messages(6) {
        let _ = write!(
            text,
            " q{}={}",
            v(quantile.double(1).unwrap_or(0.0)),
            v(quantile.double(2).unwrap_or(0.0))
        );
    }
    text
}

fn profile(out: &mut String, profile: &Message<'_>, known: &Known<'_>) -> Result<(), DecodeError> {
    let mut text = format!("{} samples={}", profile.id(7), profile.messages(2).len());
    for index in profile.numbers(11) {
        text.push(' ');
        match known.entry(index)? {
            Ok((key, _, value)) => {
                let _ = write!(text, "{key}={value}");
            }
            Err(missing) => text.push_str(&missing),
        }
    }
    line(out, format_args!("{text}"));
    Ok(())
}
