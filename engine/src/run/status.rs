//! The gateway as the admin page and zpages show it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use super::Gateway;
use crate::{
    admin,
    config::gates::{GATES, Stage as GateStage},
    net::admission::Budget,
    runtime::cores,
    telemetry::process::CoreThreads,
};

impl Gateway {
    /// What the pages ask for the present state. `ready`: whether data is taken.
    pub(super) fn status_source(
        &self,
        listeners: Vec<admin::Listener>,
        ready: &Arc<AtomicBool>,
    ) -> impl admin::StatusSource + use<> {
        StatusOf {
            status: self.status(listeners),
            plan: self.plan.clone(),
            threads: self.threads.clone(),
            budgets: self.budgets.clone(),
            ready: ready.clone(),
        }
    }

    fn status(&self, listeners: Vec<admin::Listener>) -> admin::Status {
        let reference = |id: &crate::component::ComponentId| admin::ComponentRef {
            id: id.to_string(),
            connector: self.settings.connectors.contains_key(id),
        };
        admin::Status {
            build: admin::BuildInfo {
                command: "trunkline".into(),
                description: "The gateway tier for OpenTelemetry".into(),
                version: env!("CARGO_PKG_VERSION").into(),
            },
            started: self.started,
            ready: true,
            runtime: self.mode.0.to_string(),
            runtime_reason: self.mode.1.clone(),
            cores: Vec::new(),
            memory: admin::Memory::default(),
            listeners,
            pipelines: self
                .settings
                .service
                .pipelines
                .iter()
                .map(|(id, p)| admin::Pipeline {
                    id: id.to_string(),
                    signal: id.signal.name().into(),
                    receivers: p.receivers.iter().map(reference).collect(),
                    processors: p.processors.iter().map(reference).collect(),
                    exporters: p.exporters.iter().map(reference).collect(),
                })
                .collect(),
            extensions: self
                .settings
                .service
                .extensions
                .iter()
                .map(ToString::to_string)
                .collect(),
            gates: GATES
                .iter()
                .map(|gate| admin::FeatureGate {
                    id: gate.id.into(),
                    enabled: self.settings.gates.is_on(gate.id),
                    stage: match gate.stage {
                        GateStage::Alpha => "Alpha",
                        GateStage::Beta => "Beta",
                    }
                    .into(),
                    description: gate.description.into(),
                })
                .collect(),
            data_dir: self.embedded.as_ref().map(|dir| dir.display().to_string()),
            config: self.settings.sources.clone(),
        }
    }
}

struct StatusOf {
    status: admin::Status,
    plan: cores::Plan,
    threads: Arc<CoreThreads>,
    budgets: Vec<Arc<Budget>>,
    ready: Arc<AtomicBool>,
}

impl admin::StatusSource for StatusOf {
    fn status(&self) -> admin::Status {
        let mut status = self.status.clone();
        status.ready = self.ready.load(Relaxed);
        status.cores = self
            .threads
            .cpu_seconds()
            .into_iter()
            .map(|(index, cpu_seconds)| admin::Core {
                index,
                cpu: self.plan.processor(index),
                cpu_seconds,
            })
            .collect();
        status.memory = admin::Memory {
            used: self.budgets.iter().map(|b| b.used() as u64).sum(),
            budget: self.budgets.iter().map(|b| b.limit() as u64).sum(),
        };
        status
    }
}

/// Something that accepts connections.
pub(super) fn listener(component: &str, protocol: &str, address: &str) -> admin::Listener {
    admin::Listener {
        component: component.to_owned(),
        protocol: protocol.to_owned(),
        address: address.to_owned(),
    }
}
