//! Metrics of all five types in turn, each with a few data points, some with exemplars.

use super::model::Value::{Double, Int, List};
use super::model::{
    Attributes, Data, EPOCH, Exemplar, Exponential, Group, Histogram, Metric, Number, Point,
    Summary, groups, s,
};
use super::random::Random;
use super::words;

const POINTS_PER_METRIC: usize = 4;
const BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// A request of `total` data points. With `mark` each point has an attribute `bench.id` with the
/// mark and a sequence number in hexadecimal (zero until it is sent).
pub fn request(
    r: &mut Random,
    total: usize,
    per_resource: usize,
    mark: Option<[u8; 8]>,
) -> Vec<Group<Metric>> {
    let mut next_type = 0;
    groups(r, total, per_resource, |r, n| {
        let mut left = n;
        let mut metrics = Vec::new();
        while left > 0 {
            let points = left.min(POINTS_PER_METRIC);
            left -= points;
            metrics.push(metric(r, next_type, points, mark));
            next_type += 1;
        }
        metrics
    })
}

fn metric(r: &mut Random, kind: usize, n: usize, mark: Option<[u8; 8]>) -> Metric {
    let at = r.below(words::METRICS.len() as u64) as usize;
    let (name, unit, description) = words::METRICS.get(at).copied().unwrap_or_default();
    let data = match kind % 5 {
        0 => Data::Gauge(points(r, n, mark, |r| Number::Double(r.unit() * 1e9))),
        1 => Data::Sum(points(r, n, mark, |r| Number::Int(r.below(1 << 40) as i64))),
        2 => Data::Histogram(points(r, n, mark, |r| {
            let counts: Vec<u64> = (0..=BOUNDS.len()).map(|_| r.below(5_000)).collect();
            let sum = counts.iter().sum::<u64>() as f64 * 0.3;
            Histogram {
                counts,
                bounds: BOUNDS.to_vec(),
                sum,
                min: 0.001,
                max: 12.5,
            }
        })),
        3 => Data::Exponential(points(r, n, mark, |r| Exponential {
            scale: 3,
            zero_count: r.below(3),
            offset: -40,
            counts: (0..48).map(|_| r.below(900)).collect(),
            sum: r.unit() * 1e4,
        })),
        _ => Data::Summary(points(r, n, mark, |r| {
            let base = r.unit();
            Summary {
                count: r.below(100_000),
                sum: base * 1e4,
                quantiles: vec![(0.5, base), (0.9, base * 2.0), (0.99, base * 5.0)],
            }
        })),
    };
    Metric {
        name,
        unit,
        description,
        data,
    }
}

fn points<V>(
    r: &mut Random,
    n: usize,
    mark: Option<[u8; 8]>,
    mut value: impl FnMut(&mut Random) -> V,
) -> Vec<Point<V>> {
    (0..n)
        .map(|_| {
            let time = EPOCH + r.below(60_000_000_000);
            let exemplars = if r.below(4) == 0 {
                vec![exemplar(r, time)]
            } else {
                Vec::new()
            };
            Point {
                attributes: attributes(r, mark),
                start: EPOCH - 3_600_000_000_000,
                time,
                value: value(r),
                exemplars,
            }
        })
        .collect()
}

fn attributes(r: &mut Random, mark: Option<[u8; 8]>) -> Attributes {
    let mut all = vec![
        ("http.request.method", s(r.pick(&words::METHODS))),
        ("http.route", s(r.pick(&words::ROUTES))),
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
        (
            "enduser.id",
            s(format!("customer-{:08}", r.below(5_000_000))),
        ),
        ("load.average", Double(r.unit() * 8.0)),
        (
            "zones",
            List(vec![s(r.pick(&words::ZONES)), s(r.pick(&words::ZONES))]),
        ),
    ];
    if let Some(mark) = mark {
        all.push((
            "bench.id",
            s(super::pool::hex(&super::pool::marked(mark, 0))),
        ));
    }
    all
}

fn exemplar(r: &mut Random, time: u64) -> Exemplar {
    Exemplar {
        time,
        value: r.unit(),
        trace_id: r.id(),
        span_id: r.id(),
        attributes: vec![("http.route", s(r.pick(&words::ROUTES)))],
    }
}
