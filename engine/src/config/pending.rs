//! Keys that are declared and do nothing, yet or in that place. They are said at start and listed in
//! `docs/reference/no-effect.md` like those that a declaration itself marks; a key
//! leaves this list together with the test of its behaviour (`tests/behaviours`).

/// Patterns over declared paths, and why. `**::x` is every path that ends in `x`.
const PENDING: &[(&str, &str)] = &[
    (
        "service::telemetry::traces",
        "Trunkline does not trace itself yet",
    ),
    ("extensions::health_check::cors", OWN_HANDLER),
    ("extensions::health_check::cors::**", OWN_HANDLER),
    ("extensions::health_check::response_headers", OWN_HANDLER),
    (
        "extensions::health_check::compression_algorithms",
        OWN_HANDLER,
    ),
    ("extensions::*::max_request_body_size", NO_BODY),
    (
        "extensions::*::include_metadata",
        "no page looks at metadata",
    ),
];

const OWN_HANDLER: &str = "the Collector ignores it too";
const NO_BODY: &str = "no page reads a body";

/// Why the key of a declared path (`exporters::otlp_grpc::timeout`) does nothing; `None` when it does something.
pub fn why(path: &str) -> Option<&'static str> {
    PENDING
        .iter()
        .find(|(pattern, _)| matches(pattern, path))
        .map(|(_, why)| *why)
}

/// Does a pattern match a declared path? `**` stands for any keys, none included,
/// `*` for one or for a part of one.
pub fn matches(pattern: &str, path: &str) -> bool {
    fn one(pattern: &str, key: &str) -> bool {
        match pattern.split_once('*') {
            Some((before, after)) => {
                key.len() >= before.len() + after.len()
                    && key.starts_with(before)
                    && key.ends_with(after)
            }
            None => pattern == key,
        }
    }
    fn rest(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern, path) {
            ([], []) => true,
            (["**", more @ ..], _) => {
                (0..=path.len()).any(|n| path.get(n..).is_some_and(|tail| rest(more, tail)))
            }
            ([first, more @ ..], [key, tail @ ..]) => one(first, key) && rest(more, tail),
            _ => false,
        }
    }
    let pattern: Vec<&str> = pattern.split("::").collect();
    let path: Vec<&str> = path.split("::").collect();
    rest(&pattern, &path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_keys() {
        for (pattern, path, result) in [
            ("a::b", "a::b", true),
            ("a::b", "a::b::c", false),
            ("**::b", "x::a::b", true),
            ("**::b", "x::ab", false),
            ("a::**", "a::b::c", true),
            ("a::**", "a", true),
            ("a::*::c", "a::b::c", true),
            ("a::*::c", "a::c", false),
            ("a::*_path", "a::url_path", true),
            ("a::*_path", "a::paths", false),
        ] {
            assert_eq!(matches(pattern, path), result, "{pattern} {path}");
        }
    }
}
