//! Profiles and samples: what no processor offers (samples), and data that is wrong. What
//! statements do to profiles is held against a real Collector in [`super::transform`].

use trunkline_proto::batch::{Field, FieldValue, Level, Value as Any};

use super::*;
use crate::{
    failure::Failure,
    run::{RowFailure, conditions},
};

fn profiles() -> Batch {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/ottl/transform");
    let mut text = std::fs::read(folder.join("profiles.json")).unwrap();
    let bytes = json::to_protobuf(Signal::Profiles, &mut text).unwrap();
    Batch::from_protobuf(Signal::Profiles, bytes).unwrap()
}

fn compiler(context: Context) -> Compiler {
    Compiler::new(Host::Transform, &[context]).in_context(context)
}

/// Runs statements on the samples; what failed.
fn on_samples(data: &mut Data, statements: &[&str]) -> Vec<String> {
    let program = compiler(Context::ProfileSample)
        .statements(statements, &[])
        .unwrap();
    let mut failed = Vec::new();
    let tell = &mut |failure: RowFailure<'_>| failed.push(failure.cause.to_string());
    let (mode, request) = (ErrorMode::Ignore, Request::default());
    run(&program, data, &request, mode, None, &mut Vec::new(), tell).unwrap();
    failed
}

#[test]
fn samples_are_read_and_written_as_profiles_are() {
    let mut batch = profiles();
    let data = batch.open().unwrap();
    let failed = on_samples(
        data,
        &[
            r#"set(profilesample.attributes["of"], profile.sample_type.type)"#,
            r#"set(profilesample.attributes["n"], Len(profilesample.timestamps)) where profilesample.timestamps_unix_nano != nil"#,
            r#"set(profilesample.values, [7, 8]) where profilesample.attributes["thread.name"] == "main""#,
            r#"set(profilesample.timestamps, profilesample.timestamps)"#,
            r#"set(profilesample.timestamps_unix_nano, [1, 2]) where profilesample.link_index == 0"#,
            r#"delete_key(profilesample.attributes, "thread.name")"#,
            r#"set(profilesample.link_index, 1) where profilesample.link_index == 0"#,
            r#"set(profile.attributes["seen"], true)"#,
        ],
    );
    assert_eq!(failed, Vec::<String>::new());
    let rows = data.rows(Level::Sample).unwrap();
    assert_eq!(rows.len(), 4);
    let mut shown = Vec::new();
    for row in rows {
        let mut texts = Vec::new();
        for key in ["of", "n", "thread.name"] {
            let value = data.attribute(Level::Sample, row, key.as_bytes()).unwrap();
            texts.push(match value {
                Some(Any::String(text)) => String::from_utf8(text.to_vec()).unwrap(),
                Some(Any::Int(number)) => number.to_string(),
                other => format!("{other:?}"),
            });
        }
        let values = data.field(Level::Sample, row, Field::SampleValues).unwrap();
        texts.push(format!("{values:?}"));
        let times = data.field(Level::Sample, row, Field::Timestamps).unwrap();
        let Some(FieldValue::Packed(bytes)) = times else {
            panic!("{times:?}");
        };
        texts.push((bytes.len() / 8).to_string());
        let link = data.field(Level::Sample, row, Field::LinkIndex).unwrap();
        assert_eq!(link, Some(FieldValue::Int(1)));
        shown.push(texts.join(" "));
    }
    let none = "None";
    assert_eq!(
        shown,
        [
            format!("cpu 0 {none} Some(Packed([7, 8])) 2"),
            format!("cpu 2 {none} Some(Packed([20, 5])) 2"),
            format!("samples 0 {none} Some(Packed([1])) 2"),
            format!("cpu 0 {none} Some(Packed([3])) 2"),
        ]
    );
    for (row, seen) in [(0, true), (1, true), (2, false), (3, true)] {
        let value = data.attribute(Level::Item, row, b"seen").unwrap();
        assert_eq!(value.is_some(), seen, "{row}");
    }
    batch.validate().unwrap();
}

#[test]
fn what_samples_do_not_take_is_an_error() {
    let cases = [
        (
            "set(profilesample.link_index, 2147483647)",
            "exceeded max value",
        ),
        (
            "set(profilesample.link_index, \"x\")",
            "expects int64 but got string",
        ),
        (
            "set(profilesample.values, \"x\")",
            "expects []int64 but got string",
        ),
        (
            "set(profilesample.values, [\"a\"])",
            "expects []int64 but got []any",
        ),
        (
            "set(profilesample.timestamps, [1])",
            "expects []time.Time but got []any",
        ),
    ];
    for (statement, wanted) in cases {
        let mut batch = profiles();
        let failed = on_samples(batch.open().unwrap(), &[statement]);
        assert_eq!(failed, vec![wanted; 4], "{statement}");
        assert!(!batch.is_edited(), "{statement}");
    }
}

#[test]
fn an_index_that_leads_nowhere_fails_on_its_row_alone() {
    let mut text = br#"{"resourceProfiles":[{"scopeProfiles":[{"profiles":[
        {"attributeIndices":[1]}, {"attributeIndices":[9]}, {"attributeIndices":[-1]},
        {"attributeIndices":[2]}, {"attributeIndices":[3]}, {"sampleType":{"typeStrindex":7}}]}]}],
        "dictionary":{"stringTable":["","k"],"attributeTable":[{},
        {"keyStrindex":1,"value":{"intValue":"5"}},{"keyStrindex":4},
        {"keyStrindex":1,"value":{"stringValueStrindex":8}}]}}"#
        .to_vec();
    let bytes = json::to_protobuf(Signal::Profiles, &mut text).unwrap();
    let mut batch = Batch::from_protobuf(Signal::Profiles, bytes).unwrap();
    let data = batch.open().unwrap();
    let ask = |data: &mut Data, condition: &str| {
        let program = compiler(Context::Profile)
            .statements(&[], &[condition])
            .unwrap();
        let mut failed = Vec::new();
        let tell = &mut |failure: RowFailure<'_>| {
            failed.push((failure.row, failure.cause.to_string()));
        };
        let (mode, request) = (ErrorMode::Ignore, Request::default());
        let verdict = conditions(&program, data, None, &request, mode, tell);
        let selected = verdict.unwrap().selected;
        let rows: Vec<u32> = (0..6).filter(|row| selected.contains(*row)).collect();
        (rows, failed)
    };
    let (rows, failed) = ask(data, "attributes[\"k\"] == 5");
    assert_eq!(rows, [0]);
    let texts = [
        (1, "attribute index 9 out of bounds [0, 4)"),
        (2, "attribute index -1 out of bounds [0, 4)"),
        (3, "key string index 4 out of bounds [0, 2)"),
        (4, "string index 8 out of bounds [0, 2)"),
    ];
    assert_eq!(failed, texts.map(|(row, text)| (row, text.to_owned())));
    let (rows, failed) = ask(data, "sample_type.type == \"\"");
    assert_eq!(rows, [0, 1, 2, 3, 4]);
    let text = "path \"profile.sample_type.type\" with strindex 7 is out of range";
    assert_eq!(failed, [(5, text.to_owned())]);
    // Writing is an error, too, and changes nothing.
    let program = compiler(Context::Profile).statements(&["set(attributes[\"new\"], 1)"], &[]);
    let mut failed = Vec::new();
    let tell = &mut |failure: RowFailure<'_>| {
        assert!(matches!(failure.cause, Failure::Batch(_)));
        failed.push(failure.row);
    };
    let (mode, request) = (ErrorMode::Ignore, Request::default());
    run(
        &program.unwrap(),
        data,
        &request,
        mode,
        None,
        &mut Vec::new(),
        tell,
    )
    .unwrap();
    assert_eq!(failed, [1, 2, 3, 4]);
    batch.validate().unwrap();
}
