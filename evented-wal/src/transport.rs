//! The connection to a server that sends its log.
//!
//! The rest of the crate uses only this trait, so that its implementation can be replaced.

use bytes::Bytes;

use crate::config::Target;
use crate::decode::Raw;
use crate::error::ServerError;
use crate::lsn::Lsn;

mod pgwire;

/// The implementation in use.
pub(crate) type Wire = pgwire::Pgwire;

/// A connection that speaks the replication protocol.
/// It reads the socket in its own task, so that the server gets answers however slow the consumer is. It reads at
/// most a bounded number of messages ahead of the consumer.
pub(crate) trait Transport: Sized + Send + 'static {
    /// Connects and authenticates. The stream does not start yet.
    fn connect(target: &Target) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// Runs a query before the stream starts. Values are returned as text.
    fn query(&mut self, sql: &str) -> impl Future<Output = Result<Vec<Row>, Failure>> + Send;

    /// Starts the stream at the position of the target.
    fn start(&mut self) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Returns the next frame. Dropping the future loses no frame.
    fn next(&mut self) -> impl Future<Output = Result<Frame, Failure>> + Send;

    /// Sends the position to the server soon. The server may then discard its log before it. The position never
    /// decreases.
    fn confirm(&self, at: Lsn);
}

/// A row of a query's result.
pub(crate) type Row = Vec<Option<String>>;

/// A frame of the stream.
#[derive(Debug)]
pub(crate) enum Frame {
    /// A message that must be decoded.
    Data(Bytes),
    /// A message that the transport has already decoded.
    Decoded(Raw),
    /// The server has read its log up to this position.
    KeepAlive { end: Lsn },
}

/// Why a connection failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The server reported an error.
    Server(ServerError),
    /// A network failure, or the end of the stream.
    Io(String),
    /// The password was wrong, or the authentication method is not supported.
    Auth(String),
    /// The client and the server could not agree on encryption.
    Tls(String),
    /// A message is larger than allowed. Both sizes are in bytes.
    TooLarge { size: usize, limit: usize },
    /// Bytes that do not follow the protocol.
    Protocol(String),
}

impl Failure {
    /// The server's code of the error, if the server reported it.
    pub(crate) fn code(&self) -> Option<&str> {
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
