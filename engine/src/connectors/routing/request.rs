//! The context `request` of the connector `routing`: one comparison of a header with a text, in a
//! grammar of its own. `otelcol.client.metadata` in OTTL conditions came after it.

/// `request["name"] == "value"`, or `!=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// As the user wrote it.
    text: String,
    name: String,
    value: String,
    differs: bool,
}

impl Header {
    /// Reads a condition.
    ///
    /// # Errors
    /// The Collector's text for what is wrong.
    pub fn parse(text: &str) -> Result<Header, &'static str> {
        let equal = text.matches("==").count();
        let unequal = text.matches("!=").count();
        let operator = match (equal, unequal) {
            (0, 0) => return Err("condition does not contain a valid comparator"),
            (1, 0) => "==",
            (0, 1) => "!=",
            _ => return Err("condition contains multiple comparators"),
        };
        let (left, right) = text
            .split_once(operator)
            .ok_or("condition does not contain a valid comparator")?;
        let name = left
            .trim()
            .strip_prefix("request[\"")
            .and_then(|rest| rest.strip_suffix("\"]"))
            .ok_or("condition must have format 'request[\"<name>\"] <comparator> <value>'")?;
        let value = right
            .trim()
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .ok_or("condition must have format 'request[\"<name>\"] <comparator> \"<value>\"'")?;
        Ok(Header {
            text: text.to_owned(),
            name: name.to_ascii_lowercase(),
            value: value.to_owned(),
            differs: operator == "!=",
        })
    }

    /// As the user wrote it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether some value of the header compares so; a header that is not there has none.
    /// Names are in lower case.
    pub fn matches<'a>(&self, headers: impl Iterator<Item = &'a (String, String)>) -> bool {
        headers
            .filter(|(name, _)| *name == self.name)
            .any(|(_, value)| (*value == self.value) != self.differs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_compared_with_a_text() {
        let headers = [("x-tenant", "acme"), ("x-tenant", "ecorp"), ("x-empty", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        for (text, expected) in [
            ("request[\"X-Tenant\"] == \"acme\"", Ok(true)),
            ("request[\"x-tenant\"]==\"ecorp\"", Ok(true)),
            ("request[\"x-tenant\"] == \"other\"", Ok(false)),
            (" request[\"x-tenant\"] != \"acme\" ", Ok(true)),
            ("request[\"x-empty\"] != \"\"", Ok(false)),
            ("request[\"x-missing\"] != \"acme\"", Ok(false)),
            (
                "request[\"x-tenant\"] > \"acme\"",
                Err("condition does not contain a valid comparator"),
            ),
            (
                "request[\"a\"] == \"b\" or request[\"a\"] != \"c\"",
                Err("condition contains multiple comparators"),
            ),
            (
                "attributes[\"a\"] == \"b\"",
                Err("condition must have format 'request[\"<name>\"] <comparator> <value>'"),
            ),
            (
                "request[\"a\"] == b",
                Err("condition must have format 'request[\"<name>\"] <comparator> \"<value>\"'"),
            ),
        ] {
            let got = Header::parse(text).map(|header| header.matches(headers.iter()));
            assert_eq!(got, expected, "{text}");
        }
    }
}
