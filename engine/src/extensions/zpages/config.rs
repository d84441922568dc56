//! Keys and defaults of the extension `zpages`.

use crate::{
    component::{Problems, declare},
    net::config::{Address, HttpServer},
};

declare! {
    /// The admin page: what listens, pipelines, live rates, what was dropped and why.
    pub struct Config as "zpagesextension.Config", lenient "the Collector ignores unknown keys here", check Config::rules {
        /// The server.
        server: HttpServer = HttpServer {
            address: Address::tcp("localhost:55679"),
            ..HttpServer::default()
        }, squash "serverconfig";
        /// Go's exported variables.
        expvar: Expvar = Expvar::default(), no_effect "there are no Go variables to serve";
    }
}

declare! {
    /// Go's exported variables.
    pub struct Expvar as "zpagesextension.ExpvarConfig" {
        /// Serve them.
        enabled: bool = false;
    }
}

impl Config {
    fn rules(&self, problems: &mut Problems) {
        if self.server.address.endpoint.is_empty() {
            problems.push("\"endpoint\" is required when using the \"zpages\" extension");
        }
    }
}
