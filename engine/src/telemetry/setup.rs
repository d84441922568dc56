//! From `service::telemetry` of the configuration to what this folder's parts take.
//! Keys and defaults are declared in `config::telemetry`.

use std::time::SystemTime;

use serde_json::{Map, Number, Value as Json};

use super::{
    logs::{Encoding, LogLevel, LogsConfig, Sampling},
    metrics::{Level, Page, Registry},
    push::{Origin, logs::LogPusher},
    resource,
};
use crate::config::{
    level::Level as ConfigLevel,
    node::{Node, Value},
    telemetry::{IncludeExclude, LogLevel as ConfigLogLevel, Prometheus, Telemetry, views},
};

/// The attributes of the process's resource.
pub fn resource(telemetry: &Telemetry) -> Vec<(String, String)> {
    let overrides = telemetry.resource.attributes();
    resource::attributes("trunkline", env!("CARGO_PKG_VERSION"), &overrides)
}

/// How much of the metrics is shown.
pub fn level(telemetry: &Telemetry) -> Level {
    match telemetry.metrics.level {
        ConfigLevel::None => Level::None,
        ConfigLevel::Basic => Level::Basic,
        ConfigLevel::Normal => Level::Normal,
        ConfigLevel::Detailed => Level::Detailed,
    }
}

/// How a Prometheus reader's page looks.
///
/// # Errors
/// The Collector's text for labels that contradict each other.
pub fn page(reader: &Prometheus, resource: &[(String, String)]) -> Result<Page, String> {
    let labels = reader.with_resource_constant_labels.as_ref();
    if let Some(text) = labels.and_then(IncludeExclude::contradiction) {
        return Err(text);
    }
    Ok(Page {
        without_scope_info: reader.without_scope_info,
        without_units: reader.without_units,
        without_type_suffix: reader.without_type_suffix,
        resource: resource.to_vec(),
        constant: match labels {
            Some(lists) => resource
                .iter()
                .filter(|(name, _)| lists.keeps(name))
                .cloned()
                .collect(),
            None => Vec::new(),
        },
    })
}

/// The logger's settings.
pub fn logs(
    telemetry: &Telemetry,
    resource: &[(String, String)],
    pushers: &[LogPusher],
) -> LogsConfig {
    let logs = &telemetry.logs;
    let initial = logs.initial_fields.iter();
    LogsConfig {
        level: match logs.level {
            ConfigLogLevel::Debug => LogLevel::Debug,
            ConfigLogLevel::Info => LogLevel::Info,
            ConfigLogLevel::Warn => LogLevel::Warn,
            ConfigLogLevel::Error => LogLevel::Error,
            ConfigLogLevel::DPanic | ConfigLogLevel::Panic | ConfigLogLevel::Fatal => {
                LogLevel::Silent
            }
        },
        encoding: match logs.encoding.as_str() {
            "json" => Encoding::Json,
            // Others are refused when the configuration is checked.
            _ => Encoding::Console,
        },
        disable_caller: logs.disable_caller,
        sampling: logs.sampling.enabled.then(|| Sampling {
            tick: logs.sampling.tick.get(),
            initial: u64::try_from(logs.sampling.initial).unwrap_or(0),
            thereafter: u64::try_from(logs.sampling.thereafter).unwrap_or(0),
        }),
        output_paths: logs.output_paths.clone(),
        error_output_paths: logs.error_output_paths.clone(),
        initial_fields: initial
            .map(|(name, value)| (name.clone(), value.get().map_or(Json::Null, json)))
            .collect(),
        resource: match logs.disable_zap_resource {
            true => Vec::new(),
            false => resource.to_vec(),
        },
        queues: pushers.iter().map(|pusher| pusher.queue.clone()).collect(),
    }
}

/// The processors of the log.
///
/// # Errors
/// The Collector's text for what cannot be used.
pub fn log_pushers(telemetry: &Telemetry) -> Result<Vec<LogPusher>, String> {
    let processors = telemetry.logs.processors.iter();
    processors
        .filter_map(|processor| LogPusher::new(processor).transpose())
        .collect::<Result<_, _>>()
        .map_err(|error| format!("failed to create logger: {error}"))
}

/// The registry of this process, with its level and views.
///
/// # Errors
/// The Collector's text for views that cannot be used.
pub fn registry(telemetry: &Telemetry) -> Result<Registry, String> {
    let views = views::make(telemetry.metrics.views.as_deref().unwrap_or_default())
        .map_err(|error| format!("failed to create meter provider: {error}"))?;
    Ok(Registry::with_views(level(telemetry), views))
}

/// What own telemetry says of its origin, counting from now on.
pub fn origin(telemetry: &Telemetry, resource: &[(String, String)]) -> Origin {
    Origin {
        resource: resource.to_vec(),
        schema_url: telemetry.resource.schema_url().to_owned(),
        started: SystemTime::now(),
    }
}

/// A configured value as JSON.
fn json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Integer(value) => i64::try_from(*value)
            .map(Number::from)
            .or_else(|_| u64::try_from(*value).map(Number::from))
            .map_or_else(|_| Json::String(value.to_string()), Json::Number),
        Value::Float(value) => {
            Number::from_f64(*value).map_or_else(|| Json::String(value.to_string()), Json::Number)
        }
        Value::Text(text) => Json::String(text.clone()),
        Value::Sequence(items) => items.iter().map(json).collect(),
        Value::Mapping(entries) => Json::Object(
            entries
                .iter()
                .map(|(key, entry)| (key.clone(), json(&entry.node)))
                .collect::<Map<_, _>>(),
        ),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::config::{Load, Settings};

    fn telemetry(text: &str) -> Telemetry {
        let text = format!(
            "yaml:receivers: {{otlp: {{protocols: {{grpc: }}}}}}\nexporters: {{nop: }}\n\
             service: {{telemetry: {text}, pipelines: {{traces: {{receivers: [otlp], exporters: [nop]}}}}}}"
        );
        let load = Load {
            configs: vec![text],
            ..Load::default()
        };
        Settings::load(&load)
            .unwrap_or_else(|e| panic!("{e}"))
            .service
            .telemetry
    }

    #[test]
    fn defaults_are_the_collectors() {
        let telemetry = telemetry("{}");
        assert_eq!(level(&telemetry), Level::Normal);
        let logs = logs(&telemetry, &resource(&telemetry), &[]);
        assert_eq!(
            (logs.level, logs.encoding),
            (LogLevel::Info, Encoding::Console)
        );
        let sampling = logs.sampling.unwrap();
        assert_eq!(
            (
                sampling.tick.as_secs(),
                sampling.initial,
                sampling.thereafter
            ),
            (10, 10, 100)
        );
        assert_eq!(
            (logs.output_paths, logs.error_output_paths),
            (vec!["stderr".to_owned()], vec!["stderr".to_owned()])
        );
        assert_eq!(logs.resource.len(), 3);
        let readers: Vec<_> = telemetry
            .metrics
            .endpoints()
            .map(|reader| page(reader, &[]).unwrap())
            .collect();
        assert!(
            readers
                .iter()
                .all(|p| p.without_scope_info && p.without_units && p.without_type_suffix)
        );
        assert_eq!(readers.len(), 1);
    }

    #[test]
    fn every_key_of_the_log_arrives() {
        let telemetry = telemetry(
            "{logs: {level: WARN, encoding: json, disable_caller: true, sampling: {enabled: false}, \
             output_paths: [/tmp/a], error_output_paths: [stdout], disable_zap_resource: true, \
             initial_fields: {zone: a, n: 1, list: [1.5, true, null]}}, metrics: {level: Detailed}, \
             resource: {service.name: gw}}",
        );
        assert_eq!(level(&telemetry), Level::Detailed);
        let resource = resource(&telemetry);
        assert!(resource.contains(&("service.name".to_owned(), "gw".to_owned())));
        let logs = logs(&telemetry, &resource, &[]);
        assert_eq!(
            (logs.level, logs.encoding),
            (LogLevel::Warn, Encoding::Json)
        );
        assert!(logs.disable_caller && logs.sampling.is_none() && logs.resource.is_empty());
        assert_eq!(
            (logs.output_paths, logs.error_output_paths),
            (vec!["/tmp/a".to_owned()], vec!["stdout".to_owned()])
        );
        assert_eq!(
            Json::Object(logs.initial_fields),
            serde_json::json!({"list": [1.5, true, null], "n": 1, "zone": "a"})
        );
    }
}
