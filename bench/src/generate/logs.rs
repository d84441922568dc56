//! Log records of about the size of the spans: a message, and ten attributes.

use super::model::Value::{Bool, Int};
use super::model::{EPOCH, Group, LogRecord, groups, path, s};
use super::random::Random;
use super::words;

/// A request of `total` log records; `mark` as for spans.
pub fn request(
    r: &mut Random,
    total: usize,
    per_resource: usize,
    mark: Option<[u8; 8]>,
) -> Vec<Group<LogRecord>> {
    groups(r, total, per_resource, |r, n| {
        (0..n)
            .map(|_| {
                let mut one = record(r);
                if let Some(mark) = mark {
                    one.trace_id = super::pool::marked(mark, 0);
                }
                one
            })
            .collect()
    })
}

fn record(r: &mut Random) -> LogRecord {
    let route = r.pick(&words::ROUTES);
    let path = path(r, route);
    let method = r.pick(&words::METHODS);
    let at = (r.unit() * r.unit() * words::SEVERITIES.len() as f64) as usize;
    let time = EPOCH + r.below(60_000_000_000);
    let customer = format!("customer-{:08}", r.below(5_000_000));
    let took = r.below(80_000);
    LogRecord {
        time,
        observed: time + r.below(5_000_000),
        severity: words::SEVERITIES.get(at).copied().unwrap_or((9, "INFO")),
        body: s(format!(
            "{}: {method} {path} for {customer} took {took} us, correlation {}",
            r.pick(&words::LOG_MESSAGES),
            r.uuid(),
        )),
        attributes: vec![
            ("code.namespace", s(r.pick(&words::LOGGERS))),
            ("code.line.number", Int(r.below(900) as i64)),
            (
                "thread.name",
                s(format!("http-nio-8080-exec-{}", r.below(200))),
            ),
            ("http.request.method", s(method)),
            ("http.route", s(route)),
            (
                "http.response.status_code",
                Int(if r.below(20) == 0 { 404 } else { 200 }),
            ),
            (
                "client.address",
                s(format!(
                    "10.{}.{}.{}",
                    r.below(32),
                    r.below(256),
                    r.below(256)
                )),
            ),
            ("enduser.id", s(customer)),
            (
                "k8s.node.name",
                s(format!(
                    "ip-10-0-{}-{}.compute.internal",
                    r.below(16),
                    r.below(256)
                )),
            ),
            ("cache.hit", Bool(r.below(3) > 0)),
        ],
        flags: 1,
        trace_id: r.id(),
        span_id: r.id(),
    }
}
