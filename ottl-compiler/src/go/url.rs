//! Addresses as Go's package `net/url` takes them apart and puts them together again.

use std::net::Ipv6Addr;

/// An address, its parts without escapes but for the query.
#[derive(Debug, Default)]
pub struct Url {
    /// In small letters.
    pub scheme: Vec<u8>,
    /// What is behind a scheme without a slash.
    opaque: Vec<u8>,
    /// Name and password.
    pub user: Option<(Vec<u8>, Option<Vec<u8>>)>,
    host: Vec<u8>,
    /// The path.
    pub path: Vec<u8>,
    raw_path: Vec<u8>,
    /// The fragment.
    pub fragment: Vec<u8>,
    raw_fragment: Vec<u8>,
    /// The query, as it is written.
    pub query: Vec<u8>,
    /// Whether it ends in a question mark.
    force_query: bool,
    omit_host: bool,
}

/// Parts of an address, in which different characters stand for themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Path,
    Host,
    Zone,
    User,
    Query,
    Fragment,
}

/// Whether a byte has to be escaped there.
fn escaped(byte: u8, place: Place) -> bool {
    use Place::*;
    let own = match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' => true,
        b'$' | b'&' | b'+' | b',' | b';' | b'=' => !matches!(place, Query),
        b'!' | b'(' | b')' | b'*' => matches!(place, Host | Zone | Fragment),
        b'"' | b'\'' | b'<' | b'>' | b'[' | b']' => matches!(place, Host | Zone),
        b':' => matches!(place, Path | Host | Zone | Fragment),
        b'/' | b'@' => matches!(place, Path | Fragment),
        b'?' => place == Fragment,
        _ => false,
    };
    !own
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// A text without its escapes.
fn unescape(text: &[u8], place: Place) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let in_host = matches!(place, Place::Host | Place::Zone);
        match first {
            b'%' => {
                let wrong = || {
                    let shown = after.get(..after.len().min(2)).unwrap_or_default();
                    format!("invalid URL escape \"%{}\"", String::from_utf8_lossy(shown))
                };
                let [high, low, behind @ ..] = after else {
                    return Err(wrong());
                };
                let (Some(high), Some(low)) = (hex(*high), hex(*low)) else {
                    return Err(wrong());
                };
                let byte = high << 4 | low;
                // In a host only what is not ASCII is escaped, in its zone little else; `%25`
                // stands before a zone.
                let refused = match place {
                    Place::Host => high < 8 && byte != b'%',
                    Place::Zone => byte != b'%' && byte != b' ' && escaped(byte, Place::Host),
                    _ => false,
                };
                if refused {
                    return Err(wrong());
                }
                out.push(byte);
                rest = behind;
            }
            b'+' if place == Place::Query => out.push(b' '),
            byte if in_host && byte.is_ascii() && escaped(*byte, place) => {
                return Err(format!(
                    "invalid character {:?} in host name",
                    char::from(*byte).to_string()
                ));
            }
            byte => out.push(*byte),
        }
    }
    Ok(out)
}

fn escape(text: &[u8], place: Place, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or_default();
    for byte in text {
        if escaped(*byte, place) {
            out.extend([b'%', digit(byte >> 4), digit(byte & 15)]);
        } else {
            out.push(*byte);
        }
    }
}

/// Whether a text is escaped in a way that can stay.
fn is_valid_encoding(text: &[u8], place: Place) -> bool {
    text.iter().all(|byte| match byte {
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':'
        | b'@' | b'[' | b']' | b'%' => true,
        byte => !escaped(*byte, place),
    })
}

/// The parts before and behind the first of a byte.
fn cut(text: &[u8], byte: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|found| *found == byte) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
        None => (text, None),
    }
}

impl Url {
    /// Takes an address apart.
    ///
    /// # Errors
    /// The package's text.
    pub fn parse(text: &[u8]) -> Result<Url, String> {
        let (text, fragment) = cut(text, b'#');
        if text.iter().any(u8::is_ascii_control) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        let mut url = Url::default();
        if text == b"*" {
            url.path = text.to_vec();
        } else {
            url.read(text)?;
        }
        if let Some(fragment) = fragment.filter(|fragment| !fragment.is_empty()) {
            url.fragment = unescape(fragment, Place::Fragment)?;
            let mut plain = Vec::new();
            escape(&url.fragment, Place::Fragment, &mut plain);
            if plain != fragment {
                url.raw_fragment = fragment.to_vec();
            }
        }
        Ok(url)
    }

    fn read(&mut self, text: &[u8]) -> Result<(), String> {
        let rest = self.scheme(text)?;
        let marks = rest.iter().filter(|byte| **byte == b'?').count();
        let rest = match rest.strip_suffix(b"?") {
            Some(rest) if marks == 1 => {
                self.force_query = true;
                rest
            }
            _ => {
                let (rest, query) = cut(rest, b'?');
                self.query = query.unwrap_or_default().to_vec();
                rest
            }
        };
        if !rest.starts_with(b"/") {
            if !self.scheme.is_empty() {
                self.opaque = rest.to_vec();
                return Ok(());
            }
            if cut(rest, b'/').0.contains(&b':') {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        let mut path = rest;
        let has_scheme = !self.scheme.is_empty();
        match rest.strip_prefix(b"//") {
            Some(authority) if has_scheme || !rest.starts_with(b"///") => {
                let end = authority.iter().position(|byte| *byte == b'/');
                let (authority, behind) = authority
                    .split_at_checked(end.unwrap_or(authority.len()))
                    .unwrap_or_default();
                path = behind;
                self.authority(authority)?;
            }
            _ => self.omit_host = has_scheme && rest.starts_with(b"/"),
        }
        self.path = unescape(path, Place::Path)?;
        let mut plain = Vec::new();
        escape(&self.path, Place::Path, &mut plain);
        if plain != path {
            self.raw_path = path.to_vec();
        }
        Ok(())
    }

    /// Takes the scheme off.
    fn scheme<'t>(&mut self, text: &'t [u8]) -> Result<&'t [u8], String> {
        for (at, byte) in text.iter().enumerate() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' => {}
                b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
                b':' if at == 0 => return Err("missing protocol scheme".to_owned()),
                b':' => {
                    let (scheme, rest) = cut(text, b':');
                    self.scheme = scheme.to_ascii_lowercase();
                    return Ok(rest.unwrap_or_default());
                }
                _ => break,
            }
        }
        Ok(text)
    }

    fn authority(&mut self, text: &[u8]) -> Result<(), String> {
        let Some(at) = text.iter().rposition(|byte| *byte == b'@') else {
            self.host = self.read_host(text)?;
            return Ok(());
        };
        self.host = self.read_host(text.get(at + 1..).unwrap_or_default())?;
        let user = text.get(..at).unwrap_or_default();
        let valid = user
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(byte));
        if !valid {
            return Err("net/url: invalid userinfo".to_owned());
        }
        let (name, password) = cut(user, b':');
        let password = password.map(|password| unescape(password, Place::User));
        self.user = Some((unescape(name, Place::User)?, password.transpose()?));
        Ok(())
    }

    fn read_host(&self, host: &[u8]) -> Result<Vec<u8>, String> {
        let port = |port: &[u8]| match is_port(port) {
            true => Ok(()),
            false => {
                let shown = String::from_utf8_lossy(port);
                Err(format!("invalid port {shown:?} after host"))
            }
        };
        match host.iter().rposition(|byte| *byte == b'[') {
            Some(0) => {
                let close = host.iter().rposition(|byte| *byte == b']');
                let close = close.ok_or("missing ']' in host")?;
                let behind = host.get(close + 1..).unwrap_or_default();
                port(behind)?;
                let name = host.get(1..close).unwrap_or_default();
                let zone = name.windows(3).position(|window| window == b"%25");
                let (name, zone) = name
                    .split_at_checked(zone.unwrap_or(name.len()))
                    .unwrap_or_default();
                let mut name = unescape(name, Place::Host)?;
                name.extend(unescape(zone, Place::Zone)?);
                let (ip, zone) = cut(&name, b'%');
                let ip = std::str::from_utf8(ip).unwrap_or_default();
                if ip.parse::<Ipv6Addr>().is_err() || zone.is_some_and(<[u8]>::is_empty) {
                    return Err("invalid host".to_owned());
                }
                let mut host = vec![b'['];
                host.extend(name);
                host.push(b']');
                host.extend_from_slice(behind);
                return Ok(host);
            }
            Some(_) => return Err("invalid IP-literal".to_owned()),
            None => {}
        }
        // Only of http and https addresses can a host not have several colons.
        let colon = match &*self.scheme {
            b"http" | b"https" => host.iter().position(|byte| *byte == b':'),
            _ => host.iter().rposition(|byte| *byte == b':'),
        };
        if let Some(colon) = colon {
            port(host.get(colon..).unwrap_or_default())?;
        }
        unescape(host, Place::Host)
    }

    /// The host without brackets, and the port.
    pub fn host_and_port(&self) -> (&[u8], &[u8]) {
        let mut host = &*self.host;
        let mut port = &b""[..];
        if let Some(at) = host.iter().rposition(|byte| *byte == b':')
            && let (name, behind) = host.split_at_checked(at).unwrap_or_default()
            && is_port(behind)
        {
            (host, port) = (name, behind.get(1..).unwrap_or_default());
        }
        let bare = host
            .strip_prefix(b"[")
            .and_then(|host| host.strip_suffix(b"]"));
        (bare.unwrap_or(host), port)
    }

    /// User and password, escaped.
    pub fn user_info(&self) -> Option<Vec<u8>> {
        let (name, password) = self.user.as_ref()?;
        let mut out = Vec::new();
        escape(name, Place::User, &mut out);
        if let Some(password) = password {
            out.push(b':');
            escape(password, Place::User, &mut out);
        }
        Some(out)
    }

    /// The address, put together again.
    pub fn text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let has_scheme = !self.scheme.is_empty();
        if has_scheme {
            out.extend_from_slice(&self.scheme);
            out.push(b':');
        }
        if self.opaque.is_empty() {
            let has_host = !self.host.is_empty();
            let has_authority = has_host || self.user.is_some();
            if has_authority || has_scheme && !self.omit_host {
                if has_authority || !self.path.is_empty() {
                    out.extend_from_slice(b"//");
                }
                if let Some(user) = self.user_info() {
                    out.extend(user);
                    out.push(b'@');
                }
                escape(&self.host, Place::Host, &mut out);
            }
            let path = again(&self.path, &self.raw_path, Place::Path);
            if has_host && path.first().is_some_and(|byte| *byte != b'/') {
                out.push(b'/');
            }
            if out.is_empty() && cut(&path, b'/').0.contains(&b':') {
                out.extend_from_slice(b"./");
            }
            out.extend(path);
        } else {
            out.extend_from_slice(&self.opaque);
        }
        if self.force_query || !self.query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            out.extend(again(&self.fragment, &self.raw_fragment, Place::Fragment));
        }
        out
    }
}

/// A part escaped as it was, if that can stay.
fn again(plain: &[u8], raw: &[u8], place: Place) -> Vec<u8> {
    if !raw.is_empty() && is_valid_encoding(raw, place) {
        return raw.to_vec();
    }
    if plain == b"*" && place == Place::Path {
        return plain.to_vec();
    }
    let mut out = Vec::new();
    escape(plain, place, &mut out);
    out
}

/// Whether this is nothing, or a colon and digits.
fn is_port(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// The name and the value of a parameter.
pub type Param = (Vec<u8>, Vec<u8>);

/// The parameters of a query, without escapes, in order.
///
/// # Errors
/// The package's text for the first that is wrong, or for more than 10,000.
pub fn parse_query(query: &[u8]) -> Result<Vec<Param>, String> {
    const MOST: usize = 10_000;
    let params = || query.split(|byte| *byte == b'&');
    if params().count() > MOST {
        return Err("number of URL query parameters exceeded limit".to_owned());
    }
    let mut out = Vec::new();
    for param in params().filter(|param| !param.is_empty()) {
        if param.contains(&b';') {
            return Err("invalid semicolon separator in query".to_owned());
        }
        let (key, value) = cut(param, b'=');
        let key = unescape(key, Place::Query)?;
        out.push((key, unescape(value.unwrap_or_default(), Place::Query)?));
    }
    Ok(out)
}
