//! A gRPC client that speaks HTTP/2 by hand: any metadata, any encoding, DATA
//! frames of any size, and bodies that a well-behaved library would not send.
//! Source: the gRPC over HTTP/2 protocol description.

use base64::Engine;
use bytes::{BufMut, Bytes, BytesMut};
use h2::{RecvStream, SendStream, client::SendRequest};
use http::{HeaderMap, Request, header::HeaderName};
use prost::Message;

use crate::{Signal, codec, io::Target, status::Status};

/// The path of a signal's Export method.
pub const fn path(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        Signal::Profiles => {
            "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
        }
    }
}

/// The five-byte prefix and the message.
pub fn framed(message: &[u8], compressed: bool) -> Bytes {
    let mut body = BytesMut::with_capacity(5 + message.len());
    body.put_u8(u8::from(compressed));
    body.put_u32(message.len() as u32);
    body.put_slice(message);
    body.freeze()
}

/// A call to make; start from [`Call::export`].
#[derive(Clone, Debug)]
pub struct Call {
    /// HTTP method.
    pub method: http::Method,
    /// `/package.Service/Method`.
    pub path: String,
    /// Headers beside the ones that gRPC needs; a given `content-type` or `te` replaces those.
    pub metadata: Vec<(String, String)>,
    /// What goes into DATA frames, prefix included.
    pub body: Bytes,
    /// Bytes in one DATA frame; as large as the peer permits when unset.
    pub frame: Option<usize>,
    /// Whether END_STREAM follows the body. Without it the call stays open.
    pub end: bool,
}

impl Call {
    /// An export of one uncompressed message.
    pub fn export(signal: Signal, message: &[u8]) -> Call {
        Call {
            method: http::Method::POST,
            path: path(signal).into(),
            metadata: Vec::new(),
            body: framed(message, false),
            frame: None,
            end: true,
        }
    }

    /// An export of one message in `encoding`.
    pub fn compressed(signal: Signal, encoding: &str, message: &[u8]) -> Call {
        let body = framed(&codec::compress_grpc(encoding, message), true);
        Call {
            body,
            ..Call::export(signal, message)
        }
        .with("grpc-encoding", encoding)
    }

    /// With one more header.
    pub fn with(mut self, name: &str, value: &str) -> Call {
        self.metadata.push((name.into(), value.into()));
        self
    }

    /// With other bytes in place of the framed message.
    pub fn body(mut self, body: impl Into<Bytes>) -> Call {
        self.body = body.into();
        self
    }

    /// With the body cut into DATA frames of `bytes`.
    pub fn frame(mut self, bytes: usize) -> Call {
        self.frame = Some(bytes);
        self
    }

    /// On another path.
    pub fn path(mut self, path: &str) -> Call {
        self.path = path.into();
        self
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub http: u16,
    /// Headers; for a trailers-only reply the trailers are here too.
    pub headers: HeaderMap,
    /// Trailers.
    pub trailers: HeaderMap,
    /// The DATA bytes, prefix included.
    pub body: Bytes,
}

impl Reply {
    fn field(&self, name: &str) -> Option<&str> {
        self.trailers
            .get(name)
            .or_else(|| self.headers.get(name))
            .map(|value| value.to_str().unwrap())
    }

    /// `grpc-status`.
    ///
    /// # Panics
    /// When there is none.
    pub fn code(&self) -> u32 {
        self.field("grpc-status")
            .unwrap_or_else(|| panic!("no grpc-status in {self:?}"))
            .parse()
            .unwrap()
    }

    /// `grpc-message`, percent-decoded.
    pub fn message(&self) -> String {
        let text = self.field("grpc-message").unwrap_or_default().as_bytes();
        let mut out = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let escaped = (text[at] == b'%')
                .then(|| text.get(at + 1..at + 3))
                .flatten()
                .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
            out.push(escaped.unwrap_or(text[at]));
            at += if escaped.is_some() { 3 } else { 1 };
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    /// `grpc-status-details-bin`, or a status made of code and message.
    pub fn status(&self) -> Status {
        match self.field("grpc-status-details-bin") {
            None => Status::new(self.code(), &self.message()),
            Some(text) => {
                let bytes = base64::engine::general_purpose::STANDARD_NO_PAD
                    .decode(text.trim_end_matches('='))
                    .unwrap();
                let status = Status::decode(&*bytes).unwrap();
                assert_eq!(
                    status.code as u32,
                    self.code(),
                    "details disagree with grpc-status"
                );
                status
            }
        }
    }

    /// The response message, inflated where the server compressed it.
    ///
    /// # Panics
    /// When the body is not exactly one message.
    pub fn response(&self) -> Bytes {
        let (prefix, message) = self
            .body
            .split_at_checked(5)
            .unwrap_or_else(|| panic!("no message in {self:?}"));
        let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
        assert_eq!(length as usize, message.len(), "{self:?}");
        match prefix[0] {
            0 => self.body.slice_ref(message),
            _ => codec::inflate_grpc(self.field("grpc-encoding").unwrap_or_default(), message),
        }
    }

    /// Asserts success, and gives the response message.
    ///
    /// # Panics
    /// When the call failed.
    pub fn ok(&self) -> Bytes {
        assert_eq!((self.http, self.code()), (200, 0), "{}", self.message());
        self.response()
    }
}

/// One HTTP/2 connection.
#[derive(Clone)]
pub struct Client {
    send: SendRequest<Bytes>,
}

impl Client {
    /// Connects with prior knowledge.
    ///
    /// # Panics
    /// When there is no HTTP/2 server.
    pub async fn connect(target: impl Into<Target>) -> Client {
        Client::try_connect(target).await.unwrap()
    }

    /// Connects with prior knowledge.
    ///
    /// # Errors
    /// What connect, TLS or the HTTP/2 handshake said.
    pub async fn try_connect(
        target: impl Into<Target>,
    ) -> Result<Client, Box<dyn std::error::Error>> {
        let stream = target.into().connect().await?;
        let (send, connection) = h2::client::Builder::new()
            .initial_window_size(1 << 24)
            .initial_connection_window_size(1 << 26)
            .handshake::<_, Bytes>(stream)
            .await?;
        tokio::spawn(async move {
            // Ends with the connection; calls report what went wrong.
            let _ = connection.await;
        });
        Ok(Client { send })
    }

    /// Makes a call.
    ///
    /// # Panics
    /// When the stream or the connection broke before the reply was whole.
    pub async fn call(&self, call: &Call) -> Reply {
        crate::wait::within("the reply", self.try_call(call))
            .await
            .unwrap()
    }

    /// Makes a call.
    ///
    /// # Errors
    /// When the stream or the connection broke before the reply was whole.
    pub async fn try_call(&self, call: &Call) -> Result<Reply, h2::Error> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("http://localhost{}", call.path))
            .version(http::Version::HTTP_2)
            .body(())
            .unwrap();
        let headers = request.headers_mut();
        headers.insert("content-type", "application/grpc".parse().unwrap());
        headers.insert("te", "trailers".parse().unwrap());
        for (name, value) in &call.metadata {
            let name: HeaderName = name.parse().unwrap();
            if name == "content-type" || name == "te" {
                headers.insert(name, value.parse().unwrap());
            } else {
                headers.append(name, value.parse().unwrap());
            }
        }
        let mut send = self.send.clone().ready().await?;
        let (response, body) = send.send_request(request, false)?;
        // The server may answer before it read everything; then writing fails, and that is no error.
        let write = write(body, call.body.clone(), call.frame, call.end);
        let read = async {
            let response = response.await?;
            let (head, mut stream) = response.into_parts();
            let body = read(&mut stream).await?;
            let trailers = stream.trailers().await?.unwrap_or_default();
            Ok(Reply {
                http: head.status.as_u16(),
                headers: head.headers,
                trailers,
                body,
            })
        };
        let mut write = std::pin::pin!(write);
        let mut read = std::pin::pin!(read);
        tokio::select! {
            biased;
            reply = &mut read => reply,
            // Kept until the reply is there: to drop it without END_STREAM would reset the stream.
            _stream = &mut write => read.await,
        }
    }

    /// How many streams the server permits at a time, as far as it has said so.
    pub fn streams_permitted(&self) -> usize {
        self.send.current_max_send_streams()
    }

    /// Exports one message.
    ///
    /// # Panics
    /// As [`Client::call`].
    pub async fn export(&self, signal: Signal, message: &[u8]) -> Reply {
        self.call(&Call::export(signal, message)).await
    }
}

/// Writes `body` in DATA frames, as the peer's windows permit.
async fn write(
    mut stream: SendStream<Bytes>,
    mut body: Bytes,
    frame: Option<usize>,
    end: bool,
) -> Option<SendStream<Bytes>> {
    if body.is_empty() && end {
        stream.send_data(Bytes::new(), true).ok()?;
    }
    while !body.is_empty() {
        stream.reserve_capacity(body.len().min(frame.unwrap_or(usize::MAX)));
        let capacity = match stream.capacity() {
            0 => std::future::poll_fn(|context| stream.poll_capacity(context))
                .await?
                .ok()?,
            capacity => capacity,
        };
        let piece = body.split_to(capacity.min(body.len()).min(frame.unwrap_or(usize::MAX)));
        let last = body.is_empty() && end;
        stream.send_data(piece, last).ok()?;
        if frame.is_some() {
            // Let the connection send this frame before the next one could be joined to it.
            tokio::task::yield_now().await;
        }
    }
    Some(stream)
}

async fn read(stream: &mut RecvStream) -> Result<Bytes, h2::Error> {
    let mut body = BytesMut::new();
    while let Some(piece) = stream.data().await {
        let piece = piece?;
        stream.flow_control().release_capacity(piece.len())?;
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}
