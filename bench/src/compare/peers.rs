//! What can be run, by name: its command and its configuration for a row. Trunkline and the
//! Collector get the same file.

use std::path::{Path, PathBuf};

use trunkline_proto::Signal;

use super::Options;
use super::rows::Row;
use crate::{error::Error, kernels::routing};

/// Paths and commands from the command line and the environment.
#[derive(Clone, Debug, Default)]
pub struct Given {
    pub trunkline: Option<PathBuf>,
    pub otelcol: Option<PathBuf>,
    pub rotel: Option<PathBuf>,
    /// Name and command.
    pub others: Vec<(String, String)>,
    /// Name and the file that its configuration comes from.
    pub configs: Vec<(String, String)>,
}

impl Given {
    /// What the environment names, and the gateway built beside this program.
    pub fn from_environment() -> Given {
        let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let beside = || {
            let path = std::env::current_exe().ok()?.with_file_name("trunkline");
            path.exists().then_some(path)
        };
        Given {
            trunkline: path("TRUNKLINE_BIN").or_else(beside),
            otelcol: path("TRUNKLINE_OTELCOL"),
            rotel: path("TRUNKLINE_ROTEL"),
            ..Given::default()
        }
    }
}

/// A gateway ready to be started.
#[derive(Clone, Debug)]
pub struct Peer {
    pub name: String,
    /// Program and arguments, places not yet filled in.
    pub command: Vec<String>,
    /// Its configuration, places not yet filled in.
    pub config: Option<String>,
    /// Whether bodies go by without HTTP/2.
    pub raw: bool,
    /// Whether it belongs to the benchmark and not to those compared.
    pub limit: bool,
}

/// The Collector's configuration for a row.
fn collector(row: Row, signal: Signal) -> String {
    let (processors, listed) = match row.processor(signal) {
        Some((id, config)) => (format!("processors:\n  {id}:\n{config}"), format!("[{id}]")),
        None => (String::new(), "[]".to_owned()),
    };
    let signal = signal.name();
    // Pipelines behind the first one, which the connector feeds.
    let ways = match row {
        Row::Routing => routing::WAYS,
        _ => 0,
    };
    let exporter = |id: &str| {
        format!(
            "  {id}:\n    endpoint: {{sink}}\n    compression: {}\n    tls: {{ insecure: true }}\n    \
             sending_queue: {{ enabled: false }}\n    retry_on_failure: {{ enabled: false }}\n",
            row.exported()
        )
    };
    let (mut connectors, mut exporters, mut pipelines) =
        (String::new(), String::new(), String::new());
    for way in 0..ways {
        exporters += &exporter(&format!("otlp_grpc/{way}"));
        pipelines += &format!(
            "    {signal}/{way}:\n      receivers: [routing]\n      exporters: [otlp_grpc/{way}]\n"
        );
    }
    let first = match ways {
        0 => {
            exporters = exporter("otlp_grpc");
            "otlp_grpc"
        }
        _ => {
            connectors = "connectors:\n  routing:\n    table:\n".to_owned();
            for (condition, way) in routing::table() {
                connectors += &format!(
                    "      - {{ condition: '{condition}', pipelines: [{signal}/{way}] }}\n"
                );
            }
            "routing"
        }
    };
    format!(
        "receivers:\n  otlp:\n    protocols:\n      grpc:\n        endpoint: {{listen}}\n        max_recv_msg_size_mib: 64\n\
         {processors}{connectors}\
         exporters:\n{exporters}\
         service:\n  telemetry:\n    logs: {{ level: warn }}\n    metrics:\n      level: basic\n      readers:\n        \
         - pull: {{ exporter: {{ prometheus: {{ host: 127.0.0.1, port: {{metrics_port}} }} }} }}\n  \
         pipelines:\n    {signal}:\n      receivers: [otlp]\n      processors: {listed}\n      exporters: [{first}]\n\
         {pipelines}"
    )
}

fn words(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

/// Why a peer takes no part: said in the report, never silently.
pub type Absent = String;

/// Who takes part in a row.
pub struct Lineup {
    /// In the row's order.
    pub there: Vec<Peer>,
    /// Names of those that cannot, with the reason.
    pub absent: Vec<(String, Absent)>,
}

/// A row's peers.
pub fn of(options: &Options, row: Row) -> Result<Lineup, Error> {
    let mut names: Vec<String> = row.peers().iter().map(|n| (*n).to_owned()).collect();
    names.extend(options.peers.others.iter().map(|(name, _)| name.clone()));
    if let Some(only) = &options.only {
        if let Some(unknown) = only.iter().find(|n| !names.contains(n)) {
            return Err(Error::Usage(format!(
                "row {} has no peer {unknown:?}; it has {}",
                row.name(),
                names.join(", ")
            )));
        }
        names.retain(|n| only.contains(n));
    }
    let (mut there, mut absent) = (Vec::new(), Vec::new());
    for name in names {
        match peer(options, row, &name)? {
            Ok(peer) => there.push(peer),
            Err(why) => absent.push((name, why)),
        }
    }
    Ok(Lineup { there, absent })
}

fn peer(options: &Options, row: Row, name: &str) -> Result<Result<Peer, Absent>, Error> {
    let this = std::env::current_exe().map_err(Error::io("finding this program"))?;
    let program = |path: &Path, rest: &str| {
        let mut all = vec![path.display().to_string()];
        all.extend(words(rest));
        all
    };
    let relay = |more: &str| {
        let rest = format!(
            "relay --listen {{listen}} --to {{sink}} --frame-size {} {more}",
            options.frame_size
        );
        Peer {
            name: name.to_owned(),
            command: program(&this, &rest),
            config: None,
            raw: false,
            limit: true,
        }
    };
    let signal = options.signal;
    let missing = |path: Option<&PathBuf>, how: &str| match path {
        None => Err(format!("not given ({how})")),
        Some(p) if !p.exists() => Err(format!("{} does not exist ({how})", p.display())),
        Some(p) => Ok(p.clone()),
    };
    let given = &options.peers;
    Ok(match name {
        "copy" => Ok(Peer {
            name: name.to_owned(),
            command: program(&this, "copy --listen {listen} --to {raw_sink}"),
            config: None,
            raw: true,
            limit: true,
        }),
        "relay" => Ok(relay("")),
        "relay-inflate" => Ok(relay("--inflate")),
        "trunkline" => missing(given.trunkline.as_ref(), "--trunkline").map(|path| Peer {
            name: name.to_owned(),
            command: program(&path, "--config {config}"),
            config: Some(collector(row, signal)),
            raw: false,
            limit: false,
        }),
        "otelcol" if row == Row::Routing => {
            Err("cannot: it is built without the connector routing".to_owned())
        }
        "otelcol" => missing(given.otelcol.as_ref(), "--otelcol or TRUNKLINE_OTELCOL").map(|path| Peer {
            name: name.to_owned(),
            command: program(&path, "--config {config}"),
            config: Some(collector(row, signal)),
            raw: false,
            limit: false,
        }),
        "rotel" => missing(given.rotel.as_ref(), "--rotel or TRUNKLINE_ROTEL").map(|path| Peer {
            name: name.to_owned(),
            command: program(
                &path,
                "start --pid-file {dir}/rotel.pid --otlp-grpc-endpoint {listen} --otlp-http-endpoint {http} \
                 --otlp-grpc-max-recv-msg-size-mib 64 --batch-max-size 512 --exporter otlp \
                 --otlp-exporter-endpoint http://{sink} --otlp-exporter-protocol grpc \
                 --otlp-exporter-compression none",
            ),
            config: None,
            raw: false,
            limit: false,
        }),
        other => {
            let command = given.others.iter().find(|(n, _)| n == other).map(|(_, c)| words(c));
            let config = match given.configs.iter().find(|(n, _)| n == other) {
                Some((_, file)) => Some(
                    std::fs::read_to_string(file).map_err(Error::io(format!("reading {file}")))?,
                ),
                None => None,
            };
            command
                .map(|command| Peer { name: name.to_owned(), command, config, raw: false, limit: false })
                .ok_or_else(|| "no command (--peer)".to_owned())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_configures_the_processor_that_does_its_work() {
        for (name, row) in super::super::rows::ALL {
            let config = collector(row, Signal::Logs);
            let listed = row.processor(Signal::Logs).map_or("", |(id, _)| id);
            assert!(
                config.contains(&format!("processors: [{listed}]")),
                "{name}"
            );
            assert_eq!(
                config.contains("from_attribute"),
                listed == "attributes",
                "{name}"
            );
            assert!(config.contains("    logs:\n"), "{name}");
            assert!(
                config.contains(&format!("compression: {}", row.exported())),
                "{name}"
            );
            assert!(!config.contains("{{"), "{name}: {config}");
            assert_eq!(
                config.matches("condition: ").count(),
                if row == Row::Routing { 100 } else { 0 },
                "{name}"
            );
        }
    }
}
