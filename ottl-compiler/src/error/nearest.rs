//! The name that was probably meant.

/// The candidate nearest to `name`, if one is near enough to be worth naming: no more than a
/// third of its letters would have to change. Case counts little.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer ones are not typing errors, and the distance is quadratic.
    if name.len() > 64 {
        return None;
    }
    let most = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= 2 * most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, drop, replace or swap with their neighbour; 2 each, 1 for a change of
/// case.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).map(|at| 2 * at).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(last.len());
        row.push(2 * (i + 1));
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
            let change = match x == y {
                true => 0,
                false if x.eq_ignore_ascii_case(y) => 1,
                false => 2,
            };
            let mut best = (at(&last, j) + change)
                .min(at(&last, j + 1) + 2)
                .min(at(&row, j) + 2);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&before, j - 1) + 2);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_its_name_and_another_word_none() {
        let names = ["set", "delete_key", "keep_keys", "IsMatch", "severity_text"];
        for (typed, meant) in [
            ("st", Some("set")),
            ("delete_keys", Some("delete_key")),
            ("ismatch", Some("IsMatch")),
            ("severtiy_text", Some("severity_text")),
            ("body", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, names), meant, "{typed}");
        }
    }
}
