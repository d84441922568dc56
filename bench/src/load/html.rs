//! The report as one page with plots.

use serde_json::Value;

use super::plot::{self, Line};
use super::report;

/// The page of a JSON report.
pub fn page(r: &Value) -> String {
    let number = |v: &Value| v.as_f64().unwrap_or(0.0);
    let timeline: Vec<&Value> = r["timeline"].as_array().into_iter().flatten().collect();
    let over_time = |f: &dyn Fn(&Value, f64) -> f64| -> Vec<[f64; 2]> {
        let mut before = 0.0;
        timeline
            .iter()
            .map(|b| {
                let at = number(&b["at_s"]);
                let step = (at - before).max(1e-9);
                before = at;
                [at, f(b, step)]
            })
            .collect()
    };
    let seconds: Vec<(f64, String)> = (0..=5)
        .map(|i| number(&r["duration_s"]) * f64::from(i) / 5.0)
        .map(|s| (s, format!("{s:.1} s")))
        .collect();
    let one = |name: &'static str, points| [Line { name, points }];
    let mut body = format!("<pre>{}</pre>\n", plot::escape(&report::text(r)));
    body.push_str(&plot::lines(
        "Items answered with success",
        "items a second",
        &one("items", over_time(&|b, step| number(&b["items"]) / step)),
        &seconds,
    ));
    // Equal distances between 90, 99, 99.9: the tail is what matters.
    let nines = |p: f64| {
        if p >= 100.0 {
            4.6
        } else {
            -((1.0 - p / 100.0).log10())
        }
    };
    let curve = r["latency"]["curve"].as_array().into_iter().flatten();
    let curve: Vec<[f64; 2]> = curve
        .map(|p| [nines(number(&p[0])), number(&p[1])])
        .collect();
    let ticks: Vec<(f64, String)> = [0.0, 50.0, 90.0, 99.0, 99.9, 99.99]
        .iter()
        .map(|&p| (nines(p), format!("{p} %")))
        .collect();
    body.push_str(&plot::lines(
        "Latency by percentile",
        "ms",
        &one("latency", curve),
        &ticks,
    ));
    body.push_str(&plot::lines(
        "Latency over time",
        "ms",
        &[
            Line {
                name: "mean",
                points: over_time(&|b, _| number(&b["mean_ms"])),
            },
            Line {
                name: "max",
                points: over_time(&|b, _| number(&b["max_ms"])),
            },
        ],
        &seconds,
    ));
    if r.get("gateway").is_some() {
        body.push_str(&plot::lines(
            "CPU of the gateway",
            "cores",
            &one("cpu", over_time(&|b, step| number(&b["cpu_s"]) / step)),
            &seconds,
        ));
        body.push_str(&plot::lines(
            "Resident memory of the gateway",
            "MiB",
            &one(
                "resident",
                over_time(&|b, _| number(&b["resident"]) / 1048576.0),
            ),
            &seconds,
        ));
    }
    let details = serde_json::to_string_pretty(r).unwrap_or_default();
    body.push_str(&format!(
        "<details><summary>Everything as JSON</summary><pre>{}</pre></details>",
        plot::escape(&details)
    ));
    plot::page("trunkline-bench load", &body)
}
