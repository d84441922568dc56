//! Where a client connects to: TCP or a unix socket, plain or under TLS.

use std::{path::PathBuf, pin::Pin, sync::Arc};

use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};

/// A connected byte stream.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connected byte stream of any kind.
pub type BoxStream = Pin<Box<dyn Stream>>;

/// An address to connect to.
#[derive(Clone, Debug)]
pub enum Target {
    /// `host:port`.
    Tcp(String),
    /// A unix socket.
    Unix(PathBuf),
    /// `host:port` under TLS; the server must be `localhost`.
    Tls(String, Arc<rustls::ClientConfig>),
}

impl From<&crate::Port> for Target {
    fn from(port: &crate::Port) -> Target {
        Target::Tcp(port.address())
    }
}

impl Target {
    /// Opens a connection.
    ///
    /// # Errors
    /// What the connect or the TLS handshake said.
    pub async fn connect(&self) -> std::io::Result<BoxStream> {
        Ok(match self {
            Target::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Box::pin(stream)
            }
            Target::Unix(path) => Box::pin(UnixStream::connect(path).await?),
            Target::Tls(address, config) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
                let connector = tokio_rustls::TlsConnector::from(config.clone());
                Box::pin(connector.connect(name, stream).await?)
            }
        })
    }
}
