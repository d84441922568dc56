//! Feature gates: which the Collector has, which are on, and what
//! `--feature-gates` may say. What a gate changes is where it is asked for.

use std::collections::BTreeSet;

/// A gate's stage, as `featuregate` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Off by default.
    Alpha,
    /// On by default.
    Beta,
}

/// A feature gate.
#[derive(Debug)]
pub struct Gate {
    /// Its id.
    pub id: &'static str,
    /// Its stage.
    pub stage: Stage,
    /// What it does here.
    pub description: &'static str,
    /// It changes something in Trunkline.
    pub acts: bool,
}

macro_rules! gates {
    ($($id:literal $stage:ident $acts:literal $description:literal;)*) => {
        /// Every gate of the Collector 0.164 (core and the components that Trunkline covers or will), sorted.
        pub const GATES: &[Gate] = &[$(Gate { id: $id, stage: Stage::$stage, description: $description, acts: $acts }),*];
    };
}

gates! {
    "confmap.enableMergeAppendOption" Alpha true "Lists of receivers, exporters and extensions are joined when configurations are merged.";
    "exporter.file.nativeCompression" Alpha false "The file exporter writes one zstd stream a file instead of a compressed block a request.";
    "extension.healthcheck.useComponentStatus" Alpha false "health_check answers from the status of components.";
    "filter.filterlog.useOTTLBridge" Alpha false "Matching of log records goes through OTTL.";
    "filter.filtermetric.useOTTLBridge" Alpha false "Matching of metrics goes through OTTL.";
    "filter.filterspan.useOTTLBridge" Alpha false "Matching of spans goes through OTTL.";
    "ottl.functions.enableLambda" Alpha true "OTTL functions may take lambda arguments.";
    "pdata.useProtoPooling" Alpha false "Go memory pools; there are none here.";
    "pkg.confighttp.PrioritizeNewKeepalive" Beta false "The keepalive block wins over the old flat keys.";
    "pkg.exporterhelper.queueBatchEnabled" Alpha false "Sending queues join requests by default.";
    "pkg.ottl.functions.enableDynamicSliceArguments" Beta false "List arguments of OTTL functions may be paths.";
    "pkg.ottl.functions.enableExperimental" Alpha false "OTTL statements may use experimental functions.";
    "processor.tailsamplingprocessor.metricstatcountbytessampled" Alpha false "A metric of sampled bytes.";
    "processor.tailsamplingprocessor.metricstatcountspanssampled" Alpha false "A metric of sampled spans.";
    "processor.tailsamplingprocessor.recordpolicy" Alpha false "Sampled spans carry the policy's name.";
    "processor.tailsamplingprocessor.tailstorageextension" Alpha false "Traces may wait in a storage extension.";
    "processor.tailsamplingprocessor.usetracestate" Alpha false "Sampling follows the probabilities in tracestate.";
    "receiverhelper.newReceiverMetrics" Alpha false "Receivers tell errors of their own from those downstream.";
    "service.AllowNoPipelines" Alpha true "A configuration without pipelines is valid.";
    "service.partialReload" Alpha false "A reload rebuilds only what changed.";
    "service.partialReloadReceivers" Beta false "A reload of receivers restarts only receivers.";
    "service.profilesSupport" Alpha true "Pipelines may carry profiles.";
    "telemetry.newPipelineTelemetry" Alpha false "Metrics of every edge between components.";
    "transform.flatten.logs" Alpha false "Log records may be flattened before they are transformed.";
}

/// Which gates are on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gates {
    on: BTreeSet<&'static str>,
}

impl Default for Gates {
    fn default() -> Self {
        let on = GATES
            .iter()
            .filter(|gate| gate.stage == Stage::Beta)
            .map(|gate| gate.id)
            .collect();
        Gates { on }
    }
}

impl Gates {
    /// Those that were switched, and change nothing.
    pub fn without_effect(&self) -> impl Iterator<Item = &'static Gate> {
        GATES
            .iter()
            .filter(|gate| !gate.acts && self.is_on(gate.id) != (gate.stage == Stage::Beta))
    }

    /// Is the gate on?
    pub fn is_on(&self, id: &str) -> bool {
        self.on.contains(id)
    }

    /// Reads one value of `--feature-gates`: ids with commas between, `-` before
    /// one to switch it off, `+` or nothing to switch it on.
    ///
    /// # Errors
    /// The Collector's text for an id that there is not.
    pub fn set(&mut self, list: &str) -> Result<(), String> {
        let mut unknown = Vec::new();
        for item in list.split(',') {
            let (id, on) = match item.strip_prefix('-') {
                Some(id) => (id, false),
                None => (item.strip_prefix('+').unwrap_or(item), true),
            };
            if id.is_empty() && list.is_empty() {
                continue;
            }
            match GATES.iter().find(|gate| gate.id == id) {
                Some(gate) if on => {
                    self.on.insert(gate.id);
                }
                Some(gate) => {
                    self.on.remove(gate.id);
                }
                None => unknown.push(id),
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let valid: Vec<&str> = GATES.iter().map(|gate| gate.id).collect();
        let texts: Vec<String> = unknown
            .iter()
            .map(|id| {
                let near = super::diagnostics::nearest(id, valid.iter().copied());
                let hint = near.map_or(String::new(), |near| format!(" (did you mean {near:?}?)"));
                format!(
                    "no such feature gate {id:?}. valid gates: [{}]{hint}",
                    valid.join(" ")
                )
            })
            .collect();
        Err(texts.join("; "))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn gates_switch_on_and_off_and_unknown_ones_are_refused() {
        let mut gates = Gates::default();
        assert!(gates.is_on("service.partialReloadReceivers"));
        gates
            .set("service.profilesSupport,-service.partialReloadReceivers")
            .unwrap();
        assert!(gates.is_on("service.profilesSupport"));
        assert!(!gates.is_on("service.partialReloadReceivers"));
        let silent: Vec<&str> = gates.without_effect().map(|gate| gate.id).collect();
        assert_eq!(silent, ["service.partialReloadReceivers"]);
        let error = gates.set("+nope").unwrap_err();
        assert!(error.starts_with("no such feature gate \"nope\". valid gates: ["));
    }
}
