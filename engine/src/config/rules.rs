//! Rules over a whole configuration: what components demand of their settings,
//! whether references lead somewhere, whether pipelines can be built. The texts
//! are the Collector's; each finding gets its place.

use std::collections::{BTreeMap, BTreeSet};

use trunkline_proto::Signal;

use super::{
    diagnostics::{Diagnostic, nearest},
    gates::Gates,
    node::Node,
    settings::{Component, Settings},
};
use crate::{
    component::{ComponentId, Kind, Optional, PipelineId, Problem, Problems, Setting},
    connectors::{self, routing},
    exporters::{self, otlp_grpc, otlp_http},
    extensions::{health_check, zpages},
    net::config::{Compression, HttpServer, Middleware},
    processors::{attributes, filter, resource, rules, transform},
    queue::config::SendingQueue,
    receivers,
};

/// The stage `check`. `embedded`: the embedded default, which may use profiles.
pub fn check(settings: &Settings, root: &Node, embedded: bool) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    let pipelines_optional = settings.gates.is_on("service.AllowNoPipelines");
    let nothing = Kind::ALL
        .into_iter()
        .all(|kind| settings.of_kind(kind).is_empty());
    if nothing {
        out.push(Diagnostic::new("empty configuration file"));
    } else if settings.receivers.is_empty() && !pipelines_optional {
        out.push(Diagnostic::new(
            "no receiver configuration specified in config",
        ));
    } else if settings.exporters.is_empty() && !pipelines_optional {
        out.push(Diagnostic::new(
            "no exporter configuration specified in config",
        ));
    } else {
        ambiguous(settings, &mut out);
        references(settings, root, &mut out);
    }
    for kind in Kind::ALL {
        for component in settings.of_kind(kind).values() {
            let path = vec![kind.section().to_owned(), component.id.to_string()];
            let mut problems = Problems::at(path).with_gates(&settings.gates);
            component.settings.check(&mut problems);
            out.extend(
                problems
                    .found
                    .into_iter()
                    .map(|problem| placed(root, problem)),
            );
        }
    }
    let mut problems = Problems::at(vec!["service".into(), "telemetry".into()]);
    settings.service.telemetry.check(&mut problems);
    out.extend(
        problems
            .found
            .into_iter()
            .map(|problem| placed(root, problem)),
    );
    let path = vec!["service".to_owned(), "pipelines".to_owned()];
    if settings.service.pipelines.is_empty() && !pipelines_optional {
        out.push(located(
            root,
            path.clone(),
            "service must have at least one pipeline".into(),
        ));
    }
    for (id, pipeline) in &settings.service.pipelines {
        let mut at = path.clone();
        at.push(id.to_string());
        let gated = id.signal == Signal::Profiles
            && !embedded
            && !settings.gates.is_on("service.profilesSupport");
        if gated {
            let text = format!(
                "pipeline \"{id}\": profiling signal support is at alpha level, gated under the \"service.profilesSupport\" feature gate"
            );
            let mut error = located(root, path.clone(), text);
            error.at = Some(pipeline.at.clone());
            error.hint = Some("start with --feature-gates=service.profilesSupport".into());
            out.push(error);
        }
        if pipeline.receivers.is_empty() {
            out.push(located(root, at, "must have at least one receiver".into()));
        } else if pipeline.exporters.is_empty() {
            out.push(located(root, at, "must have at least one exporter".into()));
        } else {
            let mut seen = BTreeSet::new();
            if let Some(twice) = pipeline.processors.iter().find(|id| !seen.insert(*id)) {
                at.push("processors".into());
                let text = format!("references processor \"{twice}\" multiple times");
                let mut error = located(root, at.clone(), text);
                error.phrase = format!(
                    "service::pipelines::{id}: references processor \"{twice}\" multiple times"
                );
                out.push(error);
            }
        }
    }
    out
}

/// A broken rule, by the place that it names or else by its path.
fn placed(root: &Node, problem: Problem) -> Diagnostic {
    let mut found = located(root, problem.path, problem.text);
    found.at = problem.at.or(found.at);
    found
}

fn located(root: &Node, path: Vec<String>, text: String) -> Diagnostic {
    let key = path.join("::");
    let at = root.locate(path.iter().map(String::as_str)).clone();
    Diagnostic {
        at: (at.line > 0 || at.source.starts_with("--set")).then_some(at),
        ..Diagnostic::new(format!("{key}: {text}"))
    }
}

fn ambiguous(settings: &Settings, out: &mut Vec<Diagnostic>) {
    for (id, connector) in &settings.connectors {
        for (kind, present) in [
            ("exporter", settings.exporters.contains_key(id)),
            ("receiver", settings.receivers.contains_key(id)),
        ] {
            if present {
                out.push(Diagnostic {
                    at: Some(connector.at.clone()),
                    ..Diagnostic::new(format!(
                        "connectors::{id}: ambiguous ID: Found both \"{id}\" {kind} and \"{id}\" connector. Change one of the components' IDs to eliminate ambiguity (e.g. rename \"{id}\" connector to \"{id}/connector\")"
                    ))
                });
                break;
            }
        }
    }
}

fn references(settings: &Settings, root: &Node, out: &mut Vec<Diagnostic>) {
    let missing =
        |path: &[&str], i: usize, kind: Kind, id: &ComponentId, valid: Vec<&ComponentId>| {
            let where_ = match path {
                [service, pipelines, pipeline, _] => format!("{service}::{pipelines}::{pipeline}"),
                other => other.join("::"),
            };
            let names: Vec<String> = valid.iter().map(|id| id.to_string()).collect();
            let wanted = id.to_string();
            let near = nearest(&wanted, names.iter().map(String::as_str));
            let configured = if names.is_empty() {
                "none is configured".to_owned()
            } else {
                format!("configured: {}", names.join(", "))
            };
            let hint = match near {
                Some(near) => format!("did you mean {near:?}? {configured}"),
                None => configured,
            };
            let index = i.to_string();
            let at = root.locate(path.iter().copied().chain([index.as_str()]));
            Diagnostic {
                at: Some(at.clone()),
                hint: Some(hint),
                ..Diagnostic::new(format!(
                    "{where_}: references {} \"{id}\" which is not configured",
                    kind.name()
                ))
            }
        };
    for (i, id) in settings.service.extensions.iter().enumerate() {
        if !settings.extensions.contains_key(id) {
            let valid = settings.extensions.keys().collect();
            out.push(missing(
                &["service", "extensions"],
                i,
                Kind::Extension,
                id,
                valid,
            ));
        }
    }
    for (pipeline_id, pipeline) in &settings.service.pipelines {
        let name = pipeline_id.to_string();
        for (kind, ids) in [
            (Kind::Receiver, &pipeline.receivers),
            (Kind::Processor, &pipeline.processors),
            (Kind::Exporter, &pipeline.exporters),
        ] {
            let mut valid: Vec<&ComponentId> = settings.of_kind(kind).keys().collect();
            if kind != Kind::Processor {
                valid.extend(settings.connectors.keys());
            }
            for (i, id) in ids.iter().enumerate() {
                if !valid.contains(&id) {
                    let path = ["service", "pipelines", &name, kind.section()];
                    out.push(missing(&path, i, kind, id, valid.clone()));
                }
            }
        }
    }
}

/// The stage `build`: signals that components do not handle, connectors with one
/// end loose, cycles.
pub fn build(settings: &Settings) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for (pipeline_id, pipeline) in &settings.service.pipelines {
        let signal = pipeline_id.signal;
        for (kind, ids) in [
            (Kind::Receiver, &pipeline.receivers),
            (Kind::Processor, &pipeline.processors),
            (Kind::Exporter, &pipeline.exporters),
        ] {
            for id in ids {
                let Some(component) = settings.of_kind(kind).get(id) else {
                    continue;
                };
                let reason = if component.factory.supports(signal) {
                    match own_reason(component, signal, &settings.gates) {
                        Some(reason) => reason,
                        None => continue,
                    }
                } else {
                    "telemetry type is not supported".to_owned()
                };
                let whose = match kind {
                    Kind::Processor => format!(
                        "failed to create \"{id}\" processor, in pipeline \"{pipeline_id}\""
                    ),
                    _ => format!(
                        "failed to create \"{id}\" {} for data type \"{}\"",
                        kind.name(),
                        signal.name()
                    ),
                };
                let error = Diagnostic {
                    at: Some(pipeline.at.clone()),
                    key: format!("service::pipelines::{pipeline_id}"),
                    ..Diagnostic::new(format!("{whose}: {reason}"))
                };
                if !out.contains(&error) {
                    out.push(error);
                }
            }
        }
    }
    connectors(settings, &mut out);
    out
}

/// Why a component cannot be built for a signal that it handles in general.
fn own_reason(component: &Component, signal: Signal, gates: &Gates) -> Option<String> {
    if let Some(config) = component.config::<otlp_http::config::Config>() {
        return missing_endpoint(config, signal);
    }
    if let Some(config) = component.config::<attributes::config::Config>() {
        return config.buildable(signal).err();
    }
    if let Some(config) = component.config::<transform::config::Config>() {
        return config.buildable(signal, gates).err();
    }
    if let Some(config) = component.config::<filter::config::Config>() {
        return config.buildable(signal, gates).err();
    }
    if let Some(config) = component.config::<rules::config::Config>() {
        return config.buildable(signal, gates).err();
    }
    if let Some(config) = component.config::<resource::config::Config>() {
        return config.buildable().err();
    }
    None
}

fn missing_endpoint(config: &otlp_http::config::Config, signal: Signal) -> Option<String> {
    let own = match signal {
        Signal::Traces => &config.traces_endpoint,
        Signal::Metrics => &config.metrics_endpoint,
        Signal::Logs => &config.logs_endpoint,
        Signal::Profiles => &config.profiles_endpoint,
    };
    (own.is_empty() && config.client.endpoint.is_empty()).then(|| {
        format!(
            "either endpoint or {}_endpoint must be specified",
            signal.name()
        )
    })
}

/// The stage `start`: what the components that are used refer to.
pub fn start(settings: &Settings) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    if let Some(text) = settings.service.telemetry.logs.unopenable() {
        out.push(Diagnostic {
            key: "service::telemetry::logs::encoding".into(),
            hint: Some("valid values: console, json".into()),
            ..Diagnostic::new(text)
        });
    }
    for kind in [Kind::Extension, Kind::Receiver, Kind::Exporter] {
        for component in settings.of_kind(kind).values().filter(|c| c.used) {
            let mut needs = Vec::new();
            unmet(component, &mut needs);
            let stage = match kind {
                Kind::Extension => "failed to start extensions".to_owned(),
                _ => format!(
                    "cannot start pipelines: failed to start \"{}\" {}",
                    component.id,
                    kind.name()
                ),
            };
            for (key, text) in needs {
                out.push(Diagnostic {
                    at: Some(component.at.clone()),
                    key: format!("{}::{}::{key}", kind.section(), component.id),
                    ..Diagnostic::new(format!("{stage}: {text}"))
                });
            }
        }
    }
    out
}

/// What a component asks for and cannot have. No authenticator, middleware, storage or
/// encoding extension exists yet, so a reference to one never leads anywhere.
fn unmet(component: &Component, out: &mut Vec<(String, String)>) {
    let auth = |key: &str, id: Option<&ComponentId>, out: &mut Vec<(String, String)>| {
        let id = id.map(|id| id.to_string()).unwrap_or_default();
        let text = format!("failed to resolve authenticator \"{id}\": authenticator not found");
        out.push((key.to_owned(), text));
    };
    let middlewares = |key: &str, list: &[Middleware], out: &mut Vec<(String, String)>| {
        for middleware in list {
            let id = middleware
                .id
                .get()
                .map(|id| id.to_string())
                .unwrap_or_default();
            let text = format!("failed to resolve middleware \"{id}\": middleware not found");
            out.push((key.to_owned(), text));
        }
    };
    let http_server = |prefix: &str, server: &HttpServer, out: &mut Vec<(String, String)>| {
        if let Some(block) = server.auth.get() {
            auth(
                &format!("{prefix}auth"),
                block.config.authenticator.get(),
                out,
            );
        }
        middlewares(&format!("{prefix}middlewares"), &server.middlewares, out);
        if server.tls.get().is_some_and(|tls| tls.config.tpm.enabled) {
            out.push((format!("{prefix}tls::tpm"), NO_TPM.to_owned()));
        }
    };
    let queue = |queue: &Optional<SendingQueue>, out: &mut Vec<(String, String)>| {
        if queue
            .get()
            .is_some_and(|queue| queue.storage.get().is_some())
        {
            let text = "no storage client extension found".to_owned();
            out.push(("sending_queue::storage".to_owned(), text));
        }
    };
    if let Some(config) = component.config::<receivers::otlp::config::Config>() {
        if let Some(grpc) = config.protocols.grpc.get() {
            if let Some(block) = grpc.auth.get() {
                auth("protocols::grpc::auth", block.authenticator.get(), out);
            }
            middlewares("protocols::grpc::middlewares", &grpc.middlewares, out);
            if grpc.tls.get().is_some_and(|tls| tls.config.tpm.enabled) {
                out.push(("protocols::grpc::tls::tpm".to_owned(), NO_TPM.to_owned()));
            }
        }
        if let Some(http) = config.protocols.http.get() {
            http_server("protocols::http::", &http.server, out);
        }
    }
    if let Some(config) = component.config::<health_check::config::Config>() {
        http_server("", &config.config.server, out);
    }
    if let Some(config) = component.config::<zpages::config::Config>() {
        http_server("", &config.server, out);
    }
    if let Some(config) = component.config::<otlp_grpc::config::Config>() {
        let client = &config.client;
        if let Some(block) = client.auth.get() {
            auth("auth", block.authenticator.get(), out);
        }
        middlewares("middlewares", &client.middlewares, out);
        if client.tls.config.tpm.enabled {
            out.push(("tls::tpm".to_owned(), NO_TPM.to_owned()));
        }
        queue(&config.sending_queue, out);
        let known = [
            Compression::None,
            Compression::Gzip,
            Compression::Snappy,
            Compression::Zstd,
        ];
        if !known.contains(&client.compression) {
            let text = format!(
                "unsupported compression type {:?}",
                client.compression.word()
            );
            out.push(("compression".to_owned(), text));
        }
    }
    if let Some(config) = component.config::<otlp_http::config::Config>() {
        let client = &config.client;
        if let Some(block) = client.auth.get() {
            auth("auth", block.authenticator.get(), out);
        }
        middlewares("middlewares", &client.middlewares, out);
        if client.tls.config.tpm.enabled {
            out.push(("tls::tpm".to_owned(), NO_TPM.to_owned()));
        }
        queue(&config.sending_queue, out);
    }
    if let Some(config) = component.config::<exporters::file::config::Config>()
        && let Some(id) = config.encoding.get()
    {
        out.push(("encoding".to_owned(), format!("unknown encoding \"{id}\"")));
    }
    if let Some(config) = component.config::<exporters::debug::config::Config>() {
        queue(&config.sending_queue, out);
    }
}

const NO_TPM: &str = "keys in a TPM are not supported";

/// A connector joins pipelines of one signal; it must have both ends, and must not
/// lead back to where it came from.
fn connectors(settings: &Settings, out: &mut Vec<Diagnostic>) {
    let mut next: BTreeMap<&PipelineId, Vec<(&ComponentId, &PipelineId)>> = BTreeMap::new();
    for (id, connector) in settings.connectors.iter().filter(|(_, c)| c.used) {
        let pipelines = &settings.service.pipelines;
        let from: Vec<&PipelineId> = pipelines
            .iter()
            .filter(|(_, p)| p.exporters.contains(id))
            .map(|(id, _)| id)
            .collect();
        let to: Vec<&PipelineId> = pipelines
            .iter()
            .filter(|(_, p)| p.receivers.contains(id))
            .map(|(id, _)| id)
            .collect();
        let loose = |ends: &[&PipelineId], others: &[&PipelineId]| {
            ends.iter()
                .find(|end| !others.iter().any(|other| other.signal == end.signal))
                .map(|end| end.to_string())
        };
        let mut error = |text: String| {
            out.push(Diagnostic {
                at: Some(connector.at.clone()),
                key: format!("connectors::{id}"),
                ..Diagnostic::new(text)
            });
        };
        let rules = connector.config::<connectors::rules::config::Config>();
        // Rules may lead to exporters alone.
        let leads_out = rules.is_some_and(|rules| {
            let mut signals = from.iter().map(|from| from.signal);
            signals.any(|signal| !rules.exporters(signal, &settings.gates).is_empty())
        });
        if let Some(end) = loose(&from, &to).filter(|_| !leads_out) {
            error(format!(
                "connector \"{id}\" used as exporter in [{end}] pipeline but not used in any supported receiver pipeline"
            ));
        }
        if let Some(end) = loose(&to, &from) {
            error(format!(
                "connector \"{id}\" used as receiver in [{end}] pipeline but not used in any supported exporter pipeline"
            ));
        }
        if let Some(config) = connector.config::<routing::config::Config>() {
            let fed = |id: &PipelineId| {
                to.contains(&id) && from.iter().all(|from| from.signal == id.signal)
            };
            for missing in config.pipelines().filter(|id| !fed(id)) {
                let text = connectors::missing(missing);
                error(format!("failed to create connector \"{id}\": {text}"));
            }
        }
        for (at, text) in rules
            .into_iter()
            .flat_map(|rules| rules.unreachable(settings, &from, &to))
        {
            out.push(Diagnostic {
                at: Some(at.unwrap_or_else(|| connector.at.clone())),
                key: format!("connectors::{id}"),
                ..Diagnostic::new(format!("failed to create connector \"{id}\": {text}"))
            });
        }
        for a in &from {
            for b in to.iter().filter(|b| b.signal == a.signal) {
                next.entry(a).or_default().push((id, b));
            }
        }
    }
    if let Some(cycle) = find_cycle(&next) {
        out.push(Diagnostic::new(format!("cycle detected: {cycle}")));
    }
}

fn find_cycle(next: &BTreeMap<&PipelineId, Vec<(&ComponentId, &PipelineId)>>) -> Option<String> {
    let mut done: BTreeSet<&PipelineId> = BTreeSet::new();
    for start in next.keys() {
        // Depth first with a stack of our own: pipelines may be many.
        let mut path: Vec<(&PipelineId, usize)> = vec![(start, 0)];
        while let Some((at, i)) = path.last_mut() {
            let Some((_, to)) = next.get(*at).and_then(|edges| edges.get(*i)) else {
                done.insert(at);
                path.pop();
                continue;
            };
            *i += 1;
            if let Some(from) = path.iter().position(|(id, _)| id == to) {
                let steps: Vec<String> = path
                    .iter()
                    .skip(from)
                    .filter_map(|(id, i)| {
                        let (connector, _) = next.get(*id)?.get(i.checked_sub(1)?)?;
                        Some(format!(
                            "connector \"{connector}\" ({signal} to {signal})",
                            signal = id.signal.name()
                        ))
                    })
                    .collect();
                let first = steps.first().cloned().unwrap_or_default();
                return Some(format!("{} -> {first}", steps.join(" -> ")));
            }
            if !done.contains(to) {
                path.push((to, 0));
            }
        }
    }
    None
}
