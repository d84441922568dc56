//! Where configuration comes from: URIs (`file:`, `env:`, `yaml:`, `http(s):`) and
//! what each gives. The texts of errors are those of the Collector's providers.

use std::{io::Read, sync::Arc, time::Duration};

use super::{
    node::{Node, Value, quoted},
    yaml::{self, MAX_DOCUMENT, YamlError},
};

/// Schemes that a URI may have.
pub const SCHEMES: [&str; 5] = ["env", "file", "http", "https", "yaml"];

/// What a URI gave.
#[derive(Clone, Debug)]
pub struct Retrieved {
    /// As YAML.
    pub node: Node,
    /// The text as it came.
    pub text: String,
    /// Why the text is no YAML document and is taken as text.
    pub not_yaml: Option<YamlError>,
    /// A warning that goes with it.
    pub warning: Option<String>,
}

impl Retrieved {
    fn from_yaml(text: String, source: &Arc<str>) -> Self {
        let (node, not_yaml) = match yaml::parse(&text, source) {
            // Text stays as it was written, quotes and all, as there.
            Ok(Node {
                value: Value::Text(_),
                at,
                ..
            }) => (Node::new(Value::Text(text.clone()), at), None),
            Ok(node) => (node, None),
            Err(error) => {
                let at = super::node::Position::whole(source.clone());
                (Node::new(Value::Text(text.clone()), at), Some(error))
            }
        };
        Retrieved {
            node,
            text,
            not_yaml,
            warning: None,
        }
    }
}

/// A URI's scheme and the rest.
///
/// # Errors
/// `invalid uri: "…"`.
pub fn split(uri: &str) -> Result<(&str, &str), String> {
    let valid = |scheme: &str| {
        let mut chars = scheme.chars();
        scheme.len() >= 2
            && chars.next().is_some_and(|c| c.is_ascii_alphabetic())
            && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-'))
    };
    match uri.split_once(':') {
        Some((scheme, rest)) if valid(scheme) => Ok((scheme, rest)),
        _ => Err(format!("invalid uri: {}", quoted(uri))),
    }
}

/// How environment variables are read.
pub type Environment = fn(&str) -> Option<String>;

/// The process's environment.
pub fn process_environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// Fetches what a URI names. `shown` is what positions will name.
///
/// # Errors
/// The provider's text.
pub fn retrieve(uri: &str, shown: &Arc<str>, env: Environment) -> Result<Retrieved, String> {
    let (scheme, rest) = split(uri)?;
    match scheme {
        "env" => variable(rest, shown, env),
        "file" => file(uri, rest, shown),
        "yaml" => Ok(Retrieved::from_yaml(rest.to_owned(), shown)),
        "http" | "https" => download(uri, shown),
        _ => Err(format!(
            "scheme {} is not supported for uri {}",
            quoted(scheme),
            quoted(uri)
        )),
    }
}

fn variable(rest: &str, shown: &Arc<str>, env: Environment) -> Result<Retrieved, String> {
    let (name, default) = match rest.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (rest, None),
    };
    let mut chars = name.chars();
    let valid = chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !valid {
        return Err(format!(
            "environment variable {} has invalid name: must match regex ^[a-zA-Z_][a-zA-Z0-9_]*$",
            quoted(name)
        ));
    }
    let mut warning = None;
    let text = match (env(name), default) {
        (Some(text), _) => text,
        (None, Some("")) => {
            // An empty default is empty text, where nothing at all would be null.
            let at = super::node::Position::whole(shown.clone());
            return Ok(Retrieved {
                node: Node::new(Value::Text(String::new()), at),
                text: String::new(),
                not_yaml: None,
                warning: None,
            });
        }
        (None, Some(default)) => default.to_owned(),
        (None, None) => {
            warning = Some(format!(
                "Configuration references unset environment variable {}",
                quoted(name)
            ));
            String::new()
        }
    };
    let mut retrieved = Retrieved::from_yaml(text, shown);
    retrieved.warning = warning;
    Ok(retrieved)
}

/// What Go says where Rust says something else.
fn io_reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        std::io::ErrorKind::IsADirectory => "is a directory".into(),
        _ => error.to_string(),
    }
}

fn file(uri: &str, path: &str, shown: &Arc<str>) -> Result<Retrieved, String> {
    let fail = |verb: &str, reason: String| {
        Err(format!(
            "unable to read the file {uri}: {verb} {path}: {reason}"
        ))
    };
    let mut bytes = Vec::new();
    match std::fs::File::open(path) {
        Ok(file) => {
            if let Err(error) = file.take(MAX_DOCUMENT as u64 + 1).read_to_end(&mut bytes) {
                return fail("read", io_reason(&error));
            }
        }
        Err(error) => return fail("open", io_reason(&error)),
    }
    if bytes.len() > MAX_DOCUMENT {
        return fail("read", format!("larger than {MAX_DOCUMENT} bytes"));
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            return fail(
                "read",
                format!("not UTF-8 at byte {}", error.utf8_error().valid_up_to()),
            );
        }
    };
    Ok(Retrieved::from_yaml(text, shown))
}

fn download(uri: &str, shown: &Arc<str>) -> Result<Retrieved, String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .http_status_as_error(false)
        .build()
        .into();
    let fail = |reason: String| {
        format!(
            "unable to download the file via HTTP GET for uri {}: {reason}",
            quoted(uri)
        )
    };
    let mut answer = agent.get(uri).call().map_err(|e| fail(e.to_string()))?;
    if answer.status() != 200 {
        return Err(format!(
            "failed to load resource from uri {}. status code: {}",
            quoted(uri),
            answer.status().as_u16()
        ));
    }
    let text = answer
        .body_mut()
        .with_config()
        .limit(MAX_DOCUMENT as u64)
        .read_to_string()
        .map_err(|e| fail(e.to_string()))?;
    Ok(Retrieved::from_yaml(text, shown))
}
