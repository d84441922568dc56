//! Statements of every kind on random requests: whatever the data, a row's statement does its
//! work or fails, and what leaves is a valid request.

use trunkline_proto::batch::tests::generate::{Request as Random, Rng, rewrite};

use super::*;

/// Targets, and values to put there; every pair is tried.
pub(crate) const TARGETS: [(Context, &[&str]); 9] = [
    (
        Context::Resource,
        &[
            "resource.attributes[\"a\"]",
            "resource.schema_url",
            "resource.attributes",
        ],
    ),
    (
        Context::Scope,
        &[
            "scope.name",
            "scope.attributes[\"k\"][0]",
            "scope.dropped_attributes_count",
        ],
    ),
    (
        Context::Span,
        &[
            "span.name",
            "span.kind.string",
            "span.trace_state[\"a\"]",
            "span.status",
            "span.flags",
            "span.attributes[\"a\"][\"b\"]",
            "span.attributes[span.name]",
            "span.events",
            "span.trace_id.string",
            "span.end_time",
            "span.cache[\"x\"]",
        ],
    ),
    (
        Context::SpanEvent,
        &["spanevent.attributes", "spanevent.time", "span.name"],
    ),
    (
        Context::DataPoint,
        &[
            "datapoint.value_double",
            "datapoint.explicit_bounds",
            "datapoint.bucket_counts",
            "datapoint.exemplars",
            "datapoint.positive",
            "datapoint.quantile_values",
            "datapoint.attributes[\"a\"]",
            "metric.name",
            "metric.data_points",
            "datapoint.positive.bucket_counts",
            "datapoint.scale",
        ],
    ),
    (
        Context::Metric,
        &[
            "metric.is_monotonic",
            "metric.metadata[\"x\"]",
            "metric.data_points",
        ],
    ),
    (
        Context::Profile,
        &[
            "profile.attributes[\"a\"][\"b\"]",
            "profile.attributes",
            "profile.sample_type",
            "profile.sample_type.type",
            "profile.original_payload",
            "profile.profile_id.string",
            "profile.attribute_indices",
            "profile.period",
        ],
    ),
    (
        Context::ProfileSample,
        &[
            "profilesample.attributes[\"a\"]",
            "profilesample.values",
            "profilesample.timestamps",
            "profilesample.link_index",
        ],
    ),
    (
        Context::Log,
        &[
            "log.body",
            "log.body[\"a\"]",
            "log.body.string",
            "log.attributes[\"a\"][2]",
            "log.severity_number",
        ],
    ),
];

/// Functions of one value.
pub(crate) const FUNCTIONS: [&str; 26] = [
    "{}",
    "Int({})",
    "Double({})",
    "Bool({})",
    "String({})",
    "Hex({})",
    "SHA256({})",
    "Len({})",
    "Split({}, \",\")",
    "Concat([{}, {}], \"-\")",
    "Concat({}, \",\")",
    "IsMatch({}, \"[a-z]+\")",
    "ToUpperCase({})",
    "ToSnakeCase({})",
    "ToCamelCase({})",
    "ParseKeyValue({})",
    "Sort({})",
    "SliceToMap({})",
    "Keys({})",
    "Values({})",
    "ExtractPatterns({}, \"(?P<x>.)\")",
    "TraceID({})",
    "{} + {}",
    "-{}",
    "Duration({})",
    "{\"a\": {}, \"b\": [{}]}",
];

/// Editors of whatever is there.
pub(crate) const EDITORS: [&str; 12] = [
    "delete_key({}, \"a\")",
    "keep_keys({}, [\"a\", \"b\"])",
    "truncate_all({}, 3)",
    "clear({})",
    "limit({}, 1, [])",
    "merge_maps({}, {}, \"upsert\")",
    "stringify_all({})",
    "append({}, 1)",
    "delete_index({}, 0)",
    "replace_pattern({}, \"a*\", \"$0x\", SHA1)",
    "replace_all_patterns({}, \"key\", \"a|b\", \"c\")",
    "replace_all_matches({}, \"*\", \"x\")",
];

#[test]
fn whatever_the_data_statements_leave_a_valid_request() {
    let mut rng = Rng::new(7);
    for (context, targets) in TARGETS {
        let signal = match context {
            Context::Log | Context::Resource => Signal::Logs,
            Context::Metric | Context::DataPoint => Signal::Metrics,
            Context::Profile | Context::ProfileSample => Signal::Profiles,
            _ => Signal::Traces,
        };
        let mut statements = Vec::new();
        for target in targets {
            for source in targets {
                let functions = FUNCTIONS
                    .iter()
                    .map(|function| function.replace("{}", source));
                statements.extend(functions.map(|value| format!("set({target}, {value})")));
                statements.push(format!(
                    "set({target}, {source}) where {source} == {target}"
                ));
            }
            statements.extend(EDITORS.iter().map(|editor| editor.replace("{}", target)));
        }
        let programs: Vec<_> = statements
            .iter()
            .filter_map(|statement| compiler(context).statements(&[statement], &[]).ok())
            .collect();
        // Few are refused: `clear` of message lists.
        assert!(programs.len() + 4 >= statements.len(), "{context}");
        for _ in 0..4 {
            let request = Random::random(signal, &mut rng).encode();
            let (request, _) = rewrite(signal, &request, &mut rng);
            for program in &programs {
                let mut batch = Batch::from_protobuf(signal, request.clone().into()).unwrap();
                let result = run(
                    program,
                    batch.open().unwrap(),
                    &Request::default(),
                    ErrorMode::Silent,
                    None,
                    &mut Vec::new(),
                    &mut |_| (),
                );
                let source = &program.statements[0].source;
                assert_eq!(result, Ok(()), "{source}");
                let after = Batch::from_protobuf(signal, batch.to_protobuf());
                assert!(after.unwrap().validate().is_ok(), "{source}");
            }
        }
    }
}
