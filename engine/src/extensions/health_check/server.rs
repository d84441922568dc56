//! What the extension answers, byte for byte the Collector's: JSON or the texts
//! under `response_body`, 200 while the gateway is ready, else 503. The serving is
//! `admin::http`'s.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Instant, SystemTime},
};

use http::{Request, StatusCode};

use crate::{
    admin::http::{Handler, Page, not_found, page},
    log_component,
    telemetry::{
        clock::{go_duration, rfc3339_nano},
        logs::ComponentFields,
    },
};

/// Whether the gateway takes data, and since when.
#[derive(Debug)]
pub struct HealthState {
    up: Mutex<Option<(SystemTime, Instant)>>,
    component: ComponentFields,
}

impl HealthState {
    /// Not ready. `id` is the extension's, for the log.
    pub fn new(id: &str) -> Self {
        HealthState {
            up: Mutex::new(None),
            component: ComponentFields {
                id: id.to_owned(),
                kind: "extension",
                pipeline: None,
                signal: None,
            },
        }
    }

    /// Every pipeline runs.
    pub fn ready(&self) {
        *self.up.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((SystemTime::now(), Instant::now()));
        log_component!(
            info,
            self.component,
            status = "ready",
            "Health Check state change"
        );
    }

    /// The gateway starts, stops, or changes its configuration.
    pub fn not_ready(&self) {
        *self.up.lock().unwrap_or_else(PoisonError::into_inner) = None;
        log_component!(
            info,
            self.component,
            status = "unavailable",
            "Health Check state change"
        );
    }

    /// Whether data is taken now.
    pub fn is_ready(&self) -> bool {
        self.up
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    fn json(&self) -> String {
        match *self.up.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((since, start)) => format!(
                r#"{{"status":"Server available","upSince":"{}","uptime":"{}"}}"#,
                rfc3339_nano(since),
                go_duration(start.elapsed()),
            ),
            None => concat!(
                r#"{"status":"Server not available","#,
                r#""upSince":"0001-01-01T00:00:00Z","uptime":""}"#
            )
            .to_owned(),
        }
    }
}

/// Texts that stand in for the JSON object (`response_body`).
#[derive(Clone, Debug, Default)]
pub struct ResponseBody {
    /// With 200.
    pub healthy: String,
    /// With 503.
    pub unhealthy: String,
}

/// The endpoint.
#[derive(Debug)]
pub struct HealthEndpoint {
    state: Arc<HealthState>,
    path: String,
    response_body: Option<ResponseBody>,
}

impl HealthEndpoint {
    /// Answers on `path` and, where it ends in `/`, on every path below; others are 404.
    pub fn new(state: Arc<HealthState>, path: String, response_body: Option<ResponseBody>) -> Self {
        HealthEndpoint {
            state,
            path,
            response_body,
        }
    }
}

impl Handler for HealthEndpoint {
    fn answer(&self, request: &Request<()>) -> Page {
        let path = request.uri().path();
        if path != self.path && !(self.path.ends_with('/') && path.starts_with(&self.path)) {
            return not_found();
        }
        let ready = self.state.is_ready();
        let status = if ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        match &self.response_body {
            // Go's server guesses a type for these from the text; for plain text it is this one.
            Some(texts) => {
                let text = if ready {
                    &texts.healthy
                } else {
                    &texts.unhealthy
                };
                page(status, "text/plain; charset=utf-8", text.clone())
            }
            None => page(status, "application/json", self.state.json()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn body(page: Page) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let bytes = runtime
            .block_on(page.into_body().collect())
            .unwrap()
            .to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn get(path: &str) -> Request<()> {
        Request::get(path).body(()).unwrap()
    }

    #[test]
    fn the_json_says_since_when_the_gateway_is_ready() {
        let state = Arc::new(HealthState::new("health_check"));
        let endpoint = HealthEndpoint::new(state.clone(), "/".to_owned(), None);
        let before = endpoint.answer(&get("/"));
        assert_eq!(before.status(), 503);
        assert_eq!(
            body(before),
            r#"{"status":"Server not available","upSince":"0001-01-01T00:00:00Z","uptime":""}"#
        );
        state.ready();
        let up = endpoint.answer(&Request::post("/any/path").body(()).unwrap());
        assert_eq!(up.status(), 200);
        assert_eq!(up.headers()["content-type"], "application/json");
        let up = body(up);
        assert!(
            up.starts_with(r#"{"status":"Server available","upSince":"20"#),
            "{up}"
        );
        assert!(up.ends_with("s\"}"), "{up}");
        state.not_ready();
        assert_eq!(endpoint.answer(&get("/")).status(), 503);
    }

    #[test]
    fn a_path_of_its_own_is_the_only_one_and_texts_replace_the_json() {
        let state = Arc::new(HealthState::new("health_check"));
        let texts = ResponseBody {
            healthy: "I'm up".to_owned(),
            unhealthy: "no".to_owned(),
        };
        let endpoint = HealthEndpoint::new(state.clone(), "/h".to_owned(), Some(texts));
        let down = endpoint.answer(&get("/h"));
        assert_eq!((down.status().as_u16(), body(down).as_str()), (503, "no"));
        state.ready();
        let up = endpoint.answer(&get("/h"));
        assert_eq!(up.headers()["content-type"], "text/plain; charset=utf-8");
        assert_eq!((up.status().as_u16(), body(up).as_str()), (200, "I'm up"));
        for path in ["/", "/h/x", "/hh"] {
            let other = endpoint.answer(&get(path));
            assert_eq!(
                (other.status().as_u16(), body(other).as_str()),
                (404, "404 page not found\n")
            );
        }
    }
}
