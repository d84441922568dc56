//! Listening sockets of a core.
//!
//! Safety: descriptors are handed over, never shared: a socket gives up its
//! descriptor (`into_raw_fd`) in the same expression that makes its new owner.
#![allow(unsafe_code)]

use std::{
    cell::Cell,
    io,
    net::{Shutdown, SocketAddr},
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, RawFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::{Mode, Stream, current_mode};

/// How long a port may still belong to a predecessor that was killed.
const PREDECESSOR: Duration = Duration::from_millis(500);

/// A listening socket on this core's executor.
pub struct Listener {
    /// Of `inner`, which owns it.
    fd: RawFd,
    inner: Inner,
    unlink: Cell<Option<Unlink>>,
}

enum Inner {
    /// glommio's TCP listener does nothing that a unix socket could not do, and unlike its unix
    /// listener it shows its descriptors.
    IoUring(glommio::net::TcpListener),
    EpollTcp(tokio::net::TcpListener),
    EpollUnix(tokio::net::UnixListener),
}

/// A connection that was accepted and belongs to no executor yet: it may go to another core.
pub struct Accepted {
    socket: Socket,
    /// The caller's address; `None` on unix sockets.
    pub peer: Option<SocketAddr>,
    /// The address it reached; `None` on unix sockets.
    pub local: Option<SocketAddr>,
}

impl Accepted {
    /// Binds the connection to this core's executor.
    ///
    /// # Errors
    /// The socket cannot be registered.
    pub fn into_stream(self) -> io::Result<Stream> {
        Stream::from_socket(self.socket, self.peer.is_none())
    }
}

/// The file of a unix socket; removed when dropped, unless another has taken its place.
struct Unlink {
    path: PathBuf,
    inode: u64,
}

impl Unlink {
    fn of(path: &Path) -> io::Result<Unlink> {
        Ok(Unlink {
            path: path.to_owned(),
            inode: std::fs::symlink_metadata(path)?.ino(),
        })
    }
}

impl Drop for Unlink {
    fn drop(&mut self) {
        if std::fs::symlink_metadata(&self.path).is_ok_and(|file| file.ino() == self.inode) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Makes a bound TCP socket that other cores can bind too (`SO_REUSEPORT`), not yet listening.
///
/// # Errors
/// The kernel's answer.
fn reuseport_socket(address: SocketAddr, reuse_port: bool) -> io::Result<Socket> {
    let domain = if address.is_ipv6() {
        Domain::IPV6
    } else {
        Domain::IPV4
    };
    let socket = Socket::new(domain, Type::STREAM.cloexec(), Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

impl Listener {
    /// Binds the address once without `SO_REUSEPORT` and lets it go again: a port that somebody
    /// else holds is an error here, instead of a silent second instance later.
    ///
    /// The kernel takes rings apart after their process has ended, and until then (some
    /// milliseconds) a killed predecessor's sockets stay bound. So a port in use is asked for
    /// again for a short while; this blocks the calling thread.
    ///
    /// Returns the address with the port that was chosen where port 0 was asked for.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn check(address: SocketAddr) -> io::Result<SocketAddr> {
        let until = Instant::now() + PREDECESSOR;
        loop {
            match Listener::bind_alone(address) {
                Err(error)
                    if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < until =>
                {
                    std::thread::sleep(Duration::from_millis(10));
                }
                result => return result,
            }
        }
    }

    fn bind_alone(address: SocketAddr) -> io::Result<SocketAddr> {
        let socket = reuseport_socket(address, false)?;
        socket.listen(1)?;
        let bound = socket.local_addr()?.as_socket();
        Ok(bound.unwrap_or(address))
    }

    /// Listens on an address together with the other cores.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn tcp(address: SocketAddr) -> io::Result<Listener> {
        Listener::listening(reuseport_socket(address, true)?)
    }

    fn listening(socket: Socket) -> io::Result<Listener> {
        socket.listen(1024)?;
        let fd = socket.as_raw_fd();
        let inner = match current_mode() {
            Some(Mode::IoUring) => {
                // SAFETY: the descriptor is a bound TCP socket that nobody else owns.
                Inner::IoUring(unsafe {
                    glommio::net::TcpListener::from_raw_fd(socket.into_raw_fd())
                })
            }
            _ => {
                socket.set_nonblocking(true)?;
                Inner::EpollTcp(tokio::net::TcpListener::from_std(socket.into())?)
            }
        };
        Ok(Listener {
            fd,
            inner,
            unlink: Cell::new(None),
        })
    }

    /// Listens on a unix socket; one core does and distributes. A stale socket file that nobody
    /// answers on is replaced; with `again` also that of a listener of this process, in one step:
    /// whoever connects reaches the one or the other.
    ///
    /// # Errors
    /// The kernel's answer; `AddrInUse` where somebody answers on the path.
    pub fn unix(path: &Path, again: bool) -> io::Result<Listener> {
        let target = path;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let path = if again { Path::new(&beside) } else { path };
        remove_stale(path)?;
        let (fd, inner) = match current_mode() {
            Some(Mode::IoUring) => {
                let socket = Socket::new(Domain::UNIX, Type::STREAM.cloexec(), None)?;
                socket.bind(&socket2::SockAddr::unix(path)?)?;
                socket.listen(1024)?;
                let fd = socket.into_raw_fd();
                // SAFETY: the descriptor is a bound socket that nobody else owns.
                let listener = unsafe { glommio::net::TcpListener::from_raw_fd(fd) };
                (fd, Inner::IoUring(listener))
            }
            _ => {
                let listener = tokio::net::UnixListener::bind(path)?;
                (listener.as_raw_fd(), Inner::EpollUnix(listener))
            }
        };
        let mut unlink = Unlink::of(path)?;
        if again {
            std::fs::rename(path, target)?;
            unlink.path = target.to_owned();
        }
        Ok(Listener {
            fd,
            inner,
            unlink: Cell::new(Some(unlink)),
        })
    }

    /// Takes no connection from here on. Says whether [`Listener::accept`] is to be waited for once
    /// more: io_uring may hold a connection for whoever waits there, who gets that or an error.
    pub fn shut(&self) -> bool {
        // What has no path any more nobody connects to. (And shutting such a socket down makes
        // it readable for ever.)
        let unix = self.unlink.take().is_some();
        if unix || !matches!(self.inner, Inner::IoUring(_)) {
            return false;
        }
        // SAFETY: the reactor's listener owns the descriptor for longer than this call.
        let fd = unsafe { BorrowedFd::borrow_raw(self.fd) };
        SockRef::from(&fd).shutdown(Shutdown::Both).is_ok()
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// The kernel's answer; `EMFILE` and the like pass, the listener stays good.
    pub async fn accept(&self) -> io::Result<Accepted> {
        let socket = match &self.inner {
            Inner::IoUring(listener) => {
                let stream = listener.accept().await.map_err(io::Error::from)?;
                duplicate(stream.as_raw_fd())?
            }
            Inner::EpollTcp(listener) => Socket::from(listener.accept().await?.0.into_std()?),
            Inner::EpollUnix(listener) => Socket::from(listener.accept().await?.0.into_std()?),
        };
        let peer = socket.peer_addr().ok().and_then(|a| a.as_socket());
        let local = socket.local_addr().ok().and_then(|a| a.as_socket());
        if peer.is_some() {
            socket.set_tcp_nodelay(true)?;
        }
        Ok(Accepted {
            socket,
            peer,
            local,
        })
    }
}

/// glommio keeps the descriptor it accepted to itself; a duplicate outlives it.
fn duplicate(fd: i32) -> io::Result<Socket> {
    // SAFETY: `fd` is open for the duration of the call; the new descriptor is owned by `Socket` alone.
    unsafe {
        let copy = libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3);
        if copy < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Socket::from_raw_fd(copy))
    }
}

/// Removes the file of a unix socket that nobody answers on.
fn remove_stale(path: &Path) -> io::Result<()> {
    if path.exists() {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        use std::os::unix::fs::FileTypeExt;
        if std::fs::metadata(path)?.file_type().is_socket() {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// A listening socket that this process alone has. Listeners made of it one after the other, or
/// at once, take connections from the same queue: none is lost in between.
pub struct LoneSocket {
    socket: Socket,
    unlink: Option<Unlink>,
}

impl LoneSocket {
    /// Listens on an address; with the address as it was bound.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn tcp(address: SocketAddr) -> io::Result<(SocketAddr, LoneSocket)> {
        let socket = reuseport_socket(address, false)?;
        socket.listen(1024)?;
        let bound = socket.local_addr()?.as_socket().unwrap_or(address);
        let unlink = None;
        Ok((bound, LoneSocket { socket, unlink }))
    }

    /// Listens on a unix socket, whose file goes with this value. A stale file is replaced.
    ///
    /// # Errors
    /// As [`Listener::unix`].
    pub fn unix(path: &Path) -> io::Result<LoneSocket> {
        remove_stale(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM.cloexec(), None)?;
        socket.bind(&socket2::SockAddr::unix(path)?)?;
        socket.listen(1024)?;
        let unlink = Some(Unlink::of(path)?);
        Ok(LoneSocket { socket, unlink })
    }

    /// A listener on the reactor of this thread, which is tokio's.
    ///
    /// # Errors
    /// The socket cannot be registered.
    pub fn listener(&self) -> io::Result<Listener> {
        let socket = self.socket.try_clone()?;
        socket.set_nonblocking(true)?;
        let fd = socket.as_raw_fd();
        let inner = match &self.unlink {
            Some(_) => Inner::EpollUnix(tokio::net::UnixListener::from_std(socket.into())?),
            None => Inner::EpollTcp(tokio::net::TcpListener::from_std(socket.into())?),
        };
        Ok(Listener {
            fd,
            inner,
            unlink: Cell::new(None),
        })
    }
}
