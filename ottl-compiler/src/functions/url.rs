//! `URL`.

use std::collections::HashMap;

use crate::{
    failure::Failure,
    go::url::{self, Url},
    program::Args,
    value::{Text, Value},
};

/// `URL(u_r_i)`
pub(super) fn url(args: &Args<'_>) -> Result<Value, Failure> {
    let text = args.text(0)?;
    if text.is_empty() {
        return Err(Failure::Function("url cannot be empty".to_owned()));
    }
    if let Some(query) = text.strip_prefix(b"?") {
        return query_map(query);
    }
    let url = Url::parse(text).map_err(|error| {
        let text = String::from_utf8_lossy(text);
        Failure::Parse(format!("parse {text:?}: {error}"))
    })?;
    let (domain, port) = url.host_and_port();
    let mut out = Vec::with_capacity(8);
    let mut put = |key: &str, value: Value| out.push((Text::from_slice(key.as_bytes()), value));
    put("url.original", Value::text(url.text()));
    put("url.domain", Value::text(domain));
    put("url.scheme", Value::text(&url.scheme));
    put("url.path", Value::text(&url.path));
    if !port.is_empty() {
        let digits = String::from_utf8_lossy(port);
        let port = digits.parse().map_err(|_| {
            Failure::Parse(format!(
                "strconv.Atoi: parsing {digits:?}: value out of range"
            ))
        })?;
        put("url.port", Value::GoInt(port));
    }
    if !url.fragment.is_empty() {
        put("url.fragment", Value::text(&url.fragment));
    }
    if let (Some((name, password)), Some(info)) = (&url.user, url.user_info()) {
        put("url.user_info", Value::text(info));
        if !name.is_empty() {
            put("url.username", Value::text(name));
        }
        if let Some(password) = password {
            put("url.password", Value::text(password));
        }
    }
    if !url.query.is_empty() {
        put("url.query", Value::text(&url.query));
    }
    let extension = url.path.rsplitn(2, |byte| *byte == b'.').next();
    if let Some(extension) = extension.filter(|found| !found.is_empty())
        && extension.len() < url.path.len()
    {
        put("url.extension", Value::text(extension));
    }
    Ok(Value::RawMap(out))
}

/// The values of each parameter, in the order of first appearance.
fn query_map(query: &[u8]) -> Result<Value, Failure> {
    let params = url::parse_query(query).map_err(Failure::Parse)?;
    if params.is_empty() {
        return Ok(Value::RawMap(Vec::new()));
    }
    let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut lists: Vec<(Text, Vec<Value>)> = Vec::new();
    for (key, value) in params {
        let place = *places.entry(key).or_insert_with_key(|key| {
            lists.push((Text::from_slice(key), Vec::new()));
            lists.len() - 1
        });
        if let Some((_, list)) = lists.get_mut(place) {
            list.push(Value::text(value));
        }
    }
    let lists = lists
        .into_iter()
        .map(|(key, list)| (key, Value::List(list)));
    let query = Value::RawMap(lists.collect());
    Ok(Value::RawMap(vec![(Text::from_slice(b"query"), query)]))
}
