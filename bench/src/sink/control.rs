//! The sink's own small HTTP port: `GET /stats`, `GET /missing`, `POST /reset`.

use std::convert::Infallible;
use std::rc::Rc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use serde_json::json;
use tokio::net::TcpListener;

use super::HyperIo;
use super::receive::Receiver;
use crate::error::Error;
use crate::net;

/// Serves every connection until the sink ends.
pub async fn serve(listener: TcpListener, receiver: Rc<Receiver>) -> Result<(), Error> {
    loop {
        let stream = net::accept(&listener).await?;
        let receiver = receiver.clone();
        tokio::task::spawn_local(async move {
            let service = service_fn(|request| {
                let response = answer(&request, &receiver);
                async { Ok::<_, Infallible>(response) }
            });
            // Errors are those of a client that went away.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(HyperIo::new(stream), service)
                .await;
        });
    }
}

fn answer(request: &Request<Incoming>, receiver: &Receiver) -> Response<Full<Bytes>> {
    let (status, value) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/stats") => (StatusCode::OK, receiver.stats()),
        (&Method::GET, "/missing") => (StatusCode::OK, receiver.missing()),
        (&Method::POST, "/reset") => {
            receiver.reset();
            (StatusCode::OK, json!({}))
        }
        _ => (
            StatusCode::NOT_FOUND,
            json!({"error": "there are GET /stats, GET /missing, POST /reset"}),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    *response.status_mut() = status;
    response
}
