//! The otlp receiver over gRPC.

use trunkline_tests::{Backend, Launch, Port, Signal, both_runtimes, grpc, otlp};

use crate::config;

both_runtimes! {
    async fn a_request_reaches_the_backend_byte_for_byte(runtime: Runtime) {
        let (backend, grpc, http) = (Backend::grpc(), Port::free(), Port::free());
        let gateway = Launch::new(runtime, &config::relay(&grpc, &http, &config::to_grpc(&backend))).start().await;
        let body = otlp::items(Signal::Traces, 10);
        let client = grpc::Client::connect(&grpc).await;
        client.export(Signal::Traces, &body).await.ok();
        assert_eq!(backend.recorded()[0].body, body);
        assert_eq!(gateway.stop().await.code(), 0);
    }
}
