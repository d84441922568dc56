//! An HTTP/1.1 client that writes what it is told to, header by header, and
//! reads replies strictly.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use crate::{
    Signal,
    io::{BoxStream, Target},
    status::Status,
};
use prost::Message;

/// `application/x-protobuf`.
pub const PROTOBUF: &str = "application/x-protobuf";
/// `application/json`.
pub const JSON: &str = "application/json";

/// The default path of a signal.
pub const fn path(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/v1/traces",
        Signal::Metrics => "/v1/metrics",
        Signal::Logs => "/v1/logs",
        Signal::Profiles => "/v1development/profiles",
    }
}

/// How a body is delimited.
#[derive(Clone, Debug)]
pub enum Body {
    /// No body and no header for it.
    None,
    /// Content-Length and the bytes.
    Sized(Bytes),
    /// Content-Length says this much, and nothing follows.
    Announced(u64),
    /// Transfer-Encoding: chunked, in these chunks; ended or left open.
    Chunked(Vec<Bytes>, bool),
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method.
    pub method: String,
    /// Request target.
    pub path: String,
    /// Headers, in order; Host and what the body needs are added.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Body,
}

impl Request {
    /// A POST to `path` without a body.
    pub fn post(path: &str) -> Request {
        Request {
            method: "POST".into(),
            path: path.into(),
            headers: Vec::new(),
            body: Body::Sized(Bytes::new()),
        }
    }

    /// An export of a protobuf body.
    pub fn export(signal: Signal, body: impl Into<Bytes>) -> Request {
        Request::post(path(signal))
            .with("Content-Type", PROTOBUF)
            .body(Body::Sized(body.into()))
    }

    /// An export of a JSON body.
    pub fn json(signal: Signal, body: impl Into<Bytes>) -> Request {
        Request::post(path(signal))
            .with("Content-Type", JSON)
            .body(Body::Sized(body.into()))
    }

    /// With one more header.
    pub fn with(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With another body.
    pub fn body(mut self, body: Body) -> Request {
        self.body = body;
        self
    }

    /// With another method.
    pub fn method(mut self, method: &str) -> Request {
        self.method = method.into();
        self
    }
}

/// A reply.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Headers as they came, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, chunks joined.
    pub body: Bytes,
}

impl Reply {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as `google.rpc.Status`, in the form that Content-Type names.
    ///
    /// # Panics
    /// When it is something else.
    pub fn error(&self) -> Status {
        let kind = self
            .header("content-type")
            .unwrap_or_else(|| panic!("no Content-Type: {self:?}"));
        match kind.split(';').next().unwrap_or_default().trim() {
            PROTOBUF => {
                Status::decode(&*self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
            }
            JSON => Status::from_json(&self.body),
            _ => panic!("not a Status: {self:?}"),
        }
    }
}

/// One connection, kept alive between requests.
pub struct Connection {
    read: ReadHalf<BoxStream>,
    write: WriteHalf<BoxStream>,
    buffer: BytesMut,
}

/// Opens a connection, makes one request, and closes it.
///
/// # Panics
/// When there is no whole reply.
pub async fn send(target: impl Into<Target>, request: &Request) -> Reply {
    Connection::open(target).await.send(request).await
}

impl Connection {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens.
    pub async fn open(target: impl Into<Target>) -> Connection {
        Connection::over(target.into().connect().await.unwrap())
    }

    /// Over a stream that is connected already.
    pub fn over(stream: BoxStream) -> Connection {
        let (read, write) = tokio::io::split(stream);
        Connection {
            read,
            write,
            buffer: BytesMut::new(),
        }
    }

    /// Makes a request.
    ///
    /// # Panics
    /// When there is no whole reply in time.
    pub async fn send(&mut self, request: &Request) -> Reply {
        let bytes = encode(request);
        let head = request.method == "HEAD";
        let Connection {
            read,
            write,
            buffer,
        } = self;
        let exchange = async {
            let writing = async {
                // The server may answer and close before it read everything; the reply decides.
                let _ = write.write_all(&bytes).await;
                let _ = write.flush().await;
            };
            let (reply, ()) = tokio::join!(read_reply(read, buffer, head), writing);
            reply
        };
        crate::wait::within("an HTTP reply", exchange)
            .await
            .unwrap_or_else(|error| panic!("no reply: {error}"))
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// What the socket said.
    pub async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.write.write_all(bytes).await?;
        self.write.flush().await
    }

    /// Reads the next reply.
    ///
    /// # Errors
    /// When the connection ended before the reply did.
    pub async fn reply(&mut self) -> std::io::Result<Reply> {
        crate::wait::within(
            "an HTTP reply",
            read_reply(&mut self.read, &mut self.buffer, false),
        )
        .await
    }

    /// Whether the server closed the connection; waits for it.
    pub async fn closed(&mut self) -> bool {
        let mut byte = [0];
        matches!(
            crate::wait::within("the end of the connection", self.read.read(&mut byte)).await,
            Ok(0) | Err(_)
        )
    }
}

/// The bytes of a request.
pub fn encode(request: &Request) -> Vec<u8> {
    let mut out = format!(
        "{} {} HTTP/1.1\r\nHost: localhost\r\n",
        request.method, request.path
    );
    for (name, value) in &request.headers {
        out += &format!("{name}: {value}\r\n");
    }
    let body = match &request.body {
        Body::None => Vec::new(),
        Body::Sized(bytes) => {
            out += &format!("Content-Length: {}\r\n", bytes.len());
            bytes.to_vec()
        }
        Body::Announced(length) => {
            out += &format!("Content-Length: {length}\r\n");
            Vec::new()
        }
        Body::Chunked(chunks, end) => {
            out += "Transfer-Encoding: chunked\r\n";
            let mut body = Vec::new();
            for chunk in chunks {
                body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                body.extend_from_slice(chunk);
                body.extend_from_slice(b"\r\n");
            }
            if *end {
                body.extend_from_slice(b"0\r\n\r\n");
            }
            body
        }
    };
    out += "\r\n";
    let mut out = out.into_bytes();
    out.extend_from_slice(&body);
    out
}

type Reader = ReadHalf<BoxStream>;

async fn read_reply(
    read: &mut Reader,
    buffer: &mut BytesMut,
    head: bool,
) -> std::io::Result<Reply> {
    loop {
        let reply = read_one(read, buffer, head).await?;
        // Interim replies (100 Continue) precede the one that counts.
        if reply.status >= 200 {
            return Ok(reply);
        }
    }
}

async fn read_one(read: &mut Reader, buffer: &mut BytesMut, head: bool) -> std::io::Result<Reply> {
    let end = loop {
        match buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            Some(at) => break at + 4,
            None => more(read, buffer).await?,
        }
    };
    let text = String::from_utf8(buffer.split_to(end).to_vec()).map_err(std::io::Error::other)?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status: u16 = first
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .ok_or_else(|| std::io::Error::other(format!("not an HTTP/1.1 status line: {first:?}")))?;
    let mut headers = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| std::io::Error::other(format!("not a header: {line:?}")))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut reply = Reply {
        status,
        headers,
        body: Bytes::new(),
    };
    if head || status < 200 || status == 204 || status == 304 {
        return Ok(reply);
    }
    if reply
        .header("transfer-encoding")
        .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    {
        reply.body = read_chunks(read, buffer).await?;
    } else if let Some(length) = reply.header("content-length") {
        let length: usize = length.parse().map_err(std::io::Error::other)?;
        while buffer.len() < length {
            more(read, buffer).await?;
        }
        reply.body = buffer.split_to(length).freeze();
    } else {
        while more(read, buffer).await.is_ok() {}
        reply.body = buffer.split().freeze();
    }
    Ok(reply)
}

async fn read_chunks(read: &mut Reader, buffer: &mut BytesMut) -> std::io::Result<Bytes> {
    let mut body = BytesMut::new();
    loop {
        let line = loop {
            match buffer.windows(2).position(|window| window == b"\r\n") {
                Some(at) => break buffer.split_to(at + 2),
                None => more(read, buffer).await?,
            }
        };
        let size = std::str::from_utf8(&line)
            .map_err(std::io::Error::other)?
            .trim();
        let size = usize::from_str_radix(size, 16).map_err(std::io::Error::other)?;
        while buffer.len() < size + 2 {
            more(read, buffer).await?;
        }
        body.extend_from_slice(&buffer.split_to(size));
        if &buffer.split_to(2)[..] != b"\r\n" {
            return Err(std::io::Error::other("a chunk without its end"));
        }
        if size == 0 {
            return Ok(body.freeze());
        }
    }
}

async fn more(read: &mut Reader, buffer: &mut BytesMut) -> std::io::Result<()> {
    match read.read_buf(buffer).await? {
        0 => Err(std::io::Error::new(
            std::io::ErrorKind::UnexpectedEof,
            "the connection ended within a reply",
        )),
        _ => Ok(()),
    }
}
