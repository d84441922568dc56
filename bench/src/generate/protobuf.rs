//! Requests in OTLP/protobuf. Field numbers are those of opentelemetry-proto 1.x.

use super::model::{
    Attributes, Data, Event, Exemplar, Group, LogRecord, Metric, Number, Point, Request, Span,
    Value,
};
use crate::wire::Writer;

/// The bytes of an `Export…ServiceRequest`.
pub fn encode(request: &Request) -> Vec<u8> {
    let mut w = Writer::default();
    match request {
        Request::Traces(all) => groups(&mut w, all, span),
        Request::Metrics(all) => groups(&mut w, all, metric),
        Request::Logs(all) => groups(&mut w, all, log_record),
    }
    w.bytes
}

fn groups<T>(w: &mut Writer, all: &[Group<T>], item: fn(&mut Writer, &T)) {
    for group in all {
        w.message(1, |w| {
            w.message(1, |w| attributes(w, 1, &group.resource));
            w.message(2, |w| {
                w.message(1, |w| {
                    w.string(1, group.scope.0);
                    w.string(2, group.scope.1);
                });
                for one in &group.items {
                    w.message(2, |w| item(w, one));
                }
            });
            w.string(3, "https://opentelemetry.io/schemas/1.27.0");
        });
    }
}

fn attributes(w: &mut Writer, field: u32, all: &Attributes) {
    for (key, v) in all {
        w.message(field, |w| {
            w.string(1, key);
            w.message(2, |w| value(w, v));
        });
    }
}

fn value(w: &mut Writer, v: &Value) {
    match v {
        Value::Str(v) => w.blob(1, v.as_bytes()),
        Value::Bool(v) => w.uint(2, u64::from(*v)),
        Value::Int(v) => w.uint(3, *v as u64),
        Value::Double(v) => w.double(4, *v),
        Value::List(all) => w.message(5, |w| {
            for v in all {
                w.message(1, |w| value(w, v));
            }
        }),
    }
}

fn span(w: &mut Writer, one: &Span) {
    w.blob(1, &one.trace_id);
    w.blob(2, &one.span_id);
    if let Some(id) = &one.parent_span_id {
        w.blob(4, id);
    }
    w.string(5, &one.name);
    w.uint(6, u64::from(one.kind));
    w.fixed64(7, one.start);
    w.fixed64(8, one.end);
    attributes(w, 9, &one.attributes);
    for e in &one.events {
        w.message(11, |w| event(w, e));
    }
    w.message(15, |w| {
        w.string(2, one.status.1);
        if one.status.0 != 0 {
            w.uint(3, u64::from(one.status.0));
        }
    });
    w.fixed32(16, one.flags);
}

fn event(w: &mut Writer, one: &Event) {
    w.fixed64(1, one.time);
    w.string(2, one.name);
    attributes(w, 3, &one.attributes);
}

fn log_record(w: &mut Writer, one: &LogRecord) {
    w.fixed64(1, one.time);
    w.uint(2, u64::from(one.severity.0));
    w.string(3, one.severity.1);
    w.message(5, |w| value(w, &one.body));
    attributes(w, 6, &one.attributes);
    w.fixed32(8, one.flags);
    w.blob(9, &one.trace_id);
    w.blob(10, &one.span_id);
    w.fixed64(11, one.observed);
}

fn metric(w: &mut Writer, one: &Metric) {
    w.string(1, one.name);
    w.string(2, one.description);
    w.string(3, one.unit);
    match &one.data {
        Data::Gauge(points) => w.message(5, |w| all(w, points, number)),
        Data::Sum(points) => w.message(7, |w| {
            all(w, points, number);
            w.uint(2, 2); // cumulative
            w.uint(3, 1); // monotonic
        }),
        Data::Histogram(points) => w.message(9, |w| {
            all(w, points, |w, p| {
                times(w, p);
                w.fixed64(4, p.value.counts.iter().sum());
                w.double(5, p.value.sum);
                w.message(6, |w| {
                    for c in &p.value.counts {
                        w.bytes.extend_from_slice(&c.to_le_bytes());
                    }
                });
                w.message(7, |w| {
                    for b in &p.value.bounds {
                        w.bytes.extend_from_slice(&b.to_le_bytes());
                    }
                });
                exemplars(w, 8, &p.exemplars);
                attributes(w, 9, &p.attributes);
                w.double(11, p.value.min);
                w.double(12, p.value.max);
            });
            w.uint(2, 2);
        }),
        Data::Exponential(points) => w.message(10, |w| {
            all(w, points, |w, p| {
                attributes(w, 1, &p.attributes);
                times(w, p);
                w.fixed64(4, p.value.zero_count + p.value.counts.iter().sum::<u64>());
                w.double(5, p.value.sum);
                w.sint(6, p.value.scale);
                w.fixed64(7, p.value.zero_count);
                w.message(8, |w| {
                    w.sint(1, p.value.offset);
                    w.message(2, |w| {
                        for c in &p.value.counts {
                            w.varint(*c);
                        }
                    });
                });
                exemplars(w, 11, &p.exemplars);
            });
            w.uint(2, 2);
        }),
        Data::Summary(points) => w.message(11, |w| {
            all(w, points, |w, p| {
                times(w, p);
                w.fixed64(4, p.value.count);
                w.double(5, p.value.sum);
                for (quantile, v) in &p.value.quantiles {
                    w.message(6, |w| {
                        w.double(1, *quantile);
                        w.double(2, *v);
                    });
                }
                attributes(w, 7, &p.attributes);
            });
        }),
    }
}

fn all<V>(w: &mut Writer, points: &[Point<V>], write: impl Fn(&mut Writer, &Point<V>)) {
    for p in points {
        w.message(1, |w| write(w, p));
    }
}

fn times<V>(w: &mut Writer, p: &Point<V>) {
    w.fixed64(2, p.start);
    w.fixed64(3, p.time);
}

fn number(w: &mut Writer, p: &Point<Number>) {
    times(w, p);
    match p.value {
        Number::Double(v) => w.double(4, v),
        Number::Int(v) => w.fixed64(6, v as u64),
    }
    exemplars(w, 5, &p.exemplars);
    attributes(w, 7, &p.attributes);
}

fn exemplars(w: &mut Writer, field: u32, all: &[Exemplar]) {
    for e in all {
        w.message(field, |w| {
            w.fixed64(2, e.time);
            w.double(3, e.value);
            w.blob(4, &e.span_id);
            w.blob(5, &e.trace_id);
            attributes(w, 7, &e.attributes);
        });
    }
}
