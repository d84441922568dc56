//! Line plots as inline SVG: nothing to fetch, so that a report is one file.

use std::fmt::Write;

/// One line of a plot.
pub struct Line<'a> {
    /// What the legend calls it.
    pub name: &'a str,
    /// Left to right.
    pub points: Vec<[f64; 2]>,
}

const COLOURS: [&str; 6] = [
    "#1f6feb", "#d9480f", "#2b8a3e", "#862e9c", "#c2255c", "#5c5f66",
];
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 36.0;
const TOP: f64 = 24.0;

/// Text in HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A plot of lines from `y = 0`; `x_label` gives the words under a position on the x axis.
pub fn lines(title: &str, unit: &str, all: &[Line<'_>], x_ticks: &[(f64, String)]) -> String {
    let points = || all.iter().flat_map(|l| &l.points);
    let max_y = points().map(|p| p[1]).fold(0.0, f64::max).max(1e-9) * 1.05;
    let (min_x, max_x) =
        points().fold((f64::MAX, f64::MIN), |(a, b), p| (a.min(p[0]), b.max(p[0])));
    let span = (max_x - min_x).max(1e-9);
    let x = |v: f64| LEFT + (v - min_x) / span * (WIDTH - LEFT - 8.0);
    let y = |v: f64| HEIGHT - BOTTOM - v / max_y * (HEIGHT - BOTTOM - TOP);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\"><title>{0}</title>\
         <text x=\"8\" y=\"14\" class=\"t\">{0} ({1})</text>",
        escape(title),
        escape(unit)
    );
    for i in 0..=4 {
        let v = max_y * f64::from(i) / 4.0;
        let _ = write!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\" class=\"g\"/>\
             <text x=\"{}\" y=\"{:.1}\" class=\"n\" text-anchor=\"end\">{}</text>",
            WIDTH - 8.0,
            LEFT - 6.0,
            y(v) + 4.0,
            short(v),
            at = y(v),
        );
    }
    for (at, label) in x_ticks {
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" class=\"n\" text-anchor=\"middle\">{}</text>",
            x(*at),
            HEIGHT - BOTTOM + 16.0,
            escape(label)
        );
    }
    for (line, colour) in all.iter().zip(COLOURS.iter().cycle()) {
        let path: Vec<String> = line
            .points
            .iter()
            .map(|p| format!("{:.1},{:.1}", x(p[0]), y(p[1])))
            .collect();
        let _ = write!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"/>",
            path.join(" ")
        );
    }
    if all.len() > 1 {
        for (i, (line, colour)) in all.iter().zip(COLOURS.iter().cycle()).enumerate() {
            let _ = write!(
                svg,
                "<text x=\"{}\" y=\"14\" fill=\"{colour}\" class=\"n\">{}</text>",
                300.0 + 100.0 * i as f64,
                escape(line.name)
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

/// Horizontal bars, one a row, with its spread as a thin line.
pub fn bars(title: &str, unit: &str, rows: &[(String, f64, f64, f64)]) -> String {
    let height = 32.0 + 24.0 * rows.len() as f64;
    let most = rows
        .iter()
        .map(|r| r.3.max(r.1))
        .fold(0.0, f64::max)
        .max(1e-9);
    let x = |v: f64| 200.0 + v / most * (WIDTH - 290.0);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\"><title>{0}</title>\
         <text x=\"8\" y=\"14\" class=\"t\">{0} ({1})</text>",
        escape(title),
        escape(unit)
    );
    for (i, ((name, value, low, high), colour)) in
        rows.iter().zip(COLOURS.iter().cycle()).enumerate()
    {
        let top = 26.0 + 24.0 * i as f64;
        let _ = write!(
            svg,
            "<text x=\"192\" y=\"{:.1}\" class=\"n\" text-anchor=\"end\">{}</text>\
             <rect x=\"200\" y=\"{top}\" width=\"{:.1}\" height=\"16\" fill=\"{colour}\" opacity=\"0.75\"/>\
             <line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{mid}\" y2=\"{mid}\" stroke=\"#222\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" class=\"n\">{}</text>",
            top + 12.0,
            escape(name),
            x(*value) - 200.0,
            x(*low),
            x(*high),
            x(value.max(*high)) + 6.0,
            top + 12.0,
            short(*value),
            mid = top + 8.0,
        );
    }
    svg.push_str("</svg>");
    svg
}

/// A number in at most five characters: 1.25M, 640k, 0.43.
pub fn short(v: f64) -> String {
    match v.abs() {
        a if a >= 1e9 => format!("{:.2}G", v / 1e9),
        a if a >= 1e6 => format!("{:.2}M", v / 1e6),
        a if a >= 1e4 => format!("{:.0}k", v / 1e3),
        a if a >= 1e3 => format!("{:.1}k", v / 1e3),
        a if a >= 100.0 => format!("{v:.0}"),
        a if a >= 10.0 => format!("{v:.1}"),
        _ => format!("{v:.2}"),
    }
}

/// A page around a body, with the style of the plots and tables.
pub fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{0}</title>\n<style>\n\
         body{{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}}\n\
         table{{border-collapse:collapse;margin:1rem 0}}td,th{{border-bottom:1px solid #ddd;padding:.25rem .75rem;text-align:right}}\n\
         td:first-child,th:first-child{{text-align:left}}\n\
         svg{{width:100%;height:auto;margin:.75rem 0}}.t{{font:600 13px sans-serif}}.n{{font:11px sans-serif}}.g{{stroke:#e3e3e3}}\n\
         .bad{{color:#b00}}pre{{background:#f6f6f6;padding:.75rem;overflow:auto}}\n\
         </style>\n<h1>{0}</h1>\n{body}\n</html>\n",
        escape(title)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (v, want) in [
            (0.434, "0.43"),
            (12.34, "12.3"),
            (640_000.0, "640k"),
            (1_250_000.0, "1.25M"),
        ] {
            assert_eq!(short(v), want);
        }
    }

    #[test]
    fn a_plot_without_points_is_still_a_plot() {
        let svg = lines(
            "a <b>",
            "ms",
            &[Line {
                name: "x",
                points: vec![],
            }],
            &[],
        );
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"));
        assert!(svg.contains("a &lt;b&gt;") && !svg.contains("NaN") && !svg.contains("inf"));
    }
}
