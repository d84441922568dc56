//! Files of test cases: what a case can say, and where each stands. What becomes of a case is in
//! `judge`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::de::IgnoredAny;
use trunkline_proto::{Batch, Signal, json};

use super::{
    super::requests::{read, signal_of},
    play::{OUTPUT, Way},
};
use crate::{
    component::{Anything, Setting, declare, print},
    config::{
        diagnostics::{Decoder, Diagnostics, render},
        node::{Node, Position, Value},
        yaml,
    },
};

declare! {
    /// A file of cases.
    pub struct Written as "test.File" {
        /// The cases, in order.
        cases: Vec<Keys> = Vec::new();
    }
}

declare! {
    /// A request, what it goes through, and what is to become of it.
    pub struct Keys as "test.Case" {
        /// What to call it.
        name: String = String::new();
        /// The pipeline that it goes through, and whatever its connectors lead to.
        pipeline: String = String::new();
        /// The processor that it goes through, alone.
        processor: String = String::new();
        /// The request: OTLP/JSON, or the path of a file with it.
        input: Anything = Anything::default();
        /// Headers of the request.
        metadata: BTreeMap<String, String> = BTreeMap::new();
        /// What arrives, by exporter (`output` behind a processor): OTLP/JSON, or the path of a file.
        expect: BTreeMap<String, Anything> = BTreeMap::new();
        /// `true`: nothing arrives. Or how many items are dropped, by reason.
        dropped: Anything = Anything::default();
        /// How many items arrive, by exporter.
        items: BTreeMap<String, i64> = BTreeMap::new();
        /// What the sender is told, or a part of it, when the request is refused.
        refused: String = String::new();
    }
}

/// A file of cases, read.
#[derive(Debug)]
pub(super) struct File {
    pub path: PathBuf,
    pub text: String,
    pub cases: Vec<Case>,
}

/// A case, read.
#[derive(Debug)]
pub(super) struct Case {
    pub name: String,
    /// As it is written.
    pub node: Node,
    pub way: Way,
    pub input: Batch,
    pub metadata: BTreeMap<String, String>,
    /// What arrives, by exporter.
    pub expect: BTreeMap<String, Expected>,
    /// Nothing arrives.
    pub nothing: bool,
    /// Items dropped by reason.
    pub dropped: BTreeMap<String, i64>,
    /// Items by exporter.
    pub items: BTreeMap<String, i64>,
    pub refused: Option<String>,
}

/// A request that is expected, and the file that it is in, if it is in one of its own.
#[derive(Debug)]
pub(super) struct Expected {
    pub batch: Batch,
    pub file: Option<PathBuf>,
}

impl File {
    /// Reads a file of cases.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn read(path: &Path) -> Result<File, String> {
        let text = read(path)?;
        let source: Arc<str> = path.display().to_string().into();
        let root = yaml::parse(&text, &source)
            .map_err(|e| format!("{source}:{}:{}: {e}", e.line, e.column))?;
        let mut found = Diagnostics::default();
        let mut written = Written::default();
        written.decode(&root, &mut Decoder::new(&mut found, Vec::new(), Vec::new()));
        if !found.errors.is_empty() {
            return Err(render(&found.errors));
        }
        let nodes = match root.get("cases").map(|node| &node.value) {
            Some(Value::Sequence(nodes)) => nodes.as_slice(),
            _ => &[],
        };
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        let (mut cases, mut wrong) = (Vec::new(), Vec::new());
        for (keys, node) in written.cases.into_iter().zip(nodes) {
            match case(keys, node, &folder) {
                Ok(case) => cases.push(case),
                Err((at, text)) => wrong.push(format!("{at}: {text}")),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong.join("\n"));
        }
        if cases.is_empty() {
            return Err(format!("{source}: there are no cases"));
        }
        let path = path.to_path_buf();
        Ok(File { path, text, cases })
    }
}

type Wrong = (Position, String);

fn case(keys: Keys, node: &Node, folder: &Path) -> Result<Case, Wrong> {
    let at = |key: &str| node.locate([key]).clone();
    let own = |text: &str| (node.at.clone(), text.to_owned());
    if keys.name.is_empty() {
        return Err(own("the case has no name"));
    }
    let way = match (keys.pipeline.as_str(), keys.processor.as_str()) {
        ("", "") => {
            return Err(own(
                "say which pipeline or processor the input goes through",
            ));
        }
        (id, "") => Way::Pipeline(id.parse().map_err(|text| (at("pipeline"), text))?),
        ("", id) => Way::Processor(id.parse().map_err(|text| (at("processor"), text))?),
        _ => return Err(own("a case has a pipeline or a processor, not both")),
    };
    let Some(input) = keys.input.get() else {
        return Err(own("the case has no input"));
    };
    let (input, _) = request(input, None, folder)?;
    if let Way::Pipeline(id) = &way
        && id.signal != input.signal()
    {
        let text = format!("the input is of {}", input.signal().name());
        return Err((at("input"), format!("{text}, the pipeline is \"{id}\"")));
    }
    let mut expect = BTreeMap::new();
    for (exporter, value) in &keys.expect {
        let place = node.locate(["expect", exporter.as_str()]).clone();
        if let (Way::Processor(_), true) = (&way, exporter != OUTPUT) {
            let text = format!("behind a processor there is {OUTPUT:?} alone");
            return Err((place, text));
        }
        let Some(value) = value.get() else {
            return Err((place, "expected OTLP/JSON or the path of a file".to_owned()));
        };
        let (batch, file) = request(value, Some(input.signal()), folder)?;
        expect.insert(exporter.clone(), Expected { batch, file });
    }
    let (mut nothing, mut dropped) = (false, BTreeMap::new());
    match keys.dropped.get().map(|node| &node.value) {
        None => {}
        Some(Value::Bool(all)) => nothing = *all,
        Some(Value::Mapping(reasons)) => {
            for (reason, entry) in reasons {
                let Value::Integer(items) = entry.node.value else {
                    let text = "expected a number of items".to_owned();
                    return Err((entry.at.clone(), text));
                };
                dropped.insert(reason.clone(), i64::try_from(items).unwrap_or(i64::MAX));
            }
        }
        Some(_) => {
            let text = "expected true, or numbers of items by reason";
            return Err((at("dropped"), text.to_owned()));
        }
    }
    if nothing && !expect.is_empty() {
        return Err((
            at("dropped"),
            "nothing arrives, and yet something is expected".to_owned(),
        ));
    }
    let refused = (!keys.refused.is_empty()).then_some(keys.refused);
    let says_nothing = expect.is_empty() && !nothing && dropped.is_empty();
    if says_nothing && keys.items.is_empty() && refused.is_none() {
        return Err(own(
            "say what is to come of it: expect, dropped, items or refused",
        ));
    }
    Ok(Case {
        name: keys.name,
        node: node.clone(),
        way,
        input,
        metadata: keys.metadata,
        expect,
        nothing,
        dropped,
        items: keys.items,
        refused,
    })
}

/// A request that is written in place, or the path of a file with one, which is told then.
fn request(
    node: &Node,
    signal: Option<Signal>,
    folder: &Path,
) -> Result<(Batch, Option<PathBuf>), Wrong> {
    let wrong = |text: String| (node.at.clone(), text);
    let (text, file) = match &node.value {
        Value::Text(path) => {
            let file = folder.join(path);
            (read(&file).map_err(wrong)?, Some(file))
        }
        Value::Mapping(_) => {
            let mut anything = Anything::default();
            let mut found = Diagnostics::default();
            anything.decode(node, &mut Decoder::new(&mut found, Vec::new(), Vec::new()));
            let value = print::json(&anything.print(), print::Mode { unredacted: true });
            (value.to_string(), None)
        }
        _ => return Err(wrong("expected OTLP/JSON or the path of a file".to_owned())),
    };
    serde_json::from_str::<IgnoredAny>(&text)
        .map_err(|e| wrong(format!("this is not JSON: {e}")))?;
    let signal = signal_of(&text)
        .or(signal)
        .ok_or_else(|| wrong("this is no OTLP request".to_owned()))?;
    let mut bytes = text.into_bytes();
    let payload = json::to_protobuf(signal, &mut bytes).map_err(|e| wrong(e.to_string()))?;
    let batch = Batch::from_protobuf(signal, payload).map_err(|e| wrong(e.to_string()))?;
    Ok((batch, file))
}
