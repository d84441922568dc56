//! Which proxy a request goes through: the configured one, else what the
//! environment says (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, as Go reads them).

use std::net::IpAddr;

use super::url::Url;

/// The choice of proxies.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// For every request.
    fixed: Option<Url>,
    http: Option<Url>,
    https: Option<Url>,
    /// `NO_PROXY`.
    except: String,
}

impl Proxies {
    /// `configured` is `proxy_url`; `variable` looks a variable of the environment up.
    ///
    /// # Errors
    /// A URL that is none, or of a kind of proxy that is not supported.
    pub fn new(
        configured: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Proxies, String> {
        if !configured.is_empty() {
            return Ok(Proxies {
                fixed: Some(proxy(configured)?),
                ..Proxies::default()
            });
        }
        let either = |upper: &str, lower: &str| {
            variable(upper)
                .filter(|value| !value.is_empty())
                .or_else(|| variable(lower))
                .filter(|value| !value.is_empty())
        };
        let of = |upper, lower| {
            either(upper, lower)
                .map(|text| {
                    // A bare address is one of an HTTP proxy.
                    let text = match text.contains("://") {
                        true => text,
                        false => format!("http://{text}"),
                    };
                    proxy(&text)
                })
                .transpose()
        };
        Ok(Proxies {
            fixed: None,
            http: of("HTTP_PROXY", "http_proxy")?,
            https: of("HTTPS_PROXY", "https_proxy")?,
            except: either("NO_PROXY", "no_proxy").unwrap_or_default(),
        })
    }

    /// The proxy for a URL; `None` goes there directly.
    pub fn choose(&self, url: &Url) -> Option<&Url> {
        if let Some(fixed) = &self.fixed {
            return Some(fixed);
        }
        let proxy = if url.https { &self.https } else { &self.http }.as_ref()?;
        (!url.is_loopback() && !self.is_excepted(url)).then_some(proxy)
    }

    fn is_excepted(&self, url: &Url) -> bool {
        let host = url.host.trim_end_matches('.').to_ascii_lowercase();
        let address: Option<IpAddr> = host.parse().ok();
        self.except.split(',').any(|entry| {
            let entry = entry.trim().to_ascii_lowercase();
            if entry == "*" {
                return true;
            }
            if let (Some(address), Some((network, bits))) = (address, entry.split_once('/')) {
                return in_network(address, network, bits);
            }
            let (name, port) = match entry.rsplit_once(':') {
                Some((name, port))
                    if port.parse::<u16>().is_ok() && entry.parse::<IpAddr>().is_err() =>
                {
                    (name, port.parse().ok())
                }
                _ => (entry.as_str(), None),
            };
            if name.is_empty() || port.is_some_and(|port: u16| port != url.port()) {
                return false;
            }
            if address.is_some() {
                return name.trim_matches(['[', ']']).parse().ok() == address;
            }
            // `.a.b` and `*.a.b` are what is below a.b, `a.b` is it too.
            match name.strip_prefix("*.").or(name.strip_prefix('.')) {
                Some(domain) => below(&host, domain),
                None => host == name || below(&host, name),
            }
        })
    }
}

fn below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain)
        .is_some_and(|front| front.ends_with('.'))
}

fn in_network(address: IpAddr, network: &str, bits: &str) -> bool {
    let bytes = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<usize>()) else {
        return false;
    };
    let (a, b) = (bytes(address), bytes(network));
    if a.len() != b.len() || bits > a.len() * 8 {
        return false;
    }
    a.iter().zip(&b).enumerate().all(|(n, (a, b))| {
        let kept = bits.saturating_sub(n * 8).min(8);
        let mask = (0xff00u16 >> kept) as u8;
        a & mask == b & mask
    })
}

fn proxy(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| format!("proxy_url: {e}"))?;
    if url.https {
        return Err("proxy_url: proxies over TLS are not supported; use http://".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_a_proxy_and_exceptions() {
        let variable = |name: &str| {
            Some(
                match name {
                    "HTTPS_PROXY" => "p:3128",
                    "http_proxy" => "http://q",
                    "NO_PROXY" => "a.b, .c.d,10.0.0.0/8,192.168.0.1, e:81",
                    _ => return None,
                }
                .to_owned(),
            )
        };
        let proxies = Proxies::new("", variable).unwrap();
        for (url, proxy) in [
            ("https://x", Some("p:3128")),
            ("http://x", Some("q:80")),
            ("http://localhost:1", None),
            ("http://127.0.0.1", None),
            ("http://a.b", None),
            ("http://x.a.b", None),
            ("http://xa.b", Some("q:80")),
            ("http://c.d", Some("q:80")),
            ("http://x.c.d", None),
            ("http://10.1.2.3", None),
            ("http://11.1.2.3", Some("q:80")),
            ("http://192.168.0.1:99", None),
            ("http://e:81", None),
            ("http://e", Some("q:80")),
        ] {
            let url = Url::parse(url).unwrap();
            let found = proxies.choose(&url).map(Url::address);
            assert_eq!(found.as_deref(), proxy, "{url:?}");
        }
        let fixed = Proxies::new("http://f", variable).unwrap();
        let local = Url::parse("http://localhost").unwrap();
        assert_eq!(fixed.choose(&local).unwrap().address(), "f:80");
        assert!(Proxies::new("socks5://f", variable).is_err());
    }
}
