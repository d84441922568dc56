//! Globs as the Go library gobwas/glob reads them without separators: `*` and `**` are any
//! text, `?` any character, `[abc]`, `[a-z]`, `[!a-z]` one of some, `{a,b}` alternatives, `\`
//! takes the next character as it is. They match a whole text.

use regex::bytes::Regex;

use super::regexp::Limits;

/// Compiles a glob.
///
/// # Errors
/// What is not closed, or empty where something must be.
pub fn compile(glob: &str) -> Result<Regex, String> {
    compile_within(glob, Limits::default())
}

/// Compiles a glob that may not take more than so much.
///
/// # Errors
/// As of [`compile`], and that it would take more.
pub fn compile_within(glob: &str, limits: Limits) -> Result<Regex, String> {
    let mut out = String::from("^(?s:");
    let mut chars = glob.chars().peekable();
    let mut open = 0_usize;
    while let Some(c) = chars.next() {
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            // At the end it escapes nothing.
            '\\' => chars.next().into_iter().for_each(|c| literal(c, &mut out)),
            '[' => class(&mut chars, &mut out)?,
            '{' => {
                open += 1;
                out.push_str("(?:");
            }
            ',' if open > 0 => out.push('|'),
            '}' if open > 0 => {
                open -= 1;
                out.push(')');
            }
            c => literal(c, &mut out),
        }
    }
    // What is open at the end is closed there.
    out.extend(std::iter::repeat_n(')', open));
    out.push_str(")$");
    limits.build(&out).map_err(|error| error.to_string())
}

fn literal(c: char, out: &mut String) {
    out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
}

/// What is between brackets: a list of characters, or one range.
fn class(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    out: &mut String,
) -> Result<(), String> {
    out.push('[');
    if chars.next_if_eq(&'!').is_some() {
        out.push('^');
    }
    let mut members: Vec<char> = Vec::new();
    let mut range = None;
    loop {
        match chars.next() {
            None => return Err("missing closing ]".to_owned()),
            Some(']') => break,
            Some('-') if members.len() == 1 && range.is_none() => {
                range = members.first().copied().zip(chars.next());
            }
            Some('\\') => members.extend(chars.next()),
            Some(c) => members.push(c),
        }
    }
    match range {
        Some((low, high)) if members.len() == 1 && low <= high => {
            escaped(low, out);
            out.push('-');
            escaped(high, out);
        }
        Some(_) => return Err("a range is of one character to a later one".to_owned()),
        None if members.is_empty() => return Err("empty [ ]".to_owned()),
        None => members.into_iter().for_each(|c| escaped(c, out)),
    }
    out.push(']');
    Ok(())
}

fn escaped(c: char, out: &mut String) {
    if c.is_ascii_punctuation() {
        out.push('\\');
    }
    out.push(c);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_glob_matches_whole_texts() {
        for (glob, text, matches) in [
            ("*", "", true),
            ("a*", "abc", true),
            ("a*", "ba", false),
            ("a**c", "a/b\nc", true),
            ("?", "é", true),
            ("?", "", false),
            ("[abc]x", "bx", true),
            ("[!abc]x", "bx", false),
            ("[a-c]", "b", true),
            ("[!a-c]", "d", true),
            ("{a,b*}x", "bzzx", true),
            ("{a,b}", "c", false),
            ("a,b", "a,b", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("a.b+", "a.b+", true),
            ("/user/*/list/*", "/user/7/list/9", true),
            ("x{a,b", "xb", true),
            ("a\\", "a", true),
        ] {
            let regex = compile(glob).unwrap();
            assert_eq!(regex.is_match(text.as_bytes()), matches, "{glob} on {text}");
        }
        for glob in ["[a", "[]", "[z-a]", "[a-]"] {
            assert!(compile(glob).is_err(), "{glob}");
        }
    }
}
