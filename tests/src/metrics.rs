//! Reading the gateway's own metrics: the Prometheus text format, as much of it
//! as `/metrics` uses.

use std::collections::BTreeMap;

use crate::{
    Port,
    http::{self, Body, Request},
};

/// One series.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Metric name.
    pub name: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Value.
    pub value: f64,
}

/// One reading of the page.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Every series.
    pub samples: Vec<Sample>,
    /// `# TYPE` by metric name.
    pub types: BTreeMap<String, String>,
}

impl Page {
    /// Reads the page at `port`.
    ///
    /// # Panics
    /// When it is not there or not in the format.
    pub async fn read(port: &Port) -> Page {
        let request = Request::post("/metrics").method("GET").body(Body::None);
        let reply = http::send(port, &request).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        Page::parse(&reply.text())
    }

    /// Reads the text form.
    ///
    /// # Panics
    /// When a line is not in the format.
    pub fn parse(text: &str) -> Page {
        let mut page = Page::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest
                    .split_once(' ')
                    .unwrap_or_else(|| panic!("not a TYPE line: {line}"));
                page.types.insert(name.into(), kind.into());
            } else if !line.starts_with('#') {
                page.samples
                    .push(sample(line).unwrap_or_else(|| panic!("not a sample: {line}")));
            }
        }
        page
    }

    /// The sum of the series of `name` that carry all of `labels`; 0 when there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels)
            .map(|sample| sample.value)
            .fold(0.0, |sum, value| sum + value)
    }

    /// The series of `name` that carry all of `labels`.
    pub fn find<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&str, &str)],
    ) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(key, value)| sample.labels.get(*key).is_some_and(|found| found == value))
        })
    }
}

fn sample(line: &str) -> Option<Sample> {
    let (name, mut rest) = line.split_at(line.find(['{', ' '])?);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (key, after) = rest.split_once("=\"")?;
            let (value, length) = quoted(after)?;
            labels.insert(key.to_owned(), value);
            rest = after.get(length..)?;
            rest = rest.strip_prefix(',').unwrap_or(rest);
        }
        rest = rest.get(1..)?;
    }
    let value = match rest.split_whitespace().next()? {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        number => number.parse().ok()?,
    };
    Some(Sample {
        name: name.into(),
        labels,
        value,
    })
}

/// A label value up to its closing quote, and how much text it took.
fn quoted(text: &str) -> Option<(String, usize)> {
    let mut out = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((out, at + 1)),
            '\\' => match letters.next()?.1 {
                'n' => out.push('\n'),
                other => out.push(other),
            },
            other => out.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read() {
        let page = Page::parse(
            "# HELP a b\n# TYPE a counter\na{x=\"1\",y=\"q\\\"\"} 3\na 4.5e+07 1700000\n",
        );
        assert_eq!(page.types["a"], "counter");
        assert_eq!(page.sum("a", &[("x", "1")]), 3.0);
        assert_eq!(page.samples[0].labels["y"], "q\"");
        assert_eq!(page.sum("a", &[]), 45_000_003.0);
    }
}
