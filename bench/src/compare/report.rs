//! What a comparison found: JSON, a table for the terminal, a page.

use serde_json::{Value, json};

use super::measure::{Measured, Of};
use super::rows::Row;
use super::statistics::{Summary, summary};
use super::{MOST_SPREAD, Options};
use crate::load::plot;

fn number(v: &Value) -> f64 {
    v.as_f64().unwrap_or(0.0)
}

fn of_rounds(of: &Of, value: impl Fn(&Value) -> f64) -> Vec<f64> {
    of.rounds
        .iter()
        .filter(|r| !r.is_null())
        .map(value)
        .collect()
}

fn per_cpu(r: &Value) -> f64 {
    r["gateway"]["items_per_cpu_s"].as_f64().unwrap_or(f64::NAN)
}

fn show(s: Option<Summary>) -> Value {
    s.map_or(Value::Null, |s| {
        json!({"median": s.median, "low": s.low, "high": s.high, "spread": s.spread, "count": s.count})
    })
}

/// A row as JSON: figures of each gateway, and its ratio to the first.
pub fn row_json(options: &Options, row: Row, measured: &Measured) -> Value {
    let basis = measured.of.first();
    let gateways: Vec<Value> = measured
        .of
        .iter()
        .map(|of| gateway(of, basis, options))
        .collect();
    json!({
        "row": row.name(),
        "work": row.describe(),
        "signal": options.signal_name,
        "frame_size": options.frame_size,
        "batch": options.batch,
        "per_resource": options.per_resource,
        "connections": options.connections,
        "in_flight": options.in_flight,
        "pairs": options.pairs,
        "seconds_each": options.duration.as_secs_f64(),
        "gateway_cores": options.gateway_cores,
        "load_cores": options.load_cores,
        "divided_by": basis.map(|b| b.name.clone()),
        "gateways": gateways,
        "absent": measured.absent.iter()
            .map(|(name, why)| json!({"name": name, "why": why})).collect::<Vec<_>>(),
    })
}

fn gateway(of: &Of, basis: Option<&Of>, options: &Options) -> Value {
    let rates = of_rounds(of, per_cpu);
    let mut v = json!({
        "name": of.name,
        "items_per_cpu_s": show(summary(&rates)),
        "cpu_ns_per_item": show(summary(&of_rounds(of, |r| 1e9 / per_cpu(r)))),
        "items_per_s": show(summary(&of_rounds(of, |r| number(&r["items_per_s"])))),
        "cores_busy": show(summary(&of_rounds(of, |r| number(&r["gateway"]["cores_busy"])))),
        "resident_max": of.rounds.iter().map(|r| number(&r["gateway"]["resident_max"])).fold(0.0, f64::max),
        "closed_loop_p99_ms": show(summary(&of_rounds(of, |r| number(&r["latency"]["p99_ms"])))),
        "bytes_out_per_item": show(summary(&of.bytes_out)),
        "start_s": show(summary(&of.starts)),
        "trouble": of.trouble,
    });
    if let Some(basis) = basis.filter(|b| b.name != of.name) {
        let ratios: Vec<f64> = of
            .rounds
            .iter()
            .zip(&basis.rounds)
            .map(|(own, base)| per_cpu(own) / per_cpu(base))
            .collect();
        let ratio = summary(&ratios);
        v["ratio"] = show(ratio);
        v["ratio"]["counts"] =
            json!(ratio.is_some_and(|r| r.spread <= MOST_SPREAD
                && r.count >= 7
                && r.count == options.pairs));
    }
    if !of.p99.is_empty() {
        let added: Vec<f64> = of.p99.iter().map(|(own, base)| own - base).collect();
        v["half_rate"] = json!({
            "items_per_s": of.half_rate,
            "p99_ms": show(summary(&of.p99.iter().map(|p| p.0).collect::<Vec<_>>())),
            "relay_p99_ms": show(summary(&of.p99.iter().map(|p| p.1).collect::<Vec<_>>())),
            "added_p99_ms": show(summary(&added)),
        });
    }
    v
}

fn cell(v: &Value, digits: usize) -> String {
    match v["median"].as_f64() {
        Some(n) => format!("{n:.digits$}"),
        None => "-".to_owned(),
    }
}

/// The columns of the table, for terminal and page alike.
const COLUMNS: [&str; 10] = [
    "gateway",
    "items/CPU-s",
    "ns/item",
    "ratio",
    "spread",
    "busy",
    "MiB",
    "bytes out",
    "start ms",
    "added p99 ms",
];

fn cells(g: &Value) -> Vec<String> {
    let ratio = match (
        g["ratio"]["median"].as_f64(),
        g["ratio"]["counts"].as_bool(),
    ) {
        (Some(r), Some(true)) => format!("{r:.3}"),
        (Some(r), _) => format!("({r:.3})"),
        (None, _) => "1".to_owned(),
    };
    let spread = match g["ratio"]["median"].as_f64() {
        Some(_) => format!(
            "{:.0} % [{:.2}..{:.2}]",
            number(&g["ratio"]["spread"]) * 100.0,
            number(&g["ratio"]["low"]),
            number(&g["ratio"]["high"])
        ),
        None => "-".to_owned(),
    };
    let start = g["start_s"]["median"]
        .as_f64()
        .map_or("-".to_owned(), |s| format!("{:.0}", s * 1e3));
    vec![
        g["name"].as_str().unwrap_or("").to_owned(),
        g["items_per_cpu_s"]["median"]
            .as_f64()
            .map_or("-".to_owned(), plot::short),
        cell(&g["cpu_ns_per_item"], 0),
        ratio,
        spread,
        cell(&g["cores_busy"], 2),
        format!("{:.1}", number(&g["resident_max"]) / 1048576.0),
        cell(&g["bytes_out_per_item"], 0),
        start,
        cell(&g["half_rate"]["added_p99_ms"], 2),
    ]
}

fn heading(row: &Value) -> String {
    format!(
        "{}: {} ({}, {} a request, {} a resource, {} byte frames, {} x {} in flight; {} rounds of {} s; gateway on {}, load and sink on {})",
        row["row"].as_str().unwrap_or(""),
        row["work"].as_str().unwrap_or(""),
        row["signal"].as_str().unwrap_or(""),
        row["batch"],
        row["per_resource"],
        row["frame_size"],
        row["connections"],
        row["in_flight"],
        row["pairs"],
        row["seconds_each"],
        row["gateway_cores"],
        row["load_cores"],
    )
}

/// What the table does not say by itself.
fn notes(row: &Value) -> Vec<String> {
    let mut notes = Vec::new();
    let list = |v: &Value| v.as_array().cloned().unwrap_or_default();
    for g in list(&row["gateways"]) {
        let name = g["name"].as_str().unwrap_or("").to_owned();
        if g["ratio"]["counts"] == json!(false) {
            notes.push(format!(
                "{name}: the ratio does not count (fewer than 7 rounds, or a spread over {:.0} %)",
                MOST_SPREAD * 100.0
            ));
        }
        for t in list(&g["trouble"]) {
            notes.push(format!("{name}: {}", t.as_str().unwrap_or("")));
        }
    }
    for a in list(&row["absent"]) {
        notes.push(format!(
            "{} took no part: {}",
            a["name"].as_str().unwrap_or(""),
            a["why"].as_str().unwrap_or("")
        ));
    }
    notes
}

/// The table for a terminal.
pub fn text(row: &Value) -> String {
    let mut table = vec![COLUMNS.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>()];
    table.extend(row["gateways"].as_array().into_iter().flatten().map(cells));
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|c| {
            table
                .iter()
                .filter_map(|r| r.get(c))
                .map(String::len)
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut out = format!("\n{}\n", heading(row));
    for line in &table {
        for (i, (cell, width)) in line.iter().zip(&widths).enumerate() {
            if i == 0 {
                out.push_str(&format!("{cell:<width$}"));
            } else {
                out.push_str(&format!("  {cell:>width$}"));
            }
        }
        out.push('\n');
    }
    for note in notes(row) {
        out.push_str(&format!("! {note}\n"));
    }
    out
}

/// The body of the page.
pub fn html(whole: &Value) -> String {
    let mut body = format!(
        "<p>{}</p>\n<p>Ratios are medians of interleaved rounds, items per CPU-second of the gateway's \
         processes, divided by the first gateway of the table; spread is the distance between the \
         quartiles. One in brackets does not count.</p>\n",
        plot::escape(&whole["machine"].to_string())
    );
    for row in whole["rows"].as_array().into_iter().flatten() {
        body.push_str(&format!(
            "<h2>{}</h2>\n<p>{}</p>\n<table><tr>",
            plot::escape(row["row"].as_str().unwrap_or("")),
            plot::escape(&heading(row))
        ));
        for c in COLUMNS {
            body.push_str(&format!("<th>{c}</th>"));
        }
        body.push_str("</tr>\n");
        let gateways: Vec<&Value> = row["gateways"].as_array().into_iter().flatten().collect();
        for g in &gateways {
            body.push_str("<tr>");
            for c in cells(g) {
                body.push_str(&format!("<td>{}</td>", plot::escape(&c)));
            }
            body.push_str("</tr>\n");
        }
        body.push_str("</table>\n");
        let bars: Vec<(String, f64, f64, f64)> = gateways
            .iter()
            .map(|g| {
                let v = &g["items_per_cpu_s"];
                (
                    g["name"].as_str().unwrap_or("").to_owned(),
                    number(&v["median"]),
                    number(&v["low"]),
                    number(&v["high"]),
                )
            })
            .collect();
        body.push_str(&plot::bars(
            "Items per CPU-second",
            "median, lowest to highest",
            &bars,
        ));
        for note in notes(row) {
            body.push_str(&format!("<p class=\"bad\">{}</p>\n", plot::escape(&note)));
        }
    }
    let json = serde_json::to_string_pretty(whole).unwrap_or_default();
    body.push_str(&format!(
        "<details><summary>Everything as JSON</summary><pre>{}</pre></details>",
        plot::escape(&json)
    ));
    body
}
