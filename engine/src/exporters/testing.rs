//! What the exporters' tests share: a core without an engine around it, and
//! small requests.

use std::{
    cell::RefCell,
    future::Future,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use prost::Message;
use trunkline_proto::{
    Batch, Signal,
    otlp::{
        ExportLogsServiceRequest,
        common::v1::{AnyValue, KeyValue, any_value::Value},
        logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
        resource::v1::Resource,
    },
};

use crate::{
    component::{ComponentId, CoreContext, RequestContext},
    net::{
        admission::Budget,
        compression::{Deflater, Inflater},
        drain::Drain,
        in_hand::InHand,
    },
    telemetry::metrics::{Level, Page, Registry, write_page},
};

/// A core.
pub fn core() -> CoreContext {
    CoreContext {
        core: 0,
        cores: 1,
        registry: Arc::new(Registry::new(Level::Detailed)),
        budget: Budget::new(1 << 30),
        drain: Drain::default(),
        in_hand: InHand::default(),
        inflater: Rc::new(RefCell::new(Inflater::new())),
        deflater: Rc::new(RefCell::new(Deflater::new())),
    }
}

/// Runs a future as a core on the epoll reactor would.
pub fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap()
        .block_on(future)
}

/// An id.
pub fn id(text: &str) -> ComponentId {
    text.parse().unwrap()
}

/// A request whose caller waits for a minute.
pub fn context() -> RequestContext {
    RequestContext {
        deadline: Instant::now() + Duration::from_secs(60),
        metadata: None,
        client: None,
        unchecked: false,
    }
}

/// The metrics page of a core, with suffixes.
pub fn scrape(core: &CoreContext) -> String {
    let page = Page {
        without_type_suffix: false,
        ..Page::default()
    };
    write_page(&core.registry, &page)
}

/// An attribute.
pub fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// A request of log records, as a sender would write it: for every pair a resource whose
/// attribute `fileexporter.path_segment` has the name, with so many records. An empty name is no
/// attribute.
pub fn logs(resources: &[(&str, usize)]) -> Batch {
    let request = ExportLogsServiceRequest {
        resource_logs: resources
            .iter()
            .map(|(name, records)| ResourceLogs {
                resource: Some(Resource {
                    attributes: if name.is_empty() {
                        vec![]
                    } else {
                        vec![attribute(
                            "fileexporter.path_segment",
                            Value::StringValue((*name).into()),
                        )]
                    },
                    ..Resource::default()
                }),
                scope_logs: vec![ScopeLogs {
                    log_records: (0..*records)
                        .map(|n| LogRecord {
                            body: Some(AnyValue {
                                value: Some(Value::StringValue(format!("record {n}"))),
                            }),
                            ..LogRecord::default()
                        })
                        .collect(),
                    ..ScopeLogs::default()
                }],
                ..ResourceLogs::default()
            })
            .collect(),
    };
    Batch::from_protobuf(Signal::Logs, request.encode_to_vec().into()).unwrap()
}
