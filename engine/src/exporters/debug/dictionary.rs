//! `verbosity: detailed` for profiles: the tables of the dictionary, and samples,
//! which point into it.

use std::borrow::Cow;

use trunkline_proto::wire::DecodeError;

use super::{detailed::Text, message::Message};

/// The tables that samples point into.
pub struct Known<'a> {
    attributes: Vec<Message<'a>>,
    strings: Vec<Cow<'a, str>>,
}

impl<'a> Known<'a> {
    /// Those of a dictionary.
    pub fn read(dictionary: &'a Message<'_>) -> Known<'a> {
        Known {
            attributes: dictionary.messages(6),
            strings: dictionary.texts(5),
        }
    }

    /// An entry of the attribute table: key, type and text, or what is said of one that is not
    /// there.
    ///
    /// # Errors
    /// The value is not valid.
    pub fn entry(&self, index: u64) -> Result<Entry, DecodeError> {
        let found = usize::try_from(index).ok();
        let Some(attribute) = found.and_then(|at| self.attributes.get(at)) else {
            let missing = format!("[Missing Dictionary AttributeTable Item #{}]", index as i32);
            return Ok(Err(missing));
        };
        let key = attribute.uint(1);
        let found = usize::try_from(key).ok();
        let key = match found.and_then(|at| self.strings.get(at)) {
            Some(text) => text.clone().into_owned(),
            None => format!("[Missing Dictionary Key String Item #{}]", key as i32),
        };
        let (kind, text) = attribute.message(2).value()?;
        Ok(Ok((key, kind, text)))
    }
}

/// Key, type and text of an attribute, or what is said of one that is not there.
pub type Entry = Result<(String, &'static str, String), String>;

/// The tables, in the Collector's order. Attribute and link table show their last entry, as
/// there.
///
/// # Errors
/// A value is not valid.
pub fn tables(out: &mut Text, dictionary: &Message<'_>) -> Result<(), DecodeError> {
    for (n, mapping) in dictionary.messages(1).iter().enumerate() {
        out.line(format_args!("Mapping #{n}"));
        out.line(format_args!("    Memory start: {}", mapping.uint(1)));
        out.line(format_args!("    Memory limit: {}", mapping.uint(2)));
        out.line(format_args!("    File offset: {}", mapping.uint(3)));
        out.line(format_args!("    File name: {}", mapping.uint(4) as i32));
        out.line(format_args!("    Attributes: {}", list(mapping.numbers(5))));
    }
    for (n, location) in dictionary.messages(2).iter().enumerate() {
        out.line(format_args!("Location #{n}"));
        out.line(format_args!(
            "    Mapping index: {}",
            location.uint(1) as i32
        ));
        out.line(format_args!("    Address: {}", location.uint(2)));
        for (n, line) in location.messages(3).iter().enumerate() {
            out.line(format_args!("    Line #{n}"));
            out.line(format_args!(
                "        Function index: {}",
                line.uint(1) as i32
            ));
            out.line(format_args!("        Line: {}", line.uint(2) as i64));
            out.line(format_args!("        Column: {}", line.uint(3) as i64));
        }
        out.line(format_args!(
            "    Attributes: {}",
            list(location.numbers(4))
        ));
    }
    for (n, function) in dictionary.messages(3).iter().enumerate() {
        out.line(format_args!("Function #{n}"));
        out.line(format_args!("    Name: {}", function.uint(1) as i32));
        out.line(format_args!("    System name: {}", function.uint(2) as i32));
        out.line(format_args!("    Filename: {}", function.uint(3) as i32));
        out.line(format_args!("    Start line: {}", function.uint(4) as i64));
    }
    if let Some(last) = dictionary.messages(6).last() {
        let (_, text) = last.message(2).value()?;
        out.line(format_args!("Attribute table:"));
        out.line(format_args!("     -> Key: Int({})", last.uint(1) as i32));
        out.line(format_args!("     -> Value: Str({text})"));
        out.line(format_args!("     -> unit: Int({})", last.uint(3) as i32));
    }
    if let Some(last) = dictionary.messages(4).last() {
        out.line(format_args!("Link table:"));
        out.line(format_args!("     -> Trace ID: Str({})", last.id(1)));
        out.line(format_args!("     -> Span ID: Str({})", last.id(2)));
    }
    let strings = dictionary.texts(5);
    if !strings.is_empty() {
        out.line(format_args!("String table:"));
    }
    for text in strings {
        out.line(format_args!("    {text}"));
    }
    Ok(())
}

/// A sample of a profile.
///
/// # Errors
/// A value is not valid.
pub fn sample(
    out: &mut Text,
    n: usize,
    sample: &Message<'_>,
    known: &Known<'_>,
) -> Result<(), DecodeError> {
    out.line(format_args!("    Sample #{n}"));
    out.line(format_args!("        Values: {}", list(sample.numbers(4))));
    let indices = sample.numbers(2);
    if !indices.is_empty() {
        out.line(format_args!("        Attributes:"));
    }
    for index in indices {
        match known.entry(index)? {
            Ok((key, kind, text)) => {
                out.line(format_args!("             -> {key}: {kind}({text})"));
            }
            Err(missing) => out.line(format_args!("             -> {missing}")),
        }
    }
    Ok(())
}

/// Numbers as Go prints a list of them.
fn list(numbers: Vec<u64>) -> String {
    let texts: Vec<String> = numbers
        .into_iter()
        .map(|number| (number as i64).to_string())
        .collect();
    format!("[{}]", texts.join(" "))
}
