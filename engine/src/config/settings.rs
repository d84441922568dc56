//! [`Settings`]: a whole configuration, read, typed and checked. Loading goes in
//! stages as in the Collector (resolve, decode, check, build); a stage reports
//! everything it finds before the next is given up.

use std::{collections::BTreeMap, fmt::Write, path::PathBuf, sync::Arc};

use super::{
    diagnostics::{Decoder, Diagnostic, Diagnostics, NoEffect, nearest, render},
    expand::expand,
    gates::Gates,
    known, merge,
    node::{Mapping, Node, Position, Value, quoted},
    rules,
    service::Service,
    source::{self, Environment, SCHEMES},
    yaml,
};
use crate::{
    component::{
        ComponentConfig, ComponentId, Factory, Kind, Printed,
        table::{self, find},
    },
    connectors,
};

/// The configuration without `--config`.
pub const DEFAULT: &str = include_str!("default.yaml");
/// Stands for the data directory in [`DEFAULT`].
const DATA_DIR: &str = "{data_dir}";

/// What to load.
#[derive(Clone, Debug)]
pub struct Load {
    /// Paths and URIs, in their order. None: the embedded default.
    pub configs: Vec<String>,
    /// `a.b=c`, after all of them, in their order.
    pub sets: Vec<String>,
    /// Feature gates.
    pub gates: Gates,
    /// Where the embedded default writes to.
    pub data_dir: PathBuf,
    /// How environment variables are read.
    pub environment: Environment,
}

impl Default for Load {
    fn default() -> Self {
        Load {
            configs: Vec::new(),
            sets: Vec::new(),
            gates: Gates::default(),
            data_dir: PathBuf::from("./trunkline-data"),
            environment: source::process_environment,
        }
    }
}

/// A configured component.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its id, as the user wrote it.
    pub id: ComponentId,
    /// What it is.
    pub factory: &'static Factory,
    /// Its settings.
    pub settings: Arc<dyn ComponentConfig>,
    /// Where it was written.
    pub at: Position,
    /// A pipeline or the list of extensions names it.
    pub used: bool,
}

impl Component {
    /// The settings as the `Config` of the component's module.
    pub fn config<T: 'static>(&self) -> Option<&T> {
        self.settings.as_any().downcast_ref()
    }
}

/// A whole configuration.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Configured receivers.
    pub receivers: BTreeMap<ComponentId, Component>,
    /// Configured processors.
    pub processors: BTreeMap<ComponentId, Component>,
    /// Configured exporters.
    pub exporters: BTreeMap<ComponentId, Component>,
    /// Configured connectors.
    pub connectors: BTreeMap<ComponentId, Component>,
    /// Configured extensions.
    pub extensions: BTreeMap<ComponentId, Component>,
    /// What runs.
    pub service: Service,
    /// Feature gates.
    pub gates: Gates,
    /// What to say at start.
    pub warnings: Vec<Diagnostic>,
    /// Keys that were set and change nothing; to be said once at start.
    pub no_effect: Vec<NoEffect>,
    /// Where the configuration came from, without the text of inline sources, which
    /// may hold secrets; empty for the embedded default.
    pub sources: Vec<String>,
}

/// How far loading came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A URI of `--config` that cannot be.
    Flags,
    /// Fetching, merging, references.
    Resolve,
    /// Keys, types, ids.
    Decode,
    /// Rules and references between components.
    Check,
    /// Whether pipelines can be built of these components.
    Build,
    /// Whether what they refer to can be had when they start.
    Start,
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug)]
pub struct ConfigErrors {
    /// How far loading came.
    pub stage: Stage,
    /// All that was found.
    pub errors: Vec<Diagnostic>,
    /// Warnings up to there.
    pub warnings: Vec<Diagnostic>,
}

impl ConfigErrors {
    fn one(stage: Stage, error: Diagnostic, found: Diagnostics) -> Self {
        ConfigErrors {
            stage,
            errors: vec![error],
            warnings: found.warnings,
        }
    }

    /// The text after `Error: `. `run` and `print-config` announce broken rules,
    /// `validate` does not.
    pub fn text(&self, announce: bool) -> String {
        let prefix = match self.stage {
            Stage::Flags => "",
            Stage::Resolve => "failed to get config: cannot resolve the configuration: ",
            Stage::Decode => {
                "failed to get config: cannot unmarshal the configuration: decoding failed due to the following error(s):\n\n"
            }
            Stage::Check if announce => "invalid configuration: ",
            Stage::Check => "",
            Stage::Build => "failed to build pipelines: ",
            Stage::Start => "",
        };
        format!("{prefix}{}", render(&self.errors))
    }
}

impl std::fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text(true))
    }
}

impl std::error::Error for ConfigErrors {}

impl Settings {
    /// Fetches, merges, expands, types and checks a configuration.
    ///
    /// # Errors
    /// Everything found in the first stage that found something.
    pub fn load(load: &Load) -> Result<Settings, ConfigErrors> {
        let mut found = Diagnostics::default();
        let root = match resolve(load, &mut found) {
            Ok(root) => root,
            Err((stage, error)) => return Err(ConfigErrors::one(stage, *error, found)),
        };
        let mut settings = decode(&root, &mut found);
        settings.gates = load.gates.clone();
        settings.sources = load.configs.iter().map(|c| shown(c).to_owned()).collect();
        if !found.errors.is_empty() {
            return Err(ConfigErrors {
                stage: Stage::Decode,
                errors: found.errors,
                warnings: found.warnings,
            });
        }
        let embedded = load.configs.is_empty();
        let errors = rules::check(&settings, &root, embedded);
        if !errors.is_empty() {
            return Err(ConfigErrors {
                stage: Stage::Check,
                errors,
                warnings: found.warnings,
            });
        }
        settings.mark_used();
        settings.warn_of_aliases(&mut found);
        let errors = rules::build(&settings);
        if !errors.is_empty() {
            return Err(ConfigErrors {
                stage: Stage::Build,
                errors,
                warnings: found.warnings,
            });
        }
        settings.warnings = found.warnings;
        settings.no_effect = found.no_effect;
        Ok(settings)
    }

    /// What would fail every start and can be said beforehand: references to
    /// extensions that there are not, compressions that gRPC does not have.
    /// `validate` does not ask, as there.
    ///
    /// # Errors
    /// All of it.
    pub fn startable(&self) -> Result<(), ConfigErrors> {
        let errors = rules::start(self);
        if errors.is_empty() {
            return Ok(());
        }
        Err(ConfigErrors {
            stage: Stage::Start,
            errors,
            warnings: Vec::new(),
        })
    }

    /// The components of a kind.
    pub fn of_kind(&self, kind: Kind) -> &BTreeMap<ComponentId, Component> {
        match kind {
            Kind::Receiver => &self.receivers,
            Kind::Processor => &self.processors,
            Kind::Exporter => &self.exporters,
            Kind::Connector => &self.connectors,
            Kind::Extension => &self.extensions,
        }
    }

    fn of_kind_mut(&mut self, kind: Kind) -> &mut BTreeMap<ComponentId, Component> {
        match kind {
            Kind::Receiver => &mut self.receivers,
            Kind::Processor => &mut self.processors,
            Kind::Exporter => &mut self.exporters,
            Kind::Connector => &mut self.connectors,
            Kind::Extension => &mut self.extensions,
        }
    }

    /// For `print-config`.
    pub fn print(&self) -> Printed {
        let mut sections: Vec<(String, Printed)> = Kind::ALL
            .into_iter()
            .map(|kind| {
                let components = self
                    .of_kind(kind)
                    .values()
                    .map(|c| (c.id.to_string(), c.settings.print()))
                    .collect::<BTreeMap<_, _>>();
                let components = Printed::Map(components.into_iter().collect());
                (kind.section().to_owned(), components)
            })
            .collect();
        sections.push(("service".to_owned(), self.service.print()));
        sections.sort_by(|(a, _), (b, _)| a.cmp(b));
        Printed::Map(sections)
    }

    fn mark_used(&mut self) {
        let mut used: Vec<(Kind, ComponentId)> = Vec::new();
        for id in &self.service.extensions {
            used.push((Kind::Extension, id.clone()));
        }
        for pipeline in self.service.pipelines.values() {
            for id in &pipeline.processors {
                used.push((Kind::Processor, id.clone()));
            }
            for id in &pipeline.receivers {
                used.push((Kind::Receiver, id.clone()));
                used.push((Kind::Connector, id.clone()));
            }
            for id in &pipeline.exporters {
                used.push((Kind::Exporter, id.clone()));
                used.push((Kind::Connector, id.clone()));
            }
        }
        // Connectors of rules lead to exporters that no pipeline need name.
        for (connector, signal) in self.service.pipelines.iter().flat_map(|(id, pipeline)| {
            let exporters = pipeline.exporters.iter();
            exporters.map(|exporter| (exporter, id.signal))
        }) {
            let component = self.connectors.get(connector);
            let rules = component.and_then(|of| of.config::<connectors::rules::config::Config>());
            for name in rules
                .into_iter()
                .flat_map(|of| of.exporters(signal, &self.gates))
            {
                // One that is not there is told where connectors are checked.
                if let Ok(id) = connectors::rules::config::exporter(self, signal, &name) {
                    used.push((Kind::Exporter, id.clone()));
                }
            }
        }
        for (kind, id) in used {
            if let Some(component) = self.of_kind_mut(kind).get_mut(&id) {
                component.used = true;
            }
        }
    }

    fn warn_of_aliases(&self, found: &mut Diagnostics) {
        for kind in Kind::ALL {
            for component in self.of_kind(kind).values().filter(|c| c.used) {
                let written = component.id.type_name();
                if component.factory.alias == Some(written) {
                    found.warnings.push(Diagnostic {
                        at: Some(component.at.clone()),
                        key: format!("{}::{}", kind.section(), component.id),
                        ..Diagnostic::new(format!(
                            "{written:?} alias is deprecated; use {:?} instead",
                            component.factory.type_name
                        ))
                    });
                }
            }
        }
    }
}

fn resolve(load: &Load, found: &mut Diagnostics) -> Result<Node, (Stage, Box<Diagnostic>)> {
    let append = load.gates.is_on("confmap.enableMergeAppendOption");
    let mut root = Node::empty(Position::whole("configuration"));
    if load.configs.is_empty() {
        let source: Arc<str> = Arc::from("embedded default");
        let node = yaml::parse(DEFAULT, &source)
            .map_err(|e| (Stage::Resolve, Box::new(Diagnostic::new(e.to_string()))))?;
        root = fill_data_dir(node, &load.data_dir.to_string_lossy());
    }
    // A drive letter or no scheme at all is a path, as there.
    let mut uris = Vec::new();
    for config in &load.configs {
        let is_path = !config.contains(':') || config.as_bytes().get(1) == Some(&b':');
        if is_path {
            uris.push((format!("file:{config}"), config.clone()));
            continue;
        }
        let (scheme, _) =
            source::split(config).map_err(|e| (Stage::Flags, Box::new(Diagnostic::new(e))))?;
        if !SCHEMES.contains(&scheme) {
            let phrase = format!("unsupported scheme on URI {}", quoted(config));
            let hint = format!("schemes: {}", SCHEMES.join(", "));
            let error = Diagnostic {
                hint: Some(hint),
                ..Diagnostic::new(phrase)
            };
            return Err((Stage::Flags, Box::new(error)));
        }
        uris.push((config.clone(), shown(config).to_owned()));
    }
    for set in &load.sets {
        let (key, value) = set.split_once('=').unwrap_or((set, ""));
        let uri = format!("yaml:{}: {}", key.replace('.', "::").trim(), value.trim());
        uris.push((uri, format!("--set {}", key.trim())));
    }
    for (uri, shown) in uris {
        let fail = |phrase: String| (Stage::Resolve, Box::new(Diagnostic::new(phrase)));
        let shown: Arc<str> = Arc::from(shown);
        let retrieved = source::retrieve(&uri, &shown, load.environment)
            .map_err(|e| fail(format!("cannot retrieve the configuration: {e}")))?;
        if let Some(warning) = retrieved.warning {
            found.warnings.push(Diagnostic::new(warning));
        }
        match &retrieved.node.value {
            Value::Mapping(_) => {}
            Value::Null => continue,
            _ => {
                let mut phrase = format!(
                    "retrieved value (type={}) cannot be used as a Conf",
                    retrieved.node.go_type()
                );
                let mut at = Position::whole(shown.clone());
                if let Some(error) = &retrieved.not_yaml {
                    let _ = write!(
                        phrase,
                        ": assuming string type since contents are not valid YAML: {error}"
                    );
                    (at.line, at.column) = (error.line, error.column);
                }
                let error = Diagnostic {
                    at: Some(at),
                    ..Diagnostic::new(phrase)
                };
                return Err((Stage::Resolve, Box::new(error)));
            }
        }
        merge::merge(&mut root, merge::unflatten(retrieved.node), append);
    }
    let root = expand(root, load.environment, found).map_err(|e| (Stage::Resolve, Box::new(e)))?;
    Ok(merge::unflatten(root))
}

/// A source as positions and logs name it.
fn shown(config: &str) -> &str {
    match config.split_once(':') {
        Some(("file", path)) => path,
        Some(("yaml", _)) => "--config yaml:",
        _ => config,
    }
}

fn fill_data_dir(mut node: Node, data_dir: &str) -> Node {
    node.value = match node.value {
        // References are filled in later; a dollar in the path is no reference.
        Value::Text(text) if text.contains(DATA_DIR) => {
            Value::Text(text.replace(DATA_DIR, &data_dir.replace('$', "$$")))
        }
        Value::Mapping(mapping) => {
            let fill = |(key, mut entry): (String, super::node::Entry)| {
                entry.node = fill_data_dir(entry.node, data_dir);
                (key, entry)
            };
            Value::Mapping(mapping.into_iter().map(fill).collect::<Mapping>())
        }
        other => other,
    };
    node
}

fn decode(root: &Node, found: &mut Diagnostics) -> Settings {
    let mut settings = Settings::default();
    let Some(mapping) = root.mapping() else {
        return settings;
    };
    let mut unknown = Vec::new();
    for (key, entry) in mapping {
        if key == "service" {
            let mut cx = Decoder::new(found, Vec::new(), Vec::new());
            cx.within(key, |cx| settings.service.decode(&entry.node, cx));
            continue;
        }
        match Kind::ALL.into_iter().find(|kind| kind.section() == key) {
            Some(kind) => *settings.of_kind_mut(kind) = section(kind, &entry.node, found),
            None => unknown.push((key.as_str(), &entry.at)),
        }
    }
    let mut valid: Vec<&str> = Kind::ALL.into_iter().map(Kind::section).collect();
    valid.push("service");
    Decoder::new(found, Vec::new(), Vec::new()).unknown_keys(
        "otelcol.configSettings",
        &unknown,
        &valid,
    );
    settings
}

fn section(kind: Kind, node: &Node, found: &mut Diagnostics) -> BTreeMap<ComponentId, Component> {
    let mut components = BTreeMap::new();
    let name = kind.section();
    let mapping = match &node.value {
        Value::Null => return components,
        Value::Mapping(mapping) => mapping,
        _ => {
            let what = match node.value {
                Value::Sequence(_) => "slice",
                _ => node.go_type(),
            };
            let mut cx = Decoder::new(found, Vec::new(), Vec::new());
            cx.within(name, |cx| {
                let phrase = format!("expected a map or struct, got \"{what}\"");
                cx.error(node, phrase, None);
            });
            return components;
        }
    };
    for (key, entry) in mapping {
        let path = vec![name.to_owned(), key.clone()];
        let id: ComponentId = match key.parse() {
            Ok(id) => id,
            Err(phrase) => {
                let mut cx = Decoder::new(found, path, Vec::new());
                cx.error_at(&entry.at, format!("'{name}' '' {phrase}"), None);
                continue;
            }
        };
        let Some(factory) = find(kind, &id) else {
            let (phrase, hint) = unknown_type(kind, &id);
            let mut cx = Decoder::new(found, path, Vec::new());
            cx.error_at(&entry.at, format!("'{name}' {phrase}"), Some(hint));
            continue;
        };
        let frame = format!(
            "'{name}' error reading configuration for {}:",
            quoted(&id.to_string())
        );
        let mut cx =
            Decoder::new(found, path.clone(), vec![frame]).declared_as(name, factory.type_name);
        let settings = factory.parse(&entry.node, &mut cx);
        let component = Component {
            id: id.clone(),
            factory,
            settings,
            at: entry.at.clone(),
            used: false,
        };
        if components.insert(id.clone(), component).is_some() {
            let mut cx = Decoder::new(found, path, Vec::new());
            let phrase = format!("'{name}' '' duplicate name {key:?} after unmarshaling {id}");
            cx.error_at(&entry.at, phrase, None);
        }
    }
    components
}

fn unknown_type(kind: Kind, id: &ComponentId) -> (String, String) {
    let wanted = id.type_name();
    let mut valid: Vec<&str> = table::of_kind(kind).map(|f| f.type_name).collect();
    valid.extend(table::of_kind(kind).filter_map(|f| f.alias));
    let phrase = format!(
        "unknown type: {} for id: {} (valid values: [{}])",
        quoted(wanted),
        quoted(&id.to_string()),
        valid.join(" ")
    );
    let hint = if wanted == "logging" && kind == Kind::Exporter {
        "the logging exporter has been deprecated, use the debug exporter instead".to_owned()
    } else if known::names(kind).any(|name| name == wanted) {
        format!(
            "the Collector has the {} {wanted:?}, Trunkline does not have it yet",
            kind.name()
        )
    } else if let Some(near) = nearest(wanted, valid.iter().copied()) {
        format!("did you mean {near:?}?")
    } else if let Some(other) = Kind::ALL
        .into_iter()
        .find(|other| *other != kind && find(*other, id).is_some())
    {
        format!(
            "{wanted:?} is a {}; it belongs under {}",
            other.name(),
            other.section()
        )
    } else {
        match nearest(wanted, known::names(kind)) {
            Some(near) => format!(
                "the nearest {} of the Collector, {near:?}, is not in Trunkline yet",
                kind.name()
            ),
            None => format!("no {} of that name is known", kind.name()),
        }
    };
    (phrase, hint)
}
