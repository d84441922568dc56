//! `UserAgent`. The same texts come again and again, so each core keeps what it found of the
//! last ones.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use super::Prepared;
use crate::{
    failure::Failure,
    go::user_agent::{Found, Patterns},
    program::{Args, Argument},
    value::{Text, Value},
};

/// Texts of each of two generations that are kept.
const GENERATION: usize = 512;

/// Longer texts are not kept.
const KEPT_LEN: usize = 1 << 10;

/// What was found of a text: browser and system.
type Both = Rc<(Found, Found)>;

/// What was found lately. A text that is found among the old ones is a young one again.
#[derive(Default)]
struct Kept {
    young: HashMap<Box<str>, Both>,
    old: HashMap<Box<str>, Both>,
}

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

impl Kept {
    fn get(&mut self, text: &str, find: impl FnOnce() -> Both) -> Both {
        if let Some(found) = self.young.get(text) {
            return found.clone();
        }
        let found = self.old.get(text).cloned().unwrap_or_else(find);
        if text.len() <= KEPT_LEN {
            if self.young.len() >= GENERATION {
                self.old = std::mem::take(&mut self.young);
            }
            self.young.insert(text.into(), found.clone());
        }
        found
    }
}

/// Compiles the patterns, so that no row has to.
pub(super) fn prepare(_: &[Argument]) -> Result<Option<Prepared>, String> {
    match Patterns::get() {
        Some(_) => Ok(None),
        None => Err("the patterns of user agents do not compile".to_owned()),
    }
}

/// `UserAgent(user_agent)`
pub(super) fn user_agent(args: &Args<'_>) -> Result<Value, Failure> {
    let original = args.text(0)?;
    let text = String::from_utf8_lossy(original);
    let patterns = Patterns::get().ok_or_else(|| {
        Failure::Function("the patterns of user agents do not compile".to_owned())
    })?;
    let find = || Rc::new((patterns.browser(&text), patterns.system(&text)));
    let found = KEPT.with_borrow_mut(|kept| kept.get(&text, find));
    let (browser, system) = &*found;
    let mut out = Vec::with_capacity(5);
    let mut put = |key: &str, value: &[u8]| {
        out.push((Text::from_slice(key.as_bytes()), Value::text(value)));
    };
    put("user_agent.name", browser.name.as_bytes());
    put("user_agent.original", original);
    put("user_agent.version", browser.version.as_bytes());
    put("os.name", system.name.as_bytes());
    if !system.version.is_empty() {
        put("os.version", system.version.as_bytes());
    }
    Ok(Value::RawMap(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_kept_within_bounds() {
        let mut kept = Kept::default();
        let mut searches = 0;
        for at in 0..10 * GENERATION {
            for text in [
                "always".to_owned(),
                at.to_string(),
                "x".repeat(KEPT_LEN + 1),
            ] {
                kept.get(&text, || {
                    searches += 1;
                    Both::default()
                });
            }
            assert!(kept.young.len() <= GENERATION && kept.old.len() <= GENERATION);
        }
        assert_eq!(searches, 1 + 2 * 10 * GENERATION);
    }
}
