//! A JSON Schema (draft 2020-12) of the whole configuration, made from what the
//! components declare, so that editors complete and check it while it is written.

use serde_json::{Map, Value as Json, json};

use super::telemetry::Telemetry;
use crate::component::{
    Kind, Printed, Setting, Shape, StructShape, print,
    table::{self, Factory},
};

/// The schema.
pub fn schema() -> Json {
    let mut definitions = Map::new();
    // A reference may stand wherever another value than text is wanted.
    definitions.insert(
        "reference".into(),
        json!({"type": "string", "pattern": "\\$\\{[^}]*\\}", "description": "${env:NAME}, ${env:NAME:-default}, ${file:PATH}, ${yaml:…} or ${https://…}"}),
    );
    definitions.insert(
        "duration".into(),
        json!({"anyOf": [
            {"type": "string", "pattern": "^[-+]?(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$|^[-+]?0$", "examples": ["200ms", "5s", "1m30s"]},
            {"type": "number", "description": "nanoseconds"},
            {"$ref": "#/$defs/reference"}
        ]}),
    );
    definitions.insert(
        "id".into(),
        json!({"type": "string", "pattern": "^\\s*[a-zA-Z][0-9a-zA-Z_]{0,62}\\s*(/.+)?$|\\$\\{"}),
    );
    definitions.insert(
        "headers".into(),
        json!({"anyOf": [
            {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
            {"type": "array", "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "value": {"type": "string"}},
                "additionalProperties": false
            }},
            {"type": "null"},
            {"$ref": "#/$defs/reference"}
        ]}),
    );
    let mut sections = Map::new();
    for kind in Kind::ALL {
        let mut patterns = Map::new();
        for factory in table::of_kind(kind) {
            let name = format!("{}.{}", kind.name(), factory.type_name);
            definitions.insert(name.clone(), component(factory));
            let names = match factory.alias {
                Some(alias) => format!("({}|{alias})", factory.type_name),
                None => factory.type_name.to_owned(),
            };
            patterns.insert(
                format!("^\\s*{names}\\s*(/.+)?$"),
                json!({"$ref": format!("#/$defs/{name}")}),
            );
        }
        sections.insert(
            kind.section().into(),
            json!({"type": ["object", "null"], "patternProperties": patterns, "additionalProperties": false}),
        );
    }
    let ids = json!({"anyOf": [
        {"type": "array", "items": {"$ref": "#/$defs/id"}},
        {"type": "string"},
        {"type": "null"}
    ]});
    let pipeline = json!({
        "type": ["object", "null"],
        "properties": {"receivers": ids, "processors": ids, "exporters": ids},
        "additionalProperties": false
    });
    sections.insert(
        "service".into(),
        json!({
            "type": ["object", "null"],
            "properties": {
                "extensions": ids,
                "pipelines": {
                    "type": ["object", "null"],
                    "patternProperties": {"^\\s*(traces|metrics|logs|profiles)\\s*(/.+)?$": pipeline},
                    "additionalProperties": false
                },
                "telemetry": of_shape(&Telemetry::default().shape())
            },
            "additionalProperties": false
        }),
    );
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Trunkline configuration",
        "type": "object",
        "properties": sections,
        "additionalProperties": false,
        "$defs": definitions
    })
}

fn component(factory: &Factory) -> Json {
    of_shape(&factory.default_config().shape())
}

fn of_struct(block: &StructShape, switch: bool) -> Json {
    let mut properties = Map::new();
    if switch {
        properties.insert(
            "enabled".into(),
            json!({"type": "boolean", "description": "`false` switches the block off."}),
        );
    }
    for field in &block.fields {
        let mut property = of_shape(&field.shape);
        if let Json::Object(property) = &mut property {
            let mut text = field.doc.clone();
            if let Some(instead) = field.deprecated {
                text.push_str(&format!(" Deprecated: use `{instead}`."));
                property.insert("deprecated".into(), Json::Bool(true));
            }
            if let Some(why) = field.no_effect {
                text.push_str(&format!(" No effect: {why}."));
            }
            property.insert("description".into(), Json::String(text));
            let scalar = !matches!(
                field.default,
                Printed::Null | Printed::List(_) | Printed::Map(_) | Printed::Secret(_)
            );
            if scalar {
                let default = match &field.default {
                    Printed::Duration(_) => {
                        Json::from(print::scalar_text(&field.default).unwrap_or_default())
                    }
                    other => print::json(other, print::Mode { unredacted: false }),
                };
                property.insert("default".into(), default);
            }
        }
        properties.insert(field.key.into(), property);
    }
    json!({
        "description": block.doc,
        "type": ["object", "null"],
        "properties": properties,
        "additionalProperties": block.lenient.is_some()
    })
}

fn or_reference(types: &[&str]) -> Json {
    json!({"anyOf": [{"type": types}, {"$ref": "#/$defs/reference"}]})
}

fn of_shape(shape: &Shape) -> Json {
    match shape {
        Shape::Bool => or_reference(&["boolean", "null"]),
        Shape::Integer { min, max } => {
            // Bounds beyond 2^53 say nothing to most validators.
            let within = |value: &i128| {
                i64::try_from(*value)
                    .ok()
                    .filter(|v| v.unsigned_abs() < 1 << 53)
            };
            let mut number = json!({"type": ["number", "null"]});
            if let (Json::Object(number), Some(min)) = (&mut number, within(min)) {
                number.insert("minimum".into(), Json::from(min));
            }
            if let (Json::Object(number), Some(max)) = (&mut number, within(max)) {
                number.insert("maximum".into(), Json::from(max));
            }
            json!({"anyOf": [number, {"$ref": "#/$defs/reference"}]})
        }
        Shape::Float => or_reference(&["number", "null"]),
        Shape::Text | Shape::Opaque => json!({"type": ["string", "null"]}),
        Shape::Duration => json!({"anyOf": [{"$ref": "#/$defs/duration"}, {"type": "null"}]}),
        Shape::Choice { words, any_case } => {
            let exact = json!({"enum": words});
            if *any_case {
                let pattern: Vec<String> = words.iter().map(|w| any_case_pattern(w)).collect();
                let pattern = format!("^({})$", pattern.join("|"));
                json!({"anyOf": [exact, {"type": "string", "pattern": pattern}, {"$ref": "#/$defs/reference"}, {"type": "null"}]})
            } else {
                json!({"anyOf": [exact, {"$ref": "#/$defs/reference"}, {"type": "null"}]})
            }
        }
        Shape::Reference(_) => json!({"anyOf": [{"$ref": "#/$defs/id"}, {"type": "null"}]}),
        Shape::List(of) => json!({"anyOf": [
            {"type": "array", "items": of_shape(of)},
            {"type": ["string", "null"]}
        ]}),
        Shape::Map(of) => json!({"anyOf": [
            {"type": ["object", "null"], "additionalProperties": of_shape(of)},
            {"$ref": "#/$defs/reference"}
        ]}),
        Shape::Headers => json!({"$ref": "#/$defs/headers"}),
        Shape::Struct(block) => or_text(of_struct(block, false)),
        Shape::Optional { switch, of, .. } => match of.as_ref() {
            Shape::Struct(block) => or_text(of_struct(block, *switch)),
            other => of_shape(other),
        },
        Shape::Nullable(of) => of_shape(of),
        Shape::TextOr(of) => json!({"anyOf": [{"type": "string"}, of_shape(of)]}),
        Shape::Any => json!({}),
    }
}

fn or_text(block: Json) -> Json {
    json!({"anyOf": [block, {"$ref": "#/$defs/reference"}]})
}

fn any_case_pattern(word: &str) -> String {
    word.chars()
        .map(|c| format!("[{}{}]", c.to_ascii_lowercase(), c.to_ascii_uppercase()))
        .collect()
}
