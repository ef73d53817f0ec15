//! How the bytes come: the connection to a server that sends its log.
//!
//! The rest of the module knows only this trait. What carries it out can be exchanged.

use bytes::Bytes;

use super::config::Target;
use super::decode::Raw;
use super::{Lsn, ServerError};

mod pgwire;

/// What carries it out today.
pub(super) type Wire = pgwire::Pgwire;

/// A connection that speaks the replication protocol.
///
/// It reads the socket in a task of its own, so that the server hears from it however slow the consumer is; and it
/// reads no further than a bounded number of messages ahead of the consumer.
pub(super) trait Transport: Sized + Send + 'static {
    /// Connects and authenticates. Nothing is streamed yet.
    fn connect(target: &Target) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// Runs a query before the stream begins. Its values come as text.
    fn query(&mut self, sql: &str) -> impl Future<Output = Result<Vec<Row>, Failure>> + Send;

    /// Begins the stream, as the target said.
    fn start(&mut self) -> impl Future<Output = Result<(), Failure>> + Send;

    /// The next piece. A future that is dropped loses nothing.
    fn next(&mut self) -> impl Future<Output = Result<Frame, Failure>> + Send;

    /// Tells the server, soon, that what is before this position is no longer needed. Never goes back.
    fn confirm(&self, at: Lsn);
}

/// A row of a query's answer.
pub(super) type Row = Vec<Option<String>>;

/// A piece of the stream.
#[derive(Debug)]
pub(super) enum Frame {
    /// A message, to be decoded.
    Data(Bytes),
    /// A message that the transport has decoded already.
    Decoded(Raw),
    /// The server has read its log up to here.
    KeepAlive { end: Lsn },
}

/// Why a connection failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server said so.
    Server(ServerError),
    /// The network, or the end of the stream.
    Io(String),
    /// The password, or the way it is asked for.
    Auth(String),
    /// Encryption could not be agreed on.
    Tls(String),
    /// A message that is larger than was allowed.
    TooLarge { size: usize, limit: usize },
    /// Bytes that are none of the protocol's.
    Protocol(String),
}

impl Failure {
    /// What the server calls the error.
    pub(super) fn code(&self) -> Option<&str> {
        match self {
            Self::Server(error) => Some(&error.code),
            _ => None,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Server(error) => error.fmt(f),
            Self::Io(message) | Self::Auth(message) | Self::Tls(message) | Self::Protocol(message) => {
                f.write_str(message)
            }
            Self::TooLarge { size, limit } => {
                write!(f, "a message of {size} bytes, where {limit} are allowed")
            }
        }
    }
}
