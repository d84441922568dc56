//! Name resolution, away from the cores: the system's resolver blocks, so each
//! look-up runs on a short-lived thread, at most `AT_ONCE` at a time.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

use tokio::sync::oneshot;

/// Look-ups under way at once, at most.
const AT_ONCE: usize = 16;

static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

/// The addresses of `host:port`, in the resolver's order; numeric addresses ask nobody.
///
/// # Errors
/// The resolver's answer, or that too many look-ups are under way.
pub async fn resolve(authority: &str) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = authority.parse() {
        return Ok(vec![address]);
    }
    if UNDER_WAY.fetch_add(1, Relaxed) >= AT_ONCE {
        UNDER_WAY.fetch_sub(1, Relaxed);
        return Err(io::Error::other("too many name look-ups under way"));
    }
    let (sender, receiver) = oneshot::channel();
    let authority = authority.to_owned();
    let spawned = thread::Builder::new()
        .name("resolve".into())
        .spawn(move || {
            let answer = authority.to_socket_addrs().map(Iterator::collect::<Vec<_>>);
            UNDER_WAY.fetch_sub(1, Relaxed);
            let _ = sender.send(answer);
        });
    if let Err(error) = spawned {
        UNDER_WAY.fetch_sub(1, Relaxed);
        return Err(error);
    }
    match receiver.await {
        Ok(Ok(addresses)) if addresses.is_empty() => {
            Err(io::Error::new(io::ErrorKind::NotFound, "no addresses"))
        }
        Ok(answer) => answer,
        Err(_) => Err(io::Error::other("the look-up was given up")),
    }
}
