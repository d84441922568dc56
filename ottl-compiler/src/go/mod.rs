//! What Go's standard library, and libraries the reference uses, do where users can see it:
//! regular expressions ([`regexp`]), globs ([`glob`]), grok ([`grok`]), numbers and telemetry values as text
//! ([`text`]), character sets ([`charset`]), comma-separated values ([`csv`]), addresses ([`url`]), user agents ([`user_agent`]), XML ([`xml`], [`xml_tree`], `xml_names`), XPath ([`xpath`]), formatted
//! texts ([`sprintf`]), durations and dates
//! ([`time`]), their layouts ([`layout`], [`strptime`], [`locale`]) and time zones ([`zone`]).

pub mod charset;
pub mod csv;
pub mod glob;
pub mod grok;
pub mod layout;
pub mod locale;
pub mod regexp;
pub mod sprintf;
pub mod strptime;
pub mod text;
pub mod time;
pub mod url;
pub mod user_agent;
pub mod xml;
mod xml_names;
pub mod xml_tree;
pub mod xpath;
pub mod zone;

#[cfg(test)]
mod tests;
