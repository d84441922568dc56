//! `verbosity: detailed`: every field on a line of its own, with the Collector's
//! headings and indents. Data points and dictionaries are in `points` and
//! `dictionary`.

use std::fmt::{Arguments, Write};

use trunkline_proto::{Signal, wire::DecodeError};

use super::{
    dictionary::{self, Known},
    message::{Attribute, Message},
    numbers::time,
    points,
};

/// Text that grows by lines.
#[derive(Default)]
pub struct Text(String);

impl Text {
    /// Adds a line.
    pub fn line(&mut self, text: Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{text}");
    }

    /// A field of a span or profile, aligned.
    fn field(&mut self, name: &str, value: &str) {
        self.line(format_args!("    {name:<15}: {value}"));
    }

    /// Attributes under a heading, which has an indent and an arrow of its own when it is one of
    /// a list; nothing without attributes.
    pub fn attributes(&mut self, heading: &str, attributes: &[Attribute]) {
        if attributes.is_empty() {
            return;
        }
        let indent = heading.split_once("->").map_or("", |(indent, _)| indent);
        self.line(format_args!("{heading}:"));
        for Attribute { key, kind, text } in attributes {
            self.line(format_args!("{indent}     -> {key}: {kind}({text})"));
        }
    }
}

/// The text of a request.
///
/// # Errors
/// Something in it is not valid.
pub fn text(signal: Signal, request: &[u8]) -> Result<String, DecodeError> {
    let (resource_name, scope_name) = match signal {
        Signal::Traces => ("ResourceSpans", "ScopeSpans"),
        Signal::Metrics => ("ResourceMetrics", "ScopeMetrics"),
        Signal::Logs => ("ResourceLog", "ScopeLogs"),
        Signal::Profiles => ("ResourceProfiles", "ScopeProfiles"),
    };
    let request = Message::new(request);
    // Only requests of profiles have this field.
    let dictionary = request.message(2);
    let known = Known::read(&dictionary);
    let mut out = Text::default();
    if signal == Signal::Profiles {
        dictionary::tables(&mut out, &dictionary)?;
    }
    for (i, list) in request.messages(1).iter().enumerate() {
        out.line(format_args!("{resource_name} #{i}"));
        out.line(format_args!("Resource SchemaURL: {}", list.text(3)));
        let resource = list.message(1);
        out.attributes("Resource attributes", &resource.attributes(1)?);
        entities(&mut out, &resource.messages(3));
        for (j, list) in list.messages(2).iter().enumerate() {
            out.line(format_args!("{scope_name} #{j}"));
            out.line(format_args!("{scope_name} SchemaURL: {}", list.text(3)));
            let scope = list.message(1);
            out.line(format_args!(
                "InstrumentationScope {} {}",
                scope.text(1),
                scope.text(2)
            ));
            out.attributes("InstrumentationScope attributes", &scope.attributes(3)?);
            for (k, item) in list.messages(2).iter().enumerate() {
                match signal {
                    Signal::Traces => span(&mut out, k, item)?,
                    Signal::Metrics => points::metric(&mut out, k, item)?,
                    Signal::Logs => record(&mut out, k, item)?,
                    Signal::Profiles => profile(&mut out, k, item, &known)?,
                }
            }
        }
    }
    Ok(out.0)
}

fn entities(out: &mut Text, entities: &[Message<'_>]) {
    if entities.is_empty() {
        return;
    }
    out.line(format_args!("Resource entity refs:"));
    for (n, entity) in entities.iter().enumerate() {
        out.line(format_args!("     -> Entity ref #{n}:"));
        out.line(format_args!("          -> Type: {}", entity.text(2)));
        if !entity.bytes(1).is_empty() {
            out.line(format_args!("          -> Schema URL: {}", entity.text(1)));
        }
        for (heading, number) in [("ID keys", 3), ("Description keys", 4)] {
            let keys = entity.texts(number);
            if keys.is_empty() {
                continue;
            }
            out.line(format_args!("          -> {heading}:"));
            for key in keys {
                out.line(format_args!("               -> {key}"));
            }
        }
    }
}

fn span(out: &mut Text, n: usize, span: &Message<'_>) -> Result<(), DecodeError> {
    out.line(format_args!("Span #{n}"));
    out.field("Trace ID", &span.id(1));
    out.field("Parent ID", &span.id(4));
    out.field("ID", &span.id(2));
    out.field("Name", &span.text(5));
    let kinds = [
        "Unspecified",
        "Internal",
        "Server",
        "Client",
        "Producer",
        "Consumer",
    ];
    out.field("Kind", name(&kinds, span.uint(6)));
    if !span.bytes(3).is_empty() {
        out.field("TraceState", &span.text(3));
    }
    out.field("Start time", &time(span.uint(7)));
    out.field("End time", &time(span.uint(8)));
    let status = span.message(15);
    out.field(
        "Status code",
        name(&["Unset", "Ok", "Error"], status.uint(3)),
    );
    out.field("Status message", &status.text(2));
    for (name, number) in [
        ("DroppedAttributesCount", 10),
        ("DroppedEventsCount", 12),
        ("DroppedLinksCount", 14),
    ] {
        out.field(name, &(span.uint(number) as u32).to_string());
    }
    out.attributes("Attributes", &span.attributes(9)?);
    let events = span.messages(11);
    if !events.is_empty() {
        out.line(format_args!("Events:"));
    }
    for (n, event) in events.iter().enumerate() {
        out.line(format_args!("SpanEvent #{n}"));
        out.line(format_args!("     -> Name: {}", event.text(2)));
        out.line(format_args!("     -> Timestamp: {}", time(event.uint(1))));
        dropped(out, event.uint(4));
        out.attributes("     -> Attributes:", &event.attributes(3)?);
    }
    let links = span.messages(13);
    if !links.is_empty() {
        out.line(format_args!("Links:"));
    }
    for (n, link) in links.iter().enumerate() {
        out.line(format_args!("SpanLink #{n}"));
        out.line(format_args!("     -> Trace ID: {}", link.id(1)));
        out.line(format_args!("     -> ID: {}", link.id(2)));
        out.line(format_args!("     -> TraceState: {}", link.text(3)));
        dropped(out, link.uint(5));
        out.attributes("     -> Attributes:", &link.attributes(4)?);
    }
    Ok(())
}

fn dropped(out: &mut Text, count: u64) {
    out.line(format_args!(
        "     -> DroppedAttributesCount: {}",
        count as u32
    ));
}

fn record(out: &mut Text, n: usize, record: &Message<'_>) -> Result<(), DecodeError> {
    out.line(format_args!("LogRecord #{n}"));
    out.line(format_args!("ObservedTimestamp: {}", time(record.uint(11))));
    out.line(format_args!("Timestamp: {}", time(record.uint(1))));
    out.line(format_args!("SeverityText: {}", record.text(3)));
    let severity = record.uint(2) as i32;
    out.line(format_args!(
        "SeverityNumber: {}({severity})",
        severity_name(severity)
    ));
    if !record.bytes(12).is_empty() {
        out.line(format_args!("EventName: {}", record.text(12)));
    }
    let (kind, text) = record.message(5).value()?;
    out.line(format_args!("Body: {kind}({text})"));
    out.attributes("Attributes", &record.attributes(6)?);
    out.line(format_args!("Trace ID: {}", record.id(9)));
    out.line(format_args!("Span ID: {}", record.id(10)));
    out.line(format_args!("Flags: {}", record.uint(8)));
    Ok(())
}

fn severity_name(number: i32) -> String {
    let Ok(place @ 0..=24) = usize::try_from(number) else {
        return String::new();
    };
    let Some(place) = place.checked_sub(1) else {
        return "Unspecified".to_owned();
    };
    let names = ["Trace", "Debug", "Info", "Warn", "Error", "Fatal"];
    let name = names.get(place / 4).copied().unwrap_or_default();
    match place % 4 {
        0 => name.to_owned(),
        step => format!("{name}{}", step + 1),
    }
}

fn profile(
    out: &mut Text,
    n: usize,
    profile: &Message<'_>,
    known: &Known<'_>,
) -> Result<(), DecodeError> {
    out.line(format_args!("Profile #{n}"));
    out.field("Profile ID", &profile.id(7));
    out.field("Start time", &time(profile.uint(3)));
    out.field("DurationNano", &profile.uint(4).to_string());
    out.field(
        "Dropped attributes count",
        &(profile.uint(8) as u32).to_string(),
    );
    for (n, sample) in profile.messages(2).iter().enumerate() {
        dictionary::sample(out, n, sample, known)?;
    }
    Ok(())
}

/// The name of an enum's value; empty for one that has none, as there.
pub fn name<'a>(names: &[&'a str], value: u64) -> &'a str {
    usize::try_from(value)
        .ok()
        .and_then(|at| names.get(at))
        .copied()
        .unwrap_or_default()
}
