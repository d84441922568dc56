//! `ParseXML`. What needs a tree of the document or XPath is not here.

use trunkline_proto::{
    batch::{self, ValueType},
    wire::{begin_message, end_message},
};

use super::lists::string_map;
use crate::{
    failure::Failure,
    go::xml::{Name, Reader, Token},
    program::Args,
    value::{Text, Value, put_entry},
};

/// How deep elements may nest: messages nest up to 100 in a request, an element being five of
/// them, and what holds the value some.
const DEPTH: usize = 18;

/// An element.
struct Element {
    tag: Vec<u8>,
    attributes: Vec<(Vec<u8>, Vec<u8>)>,
    text: Vec<u8>,
    children: Vec<Element>,
}

/// `ParseXML(target)`
pub(super) fn parse_xml(args: &Args<'_>) -> Result<Value, Failure> {
    let wrong = |cause: String| Failure::Parse(format!("unmarshal xml: {cause}"));
    let mut reader = Reader::new(args.text(0)?);
    let root = loop {
        if let Token::Start((_, tag), attributes) = reader.next_token().map_err(wrong)? {
            break element(&mut reader, tag, local(attributes), DEPTH)?;
        }
    };
    if !reader.is_at_end() {
        return Err(Failure::Parse(
            "trailing bytes after parsing xml".to_owned(),
        ));
    }
    let mut any = Vec::new();
    encode(&root, &mut any)?;
    Ok(Value::Map(Text::from_vec(any)))
}

/// Attributes, their names without prefixes.
fn local(attributes: Vec<(Name, Vec<u8>)>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let attributes = attributes.into_iter();
    attributes.map(|((_, name), value)| (name, value)).collect()
}

fn element(
    reader: &mut Reader<'_>,
    tag: Vec<u8>,
    attributes: Vec<(Vec<u8>, Vec<u8>)>,
    depth: usize,
) -> Result<Element, Failure> {
    let below = depth.checked_sub(1).ok_or(Failure::TooDeep)?;
    let mut made = Element {
        tag,
        attributes,
        text: Vec::new(),
        children: Vec::new(),
    };
    loop {
        let token = reader.next_token();
        match token.map_err(|cause| Failure::Parse(format!("decode next token: {cause}")))? {
            Token::Start((_, tag), attributes) => {
                let child = element(reader, tag, local(attributes), below)?;
                made.children.push(child);
            }
            Token::End => return Ok(made),
            Token::Text(text, _) => {
                let text = String::from_utf8_lossy(&text).into_owned();
                made.text.extend_from_slice(text.trim().as_bytes());
            }
            Token::Comment(_) | Token::Instruction(..) | Token::Directive(_) => {}
        }
    }
}

fn encode(element: &Element, out: &mut Vec<u8>) -> Result<(), Failure> {
    let string = |text: &[u8], out: &mut Vec<u8>| {
        batch::Value::String(text).write(out);
        Ok::<(), Failure>(())
    };
    let map = begin_message(out, ValueType::Map as u32);
    put_entry(out, b"tag", |out| string(&element.tag, out))?;
    if !element.text.is_empty() {
        put_entry(out, b"content", |out| string(&element.text, out))?;
    }
    if !element.attributes.is_empty() {
        put_entry(out, b"attributes", |out| {
            // Of several with one name the last counts.
            let attributes = element.attributes.iter();
            let pairs =
                attributes.map(|(key, value)| (Text::from_slice(key), Text::from_slice(value)));
            string_map(pairs.collect())?.encode(out)
        })?;
    }
    if !element.children.is_empty() {
        put_entry(out, b"children", |out| {
            let list = begin_message(out, ValueType::List as u32);
            for child in &element.children {
                let any = begin_message(out, 1);
                encode(child, out)?;
                end_message(out, any);
            }
            end_message(out, list);
            Ok::<(), Failure>(())
        })?;
    }
    end_message(out, map);
    Ok(())
}
