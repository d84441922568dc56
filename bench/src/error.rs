//! The one error type of the tool. Recovery is not its business: an error ends the command and
//! is printed, except those of single requests, which `load` counts.

use std::fmt;
use std::io;

/// Why a command ended early.
#[derive(Debug)]
pub enum Error {
    /// Not a failure: the text that `--help` prints.
    Help(String),
    /// The command line is wrong.
    Usage(String),
    /// The operating system refused something; the text says what was attempted.
    Io(String, io::Error),
    /// HTTP/2 broke; the text says with whom.
    Http2(String, h2::Error),
    /// HTTP/1 broke; the text says with whom.
    Http1(String, hyper::Error),
    /// A measurement that cannot be trusted or taken.
    Measure(String),
}

impl Error {
    /// Wraps an I/O error with what was attempted.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let what = what.into();
        move |e| Error::Io(what, e)
    }

    /// Wraps an HTTP/2 error with what was attempted.
    pub fn http2(what: impl Into<String>) -> impl FnOnce(h2::Error) -> Error {
        let what = what.into();
        move |e| Error::Http2(what, e)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Help(text) | Error::Usage(text) | Error::Measure(text) => f.write_str(text),
            Error::Io(what, e) => write!(f, "{what}: {e}"),
            Error::Http2(what, e) => write!(f, "{what}: {e}"),
            Error::Http1(what, e) => write!(f, "{what}: {e}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<lexopt::Error> for Error {
    fn from(e: lexopt::Error) -> Self {
        Error::Usage(e.to_string())
    }
}
