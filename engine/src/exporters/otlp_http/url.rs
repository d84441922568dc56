//! URLs of endpoints, proxies and redirects: taken apart, joined, and shown
//! without passwords.

use std::net::IpAddr;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderValue, Uri};

/// An `http` or `https` URL, without its fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Over TLS.
    pub https: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// The port as it is written.
    pub port: Option<u16>,
    /// Path as it is written; may be empty.
    pub path: String,
    /// Query with its question mark; may be empty.
    pub query: String,
    /// `user:password` or `user`, as it is written.
    user: Option<String>,
}

impl Url {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Url, String> {
        let fail = |why: &str| Err(format!("parse {text:?}: {why}"));
        let Some((scheme, rest)) = text.split_once("://") else {
            return fail("missing protocol scheme");
        };
        let https = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(format!("unsupported protocol scheme {scheme:?}")),
        };
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (path, query) = match rest.find('?') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (user, address) = match authority.rsplit_once('@') {
            Some((user, address)) => (Some(user.to_owned()), address),
            None => (None, authority),
        };
        let (host, port) = match address.strip_prefix('[') {
            Some(rest) => {
                let Some((host, port)) = rest.split_once(']') else {
                    return fail("missing ']' in host");
                };
                (host, port.strip_prefix(':').unwrap_or(port))
            }
            None => address.split_once(':').unwrap_or((address, "")),
        };
        if host.is_empty() {
            return fail("no Host in request URL");
        }
        let port = match port {
            "" => None,
            digits => match digits.parse() {
                Ok(port) => Some(port),
                Err(_) => return fail("invalid port after host"),
            },
        };
        let url = Url {
            https,
            host: host.to_owned(),
            port,
            path: path.to_owned(),
            query: query.to_owned(),
            user,
        };
        match url.uri() {
            Ok(_) => Ok(url),
            Err(e) => fail(&e.to_string()),
        }
    }

    const fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    fn bracketed(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        }
    }

    /// Host and, where it is written, port: for the `Host` header.
    pub fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.bracketed()),
            None => self.bracketed(),
        }
    }

    /// The port, or the scheme's.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.https { 443 } else { 80 })
    }

    /// Host and port, to connect to.
    pub fn address(&self) -> String {
        format!("{}:{}", self.bracketed(), self.port())
    }

    fn target(&self) -> String {
        let slash = if self.path.is_empty() { "/" } else { "" };
        format!("{slash}{}{}", self.path, self.query)
    }

    /// Path and query, for the request line.
    ///
    /// # Errors
    /// Something in them that no request line can have.
    pub fn origin(&self) -> Result<Uri, http::Error> {
        Uri::builder().path_and_query(self.target()).build()
    }

    /// The whole, without user.
    ///
    /// # Errors
    /// Something in it that no request line can have.
    pub fn uri(&self) -> Result<Uri, http::Error> {
        Uri::builder()
            .scheme(self.scheme())
            .authority(self.authority())
            .path_and_query(self.target())
            .build()
    }

    /// The URL as it may be shown: a password is `xxxxx`.
    pub fn redacted(&self) -> String {
        let user = match &self.user {
            None => String::new(),
            Some(user) => match user.split_once(':') {
                Some((user, _)) => format!("{user}:xxxxx@"),
                None => format!("{user}@"),
            },
        };
        format!(
            "{}://{user}{}{}{}",
            self.scheme(),
            self.authority(),
            self.path,
            self.query
        )
    }

    /// Basic authorization with the user, if the URL has one.
    pub fn basic(&self) -> Option<HeaderValue> {
        let user = decoded(self.user.as_deref()?);
        let user = match self.user.as_deref() {
            Some(plain) if !plain.contains(':') => [&user[..], b":"].concat(),
            _ => user,
        };
        let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(user))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Where a `Location` leads from here (RFC 9110 §10.2.2).
    ///
    /// # Errors
    /// It leads nowhere.
    pub fn join(&self, location: &str) -> Result<Url, String> {
        if location.contains("://") {
            return Url::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Url::parse(&format!("{}://{rest}", self.scheme()));
        }
        let path = if location.starts_with('/') {
            location.to_owned()
        } else if location.starts_with('?') {
            format!("{}{location}", self.path)
        } else {
            let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{folder}/{location}")
        };
        let user = self
            .user
            .as_ref()
            .map_or(String::new(), |u| format!("{u}@"));
        Url::parse(&format!(
            "{}://{user}{}{path}",
            self.scheme(),
            self.authority()
        ))
    }

    /// The same server: what may be told to one may be told to the other.
    pub fn same_server(&self, other: &Url) -> bool {
        self.https == other.https
            && self.host.eq_ignore_ascii_case(&other.host)
            && self.port() == other.port()
    }

    /// This machine itself.
    pub fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }
}

/// `%XX` as the bytes they stand for.
fn decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        let byte = tail
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) => {
                out.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => out.push(*first),
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_and_shown_without_its_password() {
        // text, address, request target, shown
        for (text, address, target, shown) in [
            ("http://h", "h:80", "/", "http://h"),
            ("https://h/v1", "h:443", "/v1", "https://h/v1"),
            ("HTTP://h:1?a=b#c", "h:1", "/?a=b", "http://h:1?a=b"),
            (
                "http://[::1]:4318/x",
                "[::1]:4318",
                "/x",
                "http://[::1]:4318/x",
            ),
            ("http://u:p%40@h/x", "h:80", "/x", "http://u:xxxxx@h/x"),
            ("http://u@h/x", "h:80", "/x", "http://u@h/x"),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!(url.address(), address);
            assert_eq!(url.origin().unwrap().to_string(), target);
            assert_eq!(url.redacted(), shown);
        }
        for text in [
            "h:80",
            "ftp://h",
            "http://",
            "http://h:x",
            "http://[::1",
            "http://h/ x",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
        let basic = Url::parse("http://u:p%40@h").unwrap().basic().unwrap();
        assert_eq!(basic, "Basic dTpwQA==");
    }

    #[test]
    fn a_location_leads_on_from_where_it_was_found() {
        let from = Url::parse("http://h:1/a/b?c").unwrap();
        for (location, wanted) in [
            ("https://o/x", "https://o/x"),
            ("//o/x", "http://o/x"),
            ("/x?y", "http://h:1/x?y"),
            ("x", "http://h:1/a/x"),
            ("?z", "http://h:1/a/b?z"),
        ] {
            assert_eq!(from.join(location).unwrap().redacted(), wanted);
        }
        assert!(from.join("ftp://h").is_err());
    }
}
