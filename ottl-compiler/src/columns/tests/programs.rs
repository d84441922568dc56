//! Random programs, made of every path, function, editor and condition that there is a kernel
//! for, and of many that there is none for.

use std::{collections::BTreeSet, sync::Arc};

use trunkline_proto::{
    Signal,
    batch::tests::generate::{Request as Random, Rng},
};

use super::{Executor, hold, random, signal_of};
use crate::{
    columns::{Described, Mark},
    contexts::Context,
    run::tests::{
        compiler,
        property::{EDITORS, FUNCTIONS, TARGETS},
    },
};

/// More paths than those that everything is tried on.
const MORE: [(Context, &[&str]); 8] = [
    (
        Context::Span,
        &[
            "span.attributes[\"a\"]",
            "span.attributes[\"b\"]",
            "span.attributes[\"new\"]",
            "span.attributes[\"k\"]",
            "span.status.code",
            "span.status.message",
            "span.start_time",
            "span.start_time_unix_nano",
            "span.kind",
            "span.kind.deprecated_string",
            "span.span_id",
            "span.trace_id",
            "span.parent_span_id.string",
            "span.trace_state",
            "span.attributes",
            "resource.attributes[\"a\"]",
            "resource.attributes[\"b\"]",
            "scope.name",
            "scope.attributes[\"k\"]",
            "resource.dropped_attributes_count",
        ],
    ),
    (
        Context::SpanEvent,
        &[
            "spanevent.attributes[\"a\"]",
            "spanevent.attributes[\"b\"]",
            "spanevent.name",
            "span.attributes[\"a\"]",
            "span.kind",
            "span.start_time",
            "resource.attributes[\"a\"]",
            "span.events",
        ],
    ),
    (
        Context::DataPoint,
        &[
            "datapoint.attributes[\"b\"]",
            "datapoint.time",
            "datapoint.start_time_unix_nano",
            "datapoint.value_int",
            "metric.name",
            "metric.unit",
            "metric.type",
            "datapoint.attributes",
        ],
    ),
    (
        Context::Log,
        &[
            "log.attributes[\"a\"]",
            "log.attributes[\"b\"]",
            "log.attributes[\"new\"]",
            "log.attributes[\"a\"][\"b\"]",
            "log.severity_text",
            "log.time",
            "log.time_unix_nano",
            "log.trace_id",
            "log.flags",
            "log.attributes",
            "resource.attributes[\"a\"]",
            "scope.version",
            "otelcol.client.addr",
        ],
    ),
    (
        Context::Resource,
        &[
            "resource.attributes[\"a\"]",
            "resource.attributes[\"b\"]",
            "resource.attributes[\"new\"]",
            "resource.dropped_attributes_count",
            "resource.schema_url",
            "resource.attributes",
            "otelcol.client.addr",
        ],
    ),
    (
        Context::Profile,
        &[
            "profile.attributes[\"a\"]",
            "profile.attributes[\"b\"]",
            "profile.attributes[\"new\"]",
            "profile.attributes[\"k\"]",
            "profile.attributes",
            "profile.original_payload_format",
            "profile.period",
            "profile.time",
            "profile.time_unix_nano",
            "profile.duration",
            "profile.sample_type.type",
            "profile.period_type.unit",
            "profile.profile_id.string",
            "profile.dropped_attributes_count",
            "resource.attributes[\"a\"]",
            "resource.attributes[\"b\"]",
            "scope.name",
        ],
    ),
    (
        Context::ProfileSample,
        &[
            "profilesample.attributes[\"a\"]",
            "profilesample.attributes[\"b\"]",
            "profilesample.attributes[\"new\"]",
            "profilesample.attributes",
            "profilesample.link_index",
            "profilesample.values",
            "profile.attributes[\"a\"]",
            "profile.period",
            "profile.sample_type.unit",
            "resource.attributes[\"a\"]",
        ],
    ),
    (
        Context::Scope,
        &[
            "scope.attributes[\"a\"]",
            "scope.attributes[\"b\"]",
            "scope.name",
            "scope.version",
            "scope.attributes",
            "resource.attributes[\"a\"]",
            "resource.dropped_attributes_count",
        ],
    ),
];

const CONSTANTS: [&str; 10] = [
    "\"x\"",
    "\"t1\"",
    "\"\"",
    "0",
    "2",
    "1.5",
    "true",
    "nil",
    "0x0102",
    "[\"a\", 1]",
];

const CONDITIONS: [&str; 24] = [
    "{} == {}",
    "{} != {}",
    "{} < {}",
    "{} == nil",
    "{} != nil",
    "{} == \"t1\"",
    "{} != \"t1\"",
    "\"t5\" < {}",
    "{} >= 2",
    "1.5 > {}",
    "{} == true",
    "IsMatch({}, \"^t[0-4]\")",
    "IsString({}) and {} != \"\"",
    "IsMatch({}, \"t\") or {} == 1",
    "not ({} == {} or IsInt({}))",
    "{} == 1 and (Len({}) > 1 or {} == nil)",
    "not IsMatch({}, \"1\")",
    "HasPrefix({}, \"t\")",
    "{} + 1 > 2",
    "Coalesce([{}, {}, 1]) == 1",
    "Int({}) == 0",
    "IsEmpty({})",
    "Len({}) > 2",
    "ContainsValue({}, \"t1\")",
];

const MORE_EDITORS: [&str; 64] = [
    "delete_key({map}, \"b\")",
    "delete_matching_keys({map}, \"^[ab]$\")",
    "keep_matching_keys({map}, \"a|k\")",
    "keep_keys({map}, [\"a\", \"new\"])",
    "truncate_all({map}, 2)",
    "truncate_all({map}, 4, true, \"..\")",
    "truncate_all({map}, 5, false)",
    "replace_pattern({}, \"[0-9]+\", \"#\")",
    "replace_pattern({}, \"t([0-9])\", \"$1-$1\")",
    "replace_match({}, \"t*\", \"matched\")",
    "replace_match({}, \"t1*\", \"\")",
    "merge_maps({map}, {\"a\": 1, \"z\": \"z\"}, \"insert\")",
    "merge_maps({map}, {\"a\": [1], \"z\": \"z\"}, \"update\")",
    "merge_maps({map}, {\"k\": {\"a\": 1}, \"y\": nil}, \"upsert\")",
    "limit({map}, 2, [\"b\"])",
    "limit({map}, 0, [])",
    "limit({map}, 3, [\"new\", \"k\"])",
    "replace_all_patterns({map}, \"value\", \"t([0-9])\", \"<$1>\")",
    "replace_all_patterns({map}, \"value\", \"[a-z]\", \"\")",
    "replace_all_matches({map}, \"t*\", \"matched\")",
    "stringify_all({map})",
    "clear({map})",
    "clear({})",
    "set({cache}[\"a\"], {})",
    "set({cache}[\"a\"][\"b\"], {})",
    "merge_maps({cache}, {}, \"upsert\")",
    "set({cache}, {})",
    "delete_key({cache}, \"a\")",
    "append({cache}[\"l\"], {})",
    "replace_pattern({}, Concat([\"[0-9\", {}], \"\"), \"x\")",
    "replace_pattern({}, \"[0-9]\", {})",
    "replace_match({}, Concat([{}, \"*\"], \"\"), \"x\")",
    "replace_match({}, \"t*\", {}, SHA1)",
    "flatten({map})",
    "flatten({map})",
    "flatten({map}, \"p\")",
    "flatten({map}, \"a\", 1)",
    "flatten({map}, depth=2, resolve_conflicts=true)",
    "flatten({map}, {})",
    "merge_maps({map}, {}, \"insert\")",
    "merge_maps({map}, {}, \"update\")",
    "merge_maps({map}, {}, \"upsert\")",
    "merge_maps({map}, {\"a\": {}, \"q\": {}}, \"upsert\")",
    "merge_maps({map}, ParseKeyValue({}, \"t\"), \"upsert\")",
    "merge_maps({map}, {map}, \"upsert\")",
    "set({map}, {map})",
    "set({map}, {})",
    "set({map}, {\"k\": {}, \"c\": {}, \"a\": 1})",
    "replace_all_patterns({map}, \"key\", \"^([a-c])$\", \"k.$1\")",
    "replace_all_patterns({map}, \"key\", \"[a-z]\", \"z\")",
    "replace_all_patterns({map}, \"value\", Concat([\"[0-9\", {}], \"\"), \"x\")",
    "replace_all_matches({map}, \"t*\", {})",
    "keep_keys({map}, [\"a\", {}])",
    "keep_keys({map}, {})",
    "delete_key({map}, {})",
    "delete_matching_keys({map}, {})",
    "keep_matching_keys({map}, Concat([\"^\", \"[a-k]\"], \"\"))",
    "limit({map}, Len({}), [])",
    "truncate_all({map}, Len({}))",
    "append({map}, {})",
    "set({at}, {})",
    "set({at}[{}], {})",
    "append({at}, {})",
    "delete_key({at}, \"a\")",
];

/// Attributes whose keys the row knows.
const COMPUTED: [&str; 7] = [
    "{map}[{}]",
    "{map}[Concat([\"a\", {}], \"\")]",
    "{map}[Concat([{}, \"\"], \"\")][\"a\"]",
    "{map}[\"a\"][{}]",
    "{map}[1]",
    "{map}[Concat([\"ne\", \"w\"], \"\")]",
    "resource.attributes[{}]",
];

/// A path with keys that are computed.
fn computed(context: Context, paths: &[&'static str], r: &mut Rng) -> String {
    let of = COMPUTED[r.below(COMPUTED.len())].replace("{map}", map_of(context));
    let first = of.find("{}").unwrap_or(of.len());
    let (before, behind) = of.split_at(first);
    match r.one_in(3) {
        // A key that there is, most likely.
        true => format!(
            "{before}{}",
            behind.replace("{}", "ConvertCase(\"B\", \"lower\")")
        ),
        false => format!("{before}{}", fill(behind, paths, r)),
    }
}

pub(super) fn paths(context: Context) -> Vec<&'static str> {
    let of = |table: &'static [(Context, &'static [&'static str])]| {
        let mut found = table.iter().filter(move |(of, _)| *of == context);
        found.next().map_or(&[][..], |(_, paths)| *paths)
    };
    [of(&TARGETS), of(&MORE), of(&MORE)].concat()
}

/// Every `{}` replaced by some path or constant, the first by a path.
fn fill(template: &str, paths: &[&str], r: &mut Rng) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{}") {
        out += before;
        out += match out.contains('.') && r.one_in(3) {
            true => CONSTANTS[r.below(CONSTANTS.len())],
            false => paths[r.below(paths.len())],
        };
        rest = after;
    }
    out + rest
}

fn map_of(context: Context) -> &'static str {
    match context {
        Context::Span => "span.attributes",
        Context::SpanEvent => "spanevent.attributes",
        Context::DataPoint => "datapoint.attributes",
        Context::Metric => "metric.metadata",
        Context::Profile => "profile.attributes",
        Context::ProfileSample => "profilesample.attributes",
        Context::Resource => "resource.attributes",
        Context::Scope => "scope.attributes",
        _ => "log.attributes",
    }
}

/// A statement; some of its values are among those `shared` by all of the program.
fn statement(context: Context, paths: &[&'static str], shared: &[String], r: &mut Rng) -> String {
    // Whoever writes to what is around the rows makes all of the program run by rows.
    let around = r.one_in(40);
    let targets: Vec<&str> = paths
        .iter()
        .copied()
        .filter(|path| around || path.starts_with(context.name()))
        .collect();
    let target = targets[r.below(targets.len())];
    let again = shared[r.below(shared.len())].as_str();
    let value = computed(context, paths, r);
    let editor = match r.below(10) {
        0 => EDITORS[r.below(EDITORS.len())].replace("{}", target),
        1 | 2 => {
            let of = MORE_EDITORS[r.below(MORE_EDITORS.len())];
            let cache = format!("{}.cache", context.name());
            let of = of
                .replace("{map}", map_of(context))
                .replace("{cache}", &cache)
                .replace("{at}", &computed(context, paths, r));
            let first = of.split("{}").next().map_or(0, str::len);
            match of.starts_with("replace") || of.starts_with("clear") {
                true => of.replace("{}", target),
                // Not the first path: that is the scratch map.
                false => format!("{}{}", &of[..first], fill(&of[first..], paths, r)),
            }
        }
        3 => {
            let function = FUNCTIONS[r.below(FUNCTIONS.len())];
            format!("set({target}, {})", fill(function, paths, r))
        }
        4 => format!("set({target}, {})", CONSTANTS[r.below(CONSTANTS.len())]),
        5 => {
            let math = ["{} - {}", "{} + {} * 2", "{} / {}", "{} + Duration(\"1s\")"][r.below(4)];
            format!("set({target}, {})", fill(math, paths, r))
        }
        6 => {
            let list = format!("Concat([{}, \"-\", {{}}], \"/\")", "{}");
            format!("set({target}, {})", fill(&list, paths, r))
        }
        7 => format!("set({target}, {again})"),
        8 => format!("set({target}, {value})"),
        _ => format!("set({target}, {})", paths[r.below(paths.len())]),
    };
    match r.below(5) {
        0 | 1 => editor,
        2 => format!("{editor} where {again} != nil"),
        3 if r.one_in(2) => format!("{editor} where {value} != nil"),
        _ => {
            let condition = CONDITIONS[r.below(CONDITIONS.len())];
            format!("{editor} where {}", fill(condition, paths, r))
        }
    }
}

/// Removes all but the first attribute of each key.
pub(super) fn without_duplicates(request: &mut Random) {
    macro_rules! dedup {
        ($attributes:expr) => {{
            let mut seen = Vec::new();
            $attributes.retain_mut(|entry| {
                entry.value.get_or_insert_default();
                let new = !seen.contains(&entry.key);
                seen.push(entry.key.clone());
                new
            });
        }};
    }
    match request {
        Random::Traces(request) => {
            for of in &mut request.resource_spans {
                of.resource.iter_mut().for_each(|of| dedup!(of.attributes));
                let scopes = of.scope_spans.iter_mut().filter_map(|of| of.scope.as_mut());
                scopes.for_each(|scope| dedup!(scope.attributes));
            }
            let of = request.resource_spans.iter_mut();
            for span in of
                .flat_map(|r| &mut r.scope_spans)
                .flat_map(|s| &mut s.spans)
            {
                dedup!(span.attributes);
                span.events
                    .iter_mut()
                    .for_each(|event| dedup!(event.attributes));
            }
        }
        Random::Logs(request) => {
            for of in &mut request.resource_logs {
                of.resource.iter_mut().for_each(|of| dedup!(of.attributes));
                let scopes = of.scope_logs.iter_mut().filter_map(|of| of.scope.as_mut());
                scopes.for_each(|scope| dedup!(scope.attributes));
            }
            let of = request.resource_logs.iter_mut();
            for log in of
                .flat_map(|r| &mut r.scope_logs)
                .flat_map(|s| &mut s.log_records)
            {
                dedup!(log.attributes);
            }
        }
        Random::Profiles(request) => super::profiles::without_duplicates(request),
        Random::Metrics(_) => {}
    }
}

const CONTEXTS: [Context; 9] = [
    Context::Span,
    Context::Log,
    Context::SpanEvent,
    Context::DataPoint,
    Context::Metric,
    Context::Resource,
    Context::Scope,
    Context::Profile,
    Context::ProfileSample,
];

/// A signal whose requests have rows of a context.
fn signal_with(context: Context, r: &mut Rng) -> Signal {
    match context {
        // Of profiles, they may refer to the dictionary.
        Context::Resource | Context::Scope if r.one_in(2) => Signal::Profiles,
        _ => signal_of(context),
    }
}

/// Paths into the scratch map.
fn cached(context: Context) -> &'static [&'static str] {
    match context {
        Context::Span => &[
            "span.cache[\"a\"]",
            "span.cache[\"a\"][\"b\"]",
            "span.cache",
        ],
        Context::Log => &["log.cache[\"a\"]", "log.cache[\"l\"][0]", "log.cache"],
        Context::Resource => &["resource.cache[\"a\"]"],
        _ => &[],
    }
}

/// Every node of a plan that runs over columns, and what kind of editor it is.
fn nodes(executor: &Executor) -> Vec<String> {
    fn add(of: &Described, out: &mut Vec<String>) {
        out.push(of.text.clone());
        of.of.iter().for_each(|node| add(node, out));
    }
    let mut out = Vec::new();
    let rows = |of: &&Described| matches!(of.mark, Mark::Rows(reason) if of.of.is_empty() && !reason.is_empty());
    for of in executor.describe().iter().filter(|of| !rows(of)) {
        add(of, &mut out);
        if let Some((name, _)) = of.text.split_once('(') {
            out.push(format!("{name} over columns"));
        }
        if of.text.starts_with("set") && of.text.contains("][") {
            out.push("set of a nested key over columns".to_owned());
        }
        if of.text.contains(".cache") {
            out.push("scratch map over columns".to_owned());
        }
    }
    out
}

/// What random programs must reach.
const REACHED: [&str; 25] = [
    "set over columns",
    "delete_key over columns",
    "keep_keys over columns",
    "delete_matching_keys over columns",
    "keep_matching_keys over columns",
    "truncate_all over columns",
    "limit over columns",
    "merge_maps over columns",
    "replace_all_patterns over columns",
    "replace_all_matches over columns",
    "replace_pattern over columns",
    "replace_match over columns",
    "append over columns",
    "flatten over columns",
    "computed keys",
    "stringify_all over columns",
    "clear over columns",
    "set of a nested key over columns",
    "scratch map over columns",
    "all attributes",
    "number of attributes",
    "scratch map",
    "index",
    "list",
    "map",
];

/// Whether a plan has a value that several statements share.
fn shares(of: &Described) -> bool {
    of.text.starts_with("shared") || of.of.iter().any(shares)
}

fn run_random(seed: u64, rounds: usize) {
    let r = &mut Rng::new(seed);
    let (mut ran, mut failed, mut columns, mut shared) = (0, 0, 0, 0);
    let mut reached = BTreeSet::new();
    for round in 0..rounds {
        // Spans and log records are what most statements are about.
        let context = CONTEXTS[[0, 1, 0, 1, 0, 1, 0, 5, 2, 3, 4, 5, 2, 6, 7, 8, 7][round % 17]];
        let mut paths = paths(context);
        match r.one_in(3) {
            true => paths.extend(cached(context)),
            false => paths.retain(|path| !path.contains("cache")),
        }
        let mut value = || match r.one_in(3) {
            true => format!("{}[\"a\"]", fill("ParseJSON({})", &paths, r)),
            false => fill(FUNCTIONS[r.below(FUNCTIONS.len())], &paths, r),
        };
        let values = [value(), value()];
        let statements: Vec<String> = (0..1 + r.below(6))
            .map(|_| statement(context, &paths, &values, r))
            .collect();
        let sources: Vec<&str> = statements.iter().map(String::as_str).collect();
        let sources: Vec<&str> = sources
            .into_iter()
            .filter(|source| compiler(context).statements(&[source], &[]).is_ok())
            .collect();
        let conditions = match r.one_in(6) {
            true => vec![fill(CONDITIONS[r.below(CONDITIONS.len())], &paths, r); 2],
            false => Vec::new(),
        };
        let conditions: Vec<&str> = conditions.iter().map(String::as_str).collect();
        let program = match compiler(context).statements(&sources, &conditions) {
            Ok(program) => program,
            Err(_) => match compiler(context).statements(&sources, &[]) {
                Ok(program) => program,
                Err(_) => continue,
            },
        };
        let program = Arc::new(program);
        let mut executor = Executor::new(program.clone());
        columns += usize::from(executor.has_columns());
        shared += usize::from(executor.describe().iter().any(shares));
        reached.extend(nodes(&executor));
        for _ in 0..3 {
            let batch = random(signal_with(context, r), r);
            failed += hold(&program, &mut executor, &batch);
            ran += 1;
        }
    }
    assert!(ran > rounds && failed > rounds / 2, "{ran} {failed}");
    assert!(columns * 3 > rounds * 2, "{columns} of {rounds}");
    assert!(shared * 8 > rounds, "{shared} of {rounds}");
    for kernel in REACHED {
        assert!(reached.contains(kernel), "{kernel} was not reached");
    }
}

#[test]
fn random_programs_do_over_columns_what_they_do_by_rows() {
    run_random(5, 1000);
}

/// Conditions as tables of routes have them: many that compare one of a few attributes with a
/// text, alone or before something else, and others between them.
fn table(context: Context, paths: &[&'static str], r: &mut Rng) -> Vec<String> {
    let own: Vec<&str> = paths.iter().copied().filter(|p| p.contains('[')).collect();
    let columns = [own[r.below(own.len())], own[r.below(own.len())]];
    let texts = ["t0", "t1", "t2", "t3", "t4", "x", "", "v", "GET"];
    (0..5 + r.below(40))
        .map(|_| {
            let column = columns[r.below(2)];
            let equal = |r: &mut Rng| match r.one_in(2) {
                true => format!("{column} == \"{}\"", texts[r.below(texts.len())]),
                false => format!("\"{}\" == {column}", texts[r.below(texts.len())]),
            };
            let other = || CONDITIONS[11];
            match r.below(8) {
                0 => fill(CONDITIONS[r.below(CONDITIONS.len())], paths, r),
                1 => format!("{} or {}", equal(r), equal(r)),
                2 => format!("{} and {}", equal(r), fill("{} + 1 > 2", paths, r)),
                3 => fill(other(), paths, r),
                _ => equal(r),
            }
        })
        .filter(|condition| compiler(context).condition(condition).is_ok())
        .collect()
}

#[test]
fn the_first_condition_that_holds_is_found_as_by_rows() {
    let r = &mut Rng::new(8);
    let mut looked_up = 0;
    for round in 0..300 {
        let context = CONTEXTS[[0, 1, 5, 5, 6, 2, 7, 8][round % 8]];
        let paths = paths(context);
        let conditions = table(context, &paths, r);
        let sources: Vec<&str> = conditions.iter().map(String::as_str).collect();
        let program = compiler(context).statements(&[], &sources).unwrap();
        let program = Arc::new(program);
        let mut executor = Executor::new(program.clone());
        let described = executor.describe();
        let found = |of: &&Described| of.mark == Mark::PerDistinctValue;
        looked_up += described.iter().filter(found).count();
        for _ in 0..3 {
            let batch = random(signal_with(context, r), r);
            hold(&program, &mut executor, &batch);
        }
    }
    assert!(looked_up > 1000, "{looked_up}");
}

/// More of them, for whoever changes a kernel: `OTTL_SEEDS=20 cargo test more_random`.
#[test]
fn more_random_programs_do_so_too() {
    let seeds = std::env::var("OTTL_SEEDS")
        .ok()
        .and_then(|n| n.parse().ok());
    for seed in 100..100 + seeds.unwrap_or(0) {
        run_random(seed, 3000);
    }
}
