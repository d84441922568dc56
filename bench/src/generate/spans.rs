//! Server spans of about 700 bytes with 14 attributes, keys in the same order from span to span.

use super::model::Value::Int;
use super::model::{EPOCH, Event, Group, Span, groups, path, s};
use super::random::Random;
use super::words;

/// Spans of one small trace share its id.
const SPANS_PER_TRACE: u64 = 8;

/// A request of `total` spans. With `mark` each span has a trace id of its own that carries a
/// sequence number (zero until it is sent).
pub fn request(
    r: &mut Random,
    total: usize,
    per_resource: usize,
    mark: Option<[u8; 8]>,
) -> Vec<Group<Span>> {
    let mut trace_id = r.id();
    groups(r, total, per_resource, |r, n| {
        (0..n)
            .map(|_| {
                if r.below(SPANS_PER_TRACE) == 0 {
                    trace_id = r.id();
                }
                let mut one = span(r, trace_id);
                if let Some(mark) = mark {
                    one.trace_id = super::pool::marked(mark, 0);
                }
                one
            })
            .collect()
    })
}

fn span(r: &mut Random, trace_id: [u8; 16]) -> Span {
    let method = r.pick(&words::METHODS);
    let route = r.pick(&words::ROUTES);
    let path = path(r, route);
    let failed = r.below(50) == 0;
    let status = if failed {
        503
    } else if r.below(20) == 0 {
        404
    } else {
        200
    };
    let start = EPOCH + r.below(60_000_000_000);
    let end = start + 200_000 + r.below(80_000_000);
    let host = format!("{}.shop.example", r.pick(&words::SERVICES));
    let attributes = vec![
        ("http.request.method", s(method)),
        (
            "url.full",
            s(format!(
                "https://{host}{path}?locale=en-GB&session={}",
                r.hex(12)
            )),
        ),
        ("http.route", s(route)),
        ("http.response.status_code", Int(status)),
        ("http.response.body.size", Int(r.below(200_000) as i64)),
        ("user_agent.original", s(r.pick(&words::AGENTS))),
        ("server.address", s(host)),
        ("server.port", Int(443)),
        (
            "client.address",
            s(format!(
                "10.{}.{}.{}",
                r.below(32),
                r.below(256),
                r.below(256)
            )),
        ),
        (
            "network.protocol.version",
            s(if r.below(4) == 0 { "1.1" } else { "2" }),
        ),
        ("enduser.id", s(format!("c-{:08}", r.below(5_000_000)))),
        (
            "k8s.node.name",
            s(format!("ip-10-0-{}-{}", r.below(16), r.below(256))),
        ),
        ("peer.service", s(r.pick(&words::SERVICES))),
        ("thread.id", Int(r.below(200) as i64)),
    ];
    let events = if failed {
        vec![Event {
            time: end - 1_000,
            name: "exception",
            attributes: vec![
                ("exception.type", s("com.example.shop.UpstreamUnavailable")),
                ("exception.message", s("no healthy upstream for this route")),
            ],
        }]
    } else {
        Vec::new()
    };
    Span {
        trace_id,
        span_id: r.id(),
        parent_span_id: (r.below(SPANS_PER_TRACE) != 0).then(|| r.id()),
        flags: 0x101,
        name: format!("{method} {route}"),
        kind: 2,
        start,
        end,
        attributes,
        events,
        status: if failed {
            (2, "no healthy upstream for this route")
        } else {
            (0, "")
        },
    }
}
