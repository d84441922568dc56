//! The OTLP gRPC services, as far as counting needs them.

use std::rc::Rc;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use trunkline_proto::Signal;

use super::receive::{Form, Receiver, Verdict};
use crate::error::Error;
use crate::{net, relay};

/// Serves every connection until the sink ends.
pub async fn serve(
    listener: TcpListener,
    frame_size: u32,
    small_frames: bool,
    receiver: Rc<Receiver>,
) -> Result<(), Error> {
    loop {
        let stream = net::accept(&listener).await?;
        receiver.connected();
        let receiver = receiver.clone();
        tokio::task::spawn_local(async move {
            if small_frames {
                connection(net::read_big(stream), frame_size, receiver).await;
            } else {
                connection(stream, frame_size, receiver).await;
            }
        });
    }
}

async fn connection<S>(stream: S, frame_size: u32, receiver: Rc<Receiver>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let Ok(mut connection) = net::server(frame_size).handshake::<_, Bytes>(stream).await else {
        return; // a port check, or not HTTP/2
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        let receiver = receiver.clone();
        tokio::task::spawn_local(async move {
            let mut respond = respond;
            if answer(request, &mut respond, &receiver).await.is_err() {
                respond.send_reset(Reason::INTERNAL_ERROR);
            }
        });
    }
}

fn signal_of(path: &str) -> Option<Signal> {
    Some(match path {
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Signal::Traces,
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Signal::Metrics,
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Signal::Logs,
        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export" => {
            Signal::Profiles
        }
        _ => return None,
    })
}

async fn answer(
    request: Request<RecvStream>,
    respond: &mut SendResponse<Bytes>,
    receiver: &Receiver,
) -> Result<(), Error> {
    let (head, body) = request.into_parts();
    let body = relay::gather(body).await?;
    let status = match (signal_of(head.uri.path()), body.split_first_chunk::<5>()) {
        (None, _) => Status::error(12, "no such service"),
        (_, None) => Status::error(13, "a message without its prefix"),
        (Some(signal), Some((&[flag, ..], message))) => {
            let encoding = head
                .headers
                .get("grpc-encoding")
                .and_then(|v| v.to_str().ok());
            let encoding = if flag == 0 {
                None
            } else {
                encoding.or(Some("unknown"))
            };
            match receiver.take(signal, Form::Protobuf, encoding, message) {
                Verdict::Accepted => Status::OK,
                Verdict::Refused(code) => Status::error(code, "refused on purpose"),
                Verdict::Malformed => Status::error(3, "malformed request"),
            }
        }
    };
    if !receiver.options.delay.is_zero() {
        tokio::time::sleep(receiver.options.delay).await;
    }
    let mut response = Response::new(());
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/grpc"));
    let answering = || Error::http2("answering");
    if status.code != 0 {
        status.write(response.headers_mut());
        respond.send_response(response, true).map_err(answering())?;
        return Ok(());
    }
    let mut out = respond
        .send_response(response, false)
        .map_err(answering())?;
    // An empty Export…ServiceResponse: everything was accepted.
    out.send_data(Bytes::from_static(&[0; 5]), false)
        .map_err(answering())?;
    let mut trailers = HeaderMap::new();
    status.write(&mut trailers);
    out.send_trailers(trailers).map_err(answering())
}

struct Status {
    code: u16,
    message: &'static str,
}

impl Status {
    const OK: Status = Status {
        code: 0,
        message: "",
    };

    fn error(code: u16, message: &'static str) -> Status {
        Status { code, message }
    }

    fn write(&self, headers: &mut HeaderMap) {
        headers.insert("grpc-status", HeaderValue::from(self.code));
        if !self.message.is_empty() {
            headers.insert("grpc-message", HeaderValue::from_static(self.message));
        }
    }
}
