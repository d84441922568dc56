//! Whole configurations through [`Settings::load`]: what loads, what each mistake
//! is called and where it is said to be, how sources merge. The texts are those
//! observed on the Collector 0.164.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{collections::BTreeSet, io::Write as _, path::PathBuf};

use super::{ConfigErrors, Gates, Load, Settings, Stage, reference::keys, schema::schema};
use crate::{
    component::{GoDuration, Kind, print},
    connectors, exporters, extensions,
    net::config::{Compression, Transport},
    processors, receivers,
};

mod mistakes;
mod sources;

fn env(name: &str) -> Option<String> {
    Some(
        match name {
            "PORT" => "4317",
            "OCT" => "0777",
            "LEVEL" => "detailed",
            "LIST" => "[otlp]",
            "EMPTY" => "",
            _ => return None,
        }
        .to_owned(),
    )
}

fn options(configs: &[&str]) -> Load {
    Load {
        configs: configs.iter().map(|c| format!("yaml:{c}")).collect(),
        environment: env,
        ..Load::default()
    }
}

fn load(text: &str) -> Result<Settings, ConfigErrors> {
    Settings::load(&options(&[text]))
}

/// A valid configuration with one section's text replaced.
fn with(section: &str, text: &str) -> String {
    let mut out = String::new();
    for (name, default) in [
        ("receivers", "{otlp: {protocols: {grpc: , http: }}}"),
        ("processors", "{}"),
        ("exporters", "{debug: , nop: }"),
        ("extensions", "{}"),
        (
            "service",
            "{pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}",
        ),
    ] {
        let text = if name == section { text } else { default };
        out.push_str(&format!("{name}: {text}\n"));
    }
    out
}

#[test]
fn the_embedded_default_is_valid_and_writes_to_the_data_directory() {
    let load = Load {
        data_dir: PathBuf::from("/var/lib/trunk$line"),
        environment: env,
        ..Load::default()
    };
    let settings = Settings::load(&load).unwrap();
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
    assert!(settings.no_effect.is_empty(), "{:?}", settings.no_effect);
    assert_eq!(settings.service.pipelines.len(), 4);
    for exporter in settings.exporters.values() {
        let file = exporter
            .config::<exporters::file::config::Config>()
            .unwrap();
        assert!(
            file.path.starts_with("/var/lib/trunk$line/"),
            "{}",
            file.path
        );
        assert!(exporter.used);
    }
    let endpoints: Vec<_> = settings.service.telemetry.metrics.endpoints().collect();
    assert_eq!(endpoints.len(), 1);
    assert_eq!(endpoints[0].port, Some(8888));
}

#[test]
fn typed_settings_carry_what_was_written_and_the_defaults() {
    let settings = load(
        r#"
receivers:
  otlp:
    protocols:
      grpc: {endpoint: "0.0.0.0:${env:PORT}", max_recv_msg_size_mib: 16, transport: tcp4}
  otlp/off:
    protocols:
      grpc: {enabled: false}
      http: {keepalive: {enabled: false}, cors: {allowed_origins: ["http://*"], max_age: 5}, traces_url_path: t}
processors:
  batch: {timeout: 1500, send_batch_size: 100}
  memory_limiter: {check_interval: 1s, limit_mib: 100}
exporters:
  otlp: {endpoint: "a:1", compression: none, headers: {b: x, a: y}, tls: {insecure: true}, sending_queue: {sizer: items, batch: {min_size: 10}}, keepalive: }
  otlphttp/x: {endpoint: "http://a:1", headers: [{name: h, value: v}], idle_conn_timeout: 5s}
  file: {path: a, rotation: }
extensions: {pprof: , zpages: {zz: 1}, health_check: {path: /h}}
connectors: {forward: }
service:
  extensions: [zpages, pprof]
  pipelines:
    traces: {receivers: [otlp], processors: [batch], exporters: [otlp, forward]}
    traces/2: {receivers: [forward], exporters: [otlphttp/x, file]}
"#,
    )
    .unwrap();
    let otlp = settings.receivers[&"otlp".parse().unwrap()].clone();
    let otlp = otlp.config::<receivers::otlp::config::Config>().unwrap();
    let grpc = otlp.protocols.grpc.get().unwrap();
    assert_eq!(grpc.address.endpoint, "0.0.0.0:4317");
    assert_eq!(grpc.address.transport, Transport::Tcp4);
    assert_eq!(grpc.max_recv_msg_size_mib, 16);
    assert!(otlp.protocols.http.get().is_none());
    let off = settings.receivers[&"otlp/off".parse().unwrap()].clone();
    let off = off.config::<receivers::otlp::config::Config>().unwrap();
    assert!(off.protocols.grpc.get().is_none());
    let http = off.protocols.http.get().unwrap();
    assert!(http.server.keepalive.get().is_none());
    assert_eq!(http.traces_url_path.as_str(), "/t");
    assert_eq!(http.server.address.endpoint, "localhost:4318");
    assert_eq!(http.server.read_header_timeout, GoDuration::ZERO);

    let batch = settings.processors[&"batch".parse().unwrap()].clone();
    let batch = batch.config::<processors::batch::config::Config>().unwrap();
    assert_eq!(batch.timeout, GoDuration::nanos(1500));
    assert_eq!(batch.metadata_cardinality_limit, 1000);

    let grpc = settings.exporters[&"otlp".parse().unwrap()].clone();
    assert_eq!(grpc.factory.type_name, "otlp_grpc");
    let grpc = grpc
        .config::<exporters::otlp_grpc::config::Config>()
        .unwrap();
    assert_eq!(grpc.client.compression, Compression::None);
    assert!(grpc.client.tls.insecure);
    assert!(!grpc.client.keepalive.is_on());
    assert_eq!(
        grpc.client.headers.iter().collect::<Vec<_>>(),
        [("a", "y"), ("b", "x")]
    );
    let queue = grpc.sending_queue.get().unwrap();
    assert_eq!(queue.batch.get().unwrap().sizer, queue.sizer);
    assert_eq!(grpc.timeout.timeout, GoDuration::secs(5));

    let http = settings.exporters[&"otlphttp/x".parse().unwrap()].clone();
    let http = http
        .config::<exporters::otlp_http::config::Config>()
        .unwrap();
    assert_eq!(http.client.compression, Compression::Gzip);
    assert_eq!(http.client.timeout, GoDuration::secs(30));
    let keepalive = http.client.keepalive.get().unwrap();
    assert_eq!(keepalive.idle_conn_timeout, GoDuration::secs(5));
    assert_eq!(keepalive.max_idle_conns, 100);

    let file = settings.exporters[&"file".parse().unwrap()].clone();
    let file = file.config::<exporters::file::config::Config>().unwrap();
    assert_eq!(file.rotation.get().unwrap().max_backups, 100);
    assert_eq!(file.flush_interval, GoDuration::secs(1));

    let health = settings.extensions[&"health_check".parse().unwrap()].clone();
    assert!(!health.used);
    let health = health
        .config::<extensions::health_check::config::Config>()
        .unwrap();
    assert_eq!(health.config.path, "/h");
    assert_eq!(health.config.server.write_timeout, GoDuration::secs(30));
    assert!(
        settings.connectors[&"forward".parse().unwrap()]
            .config::<connectors::forward::config::Config>()
            .is_some()
    );
    let second = &settings.service.pipelines[&"traces/2".parse().unwrap()];
    assert_eq!(format!("{:?}", second.exporters), "[otlphttp/x, file]");

    let warnings: Vec<&str> = settings
        .warnings
        .iter()
        .map(|w| w.phrase.as_str())
        .collect();
    assert_eq!(
        warnings,
        [
            "'idle_conn_timeout' is deprecated; use 'keepalive::idle_conn_timeout' instead",
            "'zpagesextension.Config' has invalid keys: zz",
            "\"otlp\" alias is deprecated; use \"otlp_grpc\" instead",
            "\"otlphttp\" alias is deprecated; use \"otlp_http\" instead",
        ]
    );
    let silent: Vec<&str> = settings.no_effect.iter().map(|n| n.key.as_str()).collect();
    assert_eq!(silent, ["exporters::otlp::sending_queue"]);
}

#[test]
fn a_processor_cannot_be_given_twice() {
    let text = "receivers: {otlp: {protocols: {grpc: }}}\nprocessors: {batch: }\nexporters: {debug: }\nservice: {pipelines: {traces: {receivers: [otlp, otlp], processors: [batch, batch], exporters: [debug]}}}";
    let errors = load(text).unwrap_err();
    assert_eq!(
        errors.errors[0].phrase,
        "service::pipelines::traces: references processor \"batch\" multiple times"
    );
}

#[test]
fn an_empty_configuration_says_so() {
    for text in ["", "receivers:", "{}"] {
        let shown = load(text).unwrap_err().text(false);
        assert_eq!(
            shown,
            "empty configuration file\nservice::pipelines: service must have at least one pipeline",
            "{text:?}"
        );
    }
}

#[test]
fn everything_wrong_is_said_at_once() {
    let text = "receivers: {a: , b: }\nexporters: {debug: {x: 1, verbosity: y}, otlp_grpc: {timeout: z}}\ntop: 1";
    assert_eq!(load(text).unwrap_err().errors.len(), 6);
}

#[test]
fn what_cannot_be_built_is_said_before_start() {
    let cases: [(&str, &str); 9] = [
        (
            "exporters: {otlp_http: {traces_endpoint: 'http://a'}}\nservice: {pipelines: {logs: {receivers: [otlp], exporters: [otlp_http]}}}",
            "failed to build pipelines: failed to create \"otlp_http\" exporter for data type \"logs\": either endpoint or logs_endpoint must be specified",
        ),
        (
            "processors: {attributes: {actions: [{key: a, action: foo}]}}\nexporters: {debug: }\nservice: {pipelines: {logs: {receivers: [otlp], processors: [attributes], exporters: [debug]}}}",
            "failed to build pipelines: failed to create \"attributes\" processor, in pipeline \"logs\": error with key \"a\" (0-th action): error creating AttrProc due to unsupported action \"foo\"",
        ),
        (
            "processors: {resource: {attributes: [{action: upsert, value: 1}]}}\nexporters: {debug: }\nservice: {pipelines: {logs: {receivers: [otlp], processors: [resource], exporters: [debug]}}}",
            "error creating AttrProc due to missing required field \"key\" at the 0-th action",
        ),
        (
            "processors: {resource: {attributes: [{key: a, action: extract, pattern: '(?P<x>a)(b)'}]}}\nexporters: {debug: }\nservice: {pipelines: {logs: {receivers: [otlp], processors: [resource], exporters: [debug]}}}",
            "Field \"pattern\" contains at least one unnamed matcher group",
        ),
        (
            "processors: {attributes: {include: {match_type: strict, log_bodies: [a]}, actions: [{key: a, action: delete}]}}\nexporters: {debug: }\nservice: {pipelines: {traces: {receivers: [otlp], processors: [attributes], exporters: [debug]}}}",
            "log_bodies should not be specified for trace spans",
        ),
        (
            "connectors: {forward: }\nexporters: {debug: }\nservice: {pipelines: {traces: {receivers: [otlp], exporters: [forward]}}}",
            "connector \"forward\" used as exporter in [traces] pipeline but not used in any supported receiver pipeline",
        ),
        (
            "connectors: {forward: }\nexporters: {debug: }\nservice: {pipelines: {traces: {receivers: [otlp], exporters: [forward]}, logs: {receivers: [forward], exporters: [debug]}}}",
            "connector \"forward\" used as receiver in [logs] pipeline but not used in any supported exporter pipeline",
        ),
        (
            "connectors: {forward: }\nexporters: {debug: }\nservice: {pipelines: {traces: {receivers: [otlp, forward], exporters: [forward]}}}",
            "cycle detected: connector \"forward\" (traces to traces)",
        ),
        (
            "connectors: {forward/a: , forward/b: }\nexporters: {debug: }\nservice: {pipelines: {traces/1: {receivers: [otlp, forward/a], exporters: [forward/b]}, traces/2: {receivers: [forward/b], exporters: [forward/a]}}}",
            "cycle detected: ",
        ),
    ];
    for (text, phrase) in cases {
        let text = format!("receivers: {{otlp: {{protocols: {{grpc: }}}}}}\n{text}");
        let errors = load(&text).expect_err(&text);
        assert_eq!(errors.stage, Stage::Build, "{errors}");
        let shown = errors.text(true);
        assert!(shown.contains(phrase), "{phrase:?} is not in:\n{shown}");
    }
    // What is configured and not used is not built.
    load(&with(
        "processors",
        "{attributes: {actions: [{key: a, action: foo}]}}",
    ))
    .unwrap();
}

#[test]
fn references_to_extensions_that_there_are_not_fail_the_start_and_not_the_check() {
    let receiver = |keys: &str| {
        format!(
            "receivers: {{otlp: {{protocols: {{{keys}}}}}}}\nexporters: {{nop: }}\nservice: {{pipelines: {{traces: {{receivers: [otlp], exporters: [nop]}}}}}}"
        )
    };
    let exporter = |name: &str, keys: &str| {
        format!(
            "receivers: {{nop: }}\nexporters: {{{name}: {{{keys}}}}}\nservice: {{pipelines: {{traces: {{receivers: [nop], exporters: [{name}]}}}}}}"
        )
    };
    for (text, phrase) in [
        (
            receiver("grpc: {auth: {authenticator: x}}"),
            "cannot start pipelines: failed to start \"otlp\" receiver: failed to resolve authenticator \"x\": authenticator not found",
        ),
        (
            receiver("http: ") + "\nservice::telemetry::logs::encoding: xml",
            "failed to create logger: no encoder registered for name \"xml\"",
        ),
        (
            receiver("http: {auth: {authenticator: x}}"),
            "failed to resolve authenticator \"x\": authenticator not found",
        ),
        (
            receiver("http: {middlewares: [{id: m}]}"),
            "failed to resolve middleware \"m\": middleware not found",
        ),
        (
            exporter("otlp_grpc", "endpoint: 'a:1', sending_queue: {storage: s}"),
            "cannot start pipelines: failed to start \"otlp_grpc\" exporter: no storage client extension found",
        ),
        (
            exporter("otlp_grpc", "endpoint: 'a:1', compression: deflate"),
            "cannot start pipelines: failed to start \"otlp_grpc\" exporter: unsupported compression type \"deflate\"",
        ),
        (
            exporter(
                "otlp_http",
                "endpoint: 'http://a', auth: {authenticator: x}",
            ),
            "failed to resolve authenticator \"x\": authenticator not found",
        ),
        (
            exporter("file", "path: a, encoding: e"),
            "failed to start \"file\" exporter: unknown encoding \"e\"",
        ),
    ] {
        let settings = load(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let shown = settings.startable().unwrap_err().text(true);
        assert!(shown.contains(phrase), "{phrase:?} is not in:\n{shown}");
    }
}

#[test]
fn flat_keep_alive_keys_warn_and_act_as_the_collectors_do() {
    let text = "receivers: {otlp: {protocols: {http: {idle_timeout: 7s, keep_alives_enabled: false}}}}\nexporters: {otlp_http: {endpoint: 'http://a', idle_conn_timeout: 1s, max_idle_conns: 2, max_idle_conns_per_host: 3, disable_keep_alives: true}}\nservice: {pipelines: {traces: {receivers: [otlp], exporters: [otlp_http]}}}";
    let settings = load(text).unwrap();
    let otlp = settings.receivers.values().next().unwrap();
    let otlp = otlp.config::<receivers::otlp::config::Config>().unwrap();
    let server = &otlp.protocols.http.get().unwrap().server;
    assert_eq!(
        server.keepalive.get().unwrap().idle_timeout,
        GoDuration::secs(7)
    );
    let http = settings.exporters.values().next().unwrap();
    let http = http
        .config::<exporters::otlp_http::config::Config>()
        .unwrap();
    let keepalive = http.client.keepalive.get().unwrap();
    assert_eq!(keepalive.idle_conn_timeout, GoDuration::secs(1));
    assert_eq!(keepalive.max_idle_conns, 2);
    assert_eq!(keepalive.max_idle_conns_per_host, 3);
    let warnings: BTreeSet<&str> = settings
        .warnings
        .iter()
        .map(|w| w.phrase.as_str())
        .collect();
    assert_eq!(
        warnings,
        BTreeSet::from([
            "'idle_timeout' is deprecated; use 'keepalive::idle_timeout' instead",
            "'keep_alives_enabled' is deprecated; set 'keepalive::enabled' to false to disable keep-alives",
            "'idle_conn_timeout' is deprecated; use 'keepalive::idle_conn_timeout' instead",
            "'max_idle_conns' is deprecated; use 'keepalive::max_idle_conns' instead",
            "'max_idle_conns_per_host' is deprecated; use 'keepalive::max_idle_conns_per_host' instead",
            "'disable_keep_alives' is deprecated; set 'keepalive::enabled' to false to disable keep-alives",
        ])
    );
}

#[test]
fn the_component_status_server_needs_its_gate() {
    for key in ["http", "grpc"] {
        let text = with(
            "extensions",
            &format!("{{health_check: {{{key}: {{endpoint: 'a:1'}}}}}}"),
        );
        let shown = load(&text).unwrap_err().text(true);
        assert!(shown.contains("v2 healthcheck configuration (http/grpc fields) detected but feature gate is disabled"), "{shown}");
    }
}

#[test]
fn batch_does_not_take_profiles() {
    let text = "receivers: {otlp: {protocols: {grpc: }}}\nprocessors: {batch: }\nexporters: {debug: }\nservice: {pipelines: {profiles: {receivers: [otlp], processors: [batch], exporters: [debug]}}}";
    let mut gates = Gates::default();
    gates.set("service.profilesSupport").unwrap();
    let errors = Settings::load(&Load {
        gates,
        ..options(&[text])
    })
    .unwrap_err();
    assert_eq!(
        errors.errors[0].phrase,
        "failed to create \"batch\" processor, in pipeline \"profiles\": telemetry type is not supported"
    );
}

#[test]
fn lambdas_need_their_gate() {
    let condition = "Any(log.attributes, (k, v) => v == 1)";
    let statement = format!("set(log.body, \"x\") where {condition}");
    for processor in [
        format!("{{transform: {{log_statements: ['{statement}']}}}}"),
        format!("{{filter: {{log_conditions: ['{condition}']}}}}"),
        format!("{{filter: {{logs: {{log_record: ['{condition}']}}}}}}"),
    ] {
        let text = with("processors", &processor);
        let shown = load(&text).unwrap_err().text(true);
        assert!(shown.contains("function \"Any\" is experimental and requires the `ottl.functions.enableLambda` feature gate to be enabled"), "{shown}");
        let mut gates = Gates::default();
        gates.set("+ottl.functions.enableLambda").unwrap();
        let load = Load {
            gates,
            ..options(&[&text])
        };
        if let Err(errors) = Settings::load(&load) {
            panic!("{}", errors.text(true));
        }
    }
}

#[test]
fn references_give_typed_values_and_a_warning_when_unset() {
    let text = r#"
receivers: {otlp: {protocols: {grpc: {endpoint: "${env:NOPE}"}, http: {max_request_body_size: "${env:OCT}", traces_url_path: "/${env:OCT}"}}}}
exporters:
  debug: {verbosity: "${env:LEVEL}", sampling_initial: "${env:NOPE}", sampling_thereafter: "${env:NOPE:-9}"}
  otlp_grpc: {endpoint: "a:${PORT}", user_agent: "${env:OCT}"}
service: {pipelines: {traces: {receivers: "${env:LIST}", exporters: [debug]}}}
"#;
    let settings = load(text).unwrap();
    let printed = print::yaml(&settings.print(), print::Mode { unredacted: false });
    for line in [
        "max_request_body_size: 511\n",
        "traces_url_path: /0777\n",
        "verbosity: Detailed\n",
        // Go's zero value, not the default, as there.
        "sampling_initial: 0\n",
        "sampling_thereafter: 9\n",
        "endpoint: a:4317\n",
        "user_agent: \"0777\"\n",
    ] {
        assert!(printed.contains(line), "{line:?} is not in:\n{printed}");
    }
    let warnings: Vec<&str> = settings
        .warnings
        .iter()
        .map(|w| w.phrase.as_str())
        .collect();
    assert_eq!(
        warnings,
        ["Configuration references unset environment variable \"NOPE\""; 2]
    );
}

#[test]
fn secrets_are_not_printed_unless_asked_for() {
    let text = with(
        "exporters",
        "{debug: , otlp_grpc: {endpoint: 'a:1', headers: {authorization: hush}, tls: {key_pem: hush, cert_pem: hush}}}",
    );
    let settings = load(&text).unwrap();
    let hidden = print::yaml(&settings.print(), print::Mode { unredacted: false });
    assert!(!hidden.contains("hush"), "{hidden}");
    assert!(hidden.contains("'[REDACTED]'"));
    assert!(!format!("{settings:?}").contains("hush"));
    let shown = print::yaml(&settings.print(), print::Mode { unredacted: true });
    assert_eq!(shown.matches("hush").count(), 3, "{shown}");
}

#[test]
fn what_is_printed_loads_again_to_the_same() {
    // `debug` is left out: its queue prints as `null`, which reads as "on", as there.
    let text = "receivers: {otlp: {protocols: {grpc: , http: }}}\nexporters: {otlp_grpc: {endpoint: 'a:1', headers: {a: b}, sending_queue: {batch: }}, file: {path: x, rotation: }}\nservice: {pipelines: {traces: {receivers: [otlp], exporters: [file]}}}";
    let mode = print::Mode { unredacted: true };
    let once = print::yaml(&load(text).unwrap().print(), mode);
    let again = print::yaml(&load(&once).unwrap().print(), mode);
    assert_eq!(once, again);
}

#[test]
fn unknown_keys_pass_with_a_warning_where_the_collector_lets_them() {
    let passes = [
        (
            "exporters",
            "{debug: , otlp_http: {endpoint: 'http://a', zz: 1}}",
        ),
        (
            "exporters",
            "{debug: , otlp_http: {endpoint: 'http://a', tls: {zz: 1}}}",
        ),
        (
            "exporters",
            "{debug: , otlp_http: {endpoint: 'http://a', retry_on_failure: {zz: 1}}}",
        ),
        (
            "exporters",
            "{debug: , otlp_http: {endpoint: 'http://a', compression_params: {zz: 1}}}",
        ),
        ("receivers", "{otlp: {protocols: {http: {zz: 1}}}}"),
        (
            "receivers",
            "{otlp: {protocols: {http: {dialer: {zz: 1}}}}}",
        ),
        ("extensions", "{zpages: {zz: 1}}"),
    ];
    for (section, text) in passes {
        let settings = load(&with(section, text)).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(settings.warnings.len(), 1, "{text}");
        assert!(
            settings.warnings[0]
                .phrase
                .ends_with("has invalid keys: zz"),
            "{text}"
        );
        assert!(settings.warnings[0].at.is_some(), "{text}");
    }
    for (section, text) in [
        (
            "exporters",
            "{debug: , otlp_http: {endpoint: 'http://a', sending_queue: {zz: 1}}}",
        ),
        (
            "exporters",
            "{debug: , otlp_http: {endpoint: 'http://a', keepalive: {zz: 1}}}",
        ),
        (
            "exporters",
            "{debug: , otlp_http: {endpoint: 'http://a', cookies: {zz: 1}}}",
        ),
        ("receivers", "{otlp: {protocols: {http: {cors: {zz: 1}}}}}"),
        ("receivers", "{otlp: {protocols: {http: {tls: {zz: 1}}}}}"),
    ] {
        assert!(load(&with(section, text)).is_err(), "{text}");
    }
}

#[test]
fn the_schema_describes_every_declared_key() {
    let schema = schema();
    let text = schema.to_string();
    for (path, _) in keys() {
        let key = path.rsplit("::").next().unwrap();
        assert!(text.contains(&format!("\"{key}\":")), "{path}");
    }
    let definitions = schema["$defs"].as_object().unwrap();
    let mut wanted = Vec::new();
    references(&schema, &mut wanted);
    for reference in wanted {
        let name = reference.strip_prefix("#/$defs/").unwrap();
        assert!(definitions.contains_key(name), "{reference} leads nowhere");
    }
    for kind in Kind::ALL {
        assert!(schema["properties"][kind.section()].is_object());
    }
}

fn references(value: &serde_json::Value, out: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                match value.as_str() {
                    Some(text) if key == "$ref" => out.push(text.to_owned()),
                    _ => references(value, out),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| references(item, out)),
        _ => {}
    }
}

#[test]
fn no_key_is_declared_twice() {
    let mut seen = BTreeSet::new();
    for (path, _) in keys() {
        assert!(seen.insert(path.clone()), "{path}");
    }
}
