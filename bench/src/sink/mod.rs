//! Receives telemetry and counts it: gRPC and HTTP/1, optionally verifying ids, answering late,
//! or failing on purpose.
//!
//! `receive` takes a body in, `grpc` and `http` answer in their protocols, `control` shows the
//! counts while it runs, `seen` keeps which sequence numbers have come.

mod control;
mod grpc;
mod http1;
mod raw;
mod receive;
mod seen;

pub use http1::HyperIo;
pub use seen::Seen;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use crate::error::Error;
use crate::{args, net};
use receive::{Fail, Receiver};

const USAGE: &str = "\
trunkline-bench sink [options]

  --grpc ADDR         where gRPC is served [127.0.0.1:5317]
  --http ADDR         where HTTP/1 is served (not served unless given)
  --raw ADDR          where the bodies of `copy` end (not served unless given)
  --control ADDR      GET /stats, GET /missing, POST /reset (not served unless given)
  --frame-size SIZE   the largest DATA frame asked of senders [1m]
  --small-frames      read in large pieces, for senders that send 16 KiB frames whatever is asked
  --verify            look for the sequence numbers of `load --verify`
  --inflate           inflate compressed bodies, to count what is in them
  --delay DURATION    answer this much later
  --fail CODE:RATIO   refuse this part of the requests; a gRPC code (1 to 16) or HTTP status
  --retry-after SECS  sent with refusals over HTTP
  --seed N            decides which requests are refused [1]
At SIGTERM it prints the counts as JSON and ends.
";

/// Runs until SIGTERM, then prints the counts.
pub fn command(args: &mut lexopt::Parser) -> Result<(), Error> {
    use lexopt::prelude::*;
    let mut grpc = SocketAddr::from(([127, 0, 0, 1], 5317));
    let (mut http, mut raw, mut control) = (None, None, None);
    let (mut frame_size, mut small_frames) = (1 << 20, false);
    let (mut verify, mut inflate) = (false, false);
    let (mut delay, mut fail) = (Duration::ZERO, None);
    let (mut retry_after, mut seed) = (None, 1u64);
    while let Some(arg) = args.next()? {
        match arg {
            Long("grpc") => grpc = args::address(&args.value()?.string()?)?,
            Long("http") => http = Some(args::address(&args.value()?.string()?)?),
            Long("raw") => raw = Some(args::address(&args.value()?.string()?)?),
            Long("control") => control = Some(args::address(&args.value()?.string()?)?),
            Long("frame-size") => frame_size = args::frame_size(&args.value()?.string()?)?,
            Long("small-frames") => small_frames = true,
            Long("verify") => verify = true,
            Long("inflate") => inflate = true,
            Long("delay") => delay = args::duration(&args.value()?.string()?)?,
            Long("fail") => fail = Some(Fail::parse(&args.value()?.string()?)?),
            Long("retry-after") => retry_after = Some(args.value()?.parse::<u32>()?),
            Long("seed") => seed = args.value()?.parse()?,
            Short('h') | Long("help") => return Err(Error::Help(USAGE.to_owned())),
            other => return Err(other.unexpected().into()),
        }
    }
    net::raise_open_files()?;
    let receiver = Rc::new(Receiver::new(receive::Options {
        verify,
        inflate,
        delay,
        fail,
        retry_after,
        seed,
    }));
    net::block_on(async {
        let listeners = Listeners {
            grpc: net::listen(grpc, "sink grpc").await?,
            http: match http {
                Some(a) => Some(net::listen(a, "sink http").await?),
                None => None,
            },
            raw: match raw {
                Some(a) => Some(net::listen(a, "sink raw").await?),
                None => None,
            },
            control: match control {
                Some(a) => Some(net::listen(a, "sink control").await?),
                None => None,
            },
        };
        let serving = async {
            tokio::try_join!(
                grpc::serve(listeners.grpc, frame_size, small_frames, receiver.clone()),
                optional(listeners.http, |l| http1::serve(l, receiver.clone())),
                optional(listeners.raw, |l| raw::serve(l, receiver.clone())),
                optional(listeners.control, |l| control::serve(l, receiver.clone())),
            )
        };
        tokio::select! {
            end = serving => end.map(|_| ()),
            end = net::terminated() => end,
        }
    })?;
    println!("{}", receiver.stats());
    Ok(())
}

struct Listeners {
    grpc: tokio::net::TcpListener,
    http: Option<tokio::net::TcpListener>,
    raw: Option<tokio::net::TcpListener>,
    control: Option<tokio::net::TcpListener>,
}

/// Serves where there is a listener, else waits for ever.
async fn optional<F>(
    listener: Option<tokio::net::TcpListener>,
    serve: impl FnOnce(tokio::net::TcpListener) -> F,
) -> Result<(), Error>
where
    F: Future<Output = Result<(), Error>>,
{
    match listener {
        Some(listener) => serve(listener).await,
        None => std::future::pending().await,
    }
}

/// Memory that is used again for bodies that came in pieces.
type Scratch = RefCell<Vec<u8>>;
