//! Cross-origin requests (the Fetch standard, "CORS protocol"), as the Collector
//! answers them: which origins may call, and the headers that tell a browser so.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
        ORIGIN, VARY,
    },
};

use super::config;

/// Headers that pages may send where the configuration lists none.
const SAFE: [&str; 3] = ["accept", "content-type", "x-requested-with"];

/// Who may call, and with what.
#[derive(Clone, Debug)]
pub struct Cors {
    origins: Origins,
    /// Lower-case names; `None`: any.
    headers: Option<Vec<String>>,
    exposed: Option<HeaderValue>,
    max_age: Option<HeaderValue>,
}

#[derive(Clone, Debug)]
enum Origins {
    All,
    /// Lower-case patterns.
    Listed(Vec<String>),
}

impl Cors {
    /// From the configuration; `None` without origins: the block does nothing then.
    ///
    /// # Errors
    /// A name of `exposed_headers` that cannot stand in a header.
    pub fn new(config: &config::Cors) -> Result<Option<Cors>, String> {
        if config.allowed_origins.is_empty() {
            return Ok(None);
        }
        let origins = if config.allowed_origins.iter().any(|o| o == "*") {
            Origins::All
        } else {
            Origins::Listed(
                config
                    .allowed_origins
                    .iter()
                    .map(|o| o.to_lowercase())
                    .collect(),
            )
        };
        let headers = if config.allowed_headers.iter().any(|h| h == "*") {
            None
        } else if config.allowed_headers.is_empty() {
            Some(SAFE.map(str::to_owned).to_vec())
        } else {
            Some(
                config
                    .allowed_headers
                    .iter()
                    .map(|h| h.to_lowercase())
                    .collect(),
            )
        };
        let exposed = match config.exposed_headers.join(", ") {
            names if names.is_empty() => None,
            names => Some(
                HeaderValue::from_str(&names)
                    .map_err(|_| format!("cors::exposed_headers: invalid names {names:?}"))?,
            ),
        };
        let max_age = match config.max_age {
            0 => None,
            n => Some(HeaderValue::from(n.max(0))),
        };
        Ok(Some(Cors {
            origins,
            headers,
            exposed,
            max_age,
        }))
    }

    /// Whether the request only asks for leave.
    pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
        *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// The headers of the answer to a preflight; leave is given by their being there.
    pub fn preflight(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        answer.append(
            VARY,
            HeaderValue::from_static(
                "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
            ),
        );
        let Some(origin) = request.get(ORIGIN).filter(|o| self.allows(o)) else {
            return;
        };
        let Some(method) = request
            .get(ACCESS_CONTROL_REQUEST_METHOD)
            .filter(|m| [&b"GET"[..], b"POST", b"HEAD", b"OPTIONS"].contains(&m.as_bytes()))
        else {
            return;
        };
        let asked = request.get(ACCESS_CONTROL_REQUEST_HEADERS);
        if !self.allows_headers(asked) {
            return;
        }
        self.allow(origin, answer);
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, method.clone());
        if let Some(asked) = asked.filter(|a| !a.is_empty()) {
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
        if let Some(age) = &self.max_age {
            answer.insert(ACCESS_CONTROL_MAX_AGE, age.clone());
        }
    }

    /// The headers of the answer to any other request.
    pub fn actual(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        answer.append(
            VARY,
            HeaderValue::from_name(HeaderName::from_static("origin")),
        );
        let Some(origin) = request.get(ORIGIN).filter(|o| self.allows(o)) else {
            return;
        };
        self.allow(origin, answer);
        if let Some(exposed) = &self.exposed {
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
    }

    fn allow(&self, origin: &HeaderValue, answer: &mut HeaderMap) {
        let allowed = match self.origins {
            Origins::All => HeaderValue::from_static("*"),
            Origins::Listed(_) => origin.clone(),
        };
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        answer.insert(
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else {
            return false;
        };
        match &self.origins {
            Origins::All => !origin.is_empty(),
            Origins::Listed(patterns) => {
                let origin = origin.to_lowercase();
                patterns.iter().any(|pattern| matches(pattern, &origin))
            }
        }
    }

    fn allows_headers(&self, asked: Option<&HeaderValue>) -> bool {
        let (Some(known), Some(asked)) = (&self.headers, asked) else {
            return true;
        };
        let Ok(asked) = asked.to_str() else {
            return false;
        };
        asked
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .all(|name| known.iter().any(|k| k.eq_ignore_ascii_case(name)))
    }
}

/// Whether `text` is `pattern`, in which `*` stands for any part.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or("");
    for part in parts {
        match text.find(part) {
            Some(at) => text = text.get(at + part.len()..).unwrap_or(""),
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn cors(origins: &[&str], headers: &[&str]) -> Cors {
        let strings = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        Cors::new(&config::Cors {
            allowed_origins: strings(origins),
            allowed_headers: strings(headers),
            exposed_headers: strings(&["X-A", "X-B"]),
            max_age: 600,
        })
        .unwrap()
        .unwrap()
    }

    #[test]
    fn without_origins_the_block_does_nothing() {
        assert!(Cors::new(&config::Cors::default()).unwrap().is_none());
    }

    #[test]
    fn origins_match_with_wildcards_in_any_case() {
        for (patterns, origin, want) in [
            (&["*"][..], "http://a", true),
            (&["http://a.example"], "http://a.example", true),
            (&["http://a.example"], "HTTP://A.example", true),
            (&["http://a.example"], "http://a.example.evil", false),
            (&["https://*.example"], "https://x.y.example", true),
            (&["https://*.example"], "https://.example", true),
            (&["https://*.example"], "https://example", false),
            (&["https://*.example"], "http://x.example", false),
            (&["https://*.a.*.example"], "https://1.a.2.example", true),
            (&["https://*.a.*.example"], "https://1.b.2.example", false),
            (&["aXa*aXa"], "axa", false),
        ] {
            let mut request = HeaderMap::new();
            request.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
            let mut answer = HeaderMap::new();
            cors(patterns, &[]).actual(&request, &mut answer);
            let given = answer.get(ACCESS_CONTROL_ALLOW_ORIGIN);
            assert_eq!(given.is_some(), want, "{patterns:?} {origin}");
            if want {
                let echoed = if patterns == ["*"] { "*" } else { origin };
                assert_eq!(given.unwrap(), echoed);
                assert_eq!(answer[ACCESS_CONTROL_EXPOSE_HEADERS], "X-A, X-B");
                assert_eq!(answer[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
            }
        }
    }

    #[test]
    fn leave_is_given_for_known_methods_and_headers_only() {
        for (allowed, method, asked, want) in [
            (&[][..], "POST", Some("content-type"), true),
            (&[], "POST", Some("content-type, x-requested-with"), true),
            (&[], "POST", Some("x-tenant"), false),
            (&["X-Tenant"], "POST", Some("x-tenant"), true),
            (&["*"], "POST", Some("x-anything"), true),
            (&[], "POST", None, true),
            (&[], "DELETE", None, false),
        ] {
            let mut request = HeaderMap::new();
            request.insert(ORIGIN, HeaderValue::from_static("http://a"));
            request.insert(
                ACCESS_CONTROL_REQUEST_METHOD,
                HeaderValue::from_static(method),
            );
            if let Some(asked) = asked {
                request.insert(
                    ACCESS_CONTROL_REQUEST_HEADERS,
                    HeaderValue::from_static(asked),
                );
            }
            let mut answer = HeaderMap::new();
            cors(&["http://a"], allowed).preflight(&request, &mut answer);
            let given = answer.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN);
            assert_eq!(given, want, "{allowed:?} {method} {asked:?}");
            if want {
                assert_eq!(answer[ACCESS_CONTROL_ALLOW_METHODS], method);
                assert_eq!(answer[ACCESS_CONTROL_MAX_AGE], "600");
                assert_eq!(
                    answer
                        .get(ACCESS_CONTROL_ALLOW_HEADERS)
                        .map(|h| h.to_str().unwrap()),
                    asked
                );
            }
        }
    }
}
