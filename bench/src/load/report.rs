//! What a run measured, as JSON and as a few lines of text.

use serde_json::{Value, json};

use super::Options;
use super::run::Measured;
use crate::generate::Encoding;
use crate::proc;

/// The report; times in seconds unless the name says otherwise, memory in bytes.
pub fn json(options: &Options, m: &Measured, verified: Option<Value>) -> Value {
    let shape = &options.shape;
    let mut report = json!({
        "load": {
            "to": options.to.to_string(),
            "protocol": format!("{:?}", options.protocol).to_lowercase(),
            "connections": options.connections,
            "in_flight": options.in_flight,
            "frame_size": options.frame_size,
            "signal": shape.signal.name(),
            "batch": shape.batch,
            "per_resource": shape.per_resource,
            "bodies": shape.bodies,
            "seed": shape.seed,
            "encoding": if shape.encoding == Encoding::Json { "json" } else { "protobuf" },
            "compression": shape.compression.name(),
            "mean_body_bytes": m.mean_body,
            "bytes_per_item": m.mean_body / shape.batch as f64,
            "loop": if options.rate.is_some() { "open" } else { "closed" },
            "rate": options.rate,
            "warm_up_s": options.warm_up.as_secs_f64(),
            "cores": proc::cores_of(std::process::id()).unwrap_or_default(),
        },
        "duration_s": m.seconds,
        "requests": m.requests,
        "items": m.items,
        "items_per_s": m.items as f64 / m.seconds,
        "bytes_per_s": m.bytes as f64 / m.seconds,
        "rejected_items": m.rejected,
        "failed_requests": m.failures.values().sum::<u64>(),
        "failures": m.failures,
        "not_sent": m.not_sent,
        "latency": m.latencies.as_ref().map(|l| l.summary()),
        "timeline": m.timeline.iter().map(|b| json!({
            "at_s": b.at_s,
            "items": b.items,
            "mean_ms": if b.requests > 0 { b.latency_sum_ms / b.requests as f64 } else { 0.0 },
            "max_ms": b.latency_max_ms,
            "cpu_s": b.cpu_s,
            "resident": b.resident,
        })).collect::<Vec<_>>(),
    });
    if let (Some((a, b)), Some(pid)) = (m.usage, options.pid) {
        let cpu = b.cpu_s() - a.cpu_s();
        report["gateway"] = json!({
            "pid": pid,
            "cores": proc::cores_of(pid).unwrap_or_default(),
            "threads": b.threads,
            "user_s": b.user_s - a.user_s,
            "system_s": b.system_s - a.system_s,
            "cpu_s": cpu,
            "cores_busy": cpu / m.seconds,
            "items_per_cpu_s": if cpu > 0.0 { json!(m.items as f64 / cpu) } else { Value::Null },
            "cpu_ns_per_item": if m.items > 0 { json!(cpu * 1e9 / m.items as f64) } else { Value::Null },
            "resident": b.resident,
            "resident_max": m.resident_max,
            "resident_peak": proc::peak_resident(pid),
        });
    }
    if let Some(verified) = verified {
        report["verified"] = verified;
    }
    report
}

fn number(v: &Value) -> f64 {
    v.as_f64().unwrap_or(0.0)
}

/// The lines that a person reads.
pub fn text(r: &Value) -> String {
    let load = &r["load"];
    let mut out = format!(
        "{} {} over {}, {} a request, {} a resource, {:.0} bytes an item, {} x {} in flight, {} loop\n\
         {:.0} items/s, {:.1} MB/s, {} requests, {} failed, {} items rejected\n\
         latency ms: p50 {:.2}, p90 {:.2}, p99 {:.2}, p99.9 {:.2}, max {:.2}\n",
        load["encoding"].as_str().unwrap_or(""),
        load["signal"].as_str().unwrap_or(""),
        load["protocol"].as_str().unwrap_or(""),
        load["batch"],
        load["per_resource"],
        number(&load["bytes_per_item"]),
        load["connections"],
        load["in_flight"],
        load["loop"].as_str().unwrap_or(""),
        number(&r["items_per_s"]),
        number(&r["bytes_per_s"]) / 1e6,
        r["requests"],
        r["failed_requests"],
        r["rejected_items"],
        number(&r["latency"]["p50_ms"]),
        number(&r["latency"]["p90_ms"]),
        number(&r["latency"]["p99_ms"]),
        number(&r["latency"]["p99_9_ms"]),
        number(&r["latency"]["max_ms"]),
    );
    if let Some(g) = r.get("gateway") {
        out.push_str(&format!(
            "gateway: {:.0} items per CPU-second, {:.0} ns an item ({:.2} s user, {:.2} s system), \
             {:.2} cores busy on {}, {:.1} MiB resident (peak {:.1})\n",
            number(&g["items_per_cpu_s"]),
            number(&g["cpu_ns_per_item"]),
            number(&g["user_s"]),
            number(&g["system_s"]),
            number(&g["cores_busy"]),
            g["cores"],
            number(&g["resident_max"]) / 1048576.0,
            number(&g["resident_peak"]) / 1048576.0,
        ));
    }
    if number(&r["failed_requests"]) > 0.0 {
        out.push_str(&format!("failures: {}\n", r["failures"]));
    }
    if number(&r["not_sent"]) > 0.0 {
        out.push_str(&format!(
            "not sent, too many outstanding: {}\n",
            r["not_sent"]
        ));
    }
    if let Some(v) = r.get("verified") {
        out.push_str(&format!(
            "verified: {} items accepted, {} lost; at the sink {}\n",
            v["accepted"], v["lost"], v["sink"]
        ));
    }
    out
}
