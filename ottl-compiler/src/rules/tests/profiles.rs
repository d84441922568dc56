//! Rules about profiles: which names are theirs, what is decided of their samples, which are the
//! items, and what becomes of profiles that have none.

use trunkline_proto::batch::Level;

use super::*;

/// Two profiles of two samples and one without, all with the attribute `p`; the second sample of
/// the first has `s`, the resource `r`.
fn request() -> Batch {
    let text = r#"{"resourceProfiles":[{"resource":{"attributes":[{"key":"r","value":{"stringValue":"v"}}]},
        "scopeProfiles":[{"profiles":[
            {"sampleType":{"typeStrindex":3},"durationNano":"2000000000","period":"7","attributeIndices":[1],
             "samples":[{"linkIndex":1},{"attributeIndices":[2]}]},
            {"durationNano":"500000000","attributeIndices":[1],"samples":[{},{}]},
            {"attributeIndices":[1]}]}]}],
        "dictionary":{"stringTable":["","p","s","cpu"],
            "attributeTable":[{},{"keyStrindex":1,"value":{"stringValue":"v"}},{"keyStrindex":2,"value":{"stringValue":"v"}}]}}"#;
    let mut bytes = text.as_bytes().to_vec();
    let bytes = json::to_protobuf(Signal::Profiles, &mut bytes).unwrap();
    Batch::from_protobuf(Signal::Profiles, bytes).unwrap()
}

/// What a rule decides: the samples that are dropped or routed, and the profiles that are dropped
/// without any.
fn decided(rule: &str) -> String {
    let rules = compiled(rule).unwrap_or_else(|error| panic!("{rule}\n{error}"));
    let rules = rules.of(Signal::Profiles);
    if rules.is_empty() {
        return "not about profiles".to_owned();
    }
    let mut batch = request();
    let mut runner = Runner::new(Signal::Profiles, rules, false);
    let (data, mut failed) = (batch.open().unwrap(), Vec::new());
    let mut tell =
        |failure: crate::run::RowFailure<'_>| failed.push(format!("failed: {}", failure.cause));
    let ran = runner.run(data, &Request::default(), ErrorMode::Ignore, &mut tell);
    let fates = ran.unwrap().fates;
    let mut said = failed;
    let numbers = |set: &crate::run::Selected| -> Vec<u32> {
        (0..8).filter(|row| set.contains(*row)).collect()
    };
    for (_, level, set) in &fates.dropped {
        let of = if *level == Level::Sample {
            "drop"
        } else {
            "drop bare"
        };
        said.push(format!("{of} {:?}", numbers(set)));
    }
    for (_, set) in &fates.routed {
        said.push(format!("route {:?}", numbers(set)));
    }
    said.join(", ")
}

#[test]
fn rules_decide_about_samples() {
    for (rule, wanted) in [
        // By the samples, the profiles or what is around them.
        ("profilesample.attributes['s'] == 'v' > drop()", "drop [1]"),
        ("profilesample.link_index == 1 > route('a')", "route [0]"),
        (
            "profile.sample_type.type == 'cpu' > route('a')",
            "route [0, 1]",
        ),
        ("sample_type.type == 'cpu' > route('a')", "route [0, 1]"),
        ("resource.attr.r == 'v' > route('a')", "route [0, 1, 2, 3]"),
        ("true > drop()", "drop [0, 1, 2, 3]"),
        // What has no samples is dropped with what it is in, but no item that could be routed.
        (
            "profile.attr.p == 'v' > drop()",
            "drop bare [2], drop [0, 1, 2, 3]",
        ),
        ("resource.attr.r == 'v' > drop()", "drop [0, 1, 2, 3]"),
        // Bare names: a field, or an attribute from the inside out.
        ("period == 7 > drop()", "drop [0, 1]"),
        ("link_index == 1 > drop()", "drop [0]"),
        ("s == 'v' > drop()", "drop [1]"),
        ("p == 'v' > drop()", "drop [0, 1, 2, 3]"),
        ("r == 'v' and s == nil > drop()", "drop [0, 2, 3]"),
        // A bare duration is compared as one; the path is a number of nanoseconds.
        ("duration > 1500 > drop()", "drop [0, 1]"),
        ("duration >= duration('2s') > drop()", "drop [0, 1]"),
        ("profile.duration == 500000000 > drop()", "drop [2, 3]"),
        // What is another signal's is not about profiles.
        ("name == 'x' > drop()", "not about profiles"),
        ("span.name == 'x' > drop()", "not about profiles"),
    ] {
        assert_eq!(decided(rule), wanted, "{rule}");
    }
}
