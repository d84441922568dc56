//! The one table of all components: ids, aliases, stability, and how each one's
//! configuration is read. Building a running component from its settings is the
//! graph's business. Components that the Collector has and Trunkline lacks are
//! in `known`.

use std::{any::Any, fmt::Debug, sync::Arc};

use trunkline_proto::Signal;

use super::{ComponentId, Kind, Printed, Problems, Setting, Shape};
use crate::{
    config::{diagnostics::Decoder, node::Node},
    connectors, exporters, extensions, processors, receivers,
};

/// How far a component is to be trusted, as `components` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stability {
    /// Not for this signal.
    Undefined,
    /// As its signal: not settled.
    Development,
    /// Early.
    Alpha,
    /// Useful, may change.
    Beta,
    /// Does not change.
    Stable,
}

impl Stability {
    /// `Stable`, `Beta`, `Alpha`, `Development`, `Undefined`.
    pub const fn name(self) -> &'static str {
        match self {
            Stability::Undefined => "Undefined",
            Stability::Development => "Development",
            Stability::Alpha => "Alpha",
            Stability::Beta => "Beta",
            Stability::Stable => "Stable",
        }
    }
}

/// A component's typed settings behind one face. Downcast with
/// [`as_any`](ComponentConfig::as_any) to the `Config` of the component's module.
pub trait ComponentConfig: Any + Debug + Send + Sync {
    /// For downcasting.
    fn as_any(&self) -> &dyn Any;
    /// For `print-config`.
    fn print(&self) -> Printed;
    /// For the schema and the reference pages; of the default this is the declaration.
    fn shape(&self) -> Shape;
    /// Rules beyond types.
    fn check(&self, problems: &mut Problems);
}

impl<T: Setting + 'static> ComponentConfig for T {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn print(&self) -> Printed {
        Setting::print(self)
    }
    fn shape(&self) -> Shape {
        Setting::shape(self)
    }
    fn check(&self, problems: &mut Problems) {
        Setting::check(self, problems);
    }
}

/// What is known about a component before it is built.
#[derive(Debug)]
pub struct Factory {
    /// What it is in a pipeline.
    pub kind: Kind,
    /// Its type in ids.
    pub type_name: &'static str,
    /// An older type that still works.
    pub alias: Option<&'static str>,
    /// Per signal in the order of [`Signal::ALL`]; extensions have one.
    pub stability: &'static [Stability],
    /// Reads its settings; what is wrong goes to the decoder.
    parse: fn(Option<&Node>, &mut Decoder<'_>) -> Arc<dyn ComponentConfig>,
}

impl Factory {
    /// Its settings when nothing is written.
    pub fn default_config(&self) -> Arc<dyn ComponentConfig> {
        let mut found = Default::default();
        let mut cx = Decoder::new(&mut found, Vec::new(), Vec::new());
        (self.parse)(None, &mut cx)
    }

    /// Reads its settings.
    pub fn parse(&self, node: &Node, cx: &mut Decoder<'_>) -> Arc<dyn ComponentConfig> {
        (self.parse)(Some(node), cx)
    }

    /// Does it handle the signal at all?
    pub fn supports(&self, signal: Signal) -> bool {
        self.kind != Kind::Extension
            && self
                .stability
                .get(signal.index())
                .is_some_and(|s| *s != Stability::Undefined)
    }

    /// The module that `components` names.
    pub fn module(&self) -> String {
        format!(
            "trunkline/{}/{} v{}",
            self.kind.section(),
            self.type_name,
            env!("CARGO_PKG_VERSION")
        )
    }

    /// Is this the type, or its alias?
    pub fn is(&self, type_name: &str) -> bool {
        self.type_name == type_name || self.alias == Some(type_name)
    }
}

fn parse<T: Setting + Default + 'static>(
    node: Option<&Node>,
    cx: &mut Decoder<'_>,
) -> Arc<dyn ComponentConfig> {
    let mut config = T::default();
    if let Some(node) = node {
        config.decode(node, cx);
    }
    Arc::new(config)
}

use Stability::{Alpha, Beta, Development, Stable, Undefined};

macro_rules! table {
    ($($kind:ident $name:literal $(alias $alias:literal)? [$($stability:ident),*] $config:ty;)*) => {
        /// Every component, in the order of kinds and then of names.
        pub static TABLE: &[Factory] = &[$(Factory {
            kind: Kind::$kind,
            type_name: $name,
            alias: { #[allow(unused_mut, unused_assignments)] let mut alias = None; $(alias = Some($alias);)? alias },
            stability: &[$($stability),*],
            parse: parse::<$config>,
        }),*];
    };
}

table! {
    Receiver "nop" [Beta, Beta, Beta, Alpha] receivers::nop::config::Config;
    Receiver "otlp" [Stable, Stable, Stable, Alpha] receivers::otlp::config::Config;
    Processor "attributes" [Beta, Beta, Beta, Undefined] processors::attributes::config::Config;
    Processor "batch" [Beta, Beta, Beta, Undefined] processors::batch::config::Config;
    Processor "filter" [Alpha, Alpha, Alpha, Development] processors::filter::config::Config;
    Processor "memory_limiter" [Beta, Beta, Beta, Alpha] processors::memory_limiter::config::Config;
    Processor "resource" [Beta, Beta, Beta, Development] processors::resource::config::Config;
    Processor "rules" [Alpha, Alpha, Alpha, Development] processors::rules::config::Config;
    Processor "transform" [Beta, Beta, Beta, Development] processors::transform::config::Config;
    Exporter "debug" [Alpha, Alpha, Alpha, Alpha] exporters::debug::config::Config;
    Exporter "file" [Alpha, Alpha, Alpha, Alpha] exporters::file::config::Config;
    Exporter "nop" [Beta, Beta, Beta, Alpha] exporters::nop::config::Config;
    Exporter "otlp_grpc" alias "otlp" [Stable, Stable, Stable, Alpha] exporters::otlp_grpc::config::Config;
    Exporter "otlp_http" alias "otlphttp" [Stable, Stable, Stable, Alpha] exporters::otlp_http::config::Config;
    Connector "forward" [Beta, Beta, Beta, Alpha] connectors::forward::config::Config;
    Connector "routing" [Alpha, Alpha, Alpha, Development] connectors::routing::config::Config;
    Connector "rules" [Alpha, Alpha, Alpha, Development] connectors::rules::config::Config;
    Extension "health_check" [Alpha] extensions::health_check::config::Config;
    Extension "pprof" [Beta] extensions::pprof::config::Config;
    Extension "zpages" [Beta] extensions::zpages::config::Config;
}

/// The components of a kind, by name.
pub fn of_kind(kind: Kind) -> impl Iterator<Item = &'static Factory> {
    TABLE.iter().filter(move |factory| factory.kind == kind)
}

/// The component of an id's type, by its name or its alias.
pub fn find(kind: Kind, id: &ComponentId) -> Option<&'static Factory> {
    of_kind(kind).find(|factory| factory.is(id.type_name()))
}
