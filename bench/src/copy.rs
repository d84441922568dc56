//! Bytes from socket to socket, no HTTP/2: what no gateway can beat. `load --protocol raw` is its
//! loader, `sink --raw` takes the bytes.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::error::Error;
use crate::{args, net};

const USAGE: &str = "\
trunkline-bench copy --to HOST:PORT [options]

  --listen ADDR       where senders connect [127.0.0.1:4317]
  --to ADDR           the next hop
  --buffer SIZE       how much is read at once [1m]
";

/// Runs until SIGTERM.
pub fn command(args: &mut lexopt::Parser) -> Result<(), Error> {
    use lexopt::prelude::*;
    let mut listen = SocketAddr::from(([127, 0, 0, 1], 4317));
    let mut to = None;
    let mut buffer = 1 << 20;
    while let Some(arg) = args.next()? {
        match arg {
            Long("listen") => listen = args::address(&args.value()?.string()?)?,
            Long("to") => to = Some(args::address(&args.value()?.string()?)?),
            Long("buffer") => buffer = args::size(&args.value()?.string()?)?.max(1),
            Short('h') | Long("help") => return Err(Error::Help(USAGE.to_owned())),
            other => return Err(other.unexpected().into()),
        }
    }
    let to = to.ok_or_else(|| Error::Usage("copy needs --to".to_owned()))?;
    net::raise_open_files()?;
    net::block_on(async {
        let listener = net::listen(listen, "copy").await?;
        let accepting = async {
            loop {
                let stream = net::accept(&listener).await?;
                tokio::task::spawn_local(async move {
                    if let Err(e) = serve(stream, to, buffer).await {
                        eprintln!("trunkline-bench: copy: {e}");
                    }
                });
            }
        };
        tokio::select! {
            end = accepting => end,
            end = net::terminated() => end,
        }
    })
}

async fn serve(stream: TcpStream, to: SocketAddr, buffer: usize) -> Result<(), Error> {
    let (sender_in, sender_out) = stream.into_split();
    let (next_in, next_out) = net::connect(to).await?.into_split();
    tokio::try_join!(
        pump(sender_in, next_out, buffer),
        pump(next_in, sender_out, 4096)
    )?;
    Ok(())
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    buffer: usize,
) -> Result<(), Error> {
    let mut buffer = vec![0; buffer];
    loop {
        let n = from.read(&mut buffer).await.map_err(Error::io("reading"))?;
        let Some(bytes) = buffer.get(..n).filter(|b| !b.is_empty()) else {
            return to.shutdown().await.map_err(Error::io("closing"));
        };
        to.write_all(bytes).await.map_err(Error::io("writing"))?;
    }
}
