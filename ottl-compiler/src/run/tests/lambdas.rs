//! What lambdas say when they fail, and how far they go. What they give is in `transform`.

use super::*;

fn give(text: &str) -> Result<Value, Failure> {
    let compiler = Compiler::new(Host::Transform, &[Context::Log]).with_lambdas(true);
    let program = compiler.in_context(Context::Log).value(text).unwrap();
    let mut batch = fixture(Context::Log);
    let (data, request, mut cache) = (batch.open().unwrap(), Request::default(), Vec::new());
    let mut row = Row::new(data, Context::Log, 0, &mut cache, &request).unwrap();
    row.value(&program.node).map(|value| value.into_owned())
}

#[test]
fn failures_name_the_element() {
    for (text, wanted) in [
        (
            r#"Any(log.attributes["l"], (_, v) => v)"#,
            "error while evaluating lambda function on slice item (0, v1): lambda expression must \
             return a value of type bool, got string",
        ),
        (
            r#"MapEach(log.attributes["m"], (_, v) => nil)"#,
            "error while evaluating lambda function on map item (x, <a>&): lambda expression must \
             return a value of type <nil>, got <nil>",
        ),
        (
            r#"MapEach([1], (_, v) => log.time)"#,
            "error while evaluating lambda function on slice item (0, 1): <Invalid value type \
             time.Time>",
        ),
        (
            r#"MapKeys(log.attributes["m"], (_, _) => 1)"#,
            "error while evaluating lambda function on map item (x, <a>&): lambda expression must \
             return a value of type string, got int64",
        ),
        (
            r#"Reduce([1], 0, (acc, _, v) => acc / 0)"#,
            "error while evaluating accumulator function on slice item (0, 1): attempted to divide \
             by 0",
        ),
        (
            r#"Any([1], (_, v) => v["a"] == 1)"#,
            "error while evaluating lambda function on slice item (0, 1): cannot index local \
             identifier \"v\": type int64 does not support string indexing",
        ),
        (
            r#"When(() => 1, 1, 2)"#,
            "error while evaluating lambda function: lambda expression must return a value of type \
             bool, got int64",
        ),
        (
            r#"All(log.body, (_, _) => true)"#,
            "unsupported type provided: string",
        ),
    ] {
        assert_eq!(give(text).unwrap_err().to_string(), wanted, "{text}");
    }
}

#[test]
fn what_reduce_builds_up_is_bounded() {
    let list = |len: usize| format!("[{}]", vec!["1"; len].join(","));
    // Doubles with each element, and nests one level deeper.
    let doubling = format!(
        "Reduce({}, \"0123456789abcdef\", (acc, _, _) => Concat([acc, acc], \"\"))",
        list(40)
    );
    let failure = give(&doubling).unwrap_err().to_string();
    assert!(failure.contains("larger than may be built up"), "{failure}");
    let deep = |len| format!("Reduce({}, [], (acc, _, v) => [acc, v])", list(len));
    assert!(give(&deep(40)).is_ok());
    let failure = give(&deep(400)).unwrap_err().to_string();
    assert!(failure.contains("nested too deeply"), "{failure}");
    let maps = format!("Reduce({}, {{}}, (acc, _, v) => {{\"a\": acc}})", list(400));
    let failure = give(&maps).unwrap_err().to_string();
    assert!(failure.contains("nested"), "{failure}");
}
