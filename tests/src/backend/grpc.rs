//! The backend's HTTP/2 side: unary calls only.

use std::{sync::Arc, time::Instant};

use base64::Engine;
use bytes::{Bytes, BytesMut};
use h2::{RecvStream, server::SendResponse};
use http::{HeaderMap, HeaderValue, Request, Response};
use prost::Message;
use tokio::sync::Notify;

use super::{Answer, Recorded, Shared, huge};
use crate::{codec, grpc::framed, io::BoxStream, status::Status};

const WINDOW: u32 = 1 << 26;

pub(super) async fn serve(stream: BoxStream, number: usize, shared: Arc<Shared>) {
    let handshake = h2::server::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_concurrent_streams(1 << 16)
        .handshake::<_, Bytes>(stream);
    let Ok(mut connection) = handshake.await else {
        return;
    };
    let disconnect = Arc::new(Notify::new());
    loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    tokio::spawn(answer(request, respond, number, shared.clone(), disconnect.clone()));
                }
                _ => return,
            },
            // Dropping the connection closes the socket, whatever is still open on it.
            () = disconnect.notified() => return,
        }
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    connection: usize,
    shared: Arc<Shared>,
    disconnect: Arc<Notify>,
) {
    let (head, mut stream) = request.into_parts();
    // A call given up before its body was whole is not recorded.
    let Some(body) = read(&mut stream).await else {
        return;
    };
    let Some((prefix, _)) = body.split_at_checked(5) else {
        finish(
            &mut respond,
            &Status::new(crate::status::INTERNAL, "no message"),
            None,
        );
        return;
    };
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
    assert_eq!(
        length + 5,
        body.len(),
        "the gateway's length prefix is wrong"
    );
    let wire = body.slice(5..);
    let encoding = match prefix[0] {
        0 => String::new(),
        _ => head
            .headers
            .get("grpc-encoding")
            .expect("compressed without grpc-encoding")
            .to_str()
            .unwrap()
            .to_owned(),
    };
    let recorded = Recorded {
        at: Instant::now(),
        connection,
        path: head.uri.path().to_owned(),
        headers: head.headers,
        body: codec::inflate_grpc(&encoding, &wire),
        encoding,
        wire,
    };
    let answer = shared.take(recorded);
    let answer = tokio::select! {
        answer = answer => answer,
        // The caller gave the call up.
        _ = std::future::poll_fn(|context| respond.poll_reset(context)) => return,
    };
    match answer {
        Answer::Ok => finish(&mut respond, &Status::new(0, ""), Some(Bytes::new())),
        Answer::Response(response) => {
            finish(
                &mut respond,
                &Status::new(0, ""),
                Some(response.encode_to_vec().into()),
            );
        }
        Answer::HugeResponse(bytes) => finish(&mut respond, &Status::new(0, ""), Some(huge(bytes))),
        Answer::Status(status) => finish(&mut respond, &status, None),
        Answer::Http(status, headers, body) => plain(&mut respond, status, &headers, body),
        Answer::Disconnect => disconnect.notify_one(),
        Answer::Never => {
            let _ = std::future::poll_fn(|context| respond.poll_reset(context)).await;
        }
    }
}

/// Errors while answering mean that the gateway went away; what it then does is the test's business.
fn finish(respond: &mut SendResponse<Bytes>, status: &Status, message: Option<Bytes>) {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.code.into());
    if !status.message.is_empty() {
        let escaped: String = status
            .message
            .bytes()
            .map(|byte| match byte {
                b'%' => "%25".to_owned(),
                b' '..=b'~' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect();
        trailers.insert("grpc-message", HeaderValue::from_str(&escaped).unwrap());
    }
    if !status.details.is_empty() {
        let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(status.encode_to_vec());
        trailers.insert(
            "grpc-status-details-bin",
            HeaderValue::from_str(&text).unwrap(),
        );
    }
    let mut response = Response::builder()
        .header("content-type", "application/grpc")
        .body(())
        .unwrap();
    match message {
        None => {
            response.headers_mut().extend(trailers);
            let _ = respond.send_response(response, true);
        }
        Some(message) => {
            if let Ok(mut stream) = respond.send_response(response, false) {
                let _ = stream.send_data(framed(&message, false), false);
                let _ = stream.send_trailers(trailers);
            }
        }
    }
}

fn plain(
    respond: &mut SendResponse<Bytes>,
    status: u16,
    headers: &[(String, String)],
    body: Bytes,
) {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    if let Ok(mut stream) = respond.send_response(response.body(()).unwrap(), body.is_empty())
        && !body.is_empty()
    {
        let _ = stream.send_data(body, true);
    }
}

async fn read(stream: &mut RecvStream) -> Option<Bytes> {
    let mut body = BytesMut::new();
    while let Some(piece) = stream.data().await {
        let piece = piece.ok()?;
        stream.flow_control().release_capacity(piece.len()).ok()?;
        body.extend_from_slice(&piece);
    }
    Some(body.freeze())
}
