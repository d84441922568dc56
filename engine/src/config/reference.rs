//! The reference pages under `docs/reference/`, made from what the components
//! declare: one page a component, one for `service::telemetry`, an index, and the
//! list of keys without effect. A test compares them with the files.

use std::{collections::BTreeMap, fmt::Write};

use super::{pending, telemetry::Telemetry};
use crate::component::{
    FieldShape, Kind, Printed, Setting, Shape, StructShape, print,
    table::{self, Factory},
};

/// File names under `docs/reference/` with their contents.
pub fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    let mut index = String::from(
        "# Configuration reference\n\nMade from the components' declarations; a test keeps the pages and the code together.\nKeys, types and defaults are the Collector's; where Trunkline differs is in [differences](../differences.md).\n",
    );
    let mut silent = String::from(
        "# Keys without effect\n\nThese keys are read and checked, and change nothing. A configuration that sets one to\nsomething else than its default is told so once at start.\n\n| key | why |\n|---|---|\n",
    );
    for kind in Kind::ALL {
        let _ = writeln!(index, "\n## {}\n", heading(kind.section()));
        for factory in table::of_kind(kind) {
            let file = format!("{}-{}.md", kind.name(), factory.type_name);
            let shape = factory.default_config().shape();
            let _ = writeln!(
                index,
                "- [`{}`]({file}){}",
                factory.type_name,
                summary(&shape)
            );
            let path = format!("{}::{}", kind.section(), factory.type_name);
            collect_silent(&shape, &path, &mut silent);
            pages.insert(file, component(factory, &shape, &path));
        }
    }
    let telemetry = Telemetry::default().shape();
    let _ = writeln!(
        index,
        "\n## Service\n\n- [`service::telemetry`](service-telemetry.md){}\n- [Keys without effect](no-effect.md)",
        summary(&telemetry)
    );
    collect_silent(&telemetry, "service::telemetry", &mut silent);
    let mut page = String::from("# service::telemetry\n\n");
    body(&telemetry, "service::telemetry", &mut page);
    pages.insert("service-telemetry.md".into(), page);
    pages.insert("README.md".into(), index);
    pages.insert("no-effect.md".into(), silent);
    pages
}

fn heading(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

fn summary(shape: &Shape) -> String {
    match shape {
        Shape::Struct(block) => match block.doc.split(['.', ';']).next() {
            Some(first) if !first.is_empty() => format!(": {}.", lower_first(first)),
            _ => String::new(),
        },
        _ => String::new(),
    }
}

fn lower_first(text: &str) -> String {
    let acronym = text.chars().nth(1).is_some_and(char::is_uppercase);
    let mut text = text.to_owned();
    if let (false, Some(first)) = (acronym, text.get_mut(..1)) {
        first.make_ascii_lowercase();
    }
    text
}

fn component(factory: &Factory, shape: &Shape, path: &str) -> String {
    let mut out = format!("# {} `{}`\n\n", factory.kind.name(), factory.type_name);
    if let Some(alias) = factory.alias {
        let _ = writeln!(out, "Older id: `{alias}`; it works and warns at start.\n");
    }
    body(shape, path, &mut out);
    out
}

fn body(shape: &Shape, path: &str, out: &mut String) {
    let Shape::Struct(block) = shape else {
        return;
    };
    let _ = writeln!(out, "{}\n", block.doc);
    if block.fields.is_empty() {
        out.push_str("It has no keys.\n");
        return;
    }
    table(block, "", path, out);
}

fn table(block: &StructShape, prefix: &str, root: &str, out: &mut String) {
    if let Some(why) = block.lenient {
        let _ = writeln!(out, "Unknown keys pass with a warning: {why}.\n");
    }
    if block.fields.is_empty() {
        out.push_str("No keys.\n\n");
        return;
    }
    out.push_str("| key | type | default | |\n|---|---|---|---|\n");
    for field in &block.fields {
        let mut doc = cell(&field.doc);
        if let Some(instead) = field.deprecated {
            let _ = write!(doc, " Deprecated: use `{instead}`.");
        }
        if let Some(why) = silent(field, &format!("{root}::{prefix}{}", field.key)) {
            let _ = write!(doc, " **No effect**: {why}.");
        }
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {doc} |",
            field.key,
            type_name(&field.shape),
            default(field)
        );
    }
    out.push('\n');
    for field in &block.fields {
        let mut shape = &field.shape;
        loop {
            shape = match shape {
                Shape::Optional { of, .. }
                | Shape::List(of)
                | Shape::Map(of)
                | Shape::Nullable(of)
                | Shape::TextOr(of) => of,
                _ => break,
            };
        }
        if let Shape::Struct(inner) = shape {
            let path = format!("{prefix}{}", field.key);
            let _ = writeln!(out, "## `{path}`\n\n{}\n", inner.doc);
            table(inner, &format!("{path}::"), root, out);
        }
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn type_name(shape: &Shape) -> String {
    match shape {
        Shape::Bool => "bool".into(),
        Shape::Integer { min: 0, .. } => "number ≥ 0".into(),
        Shape::Integer { .. } | Shape::Float => "number".into(),
        Shape::Text => "text".into(),
        Shape::Opaque => "secret".into(),
        Shape::Duration => "duration".into(),
        Shape::Choice { words, .. } => {
            let words: Vec<&str> = words.iter().copied().filter(|w| !w.is_empty()).collect();
            if words.len() > 8 {
                "word".into()
            } else {
                words.join(", ")
            }
        }
        Shape::Reference(_) => "id of an extension".into(),
        Shape::List(of) => format!("list of {}", type_name(of)),
        Shape::Map(of) => format!("map of {}", type_name(of)),
        Shape::Headers => "headers".into(),
        Shape::Struct(_) => "block".into(),
        Shape::Optional { .. } => "optional block".into(),
        Shape::Nullable(of) => type_name(of),
        Shape::TextOr(of) => format!("text or {}", type_name(of)),
        Shape::Any => "any".into(),
    }
}

fn default(field: &FieldShape) -> String {
    match (&field.shape, &field.default) {
        (Shape::Optional { on, .. }, _) => if *on { "on" } else { "off" }.into(),
        (_, Printed::Null) => String::new(),
        (_, Printed::List(items)) if items.is_empty() => String::new(),
        (_, Printed::List(items)) => {
            let texts: Option<Vec<String>> = items.iter().map(print::scalar_text).collect();
            texts.map_or(String::new(), |texts| format!("`[{}]`", texts.join(", ")))
        }
        (_, Printed::Map(_)) => String::new(),
        (_, Printed::Text(text)) | (_, Printed::Secret(text)) if text.is_empty() => String::new(),
        (_, other) => print::scalar_text(other).map_or(String::new(), |text| format!("`{text}`")),
    }
}

fn silent(field: &FieldShape, path: &str) -> Option<&'static str> {
    field.no_effect.or_else(|| pending::why(path))
}

fn collect_silent(shape: &Shape, path: &str, out: &mut String) {
    match shape {
        Shape::Struct(block) => {
            for field in &block.fields {
                let path = format!("{path}::{}", field.key);
                match silent(field, &path) {
                    Some(why) => {
                        let _ = writeln!(out, "| `{path}` | {why} |");
                    }
                    None => collect_silent(&field.shape, &path, out),
                }
            }
        }
        Shape::Optional { of, .. }
        | Shape::List(of)
        | Shape::Map(of)
        | Shape::Nullable(of)
        | Shape::TextOr(of) => {
            collect_silent(of, path, out);
        }
        _ => {}
    }
}

/// Every key that is declared, as a path, with its mark of having no effect.
/// For the test that looks for a behaviour or a mark behind each.
pub fn keys() -> Vec<(String, bool)> {
    fn walk(shape: &Shape, path: &str, silent: bool, out: &mut Vec<(String, bool)>) {
        match shape {
            Shape::Struct(block) => {
                for field in &block.fields {
                    let path = format!("{path}::{}", field.key);
                    let silent = silent || self::silent(field, &path).is_some();
                    out.push((path.clone(), silent));
                    walk(&field.shape, &path, silent, out);
                }
            }
            Shape::Optional { of, .. }
            | Shape::List(of)
            | Shape::Map(of)
            | Shape::Nullable(of)
            | Shape::TextOr(of) => {
                walk(of, path, silent, out);
            }
            _ => {}
        }
    }
    let mut out = Vec::new();
    for factory in table::TABLE {
        let path = format!("{}::{}", factory.kind.section(), factory.type_name);
        walk(&factory.default_config().shape(), &path, false, &mut out);
    }
    walk(
        &Telemetry::default().shape(),
        "service::telemetry",
        false,
        &mut out,
    );
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::path::Path;

    use super::*;

    /// `TRUNKLINE_WRITE_REFERENCE=1 cargo test -p trunkline reference` writes the pages.
    #[test]
    fn the_reference_pages_are_what_is_declared() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference");
        let pages = pages();
        if std::env::var_os("TRUNKLINE_WRITE_REFERENCE").is_some() {
            std::fs::create_dir_all(&dir).unwrap();
            for entry in std::fs::read_dir(&dir).unwrap() {
                let entry = entry.unwrap();
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.ends_with(".md") && !pages.contains_key(&name) {
                    std::fs::remove_file(entry.path()).unwrap();
                }
            }
            for (name, text) in &pages {
                std::fs::write(dir.join(name), text).unwrap();
            }
        }
        for (name, text) in &pages {
            let file = std::fs::read_to_string(dir.join(name)).unwrap_or_default();
            assert!(
                file == *text,
                "docs/reference/{name} is stale; run with TRUNKLINE_WRITE_REFERENCE=1"
            );
        }
        let files = std::fs::read_dir(&dir).unwrap();
        let known = files
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name.ends_with(".md"));
        for name in known {
            assert!(
                pages.contains_key(&name),
                "docs/reference/{name} describes nothing"
            );
        }
    }

    /// The one table of which test shows which key's behaviour: `tests/behaviours`.
    #[test]
    fn every_key_has_a_behaviour_test_or_is_listed_without_effect() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let table = std::fs::read_to_string(root.join("tests/behaviours")).unwrap();
        let lines: Vec<(&str, &str)> = table
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| {
                line.split_once(' ')
                    .unwrap_or_else(|| panic!("no test in {line:?}"))
            })
            .map(|(pattern, test)| (pattern, test.trim()))
            .collect();
        let mut sources = String::new();
        for folder in ["engine/src", "engine/tests", "tests/e2e", "tests/interop"] {
            read_sources(&root.join(folder), &mut sources);
        }
        let mut wrong = Vec::new();
        let keys = keys();
        for (pattern, test) in &lines {
            if !sources.contains(&format!("fn {test}(")) {
                wrong.push(format!("tests/behaviours names {test}, which is not there"));
            }
            if !keys.iter().any(|(path, _)| pending::matches(pattern, path)) {
                wrong.push(format!("tests/behaviours: {pattern} matches no key"));
            }
        }
        for (path, silent) in keys {
            let tested = lines
                .iter()
                .any(|(pattern, _)| pending::matches(pattern, &path));
            if !silent && !tested {
                wrong.push(format!("{path} has neither a behaviour test nor a mark"));
            }
        }
        assert!(
            wrong.is_empty(),
            "{} findings:\n{}",
            wrong.len(),
            wrong.join("\n")
        );
    }

    fn read_sources(folder: &Path, out: &mut String) {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read_sources(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                out.push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn every_key_is_explained() {
        for factory in table::TABLE {
            explained(&factory.default_config().shape(), factory.type_name);
        }
        explained(&Telemetry::default().shape(), "telemetry");
    }

    fn explained(shape: &Shape, path: &str) {
        match shape {
            Shape::Struct(block) => {
                assert!(!block.doc.is_empty(), "{path} has no explanation");
                for field in &block.fields {
                    let path = format!("{path}::{}", field.key);
                    assert!(!field.doc.is_empty(), "{path} has no explanation");
                    explained(&field.shape, &path);
                }
            }
            Shape::Optional { of, .. }
            | Shape::List(of)
            | Shape::Map(of)
            | Shape::Nullable(of)
            | Shape::TextOr(of) => {
                explained(of, path);
            }
            _ => {}
        }
    }
}
