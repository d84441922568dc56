//! The processors `attributes` and `resource` do what the Collector's do.
//!
//! `cases.yaml` has the processors by name, `*.json` beside it the requests that
//! each is given. `golden.json` is what the Collector makes of them: one test
//! holds ours against it, another runs the Collector again and holds the file
//! against that (with `TRUNKLINE_RECORD` set it writes the file). The order of
//! attributes means nothing and is not compared.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    future::ready,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    rc::Rc,
    sync::Arc,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};
use trunkline::{
    component::{ConsumeFuture, Consumer, CoreContext, Kind, Outcome, RequestContext},
    config::{Load, Settings},
    net::{
        admission::Budget,
        compression::{Deflater, Inflater},
        drain::Drain,
        in_hand::InHand,
    },
    processors::{attributes, resource},
    telemetry::metrics::{Level, Registry},
};
use trunkline_proto::{Batch, Signal, json as otlp_json};
use trunkline_tests::{Port, peer::Peer, wait::eventually_blocking};

const SIGNALS: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attributes")
}

fn request(signal: Signal) -> String {
    fs::read_to_string(folder().join(format!("{}.json", signal.name()))).unwrap()
}

/// The cases: signal, name of the processor.
fn cases(settings: &Settings) -> Vec<(Signal, String)> {
    let mut cases = Vec::new();
    for id in settings.of_kind(Kind::Processor).keys() {
        let id = id.to_string();
        // `attributes/logs_…` is for logs only, `attributes/all_…` for all three.
        let name = id.split_once('/').map_or("", |(_, name)| name);
        for signal in SIGNALS {
            if name.starts_with("all_") || name.starts_with(signal.name()) {
                cases.push((signal, id.clone()));
            }
        }
    }
    cases
}

/// A whole configuration: the processors, each in pipelines of its own that write to files.
fn configuration(
    processors: &str,
    port: u16,
    out: &Path,
) -> (String, Vec<(Signal, String, PathBuf)>) {
    let minimal = format!(
        "{processors}\nreceivers: {{nop: {{}}}}\nexporters: {{nop: {{}}}}\nservice: {{pipelines: {{traces: {{receivers: [nop], exporters: [nop]}}}}}}\n"
    );
    let cases = cases(&load(&minimal).unwrap());
    let mut yaml = format!(
        "{processors}\nreceivers:\n  otlp: {{protocols: {{http: {{endpoint: \"127.0.0.1:{port}\", include_metadata: true}}}}}}\nexporters:\n"
    );
    let mut pipelines = String::new();
    let mut files = Vec::new();
    for (signal, id) in cases {
        let name = format!("{}_{}", signal.name(), id.replace('/', "_"));
        let file = out.join(format!("{name}.json"));
        yaml += &format!("  file/{name}: {{path: \"{}\"}}\n", file.display());
        pipelines += &format!(
            "    {}/{name}: {{receivers: [otlp], processors: [{id}], exporters: [file/{name}]}}\n",
            signal.name()
        );
        files.push((signal, id, file));
    }
    yaml +=
        &format!("service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines:\n{pipelines}");
    (yaml, files)
}

fn load(yaml: &str) -> Result<Settings, String> {
    let load = Load {
        configs: vec![format!("yaml:{yaml}")],
        ..Load::default()
    };
    Settings::load(&load).map_err(|e| e.text(true))
}

/// One spelling for one meaning: the request through protobuf, attributes by key.
fn normalised(signal: Signal, json: &str) -> Value {
    let wire = otlp_json::to_protobuf(signal, &mut json.as_bytes().to_vec()).unwrap();
    let mut text = Vec::new();
    otlp_json::from_protobuf(signal, &wire, &mut text).unwrap();
    let mut value = serde_json::from_slice(&text).unwrap();
    sort(&mut value);
    value
}

fn sort(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (key, member) in members.iter_mut() {
                sort(member);
                if let (true, Some(list)) = (
                    matches!(key.as_str(), "attributes" | "filteredAttributes"),
                    member.as_array_mut(),
                ) {
                    list.sort_by_key(|entry| entry["key"].as_str().unwrap_or_default().to_owned());
                }
                // Entries of a map value, too.
                if let (true, Some(list)) = (key == "values", member.as_array_mut())
                    && list.iter().all(|entry| entry.get("key").is_some())
                {
                    list.sort_by_key(|entry| entry["key"].as_str().unwrap_or_default().to_owned());
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(sort),
        _ => {}
    }
}

/// Keeps what it is given.
#[derive(Default)]
struct Kept(RefCell<Option<Batch>>);

impl Consumer for Kept {
    fn consume<'a>(&'a self, batch: Batch, _: &'a RequestContext) -> ConsumeFuture<'a> {
        *self.0.borrow_mut() = Some(batch);
        Box::pin(ready(Outcome::Accepted))
    }
}

fn core() -> CoreContext {
    CoreContext {
        core: 0,
        cores: 1,
        registry: Arc::new(Registry::new(Level::Normal)),
        budget: Budget::new(1 << 30),
        drain: Drain::default(),
        in_hand: InHand::default(),
        inflater: Rc::new(RefCell::new(Inflater::new())),
        deflater: Rc::new(RefCell::new(Deflater::new())),
    }
}

fn ledger() -> Rc<trunkline::telemetry::PipelineLedger> {
    let registry = Arc::new(Registry::new(Level::Normal));
    Rc::new(trunkline::telemetry::Ledger::new(registry).pipeline(0, "traces"))
}

fn build(
    settings: &Settings,
    signal: Signal,
    id: &str,
    next: Rc<dyn Consumer>,
) -> Result<Rc<dyn Consumer>, String> {
    let component = settings
        .of_kind(Kind::Processor)
        .iter()
        .find(|(found, _)| found.to_string() == id)
        .map(|(_, component)| component)
        .unwrap();
    if let Some(config) = component.config::<attributes::config::Config>() {
        attributes::build(config, id, signal, &core(), &ledger(), next)
    } else {
        let config = component.config::<resource::config::Config>().unwrap();
        resource::build(config, id, signal, &core(), &ledger(), next)
    }
}

fn context() -> RequestContext {
    let headers = [("x-tenant", "acme"), ("x-two", "a"), ("x-two", "b")];
    let headers = headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    RequestContext {
        deadline: Instant::now() + Duration::from_secs(10),
        metadata: Some(Arc::new(headers)),
        client: Some("127.0.0.1:1000".parse().unwrap()),
        unchecked: false,
    }
}

/// What one of ours makes of the request.
fn process(settings: &Settings, signal: Signal, id: &str) -> Value {
    let kept = Rc::new(Kept::default());
    let processor =
        build(settings, signal, id, kept.clone()).unwrap_or_else(|e| panic!("{id}: {e}"));
    let wire = otlp_json::to_protobuf(signal, &mut request(signal).into_bytes()).unwrap();
    let batch = Batch::from_protobuf(signal, wire).unwrap();
    let context = context();
    let mut future = processor.consume(batch, &context);
    let outcome = future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(outcome, std::task::Poll::Ready(Outcome::Accepted), "{id}");
    drop(future);
    let batch = kept.0.take().unwrap();
    let mut text = Vec::new();
    otlp_json::from_protobuf(signal, &batch.to_protobuf(), &mut text).unwrap();
    normalised(signal, std::str::from_utf8(&text).unwrap())
}

fn processors() -> String {
    fs::read_to_string(folder().join("cases.yaml")).unwrap()
}

/// What differs, entry by entry, short enough to read.
fn difference(path: &str, got: &Value, wanted: &Value, found: &mut Vec<String>) {
    match (got, wanted) {
        (Value::Object(got), Value::Object(wanted)) => {
            let keys: std::collections::BTreeSet<_> = got.keys().chain(wanted.keys()).collect();
            for key in keys {
                let null = Value::Null;
                difference(
                    &format!("{path}.{key}"),
                    got.get(key).unwrap_or(&null),
                    wanted.get(key).unwrap_or(&null),
                    found,
                );
            }
        }
        (Value::Array(got), Value::Array(wanted)) if got.len() == wanted.len() => {
            for (i, (got, wanted)) in got.iter().zip(wanted).enumerate() {
                difference(&format!("{path}[{i}]"), got, wanted, found);
            }
        }
        (got, wanted) if got == wanted => {}
        (got, wanted) => found.push(format!("{path}: {got} instead of {wanted}")),
    }
}

#[test]
fn every_case_ends_as_with_the_collector() {
    let golden: Map<String, Value> =
        serde_json::from_str(&fs::read_to_string(folder().join("golden.json")).unwrap()).unwrap();
    let (yaml, files) = configuration(&processors(), 4318, Path::new("/tmp"));
    let settings = load(&yaml).unwrap();
    let mut found = Vec::new();
    for (signal, id, _) in &files {
        let name = format!("{} {id}", signal.name());
        let wanted = golden
            .get(&name)
            .unwrap_or_else(|| panic!("{name} is not in golden.json"));
        let got = process(&settings, *signal, id);
        difference(&name, &changes(*signal, &got), wanted, &mut found);
        let untouched = bare(normalised(*signal, &request(*signal)));
        difference(&name, &bare(got), &untouched, &mut found);
    }
    assert_eq!(
        files.len(),
        golden.len(),
        "golden.json has cases that there are no more"
    );
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The request without any attribute, which no processor here may change.
fn bare(mut value: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.remove("attributes");
                members.values_mut().for_each(strip);
            }
            Value::Array(list) => list.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut value);
    value
}

/// The lists of attributes of `got` that are not those of the request, by JSON pointer.
fn changes(signal: Signal, got: &Value) -> Value {
    fn lists(path: &str, value: &Value, found: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    let path = format!("{path}/{key}");
                    if key == "attributes" {
                        found.insert(path, member.clone());
                    } else {
                        lists(&path, member, found);
                    }
                }
            }
            Value::Array(list) => {
                for (i, element) in list.iter().enumerate() {
                    lists(&format!("{path}/{i}"), element, found);
                }
            }
            _ => {}
        }
    }
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    lists("", &normalised(signal, &request(signal)), &mut before);
    lists("", got, &mut after);
    // A list that became empty is left out of the JSON altogether.
    let paths: Vec<String> = before.keys().cloned().collect();
    for path in paths {
        after.entry(path).or_insert_with(|| json!([]));
    }
    after.retain(|path, list| before.get(path) != Some(list));
    json!(after)
}

#[test]
fn the_collector_does_what_golden_json_says() {
    let test = "the_collector_does_what_golden_json_says";
    let Some(program) = Peer::Otelcol.get(test) else {
        return;
    };
    let out = tempfile::tempdir().unwrap();
    let port = Port::free();
    let (yaml, files) = configuration(&processors(), port.number(), out.path());
    let config = out.path().join("config.yaml");
    fs::write(&config, yaml).unwrap();
    let log = fs::File::create(out.path().join("log")).unwrap();
    let mut collector = Command::new(program)
        .arg("--config")
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    eventually_blocking("the Collector to listen", || {
        let ended = collector.try_wait().unwrap();
        assert!(
            ended.is_none(),
            "{}",
            fs::read_to_string(out.path().join("log")).unwrap()
        );
        TcpStream::connect(("127.0.0.1", port.number())).ok()
    });
    for signal in SIGNALS {
        let url = format!("http://127.0.0.1:{}/v1/{}", port.number(), signal.name());
        let mut call = ureq::post(&url).header("content-type", "application/json");
        for (name, value) in context().metadata.unwrap().iter() {
            call = call.header(name, value);
        }
        assert_eq!(call.send(request(signal)).unwrap().status(), 200);
    }
    let pid = nix::unistd::Pid::from_raw(collector.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    collector.wait().unwrap();
    let mut golden = Map::new();
    for (signal, id, file) in &files {
        let line = fs::read_to_string(file).unwrap();
        let got = normalised(*signal, line.trim());
        golden.insert(format!("{} {id}", signal.name()), changes(*signal, &got));
    }
    let path = folder().join("golden.json");
    if std::env::var_os("TRUNKLINE_RECORD").is_some() {
        // A line a case.
        let lines: Vec<String> = golden
            .iter()
            .map(|(name, case)| format!("{name:?}: {case}"))
            .collect();
        fs::write(&path, format!("{{\n{}\n}}\n", lines.join(",\n"))).unwrap();
    }
    let recorded: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let mut found = Vec::new();
    difference("", &Value::Object(golden), &recorded, &mut found);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The Collector has profiles behind a gate only, so this one is not recorded.
#[test]
fn resources_of_profiles_are_changed_too() {
    let yaml = "processors: {resource: {attributes: [{key: env, from_attribute: old, action: upsert}, {key: old, action: delete}]}, attributes: {actions: [{key: a, action: delete}]}}\nreceivers: {nop: {}}\nexporters: {nop: {}}\nservice: {pipelines: {traces: {receivers: [nop], exporters: [nop]}}}\n";
    let settings = load(yaml).unwrap();
    let kept = Rc::new(Kept::default());
    let processor = build(&settings, Signal::Profiles, "resource", kept.clone()).unwrap();
    let request = r#"{"resourceProfiles": [{"resource": {"attributes": [{"key": "old", "value": {"stringValue": "prod"}}]}, "scopeProfiles": [{"profiles": [{"profileId": "5b8efff798038103d269b633813fc60c"}]}]}], "dictionary": {"stringTable": [""]}}"#;
    let wire = otlp_json::to_protobuf(Signal::Profiles, &mut request.as_bytes().to_vec()).unwrap();
    let batch = Batch::from_protobuf(Signal::Profiles, wire).unwrap();
    drop(processor.consume(batch, &context()));
    let batch = kept.0.take().unwrap();
    let mut text = Vec::new();
    otlp_json::from_protobuf(Signal::Profiles, &batch.to_protobuf(), &mut text).unwrap();
    let changed = request.replace("\"key\": \"old\"", "\"key\": \"env\"");
    assert_eq!(
        normalised(Signal::Profiles, std::str::from_utf8(&text).unwrap()),
        normalised(Signal::Profiles, &changed)
    );
    let refused = build(
        &settings,
        Signal::Profiles,
        "attributes",
        Rc::new(Kept::default()),
    );
    assert_eq!(
        refused.err().as_deref(),
        Some("telemetry type is not supported")
    );
}

/// Processors that cannot be built: signal, processor, what both say.
const REFUSED: &[(Signal, &str, &str)] = &[
    (
        Signal::Traces,
        "attributes: {}",
        "missing required field \"actions\"",
    ),
    (
        Signal::Traces,
        "attributes: {actions: [{action: insert, value: 1}]}",
        "error creating AttrProc due to missing required field \"key\" at the 0-th action",
    ),
    (
        Signal::Traces,
        "attributes: {actions: [{action: delete}]}",
        "(at least one of \"key\" and \"pattern\" have to be used) at the 0-th action",
    ),
    (
        Signal::Traces,
        "attributes: {actions: [{key: a, action: insert}]}",
        "Either field \"value\", \"from_attribute\", \"from_context\", or \"default_value\" must be specified",
    ),
    (
        Signal::Traces,
        "attributes: {actions: [{key: a, action: upsert, value: 1, from_attribute: b}]}",
        "error with key \"a\" (0-th action): error creating AttrProc due to multiple value sources being set",
    ),
    (
        Signal::Traces,
        "attributes: {actions: [{key: a, action: extract, pattern: \"x\"}]}",
        "Field \"pattern\" contains no named matcher groups",
    ),
    (
        Signal::Traces,
        "attributes: {actions: [{key: a, action: extract, pattern: \"(?P<n>x)(y)\"}]}",
        "Field \"pattern\" contains at least one unnamed matcher group",
    ),
    (
        Signal::Traces,
        "attributes: {actions: [{key: a, action: delete, pattern: \"(\"}]}",
        "Field \"pattern\" has invalid pattern: \"(\"",
    ),
    (
        Signal::Traces,
        "attributes: {actions: [{key: a, action: convert, converted_type: bool}]}",
        "due to invalid value \"bool\" in field \"converted_type\" for action \"convert\"",
    ),
    (
        Signal::Traces,
        "attributes: {actions: [{key: a, action: frobnicate}]}",
        "unsupported action \"frobnicate\"",
    ),
    (
        Signal::Traces,
        "attributes: {include: {match_type: strict}, actions: [{key: a, action: delete}]}",
        "at least one of \"attributes\", \"libraries\",  or \"resources\" field must be specified",
    ),
    (
        Signal::Traces,
        "attributes: {include: {match_type: strict, span_kinds: [server]}, actions: [{key: a, action: delete}]}",
        "span_kinds string must match one of the standard span kinds when match_type=strict: [     SPAN_KIND_CLIENT",
    ),
    (
        Signal::Traces,
        "attributes: {include: {match_type: regexp, attributes: [{key: a, value: 1}]}, actions: [{key: a, action: delete}]}",
        "error creating attribute filters: match_type=regexp for \"a\" only supports Str, but found Int",
    ),
    (
        Signal::Traces,
        "attributes: {include: {match_type: regexp, span_names: [\"[\"]}, actions: [{key: a, action: delete}]}",
        "error creating span name filters: error parsing regexp: missing closing ]: `[`",
    ),
    (
        Signal::Traces,
        "attributes: {exclude: {match_type: strict, attributes: [{key: \"\"}]}, actions: [{key: a, action: delete}]}",
        "can't have empty key in the list of attributes",
    ),
    (
        Signal::Traces,
        "attributes: {include: {match_type: strict, log_bodies: [a]}, actions: [{key: a, action: delete}]}",
        "log_bodies should not be specified for trace spans",
    ),
    (
        Signal::Logs,
        "attributes: {include: {match_type: strict, services: [a]}, actions: [{key: a, action: delete}]}",
        "services, span_names, span_kinds and metric_names are not valid for log records",
    ),
    (
        Signal::Metrics,
        "attributes: {include: {match_type: strict, services: [a]}, actions: [{key: a, action: delete}]}",
        "are not valid for metrics",
    ),
    (
        Signal::Traces,
        "resource: {}",
        "missing required field \"attributes\"",
    ),
];

fn refused_configuration(signal: Signal, processor: &str) -> (String, String) {
    let id = processor.split(':').next().unwrap().to_owned();
    let yaml = format!(
        "processors: {{{processor}}}\nreceivers: {{otlp: {{protocols: {{http: {{endpoint: \"127.0.0.1:0\"}}}}}}}}\nexporters: {{nop: {{}}}}\nservice: {{telemetry: {{metrics: {{level: none}}}}, pipelines: {{{}: {{receivers: [otlp], processors: [{id}], exporters: [nop]}}}}}}\n",
        signal.name()
    );
    (id, yaml)
}

#[test]
fn what_cannot_be_built_is_said_in_the_collectors_words() {
    for (signal, processor, text) in REFUSED {
        let (id, yaml) = refused_configuration(*signal, processor);
        let error = load(&yaml)
            .and_then(|settings| {
                build(&settings, *signal, &id, Rc::new(Kept::default())).map(|_| ())
            })
            .expect_err(processor);
        assert!(error.contains(text), "{processor}: {error}");
    }
}

#[test]
fn the_collector_says_it_in_those_words() {
    let Some(program) = Peer::Otelcol.get("the_collector_says_it_in_those_words") else {
        return;
    };
    for (signal, processor, text) in REFUSED {
        let (_, yaml) = refused_configuration(*signal, processor);
        let output = Command::new(&program)
            .arg("--config")
            .arg(format!("yaml:{yaml}"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains(text),
            "{processor}: {said}"
        );
    }
}
