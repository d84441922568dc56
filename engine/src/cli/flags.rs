//! The flags of `trunkline ottl` and `trunkline test`: read one after the other, with the texts for
//! those that are wrong. What each means is the command's.

use std::ffi::OsString;

use lexopt::{Arg, Parser};

use super::text;
use crate::config::{Gates, diagnostics::nearest};

/// What follows a command.
pub(super) struct Flags {
    parser: Parser,
    /// The flags that there are.
    known: &'static [&'static str],
}

/// A flag by its name, without its value, or what is none.
pub(super) enum Flag {
    Named(String),
    Other(String),
}

impl Flags {
    pub fn new(
        arguments: impl IntoIterator<Item = OsString>,
        known: &'static [&'static str],
    ) -> Flags {
        let parser = Parser::from_args(arguments);
        Flags { parser, known }
    }

    /// The next one; at the end none.
    ///
    /// # Errors
    /// It is none that there is.
    pub fn next(&mut self) -> Result<Option<Flag>, String> {
        let Some(argument) = self.parser.next().map_err(|e| e.to_string())? else {
            return Ok(None);
        };
        let name = match argument {
            Arg::Long(name) => name.to_owned(),
            Arg::Short('h') => "help".to_owned(),
            Arg::Short(c) => return Err(format!("unknown shorthand flag: {c:?} in -{c}")),
            Arg::Value(value) => return Ok(Some(Flag::Other(text(value)))),
        };
        if !self.known.contains(&name.as_str()) {
            let hint = nearest(&name, self.known.iter().copied());
            let hint = hint.map(|near| format!(" (did you mean --{near}?)"));
            return Err(format!(
                "unknown flag: --{name}{}",
                hint.unwrap_or_default()
            ));
        }
        Ok(Some(Flag::Named(name)))
    }

    /// The value of a flag.
    ///
    /// # Errors
    /// It has none.
    pub fn value(&mut self, name: &str) -> Result<String, String> {
        let value = self.parser.value().map(text);
        value.map_err(|_| format!("flag needs an argument: --{name}"))
    }

    /// The value of a flag, as one of the words that there are.
    ///
    /// # Errors
    /// It has none, or another.
    pub fn choice<T>(
        &mut self,
        name: &str,
        words: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, String> {
        let value = self.value(name)?;
        read(&value).ok_or_else(|| invalid(name, &value, &format!("it is one of {words}")))
    }

    /// Whether to colour; nothing: on a terminal.
    ///
    /// # Errors
    /// Those of [`Flags::choice`].
    pub fn colour(&mut self, name: &str) -> Result<Option<bool>, String> {
        self.choice(name, "auto, always, never", |value| match value {
            "auto" => Some(None),
            "always" => Some(Some(true)),
            "never" => Some(Some(false)),
            _ => None,
        })
    }

    /// Sets feature gates.
    ///
    /// # Errors
    /// There is no such gate, or it cannot be set.
    pub fn gates(&mut self, name: &str, gates: &mut Gates) -> Result<(), String> {
        let list = self.value(name)?;
        gates.set(&list).map_err(|why| invalid(name, &list, &why))
    }
}

fn invalid(name: &str, value: &str, why: &str) -> String {
    format!("invalid argument {value:?} for \"--{name}\" flag: {why}")
}
