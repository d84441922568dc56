//! The limit for any gateway: HTTP/2 in, HTTP/2 out, one thread, never looks inside.
//!
//! Each body is sent on as one piece, in DATA frames as large as the next hop takes. A body that
//! came in one frame is passed on as it lies in memory; one that came in several is gathered
//! once. With `--inflate` gzip bodies leave plain: the limit for gateways that must inflate.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::Error;
use crate::{args, net};

const USAGE: &str = "\
trunkline-bench relay --to HOST:PORT [options]

  --listen ADDR       where senders connect [127.0.0.1:4317]
  --to ADDR           the next hop
  --frame-size SIZE   the largest DATA frame asked of senders [1m]; up to 64k the socket is read
                      in large pieces whatever size the frames have
  --inflate           inflate gzip bodies and send them on plain
";

/// Frames up to this size are read through a large buffer: several of them in one system call.
const SMALL_FRAMES: u32 = 64 << 10;
/// Bodies larger than this are refused; the benchmarks send none.
const MAX_BODY: usize = 64 << 20;

struct Options {
    listen: SocketAddr,
    to: SocketAddr,
    frame_size: u32,
    inflate: bool,
}

/// Runs until SIGTERM.
pub fn command(args: &mut lexopt::Parser) -> Result<(), Error> {
    use lexopt::prelude::*;
    let mut listen = SocketAddr::from(([127, 0, 0, 1], 4317));
    let mut to = None;
    let mut frame_size = 1 << 20;
    let mut inflate = false;
    while let Some(arg) = args.next()? {
        match arg {
            Long("listen") => listen = args::address(&args.value()?.string()?)?,
            Long("to") => to = Some(args::address(&args.value()?.string()?)?),
            Long("frame-size") => frame_size = args::frame_size(&args.value()?.string()?)?,
            Long("inflate") => inflate = true,
            Short('h') | Long("help") => return Err(Error::Help(USAGE.to_owned())),
            other => return Err(other.unexpected().into()),
        }
    }
    let to = to.ok_or_else(|| Error::Usage("relay needs --to".to_owned()))?;
    net::raise_open_files()?;
    net::block_on(run(Options {
        listen,
        to,
        frame_size,
        inflate,
    }))
}

async fn run(options: Options) -> Result<(), Error> {
    let listener = net::listen(options.listen, "relay").await?;
    let inflater = options.inflate.then(|| Rc::new(Inflater::new()));
    let accepting = async {
        loop {
            let stream = net::accept(&listener).await?;
            let inflater = inflater.clone();
            tokio::task::spawn_local(async move {
                let done = if options.frame_size <= SMALL_FRAMES {
                    serve(
                        net::read_big(stream),
                        options.frame_size,
                        options.to,
                        inflater,
                    )
                    .await
                } else {
                    serve(stream, options.frame_size, options.to, inflater).await
                };
                if let Err(e) = done {
                    eprintln!("trunkline-bench: relay: {e}");
                }
            });
        }
    };
    tokio::select! {
        end = accepting => end,
        end = net::terminated() => end,
    }
}

/// One sender's connection, with a connection of its own to the next hop.
async fn serve<S>(
    stream: S,
    frame_size: u32,
    to: SocketAddr,
    inflater: Option<Rc<Inflater>>,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (sender, upstream) = net::client()
        .handshake::<_, Bytes>(net::connect(to).await?)
        .await
        .map_err(Error::http2(format!("greeting {to}")))?;
    tokio::task::spawn_local(async move {
        if let Err(e) = upstream.await {
            eprintln!("trunkline-bench: relay: connection to {to}: {e}");
        }
    });
    let mut downstream = net::server(frame_size)
        .handshake::<_, Bytes>(stream)
        .await
        .map_err(Error::http2("greeting a sender"))?;
    while let Some(next) = downstream.accept().await {
        let Ok((request, respond)) = next else {
            break; // the sender went away; what it had in flight ends with its streams
        };
        let (sender, inflater) = (sender.clone(), inflater.clone());
        tokio::task::spawn_local(async move {
            let mut respond = respond;
            if let Err(e) = forward(request, &mut respond, sender, inflater).await {
                eprintln!("trunkline-bench: relay: {e}");
                respond.send_reset(Reason::INTERNAL_ERROR);
            }
        });
    }
    Ok(())
}

async fn forward(
    request: Request<RecvStream>,
    respond: &mut SendResponse<Bytes>,
    sender: SendRequest<Bytes>,
    inflater: Option<Rc<Inflater>>,
) -> Result<(), Error> {
    let (mut head, body) = request.into_parts();
    let mut body = gather(body).await?;
    if let Some(inflater) = inflater
        && head
            .headers
            .get("grpc-encoding")
            .is_some_and(|v| v == "gzip")
    {
        body = inflater.message(&body)?;
        head.headers.remove("grpc-encoding");
    }
    let broken = || Error::http2("the next hop");
    let mut sender = sender.ready().await.map_err(broken())?;
    let (answer, mut stream) = sender
        .send_request(Request::from_parts(head, ()), false)
        .map_err(broken())?;
    stream.send_data(body, true).map_err(broken())?;
    let (head, mut body) = answer.await.map_err(broken())?.into_parts();
    let mut out = respond
        .send_response(Response::from_parts(head, ()), body.is_end_stream())
        .map_err(Error::http2("answering"))?;
    if body.is_end_stream() {
        return Ok(());
    }
    while let Some(piece) = body.data().await {
        let piece = piece.map_err(broken())?;
        let _ = body.flow_control().release_capacity(piece.len());
        out.send_data(piece, false)
            .map_err(Error::http2("answering"))?;
    }
    match body.trailers().await.map_err(broken())? {
        Some(trailers) => out.send_trailers(trailers),
        None => out.send_data(Bytes::new(), true),
    }
    .map_err(Error::http2("answering"))
}

/// The whole body as one piece of memory: as it came where that is one frame, else copied once.
pub async fn gather(mut body: RecvStream) -> Result<Bytes, Error> {
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(piece) = body.data().await {
        let piece = piece.map_err(Error::http2("reading a body"))?;
        // Fails only for a stream that is gone, which the next read reports.
        let _ = body.flow_control().release_capacity(piece.len());
        if piece.is_empty() {
            continue;
        }
        if first.is_empty() && whole.is_empty() {
            first = piece;
            continue;
        }
        if whole.is_empty() {
            whole.reserve(expected(&first).max(first.len() + piece.len()));
            whole.extend_from_slice(&first);
            first = Bytes::new();
        }
        if whole.len() + piece.len() > MAX_BODY {
            return Err(Error::Measure(format!(
                "a body of more than {MAX_BODY} bytes"
            )));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(if whole.is_empty() {
        first
    } else {
        whole.freeze()
    })
}

/// How long a gRPC body will be, from the length before its first message.
fn expected(start: &[u8]) -> usize {
    match start {
        &[_, a, b, c, d, ..] => (u32::from_be_bytes([a, b, c, d]) as usize)
            .saturating_add(5)
            .min(MAX_BODY),
        _ => 0,
    }
}

/// Inflates gRPC messages; the codec's memory is used again.
pub struct Inflater {
    codec: RefCell<libdeflater::Decompressor>,
}

impl Inflater {
    /// The codec, ready.
    pub fn new() -> Self {
        Inflater {
            codec: RefCell::new(libdeflater::Decompressor::new()),
        }
    }

    /// One gzip member, whole.
    pub fn gunzip(&self, packed: &[u8], into: &mut Vec<u8>) -> Result<(), Error> {
        // RFC 1952: the last four bytes are the length of what was packed, modulo 2^32.
        let size = match packed.last_chunk::<4>() {
            Some(last) => u32::from_le_bytes(*last) as usize,
            None => return Err(Error::Measure("a gzip body of under four bytes".to_owned())),
        };
        if size > MAX_BODY {
            return Err(Error::Measure(format!(
                "a body of more than {MAX_BODY} bytes"
            )));
        }
        let at = into.len();
        into.resize(at + size, 0);
        let room = into.get_mut(at..).unwrap_or_default();
        match self.codec.borrow_mut().gzip_decompress(packed, room) {
            Ok(n) if n == size => Ok(()),
            Ok(n) => Err(Error::Measure(format!(
                "a gzip body of {n} bytes says {size}"
            ))),
            Err(e) => Err(Error::Measure(format!("a gzip body does not inflate: {e}"))),
        }
    }

    /// A gRPC message with its prefix: packed in, plain out.
    fn message(&self, message: &Bytes) -> Result<Bytes, Error> {
        let Some((&[flag, ..], packed)) = message.split_first_chunk::<5>() else {
            return Err(Error::Measure(
                "a gRPC message without its prefix".to_owned(),
            ));
        };
        if flag == 0 {
            return Ok(message.clone());
        }
        let mut plain = vec![0; 5];
        self.gunzip(packed, &mut plain)?;
        let size = u32::try_from(plain.len() - 5).unwrap_or(u32::MAX);
        if let Some(prefix) = plain.get_mut(1..5) {
            prefix.copy_from_slice(&size.to_be_bytes());
        }
        Ok(Bytes::from(plain))
    }
}
