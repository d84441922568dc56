//! Mistakes one by one: what each is called, and that it is said where it is.

use super::*;

/// Section, its text, and every line that the error must contain.
type Case = (&'static str, &'static str, &'static [&'static str]);

const DECODE: &[Case] = &[
    (
        "processors",
        "{transform: {error_mode: loud, log_statements: [{statements: ['set(log.body, 1)']}, null, 'set(log.body, 2)', {statements: []}]}}",
        &[
            "unknown error mode loud",
            "expected a statement or a group, got nothing",
            "a group of statements cannot follow plain statements",
        ],
    ),
    (
        "exporters",
        "{debug: {verbosty: x}}",
        &[
            "'exporters' error reading configuration for \"debug\": decoding failed due to the following error(s):",
            "'debugexporter.Config' has invalid keys: verbosty",
            "    at --config yaml::3:21, key exporters::debug::verbosty; did you mean \"verbosity\"?",
        ],
    ),
    (
        "service",
        "{bogus: 1}",
        &["'service' has invalid keys: bogus"],
    ),
    (
        "service",
        "{pipelines: {traces: {foo: 1}}}",
        &["'service.pipelines[traces]' has invalid keys: foo"],
    ),
    (
        "receivers",
        "{otlp: {protocols: {grpc: {foo: 1}}}}",
        &[
            "'protocols.grpc' decoding failed due to the following error(s):",
            "'configgrpc.ServerConfig' has invalid keys: foo",
        ],
    ),
    (
        "receivers",
        "{otlp: {protocols: {xx: }}}",
        &["'protocols' has invalid keys: xx"],
    ),
    (
        "exporters",
        "{otlp_grpc: {endpoint: 'a:1', sending_queue: {foo: 1}}}",
        &["'queuebatch.Config' has invalid keys: foo"],
    ),
    (
        "service",
        "{telemetry: {logs: {x: 1}}}",
        &[
            "'service.telemetry.logs' decoding failed due to the following error(s):",
            "'migration.LogsConfigV030' has invalid keys: x",
        ],
    ),
    (
        "service",
        "{telemetry: {metrics: {address: x}}}",
        &[
            "'service.telemetry.metrics' decoding failed due to the following error(s):",
            "'migration.MetricsConfigV030' has invalid keys: address",
        ],
    ),
    (
        "exporters",
        "{dbug: }",
        &[
            "'exporters' unknown type: \"dbug\" for id: \"dbug\" (valid values: [debug file nop otlp_grpc otlp_http otlp otlphttp])",
            "did you mean \"debug\"?",
        ],
    ),
    (
        "exporters",
        "{kafka/x: }",
        &[
            "'exporters' unknown type: \"kafka\" for id: \"kafka/x\"",
            "the Collector has the exporter \"kafka\", Trunkline does not have it yet",
        ],
    ),
    (
        "processors",
        "{otlp: }",
        &["\"otlp\" is a receiver; it belongs under receivers"],
    ),
    (
        "exporters",
        "{debug/: }",
        &["'exporters' '' in \"debug/\" id: the part after / should not be empty"],
    ),
    (
        "exporters",
        "{'bad id': }",
        &["'exporters' '' in \"bad id\" id: invalid character(s) in type \"bad id\""],
    ),
    (
        "service",
        "{pipelines: {spans: }}",
        &["'service.pipelines' in \"spans\" id: unknown pipeline signal: \"spans\""],
    ),
    (
        "service",
        "{extensions: [a, 'b c']}",
        &["'service.extensions[1]' in \"b c\" id: invalid character(s) in type \"b c\""],
    ),
    (
        "processors",
        "{batch: {timeout: 5 s}}",
        &["'timeout' time: unknown unit"],
    ),
    (
        "processors",
        "{batch: {timeout: '5'}}",
        &["'timeout' time: missing unit in duration"],
    ),
    (
        "processors",
        "{batch: {timeout: true}}",
        &["'timeout' expected type 'time.Duration', got unconvertible type 'bool'"],
    ),
    (
        "processors",
        "{batch: {send_batch_size: -1}}",
        &["'send_batch_size' cannot parse value as 'uint32': -1 overflows uint"],
    ),
    (
        "processors",
        "{batch: {a: 1, b: 2}}",
        &["'batchprocessor.Config' has invalid keys: a, b"],
    ),
    (
        "exporters",
        "{debug: {sampling_initial: x}}",
        &["'sampling_initial' expected type 'int', got unconvertible type 'string'"],
    ),
    (
        "exporters",
        "{debug: {verbosity: loud}}",
        &["'verbosity' unknown metrics level \"loud\""],
    ),
    (
        "exporters",
        "{otlp_grpc: {sending_queue: {sizer: foo}}}",
        &["'sizer' invalid sizer: \"foo\""],
    ),
    (
        "exporters",
        "{otlp_grpc: {compression: bogus}}",
        &["'compression' unsupported compression type \"bogus\""],
    ),
    (
        "exporters",
        "{otlp_http: {encoding: xml}}",
        &["'encoding' invalid encoding type: xml"],
    ),
    (
        "receivers",
        "{otlp: {protocols: {grpc: {transport: foo}}}}",
        &["'transport' unsupported transport type \"foo\""],
    ),
    (
        "service",
        "{telemetry: {logs: {level: loud}}}",
        &["'level' unrecognized level: \"loud\""],
    ),
    (
        "exporters",
        "{otlp_grpc: {sending_queue: true}}",
        &["'sending_queue' '' expected a map or struct, got \"bool\""],
    ),
    (
        "exporters",
        "{otlp_grpc: {sending_queue: {enabled: maybe}}}",
        &["unexpected type string for 'enabled': got 'maybe' value expected 'true' or 'false'"],
    ),
    (
        "exporters",
        "{otlp_grpc: {retry_on_failure: 5}}",
        &["'retry_on_failure' expected a map or struct, got \"int\""],
    ),
    (
        "exporters",
        "{otlp_grpc: {headers: {b: 5}}}",
        &["'[b]' expected type 'configopaque.String', got unconvertible type 'int'"],
    ),
    (
        "exporters",
        "{otlp_grpc: {headers: 5}}",
        &["'headers' source data must be an array or slice, got int"],
    ),
    (
        "exporters",
        "{otlp_grpc: {endpoint: 5}}",
        &[
            "'endpoint' expected type 'string', got unconvertible type 'int'",
            "put the value in quotes",
        ],
    ),
    (
        "receivers",
        "[a]",
        &["'receivers' expected a map or struct, got \"slice\""],
    ),
    (
        "service",
        "{pipelines: {traces: [a]}}",
        &["'service.pipelines[traces]' expected a map or struct, got \"slice\""],
    ),
    (
        "service",
        "{pipelines: {logs: {receivers: {a: b}}}}",
        &["'service.pipelines[logs].receivers' source data must be an array or slice, got map"],
    ),
    (
        "exporters",
        "{otlp_http: {endpoint: 'http://a', keepalive: {idle_conn_timeout: 1s}, max_idle_conns: 5}}",
        &[
            "'' confighttp.ClientConfig: cannot use deprecated keepalive fields (idle_conn_timeout, max_idle_conns, max_idle_conns_per_host, disable_keep_alives) alongside the 'keepalive' section; migrate to the 'keepalive' section",
        ],
    ),
    (
        "receivers",
        "{otlp: {protocols: {http: {keepalive: {idle_timeout: 1s}, idle_timeout: 5s}}}}",
        &[
            "'' confighttp.ServerConfig: cannot use deprecated keepalive fields (idle_timeout, keep_alives_enabled) alongside the 'keepalive' section; migrate to the 'keepalive' section",
        ],
    ),
    (
        "extensions",
        "{health_check: {z: 1}}",
        &["'healthcheck.Config' has invalid keys: z"],
    ),
];

const CHECK: &[Case] = &[
    (
        "service",
        "{pipelines: {traces: {receivers: [otlp], exporters: [otlp_grpc]}}}",
        &[
            "service::pipelines::traces: references exporter \"otlp_grpc\" which is not configured",
            "configured: debug, nop",
        ],
    ),
    (
        "service",
        "{pipelines: {traces: {receivers: [oltp], exporters: [debug]}}}",
        &[
            "service::pipelines::traces: references receiver \"oltp\" which is not configured",
            "did you mean \"otlp\"?",
        ],
    ),
    (
        "service",
        "{pipelines: {traces: {receivers: [otlp], processors: [batch], exporters: [debug]}}}",
        &[
            "service::pipelines::traces: references processor \"batch\" which is not configured",
            "none is configured",
        ],
    ),
    (
        "service",
        "{extensions: [x], pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}",
        &["service::extensions: references extension \"x\" which is not configured"],
    ),
    (
        "service",
        "{pipelines: {traces: }}",
        &["service::pipelines::traces: must have at least one receiver"],
    ),
    (
        "service",
        "{pipelines: {traces: {receivers: [otlp]}}}",
        &["service::pipelines::traces: must have at least one exporter"],
    ),
    (
        "service",
        "{pipelines: {}}",
        &["service::pipelines: service must have at least one pipeline"],
    ),
    (
        "service",
        "{pipelines: {profiles: {receivers: [otlp], exporters: [debug]}}}",
        &[
            "service::pipelines: pipeline \"profiles\": profiling signal support is at alpha level, gated under the \"service.profilesSupport\" feature gate",
        ],
    ),
    (
        "receivers",
        "{}",
        &["no receiver configuration specified in config"],
    ),
    (
        "exporters",
        "{}",
        &["no exporter configuration specified in config"],
    ),
    (
        "exporters",
        "{debug: , otlp_grpc: {endpoint: 'a:1', timeout: -5s}}",
        &["exporters::otlp_grpc::timeoutconfig: timeout value must be greater than or equal to 0"],
    ),
    (
        "receivers",
        "{otlp: {protocols: {grpc: {read_buffer_size: -1}}}}",
        &[
            "receivers::otlp::protocols::grpc: read_buffer_size value must be greater than or equal to 0",
        ],
    ),
    (
        "receivers",
        "{otlp: {protocols: {}}}",
        &["receivers::otlp: must specify at least one protocol when using the OTLP receiver"],
    ),
    (
        "receivers",
        "{otlp: {protocols: {grpc: {tls: {}}}}}",
        &[
            "receivers::otlp::protocols::grpc::tls: TLS configuration must include both certificate and key for server connections",
        ],
    ),
    (
        "exporters",
        "{debug: , otlp_grpc: }",
        &["exporters::otlp_grpc: requires a non-empty \"endpoint\""],
    ),
    (
        "exporters",
        "{debug: , otlp_grpc: {endpoint: x}}",
        &["exporters::otlp_grpc::clientconfig: address x: missing port in address"],
    ),
    (
        "exporters",
        "{debug: , otlp_grpc: {endpoint: 'x:y'}}",
        &["exporters::otlp_grpc::clientconfig: invalid port \"y\""],
    ),
    (
        "exporters",
        "{debug: , otlp_grpc: {endpoint: 'x:1', balancer_name: foo}}",
        &["exporters::otlp_grpc::clientconfig: invalid balancer_name: foo"],
    ),
    (
        "exporters",
        "{debug: , otlp_http: }",
        &["exporters::otlp_http: at least one endpoint must be specified"],
    ),
    (
        "exporters",
        "{debug: , otlp_http: {endpoint: 'http://a', compression: gzip, compression_params: {level: 20}}}",
        &[
            "exporters::otlp_http::clientconfig: unsupported parameters {Level:20} for compression type \"gzip\"",
        ],
    ),
    (
        "exporters",
        "{debug: , file: }",
        &["exporters::file: path must be non-empty"],
    ),
    (
        "exporters",
        "{debug: , file: {path: a, append: true, rotation: }}",
        &["exporters::file: append and rotation enabled at the same time is not supported"],
    ),
    (
        "exporters",
        "{debug: , file: {path: a, group_by: {enabled: true}}}",
        &["exporters::file: path must contain exactly one * when group_by is enabled"],
    ),
    (
        "exporters",
        "{debug: , file: {path: a, directory_permissions: '0700'}}",
        &["exporters::file: directory_permissions requires create_directory to be true"],
    ),
    (
        "exporters",
        "{debug: , file: {path: a, format: x}}",
        &["exporters::file: format type is not supported"],
    ),
    (
        "exporters",
        "{debug: {output_paths: [a]}}",
        &["exporters::debug: output_paths is not supported when use_internal_logger is true"],
    ),
    (
        "exporters",
        "{debug: , otlp_grpc: {endpoint: 'a:1', sending_queue: {queue_size: 0}}}",
        &["exporters::otlp_grpc::sending_queue: `queue_size` must be positive"],
    ),
    (
        "exporters",
        "{debug: , otlp_grpc: {endpoint: 'a:1', sending_queue: {num_consumers: 0}}}",
        &["`num_consumers` must be positive"],
    ),
    (
        "exporters",
        "{debug: , otlp_grpc: {endpoint: 'a:1', sending_queue: {sizer: items, batch: {}}}}",
        &["`min_size` must be less than or equal to `queue_size`"],
    ),
    (
        "exporters",
        "{debug: , otlp_grpc: {endpoint: 'a:1', sending_queue: {batch: {min_size: 10, max_size: 5}}}}",
        &["batch: `max_size` (5) must be greater or equal to `min_size` (10)"],
    ),
    (
        "exporters",
        "{debug: , otlp_grpc: {endpoint: 'a:1', sending_queue: {batch: {flush_timeout: 0}}}}",
        &["`flush_timeout` must be positive, found 0"],
    ),
    (
        "exporters",
        "{debug: , otlp_grpc: {endpoint: 'a:1', sending_queue: {batch: {sizer: requests}}}}",
        &["`batch` supports only `items` or `bytes` sizer, found \"requests\""],
    ),
    (
        "exporters",
        "{debug: , otlp_grpc: {endpoint: 'a:1', sending_queue: {batch: {partition: {idle_timeout: 0}}}}}",
        &["partition: `idle_timeout` must be positive, found 0s"],
    ),
    (
        "exporters",
        "{debug: , otlp_grpc: {endpoint: 'a:1', sending_queue: {storage: x, wait_for_result: true}}}",
        &["`wait_for_result` is not supported with a persistent queue configured with `storage`"],
    ),
    (
        "exporters",
        "{debug: , otlp_grpc: {endpoint: 'a:1', retry_on_failure: {max_elapsed_time: 10s}}}",
        &[
            "exporters::otlp_grpc::retry_on_failure: 'max_elapsed_time' must not be less than 'max_interval'",
        ],
    ),
    (
        "exporters",
        "{debug: , otlp_grpc: {endpoint: 'a:1', retry_on_failure: {multiplier: -1}}}",
        &["multiplier value must be greater than or equal to 0"],
    ),
    (
        "exporters",
        "{debug: , otlp_grpc: {endpoint: 'a:1', retry_on_failure: {randomization_factor: 2}}}",
        &["randomization_factor value must be less than or equal to 1"],
    ),
    (
        "processors",
        "{batch: {send_batch_max_size: 5}}",
        &["processors::batch: send_batch_max_size must be greater or equal to send_batch_size"],
    ),
    (
        "processors",
        "{memory_limiter: }",
        &["processors::memory_limiter: 'check_interval' must be greater than zero"],
    ),
    (
        "processors",
        "{memory_limiter: {check_interval: 1s}}",
        &[
            "processors::memory_limiter: 'limit_mib' or 'limit_percentage' must be greater than zero",
        ],
    ),
    (
        "processors",
        "{attributes: }",
        &["processors::attributes: missing required field \"actions\""],
    ),
    (
        "processors",
        "{transform: {log_statements: ['set(log.bodi, 1)', 'sett(log.body, 1)'], trace_statements: [{context: log, statements: []}]}}",
        &[
            "processors::transform: unknown context log",
            "processors::transform: unable to parse OTTL statement \"set(log.bodi, 1)\": 1:9: statement failed to parse near `bodi, 1)`: ",
            "            ^^^^\n    did you mean `log.body`?",
            "undefined function \"sett\"",
        ],
    ),
    (
        "processors",
        "{resource: }",
        &["processors::resource: missing required field \"attributes\""],
    ),
    (
        "extensions",
        "{health_check: {path: x}}",
        &["extensions::health_check::config: path must start with /"],
    ),
    (
        "extensions",
        "{health_check: {use_v2: true}}",
        &["extensions::health_check::config: must specify at least one protocol"],
    ),
    (
        "extensions",
        "{zpages: {endpoint: ''}}",
        &["extensions::zpages: \"endpoint\" is required when using the \"zpages\" extension"],
    ),
    (
        "service",
        "{pipelines: {traces: {receivers: [otlp], exporters: [debug]}}, telemetry: {metrics: {readers: []}}}",
        &[
            "service::telemetry: collector telemetry metrics reader should exist when metric level is not none",
        ],
    ),
    (
        "service",
        "{pipelines: {traces: {receivers: [otlp], exporters: [debug]}}, telemetry: {metrics: {views: []}}}",
        &[
            "service::telemetry::metrics::views can only be set when service::telemetry::metrics::level is detailed",
        ],
    ),
    (
        "service",
        "{pipelines: {traces: {receivers: [otlp], exporters: [debug]}}, telemetry: {resource: {attributes_list: x}}}",
        &["resource::attributes_list is not currently supported, please use resource::attributes"],
    ),
];

#[test]
fn mistakes_in_keys_and_types_have_the_collectors_text_and_a_place() {
    for (section, text, lines) in DECODE {
        let errors = load(&with(section, text)).expect_err(text);
        assert_eq!(errors.stage, Stage::Decode, "{text}: {errors}");
        let shown = errors.text(true);
        assert!(shown.starts_with("failed to get config: cannot unmarshal the configuration: decoding failed due to the following error(s):\n\n"));
        for line in *lines {
            assert!(shown.contains(line), "{text}: {line:?} is not in:\n{shown}");
        }
        for error in &errors.errors {
            let at = error
                .at
                .as_ref()
                .unwrap_or_else(|| panic!("{text}: no place"));
            assert!(at.line > 0 && at.column > 0, "{text}: {at}");
        }
    }
}

#[test]
fn broken_rules_have_the_collectors_text_and_a_place() {
    for (section, text, lines) in CHECK {
        let errors = load(&with(section, text)).expect_err(text);
        assert_eq!(errors.stage, Stage::Check, "{text}: {errors}");
        let shown = errors.text(true);
        assert!(shown.starts_with("invalid configuration: "), "{shown}");
        assert!(!errors.text(false).starts_with("invalid"), "{shown}");
        for line in *lines {
            assert!(shown.contains(line), "{text}: {line:?} is not in:\n{shown}");
        }
    }
}
