//! The backend's HTTP/1.1 side, connections kept alive.

use std::{sync::Arc, time::Instant};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Answer, Recorded, Shared, huge};
use crate::{codec, io::BoxStream};

pub(super) async fn serve(mut stream: BoxStream, connection: usize, shared: Arc<Shared>) {
    let mut buffer = BytesMut::new();
    while let Some((path, headers, wire)) = request(&mut stream, &mut buffer).await {
        let encoding = headers
            .get("content-encoding")
            .map_or("", |value| value.to_str().unwrap())
            .to_owned();
        let json = headers
            .get("content-type")
            .is_some_and(|kind| kind == crate::http::JSON);
        let body = codec::inflate_http(&encoding, &wire);
        let recorded = Recorded {
            at: Instant::now(),
            connection,
            path,
            headers,
            encoding,
            wire,
            body,
        };
        let kind = if json {
            crate::http::JSON
        } else {
            crate::http::PROTOBUF
        };
        let typed = vec![("Content-Type".to_owned(), kind.to_owned())];
        let empty = if json {
            Bytes::from_static(b"{}")
        } else {
            Bytes::new()
        };
        let (status, headers, body) = match shared.take(recorded).await {
            Answer::Ok => (200, typed, empty),
            Answer::Response(response) if json => {
                let partial = response.partial_success.unwrap_or_default();
                // The tests that answer partially over JSON send spans.
                let text = serde_json::json!({"partialSuccess":
                    {"rejectedSpans": partial.rejected.to_string(), "errorMessage": partial.error_message}});
                (200, typed, text.to_string().into())
            }
            Answer::Response(response) => (200, typed, response.encode_to_vec().into()),
            Answer::HugeResponse(bytes) => (200, typed, huge(bytes)),
            Answer::Status(status) => (503, typed, status.encode_to_vec().into()),
            Answer::Http(status, headers, body) => (status, headers, body),
            Answer::Disconnect => return,
            Answer::Never => {
                // Until the gateway closes the connection.
                while matches!(stream.read_buf(&mut buffer).await, Ok(1..)) {}
                return;
            }
        };
        let mut out = format!(
            "HTTP/1.1 {status} Told\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            out += &format!("{name}: {value}\r\n");
        }
        out += "\r\n";
        let mut out = out.into_bytes();
        out.extend_from_slice(&body);
        if stream.write_all(&out).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

async fn request(
    stream: &mut BoxStream,
    buffer: &mut BytesMut,
) -> Option<(String, HeaderMap, Bytes)> {
    let end = loop {
        match buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            Some(at) => break at + 4,
            None => more(stream, buffer).await?,
        }
    };
    let head = String::from_utf8(buffer.split_to(end).to_vec()).unwrap();
    let mut lines = head.split("\r\n").filter(|line| !line.is_empty());
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line
            .split_once(':')
            .unwrap_or_else(|| panic!("the gateway sent a broken header: {line:?}"));
        headers.append(
            name.parse::<HeaderName>().unwrap(),
            HeaderValue::from_str(value.trim()).unwrap(),
        );
    }
    if headers.get("expect").is_some() {
        stream
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
            .await
            .ok()?;
    }
    let body = if headers.get("transfer-encoding").is_some() {
        chunks(stream, buffer).await?
    } else {
        let length = headers
            .get("content-length")
            .map_or(0, |value| value.to_str().unwrap().parse().unwrap());
        while buffer.len() < length {
            more(stream, buffer).await?;
        }
        buffer.split_to(length).freeze()
    };
    Some((path, headers, body))
}

async fn chunks(stream: &mut BoxStream, buffer: &mut BytesMut) -> Option<Bytes> {
    let mut body = BytesMut::new();
    loop {
        let line = loop {
            match buffer.windows(2).position(|window| window == b"\r\n") {
                Some(at) => break buffer.split_to(at + 2),
                None => more(stream, buffer).await?,
            }
        };
        let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
        while buffer.len() < size + 2 {
            more(stream, buffer).await?;
        }
        body.extend_from_slice(&buffer.split_to(size));
        buffer.advance(2);
        if size == 0 {
            return Some(body.freeze());
        }
    }
}

async fn more(stream: &mut BoxStream, buffer: &mut BytesMut) -> Option<()> {
    match stream.read_buf(buffer).await {
        Ok(1..) => Some(()),
        _ => None,
    }
}
