//! What commands say that load no configuration: help, the list of components,
//! feature gates, the JSON Schema.

use std::fmt::Write as _;

use trunkline_proto::Signal;

use super::{COMMANDS, FLAGS, Flags, NAME, VERSION};
use crate::{
    component::{Kind, table},
    config::{
        gates::{GATES, Stage as GateStage},
        schema,
        source::SCHEMES,
    },
};

pub(super) fn help() -> String {
    let mut out = format!(
        "The gateway tier for OpenTelemetry.\n\nUsage:\n  {NAME} [flags]\n  {NAME} [command]\n\nAvailable Commands:\n"
    );
    for (name, _, what) in COMMANDS {
        let _ = writeln!(out, "  {name:<13} {what}");
    }
    out.push_str("\nFlags:\n");
    for (flag, what) in FLAGS {
        let _ = writeln!(out, "  {flag:<30} {what}");
    }
    out.push_str("\nFlags of print-config:\n");
    for (flag, what) in [
        ("--mode redacted|unredacted", "Whether secrets are shown"),
        ("--format yaml|json", "How it is printed"),
        ("--validate", "Accepted; what is printed is always valid"),
    ] {
        let _ = writeln!(out, "  {flag:<30} {what}");
    }
    out
}

pub(super) fn components() -> String {
    let mut out = format!(
        "buildinfo:\n    command: {NAME}\n    description: The gateway tier for OpenTelemetry\n    version: {VERSION}\n"
    );
    for kind in Kind::ALL {
        let mut factories: Vec<_> = table::of_kind(kind).collect();
        factories.sort_by_key(|factory| factory.type_name);
        if factories.is_empty() {
            let _ = writeln!(out, "{}: []", kind.section());
            continue;
        }
        let _ = writeln!(out, "{}:", kind.section());
        for factory in factories {
            let _ = writeln!(
                out,
                "    - name: {}\n      module: {}\n      stability:",
                factory.type_name,
                factory.module()
            );
            if kind == Kind::Extension {
                if let Some(stability) = factory.stability.first() {
                    let _ = writeln!(out, "        extension: {}", stability.name());
                }
                continue;
            }
            for signal in [
                Signal::Logs,
                Signal::Metrics,
                Signal::Traces,
                Signal::Profiles,
            ] {
                let Some(stability) = factory.stability.get(signal.index()) else {
                    continue;
                };
                let name = match kind {
                    Kind::Connector => format!("{0}-to-{0}", signal.name()),
                    _ => signal.name().to_owned(),
                };
                let _ = writeln!(out, "        {name}: {}", stability.name());
            }
        }
    }
    out.push_str("providers:\n");
    for scheme in SCHEMES {
        let _ = writeln!(
            out,
            "    - scheme: {scheme}\n      module: {NAME}/config/source v{VERSION}"
        );
    }
    out
}

pub(super) fn feature_gates(flags: &Flags) -> Result<String, String> {
    let wanted = flags.rest.first();
    if let Some(id) = wanted {
        let gate = GATES
            .iter()
            .find(|gate| gate.id == id)
            .ok_or_else(|| format!("feature {id:?} not found"))?;
        return Ok(format!(
            "Feature: {}\nEnabled: {}\nDescription: {}\nStage: {}\n",
            gate.id,
            flags.gates.is_on(gate.id),
            gate.description,
            stage(gate.stage)
        ));
    }
    let width = GATES.iter().map(|gate| gate.id.len()).max().unwrap_or(0);
    let mut out = format!("{:<width$}  Enabled  Stage  Description\n", "ID");
    for gate in GATES {
        let effect = if gate.acts {
            ""
        } else {
            " (no effect in Trunkline)"
        };
        let _ = writeln!(
            out,
            "{:<width$}  {:<7}  {:<5}  {}{effect}",
            gate.id,
            flags.gates.is_on(gate.id),
            stage(gate.stage),
            gate.description
        );
    }
    Ok(out)
}

fn stage(stage: GateStage) -> &'static str {
    match stage {
        GateStage::Alpha => "Alpha",
        GateStage::Beta => "Beta",
    }
}

pub(super) fn schema() -> String {
    let mut text = serde_json::to_string_pretty(&schema::schema()).unwrap_or_default();
    text.push('\n');
    text
}
