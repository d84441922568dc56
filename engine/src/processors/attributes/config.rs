//! Keys and defaults of the processor `attributes`, and the actions that the
//! processor `resource` shares.

use trunkline_ottl::go::regexp;
use trunkline_proto::Signal;

use super::matching::Filter;
use crate::component::{Anything, Problems, choice, declare};

declare! {
    /// Changes attributes of spans, log records and data points.
    pub struct Config as "attributesprocessor.Config", check Config::rules {
        /// Only items that match this. Absent: all.
        include: Option<Matching> = None;
        /// Not items that match this; after `include`.
        exclude: Option<Matching> = None;
        /// What to do, in order; at least one action.
        actions: Vec<Action> = Vec::new();
    }
}

impl Config {
    fn rules(&self, problems: &mut Problems) {
        if self.actions.is_empty() {
            problems.push("missing required field \"actions\"");
        }
    }

    /// What the Collector checks when it builds the processor for a signal.
    ///
    /// # Errors
    /// Its text for the first broken rule.
    pub fn buildable(&self, signal: Signal) -> Result<(), String> {
        check_actions(&self.actions)?;
        Filter::compile(signal, self.include.as_ref(), self.exclude.as_ref())?;
        Ok(())
    }
}

choice! {
    /// What an action does.
    pub enum ActionKind as "attraction.Action", message "unsupported action %q", any_case {
        /// Adds the attribute where it is not there.
        Insert = "insert";
        /// Changes the attribute where it is there.
        Update = "update";
        /// Adds or changes the attribute.
        Upsert = "upsert";
        /// Removes the attribute.
        Delete = "delete";
        /// Replaces the value by its SHA-256 in hexadecimal.
        Hash = "hash";
        /// Adds an attribute for each named group of `pattern` found in the value.
        Extract = "extract";
        /// Changes the value's type.
        Convert = "convert";
        /// None of these; refused when the processor is built.
        Unset = "";
    }
}

declare! {
    /// One change of an attribute.
    pub struct Action as "attraction.ActionKeyValue" {
        /// The attribute.
        key: String = String::new();
        /// What to do: `insert`, `update`, `upsert`, `delete`, `hash`, `extract` or `convert`.
        action: String = String::new();
        /// The new value.
        value: Anything = Anything::default();
        /// The new value is that of this attribute.
        from_attribute: String = String::new();
        /// The new value is from the request: `metadata.NAME`, `auth.NAME` or `client.address`.
        from_context: String = String::new();
        /// The new value where the one asked for is not there.
        default_value: Anything = Anything::default();
        /// A regular expression: what to extract, or which attributes to delete or hash.
        pattern: String = String::new();
        /// For `convert`: `int`, `double` or `string`.
        converted_type: String = String::new();
    }
}

impl Action {
    /// What it does. A word that is no action is [`ActionKind::Unset`], which
    /// [`check_actions`] refuses: the Collector looks at it only when it builds the processor.
    pub fn kind(&self) -> ActionKind {
        ActionKind::from_word(&self.action).unwrap_or(ActionKind::Unset)
    }
}

/// The Collector's rules on actions (`attraction.NewAttrProc`), which it applies
/// when it builds the processor.
///
/// # Errors
/// Its text for the first broken rule.
pub fn check_actions(actions: &[Action]) -> Result<(), String> {
    use ActionKind::{Convert, Delete, Extract, Hash, Insert, Unset, Update, Upsert};
    for (i, action) in actions.iter().enumerate() {
        let kind = action.kind();
        let word = action.action.to_lowercase();
        if action.key.is_empty() {
            if !matches!(kind, Delete | Hash) {
                return Err(format!(
                    "error creating AttrProc due to missing required field \"key\" at the {i}-th action"
                ));
            }
            if action.pattern.is_empty() {
                return Err(format!(
                    "error creating AttrProc due to missing required field (at least one of \"key\" and \"pattern\" have to be used) at the {i}-th action"
                ));
            }
        }
        let fail = |text: String| {
            Err(format!(
                "error with key {:?} ({i}-th action): error creating AttrProc{text}",
                action.key
            ))
        };
        let unused = |field: &str| {
            fail(format!(
                ". Action \"{word}\" does not use {field}. This must not be specified"
            ))
        };
        let pattern = || {
            regexp::compile(&action.pattern).map_err(|_| {
                format!(
                    "error with key {:?} ({i}-th action): error creating AttrProc. Field \"pattern\" has invalid pattern: \"{}\"",
                    action.key, action.pattern
                )
            })
        };
        let sources = usize::from(action.value.get().is_some())
            + usize::from(!action.from_attribute.is_empty())
            + usize::from(!action.from_context.is_empty());
        match kind {
            Insert | Update | Upsert => {
                if sources == 0 && action.default_value.get().is_none() {
                    return fail(". Either field \"value\", \"from_attribute\", \"from_context\", or \"default_value\" must be specified".into());
                }
                if sources > 1 {
                    return fail(" due to multiple value sources being set".into());
                }
                if !action.pattern.is_empty() {
                    return unused("the \"pattern\" field");
                }
                if !action.converted_type.is_empty() {
                    return unused("the \"converted_type\" field");
                }
            }
            Hash | Delete => {
                if action.value.get().is_some() || !action.from_attribute.is_empty() {
                    return fail(format!(
                        ". Action \"{word}\" does not use \"value\" or \"from_attribute\" field. These must not be specified"
                    ));
                }
                if !action.pattern.is_empty() {
                    pattern()?;
                }
                if !action.converted_type.is_empty() {
                    return unused("the \"converted_type\" field");
                }
            }
            Extract => {
                if sources > 0 {
                    return fail(format!(
                        ". Action \"{word}\" does not use a value source field. These must not be specified"
                    ));
                }
                if action.pattern.is_empty() {
                    return fail(format!(
                        " due to missing required field \"pattern\" for action \"{word}\""
                    ));
                }
                if !action.converted_type.is_empty() {
                    return unused("the \"converted_type\" field");
                }
                let pattern = pattern()?;
                let mut groups = regexp::group_names(&pattern).peekable();
                if groups.peek().is_none() {
                    return fail(". Field \"pattern\" contains no named matcher groups".into());
                }
                if groups.any(|name| name.is_none()) {
                    return fail(
                        ". Field \"pattern\" contains at least one unnamed matcher group".into(),
                    );
                }
            }
            Convert => {
                if sources > 0 || !action.pattern.is_empty() {
                    return fail(format!(
                        ". Action \"{word}\" does not use value sources or \"pattern\" field. These must not be specified"
                    ));
                }
                match action.converted_type.as_str() {
                    "string" | "int" | "double" => {}
                    "" => {
                        return fail(format!(
                            " due to missing required field \"converted_type\" for action \"{word}\""
                        ));
                    }
                    other => {
                        return fail(format!(
                            " due to invalid value \"{other}\" in field \"converted_type\" for action \"{word}\""
                        ));
                    }
                }
            }
            Unset => return fail(format!(" due to unsupported action \"{word}\"")),
        }
    }
    Ok(())
}

choice! {
    /// How texts are compared.
    pub enum MatchType as "filterset.MatchType", message "unrecognized match_type: '%s', valid types are: [regexp strict]" {
        /// Equal.
        Strict = "strict";
        /// By regular expression.
        Regexp = "regexp";
    }
}

declare! {
    /// Which items: every list that is given must match.
    pub struct Matching as "filterconfig.MatchProperties" {
        /// How texts are compared: `strict` or `regexp`.
        match_type: String = String::new();
        /// Settings of regular expressions.
        regexp: Option<RegexpSettings> = None;
        /// Values of `service.name`; spans only.
        services: Vec<String> = Vec::new();
        /// Names of spans.
        span_names: Vec<String> = Vec::new();
        /// Kinds of spans, as `SPAN_KIND_SERVER`.
        span_kinds: Vec<String> = Vec::new();
        /// Bodies of log records.
        log_bodies: Vec<String> = Vec::new();
        /// Severity texts of log records.
        log_severity_texts: Vec<String> = Vec::new();
        /// Severity numbers of log records.
        log_severity_number: Option<SeverityNumber> = None;
        /// Names of metrics.
        metric_names: Vec<String> = Vec::new();
        /// Attributes of the item; all must match.
        attributes: Vec<MatchAttribute> = Vec::new();
        /// Attributes of the resource; all must match.
        resources: Vec<MatchAttribute> = Vec::new();
        /// Scopes.
        libraries: Vec<MatchLibrary> = Vec::new();
    }
}

impl Matching {
    /// How texts are compared.
    ///
    /// # Errors
    /// The Collector's text for another word, which it gives when it builds the processor.
    pub fn kind(&self) -> Result<MatchType, String> {
        MatchType::from_word(&self.match_type).ok_or_else(|| {
            format!(
                "unrecognized match_type: '{}', valid types are: [regexp strict]",
                self.match_type
            )
        })
    }
}

declare! {
    /// Settings of regular expressions.
    pub struct RegexpSettings as "regexp.Config" {
        /// Keep results.
        cacheenabled: bool = false, no_effect "expressions are evaluated once per distinct value";
        /// Most results to keep.
        cachemaxnumentries: i64 = 0, no_effect "expressions are evaluated once per distinct value";
    }
}

declare! {
    /// Severity numbers.
    pub struct SeverityNumber as "filterconfig.LogSeverityNumberMatchProperties" {
        /// The lowest that matches.
        min: i64 = 0;
        /// A record without a severity matches, too.
        match_undefined: bool = false;
    }
}

declare! {
    /// An attribute to match.
    pub struct MatchAttribute as "filterconfig.Attribute" {
        /// The attribute.
        key: String = String::new();
        /// Its value. Absent: any.
        value: Anything = Anything::default();
    }
}

declare! {
    /// A scope to match.
    pub struct MatchLibrary as "filterconfig.InstrumentationLibrary" {
        /// Its name.
        name: String = String::new();
        /// Its version. Absent: any.
        version: Option<String> = None;
    }
}
