//! Keys and defaults of the extension `health_check`.

use crate::{
    component::{Anything, Problems, declare},
    net::config::{Address, HttpServer},
};

declare! {
    /// Answers every path and method: 200 while the gateway is ready, else 503.
    pub struct Config as "healthcheck.Config", check Config::gate {
        /// The extension proper.
        config: HealthCheck = HealthCheck::default(), squash "config";
    }
}

declare! {
    /// One HTTP endpoint that says whether the gateway is ready.
    pub struct HealthCheck as "healthcheck.Config", check HealthCheck::rules {
        /// The server.
        server: HttpServer = HttpServer {
            address: Address::tcp("localhost:13133"),
            ..HttpServer::default()
        }, squash "serverconfig";
        /// The path that is answered, and what is below it where it ends in `/`.
        path: String = "/".to_owned();
        /// Texts to answer with instead of the JSON object.
        response_body: Option<ResponseBody> = None;
        /// Old form of a check; the Collector ignores it, too.
        check_collector_pipeline: CheckPipeline = CheckPipeline::default(), no_effect "the Collector ignores it too";
        /// The second version of the extension; always an error, as there.
        use_v2: bool = false;
        /// The component-status server over gRPC; needs a gate.
        grpc: Anything = Anything::default();
        /// The component-status server over HTTP; needs a gate.
        http: Anything = Anything::default();
        /// When a component counts as failed; needs a gate.
        component_health: Anything = Anything::default(), no_effect "the component-status server is not available";
    }
}

declare! {
    /// Texts of the answer.
    pub struct ResponseBody as "http.ResponseBodyConfig" {
        /// With 200.
        healthy: String = String::new();
        /// With 503.
        unhealthy: String = String::new();
    }
}

declare! {
    /// Old form of a check.
    pub struct CheckPipeline as "http.CheckCollectorPipelineConfig" {
        /// Do it.
        enabled: bool = false;
        /// How often.
        interval: String = "5m".to_owned();
        /// After so many failures of an exporter.
        exporter_failure_threshold: i64 = 5;
    }
}

impl Config {
    fn gate(&self, problems: &mut Problems) {
        if self.config.http.get().is_some() || self.config.grpc.get().is_some() {
            problems.push(
                "v2 healthcheck configuration (http/grpc fields) detected but feature gate is disabled. Either remove the v2 config fields or enable the feature gate with: --feature-gates=+extension.healthcheck.useComponentStatus",
            );
        }
    }
}

impl HealthCheck {
    fn rules(&self, problems: &mut Problems) {
        if self.use_v2 {
            problems.push("must specify at least one protocol");
        } else if self.server.address.endpoint.is_empty() {
            problems.push("http endpoint required");
        } else if !self.path.starts_with('/') {
            problems.push("path must start with /");
        }
    }
}
