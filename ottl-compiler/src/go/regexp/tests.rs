//! What patterns mean, case by case, as Go's `regexp` has it. Rows that only the reference decides
//! are in `tests/ottl`.

#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;

/// What Go 1.26 says of the same patterns and texts.
#[test]
fn patterns_mean_what_they_mean_in_go() {
    for (pattern, text, matches) in [
        (r"^\d+$", "٣", false),
        (r"^\d+$", "123", true),
        (r"^\w$", "é", false),
        (r"^[\w-]+$", "a-b_9", true),
        (r"^[\W]$", "é", true),
        (r"^\s$", "\u{a0}", false),
        (r"^\s$", "\x0B", false),
        (r"\bcafé\b", "café", false),
        (r"^.$", "é", true),
        (r"^(?i)straße$", "STRAßE", true),
        (r"^[a&&b]$", "&", true),
        (r"^[[]$", "[", true),
        (r"^[]a]$", "]", true),
        (r"^[a-]$", "-", true),
        (r"^[+--]$", ",", true),
        (r"^[~~]$", "~", true),
        (r"^[^<>\<]$", "a", true),
        (r"^[[:alpha:][:digit:]]+$", "a1", true),
        (r"^\Qa.b*\E$", "a.b*", true),
        (r"^a{,5}$", "a{,5}", true),
        (r"^{$", "{", true),
        (r"^\101\x41\x{42}$", "AAB", true),
        (r"^\<\>\_\/$", "<>_/", true),
        (r"^a\ b$", "a b", true),
        (r"^[\d\-x]+$", "1-x", true),
        (r"^\pL\p{Greek}$", "aλ", true),
        (r"(?U)a+", "aaa", true),
        (r"a$", "a\n", false),
        (r"(?m)a$", "a\n", true),
        (r"^(?)a$", "a", true),
    ] {
        let regex = compile(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
        assert_eq!(
            regex.is_match(text.as_bytes()),
            matches,
            "{pattern} on {text:?}"
        );
    }
}

#[test]
fn what_go_refuses_is_refused_in_its_words() {
    for (pattern, error) in [
        ("[", "missing closing ]: `[`"),
        ("a[b", "missing closing ]: `[b`"),
        ("(a", "missing closing ): `(a`"),
        ("a)", "unexpected ): `a)`"),
        ("*a", "missing argument to repetition operator: `*`"),
        ("a|*", "missing argument to repetition operator: `*`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a\\", "trailing backslash at end of expression: ``"),
        (r"\y", r"invalid escape sequence: `\y`"),
        (r"\1", r"invalid escape sequence: `\1`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("(?x)a", "invalid or unsupported Perl syntax: `(?x)`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=a)`"),
    ] {
        match compile(pattern) {
            Err(got) => assert_eq!(got, format!("error parsing regexp: {error}"), "{pattern}"),
            Ok(_) => panic!("{pattern} was accepted"),
        }
    }
}

#[test]
fn group_names_are_those_written() {
    let regex = compile(r"(?P<a>x)(y)(?<b_1>z)(?P<9>w)(?P<a>v)(?P<9>u)").unwrap();
    assert_eq!(
        group_names(&regex).collect::<Vec<_>>(),
        [
            Some("a"),
            None,
            Some("b_1"),
            Some("9"),
            Some("a"),
            Some("9")
        ]
    );
}
