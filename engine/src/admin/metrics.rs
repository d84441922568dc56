//! `/metrics`, as the Collector's Prometheus reader serves it: that path only, any
//! method, one format whatever is asked for, gzip for those who accept it.

use std::sync::Arc;

use http::{HeaderValue, Request, StatusCode, header};

use super::http::{Handler, Page, not_found, page};
use crate::{
    net::compression::{Codec, Deflater},
    telemetry::{
        Registry,
        metrics::{self, CONTENT_TYPE, write_page},
    },
};

/// The endpoint of one Prometheus pull reader.
#[derive(Debug)]
pub struct MetricsEndpoint {
    registry: Arc<Registry>,
    page: metrics::Page,
}

impl MetricsEndpoint {
    /// Shows `registry` in the way that `page` says.
    pub fn new(registry: Arc<Registry>, page: metrics::Page) -> Self {
        MetricsEndpoint { registry, page }
    }
}

impl Handler for MetricsEndpoint {
    fn answer(&self, request: &Request<()>) -> Page {
        if request.uri().path() != "/metrics" {
            return not_found();
        }
        let text = write_page(&self.registry, &self.page);
        if !accepts_gzip(request) {
            return page(StatusCode::OK, CONTENT_TYPE, text);
        }
        match gzip(text.as_bytes()) {
            Some(packed) => {
                let mut page = page(StatusCode::OK, CONTENT_TYPE, packed);
                page.headers_mut()
                    .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                page
            }
            None => page(StatusCode::OK, CONTENT_TYPE, text),
        }
    }
}

/// `Accept-Encoding` names gzip with a weight above 0 (RFC 9110 §12.5.3).
fn accepts_gzip(request: &Request<()>) -> bool {
    let values = request
        .headers()
        .get_all(header::ACCEPT_ENCODING)
        .into_iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|entry| {
        let (name, weight) = entry.split_once(';').unwrap_or((entry, ""));
        let zero = weight
            .trim()
            .strip_prefix("q=")
            .and_then(|q| q.parse::<f32>().ok())
            == Some(0.0);
        name.trim().eq_ignore_ascii_case("gzip") && !zero
    })
}

fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut packed = Vec::with_capacity(bytes.len() / 8);
    let done = Deflater::new().deflate(Codec::Gzip, 0, bytes, &mut packed);
    done.ok().map(|()| packed)
}
