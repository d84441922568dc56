//! The Collector's zpages under its paths: plain tables that need no script. The
//! live page is in `page`.

use std::fmt::Write;

use super::status::{ComponentRef, Status};
use crate::telemetry::clock::rfc3339_nano;

const STYLE: &str = "<style>:root{color-scheme:light dark}body{font:15px/1.45 system-ui,sans-serif;\
    margin:24px auto;max-width:1100px;padding:0 16px}table{border-collapse:collapse}\
    th,td{text-align:left;vertical-align:top;padding:4px 18px 4px 0;border-bottom:1px solid #8886}\
    th{font-weight:600}code{font:13px ui-monospace,monospace}</style>";

/// Text that cannot leave its place in the page.
struct Text<'a>(&'a str);

impl std::fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

fn open(title: &str) -> String {
    let title = Text(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         {STYLE}</head>\n<body><p><a href=\"/\">Overview</a></p>\n<h2>{title}</h2>\n"
    )
}

fn close(mut out: String) -> String {
    out.push_str("</body></html>\n");
    out
}

/// Appends a table of texts.
fn table(out: &mut String, heads: &[&str], rows: &[Vec<String>]) {
    out.push_str("<table>\n");
    let mut row = |tag: &str, cells: &mut dyn Iterator<Item = &str>| {
        out.push_str("<tr>");
        for cell in cells {
            // Writing to a String cannot fail.
            let _ = write!(
                out,
                "<{tag}>{}</{tag}>",
                Text(cell).to_string().replace('\n', "<br>")
            );
        }
        out.push_str("</tr>\n");
    };
    if !heads.is_empty() {
        row("th", &mut heads.iter().copied());
    }
    for cells in rows {
        row("td", &mut cells.iter().map(String::as_str));
    }
    out.push_str("</table>\n");
}

/// `/debug/servicez`.
pub(super) fn service(status: &Status) -> String {
    let mut out = open(&format!("Service {}", status.build.command));
    let mut properties = |name: &str, rows: &[(&str, String)]| {
        let _ = writeln!(out, "<b>{}:</b>", Text(name));
        let rows: Vec<_> = rows
            .iter()
            .map(|(k, v)| vec![(*k).to_owned(), v.clone()])
            .collect();
        table(&mut out, &[], &rows);
    };
    properties(
        "Build Info",
        &[
            ("Command", status.build.command.clone()),
            ("Description", status.build.description.clone()),
            ("Version", status.build.version.clone()),
        ],
    );
    properties(
        "Runtime Info",
        &[
            ("StartTimestamp", rfc3339_nano(status.started)),
            ("Runtime", status.runtime.clone()),
            ("Reason", status.runtime_reason.clone()),
            ("Cores", status.cores.len().to_string()),
            ("OS", std::env::consts::OS.to_owned()),
            ("Arch", std::env::consts::ARCH.to_owned()),
        ],
    );
    for (path, name) in [
        ("pipelinez", "Pipelines"),
        ("extensionz", "Extensions"),
        ("featurez", "Features"),
    ] {
        let _ = writeln!(out, "<h4><a href=\"{path}\">{name}</a></h4>");
    }
    close(out)
}

fn ids(parts: &[ComponentRef], between: &str) -> String {
    let name = |part: &ComponentRef| match part.connector {
        true => format!("{} (connector)", part.id),
        false => part.id.clone(),
    };
    parts.iter().map(name).collect::<Vec<_>>().join(between)
}

/// `/debug/pipelinez`; with the Collector's parameters the chosen component is named.
pub(super) fn pipelines(status: &Status, query: Option<&str>) -> String {
    let mut out = open("builtPipelines");
    let mut rows: Vec<_> = status
        .pipelines
        .iter()
        .map(|pipeline| {
            vec![
                pipeline.id.clone(),
                pipeline.signal.clone(),
                ids(&pipeline.receivers, "\n"),
                ids(&pipeline.processors, " → "),
                ids(&pipeline.exporters, "\n"),
            ]
        })
        .collect();
    rows.sort();
    table(
        &mut out,
        &[
            "FullName",
            "InputType",
            "Receivers",
            "Processors",
            "Exporters",
        ],
        &rows,
    );
    let parameters =
        ["pipelinenamez", "componentnamez", "componentkindz"].map(|name| parameter(query, name));
    if let [Some(pipeline), Some(component), Some(kind)] = parameters {
        let full = if kind == "processor" {
            format!("{pipeline}/{component}")
        } else {
            component
        };
        let _ = writeln!(out, "<h4>{}: {}</h4>", Text(&kind), Text(&full));
    }
    close(out)
}

/// `/debug/extensionz`; with the Collector's parameter the chosen extension is named.
pub(super) fn extensions(status: &Status, query: Option<&str>) -> String {
    let mut out = open("Extensions");
    let mut rows: Vec<_> = status
        .extensions
        .iter()
        .map(|id| vec![id.clone()])
        .collect();
    rows.sort();
    table(&mut out, &["FullName"], &rows);
    if let Some(name) = parameter(query, "zextensionname") {
        let _ = writeln!(out, "<h4>{}</h4>", Text(&name));
    }
    close(out)
}

/// `/debug/featurez`.
pub(super) fn features(status: &Status) -> String {
    let mut out = open("Feature Gates");
    let rows: Vec<_> = status
        .gates
        .iter()
        .map(|gate| {
            vec![
                gate.id.clone(),
                gate.enabled.to_string(),
                gate.description.clone(),
                gate.stage.clone(),
            ]
        })
        .collect();
    table(&mut out, &["ID", "Enabled", "Description", "Stage"], &rows);
    close(out)
}

/// The first value of a query parameter, decoded; `None` when absent or empty.
fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let value = query?
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        let hex = |byte: u8| char::from(byte).to_digit(16);
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (hex(rest.next()?)?, hex(rest.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (!text.is_empty()).then_some(text)
}
