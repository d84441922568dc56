//! `flatten`, as the reference was seen to do it: statements that make the attributes, then the
//! one that flattens them, and what comes of it.

use super::*;

#[test]
fn nested_values_become_entries_of_their_own() {
    for (statements, expected) in [
        (
            &[
                r#"set(log.attributes, {"l":[1,[2,[3,4]],{"k":[4,5],"m":{"z":1}}]})"#,
                r#"flatten(log.attributes)"#,
            ][..],
            r#"{"l.0":1,"l.10":2,"l.11.0":3,"l.11.1":4,"l.2.k.0":4,"l.2.k.1":5,"l.2.m.z":1}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"l":[1,[2,[3,4]],{"k":[4,5],"m":{"z":1}}]})"#,
                r#"flatten(log.attributes, depth=1)"#,
            ][..],
            r#"{"l.0":1,"l.1":[2,[3,4]],"l.2":{"k":[4,5],"m":{"z":1}}}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"l":[1,[2,[3,4]],{"k":[4,5],"m":{"z":1}}]})"#,
                r#"flatten(log.attributes, depth=2)"#,
            ][..],
            r#"{"l.0":1,"l.10":2,"l.11":[3,4],"l.2.k":[4,5],"l.2.m":{"z":1}}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"l":[1,[2,[3,4]],{"k":[4,5],"m":{"z":1}}]})"#,
                r#"flatten(log.attributes, depth=3)"#,
            ][..],
            r#"{"l.0":1,"l.10":2,"l.11":[3,4],"l.2.k.0":4,"l.2.k.1":5,"l.2.m.z":1}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"l":[1,[2,[3,4]],{"k":[4,5],"m":{"z":1}}]})"#,
                r#"flatten(log.attributes, resolve_conflicts=true)"#,
            ][..],
            r#"{"l":1,"l.10":2,"l.11":3,"l.11.0":4,"l.2.k":4,"l.2.k.0":5,"l.2.m.z":1}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"l":[1,[2,[3,4]],{"k":[4,5],"m":{"z":1}}]})"#,
                r#"flatten(log.attributes, depth=1, resolve_conflicts=true)"#,
            ][..],
            r#"{"l":1,"l.0":[2,[3,4]],"l.1":{"k":[4,5],"m":{"z":1}}}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"l":[1,[2,[3,4]],{"k":[4,5],"m":{"z":1}}]})"#,
                r#"flatten(log.attributes, depth=2, resolve_conflicts=true)"#,
            ][..],
            r#"{"l":1,"l.10":2,"l.11":[3,4],"l.2.k":[4,5],"l.2.m":{"z":1}}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"l":[[1,2],[3,4],5]})"#,
                r#"flatten(log.attributes, resolve_conflicts=true)"#,
            ][..],
            r#"{"l":5,"l.00":1,"l.01":2,"l.10":3,"l.11":4}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"l":[[1,2],[3,4],5]})"#,
                r#"flatten(log.attributes)"#,
            ][..],
            r#"{"l.00":1,"l.01":2,"l.10":3,"l.11":4,"l.2":5}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"l":[[[1],[2]],[[3]]]})"#,
                r#"flatten(log.attributes)"#,
            ][..],
            r#"{"l.00.0":1,"l.01.0":2,"l.10.0":3}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"l":[[[1],[2]],[[3]]]})"#,
                r#"flatten(log.attributes, resolve_conflicts=true)"#,
            ][..],
            r#"{"l.00":1,"l.01":2,"l.10":3}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"l":[{"a":1},{"a":2}]})"#,
                r#"flatten(log.attributes)"#,
            ][..],
            r#"{"l.0.a":1,"l.1.a":2}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"l":[{"a":1},{"a":2}]})"#,
                r#"flatten(log.attributes, resolve_conflicts=true)"#,
            ][..],
            r#"{"l.0.a":1,"l.1.a":2}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"l":[{"a":1},{"a":2}]})"#,
                r#"flatten(log.attributes, depth=1)"#,
            ][..],
            r#"{"l.0":{"a":1},"l.1":{"a":2}}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"l":[{"a":1},{"a":2}]})"#,
                r#"flatten(log.attributes, depth=1, resolve_conflicts=true)"#,
            ][..],
            r#"{"l":{"a":1},"l.0":{"a":2}}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"e":{},"f":[],"g":[[]],"h":[{}],"i":{"j":{}}})"#,
                r#"flatten(log.attributes)"#,
            ][..],
            r#"{}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"e":{},"f":[],"g":[[]],"h":[{}],"i":{"j":{}}})"#,
                r#"flatten(log.attributes, depth=1)"#,
            ][..],
            r#"{"g.0":[],"h.0":{},"i.j":{}}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"e":{},"f":[],"g":[[]],"h":[{}],"i":{"j":{}}})"#,
                r#"flatten(log.attributes, resolve_conflicts=true)"#,
            ][..],
            r#"{}"#,
        ),
        (
            &[
                r#"set(log.attributes, {})"#,
                r#"set(@a["b"],1)"#,
                r#"set(log.attributes["a.b"],2)"#,
                r#"flatten(log.attributes)"#,
            ][..],
            r#"{"a.b":2}"#,
        ),
        (
            &[
                r#"set(log.attributes, {})"#,
                r#"set(log.attributes["a.b"],2)"#,
                r#"set(@a["b"],1)"#,
                r#"flatten(log.attributes)"#,
            ][..],
            r#"{"a.b":1}"#,
        ),
        (
            &[
                r#"set(log.attributes, {})"#,
                r#"set(log.attributes["a.b"],2)"#,
                r#"set(@a["b"],1)"#,
                r#"flatten(log.attributes, resolve_conflicts=true)"#,
            ][..],
            r#"{"a.b":2,"a.b.0":1}"#,
        ),
        (
            &[
                r#"set(log.attributes, {})"#,
                r#"set(@a["b"],1)"#,
                r#"set(log.attributes["a.b"],2)"#,
                r#"set(log.attributes["a.b.0"],3)"#,
                r#"flatten(log.attributes, resolve_conflicts=true)"#,
            ][..],
            r#"{"a.b":1,"a.b.0":2,"a.b.0.0":3}"#,
        ),
        (
            &[
                r#"set(log.attributes, {})"#,
                r#"set(@a["b"],1)"#,
                r#"set(log.attributes["a.b.0"],3)"#,
                r#"set(log.attributes["a.b"],2)"#,
                r#"flatten(log.attributes, resolve_conflicts=true)"#,
            ][..],
            r#"{"a.b":1,"a.b.0":2}"#,
        ),
        (
            &[
                r#"set(log.attributes, {})"#,
                r#"set(@a["b"],1)"#,
                r#"set(log.attributes["a.b"],2)"#,
                r#"set(@c,{"d":1})"#,
                r#"set(log.attributes["c.d"],5)"#,
                r#"flatten(log.attributes,"p", resolve_conflicts=true)"#,
            ][..],
            r#"{"p.a.b":1,"p.a.b.0":2,"p.c.d":1,"p.c.d.0":5}"#,
        ),
        (
            &[
                r#"set(log.attributes, {})"#,
                r#"set(@l,[1,2,3])"#,
                r#"set(log.attributes["l.0"],9)"#,
                r#"flatten(log.attributes, resolve_conflicts=true)"#,
            ][..],
            r#"{"l":1,"l.0":2,"l.0.0":9,"l.1":3}"#,
        ),
        (
            &[
                r#"set(log.attributes, {})"#,
                r#"set(log.attributes["l.0"],9)"#,
                r#"set(@l,[1,2,3])"#,
                r#"flatten(log.attributes, resolve_conflicts=true)"#,
            ][..],
            r#"{"l":1,"l.0":2,"l.1":3}"#,
        ),
        (
            &[
                r#"set(log.attributes, {})"#,
                r#"set(@x,{"l":[1,{"l":[2,3]}]})"#,
                r#"flatten(log.attributes, resolve_conflicts=true)"#,
            ][..],
            r#"{"x.l":1,"x.l.1.l":2,"x.l.1.l.0":3}"#,
        ),
        (
            &[
                r#"set(log.attributes, {})"#,
                r#"set(@a["b"],1)"#,
                r#"set(log.attributes["a.b"],2)"#,
                r#"set(@q,{"q":1})"#,
                r#"set(log.attributes["q.q"],1)"#,
                r#"set(log.attributes["q.q.0"],7)"#,
                r#"flatten(log.attributes, resolve_conflicts=true)"#,
            ][..],
            r#"{"a.b":1,"a.b.0":2,"q.q":1,"q.q.0":1,"q.q.0.0":7}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"l":[1,[2,[3,4]],{"k":[4,5],"m":{"z":1}}]})"#,
                r#"flatten(log.attributes, depth=4)"#,
            ][..],
            r#"{"l.0":1,"l.10":2,"l.11.0":3,"l.11.1":4,"l.2.k.0":4,"l.2.k.1":5,"l.2.m.z":1}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"l":[1,[2,[3,[4,[5,[6]]]]]]})"#,
                r#"flatten(log.attributes, depth=4)"#,
            ][..],
            r#"{"l.0":1,"l.10":2,"l.11.0":3,"l.11.1":[4,[5,[6]]]}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"l":[1,[2,[3,[4,[5,[6]]]]]]})"#,
                r#"flatten(log.attributes, depth=5)"#,
            ][..],
            r#"{"l.0":1,"l.10":2,"l.11.0":3,"l.11.10":4,"l.11.11":[5,[6]]}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"l":[1,[2,[3,[4,[5,[6]]]]]]})"#,
                r#"flatten(log.attributes, depth=6)"#,
            ][..],
            r#"{"l.0":1,"l.10":2,"l.11.0":3,"l.11.10":4,"l.11.11":[5,[6]]}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"l":[1,[2,[3,[4,[5,[6]]]]]]})"#,
                r#"flatten(log.attributes, depth=7)"#,
            ][..],
            r#"{"l.0":1,"l.10":2,"l.11.0":3,"l.11.10":4,"l.11.11.0":5,"l.11.11.1":[6]}"#,
        ),
        (
            &[
                r#"set(log.attributes, {"l":[1,[2,[3,[4,[5,[6]]]]]]})"#,
                r#"flatten(log.attributes)"#,
            ][..],
            r#"{"l.0":1,"l.10":2,"l.11.0":3,"l.11.10":4,"l.11.11.0":5,"l.11.11.10":6}"#,
        ),
    ] {
        let statements: Vec<String> = statements.iter().map(|text| names(text)).collect();
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        let mut batch = fixture(Context::Log);
        assert_eq!(
            execute(&mut batch, Context::Log, &statements),
            Vec::<String>::new()
        );
        let result = evaluate(batch.open().unwrap(), Context::Log, 0, "log.attributes");
        assert_eq!(told(result), expected, "{statements:?}");
    }
}
