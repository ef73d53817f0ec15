//! The configuration of a tail: what it reads, from which server, and how.

use std::path::PathBuf;
use std::time::Duration;

use crate::lsn::Lsn;
use crate::required_table::RequiredTable;
use crate::system::SystemId;

mod url;

pub use url::ConfigError;

/// Configures what a [`Tail`](super::Tail) reads, and how.
///
/// ```
/// use evented_wal::{Config, Slot};
///
/// let config = Config::from_url("postgres://reader:secret@db/shop?sslmode=require", Slot::durable("shop"), "shop")?
///     .from("16/B374D848".parse().ok());
/// # Ok::<_, evented_wal::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Config {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) database: String,
    pub(crate) options: Option<String>,
    pub(crate) application_name: String,
    pub(crate) tls: Tls,
    pub(crate) slot: Slot,
    pub(crate) publications: Vec<String>,
    pub(crate) format: Format,
    pub(crate) from: Option<Lsn>,
    pub(crate) system: Option<SystemId>,
    pub(crate) buffer: usize,
    pub(crate) max_message: usize,
    pub(crate) status_interval: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) reconnect_timeout: Option<Duration>,
    pub(crate) required: Vec<RequiredTable>,
}

impl Config {
    /// Reads `publication` through `slot`, on the server of this URL.
    ///
    /// The URL is `postgres://user:password@host:port/database`, or a string of `key=value` pairs. It may have the
    /// parameters of libpq that concern a single host, `options`, `sslmode` (`disable`, `prefer`, `require`,
    /// `verify-ca`, `verify-full`), `sslrootcert`, `sslcert` and `sslkey`. A host that begins with `/` is the
    /// directory of a socket. Default `sslmode`: `prefer`. `verify-ca` also checks the name in the certificate, as
    /// `verify-full` does. Without `sslrootcert`, Mozilla's authorities are trusted.
    ///
    /// # Errors
    ///
    /// A URL that cannot be parsed, that has no host or no user, or that has several hosts; a name that a slot cannot
    /// have.
    pub fn from_url(url: &str, slot: Slot, publication: impl Into<String>) -> Result<Self, ConfigError> {
        url::read(url, slot, vec![publication.into()])
    }

    /// Reads another publication too.
    pub fn publication(mut self, publication: impl Into<String>) -> Self {
        self.publications.push(publication.into());
        self
    }

    /// Sets the consumer's own position: the [`end`](super::Message::Commit) of the last transaction that it has
    /// handled. The tail skips transactions up to this position. Default: `None`, the position of the slot.
    ///
    /// A consumer should store its position together with its own changes, in one transaction if each transaction
    /// must be handled exactly once. A position that it confirms to the server only permits the server to discard the
    /// log before it, and the server may lose a confirmation when it restarts.
    pub fn from(mut self, position: Option<Lsn>) -> Self {
        self.from = position;
        self
    }

    /// Sets the server that the position belongs to. On another server the tail ends with
    /// [`MustRefetch`](super::WalError::MustRefetch). Default: `None`, any server.
    pub fn system(mut self, system: Option<SystemId>) -> Self {
        self.system = system;
        self
    }

    /// Sets the format of values. Default: [`Format::Binary`].
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Sets the number of messages that are buffered between the socket and the consumer. Default: 256. This number
    /// and the size of a row bound the memory. When the buffer is full, the server waits.
    pub fn buffer(mut self, messages: usize) -> Self {
        self.buffer = messages.max(1);
        self
    }

    /// Sets the largest message that the tail accepts, in bytes. Default: 1 GiB. A row is one message.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// Sets how often the tail sends the confirmed position to the server. Default: 1 s.
    pub fn status_interval(mut self, interval: Duration) -> Self {
        self.status_interval = interval;
        self
    }

    /// Sets how long a connection may be silent before the tail or the server closes it. Default: 60 s. The server
    /// sends a message after half of this time.
    pub fn idle_timeout(mut self, silence: Duration) -> Self {
        self.idle_timeout = silence;
        self
    }

    /// Sets how long [`Tail::open`](super::Tail::open) tries to connect and to acquire the slot. Default: 30 s.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Sets how long the tail tries to reconnect after the connection broke. Default: `None`, without limit.
    pub fn reconnect_timeout(mut self, limit: Option<Duration>) -> Self {
        self.reconnect_timeout = limit;
        self
    }

    /// Sets the name of the connection in `pg_stat_replication`. Default: `evented`.
    pub fn application_name(mut self, name: impl Into<String>) -> Self {
        self.application_name = name.into();
        self
    }

    /// Requires a table. [`Tail::open`](super::Tail::open) checks whether the publication contains what is required,
    /// and resolves the table's name: [`Tail::table`](super::Tail::table). The tail ends with
    /// [`MustRefetch`](super::WalError::MustRefetch) if the table is later renamed, replaced or no longer published.
    pub fn require(mut self, table: RequiredTable) -> Self {
        self.required.push(table);
        self
    }

    /// Sets the password of the connection. Default: the password in the URL.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = password.into();
        self
    }

    /// The options that are set for the session.
    fn session_options(&self) -> String {
        let mut options = self.options.clone().unwrap_or_default();
        let mut set = |name: &str, value: &str| {
            if !options.is_empty() {
                options.push(' ');
            }
            options.push_str(&format!("-c {name}={value}"));
        };
        set("wal_sender_timeout", &format!("{}ms", self.idle_timeout.as_millis().clamp(100, 86_400_000)));
        if self.format == Format::Text {
            // The text form of a value depends on the session, whose defaults depend on the database and the role.
            set("datestyle", "ISO");
            set("intervalstyle", "postgres");
            set("timezone", "UTC");
            set("extra_float_digits", "3");
            set("bytea_output", "hex");
        }
        options
    }

    /// The parameters of a connection. `start` is where the stream begins, `confirmed` is the position up to which
    /// the server may discard its log.
    pub(crate) fn target(&self, start: Lsn, confirmed: Lsn) -> Target {
        Target {
            host: self.host.clone(),
            port: self.port,
            user: self.user.clone(),
            password: self.password.clone(),
            database: self.database.clone(),
            options: self.session_options(),
            application_name: self.application_name.clone(),
            tls: self.tls.clone(),
            slot: self.slot.name().to_owned(),
            publications: self.publications.clone(),
            binary: self.format == Format::Binary,
            start,
            confirmed,
            buffer: self.buffer,
            max_message: self.max_message,
            status_interval: self.status_interval,
            idle_timeout: self.idle_timeout,
        }
    }
}

// Leaves out the password.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("slot", &self.slot)
            .field("publications", &self.publications)
            .field("format", &self.format)
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

/// The slot, which holds the reader's position on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// A permanent slot that exists already. The server keeps the log for it while nobody reads. See
    /// `evented_feed::wal::create_slot`.
    Durable(String),
    /// A slot for one connection, which starts at the current position. If the connection breaks, the tail ends with
    /// [`MustRefetch`](super::WalError::MustRefetch). Use it for views that can be read again from the start.
    Temporary(String),
}

impl Slot {
    /// Names a permanent slot.
    #[must_use]
    pub fn durable(name: impl Into<String>) -> Self {
        Self::Durable(name.into())
    }

    /// A slot for one connection, with a generated unique name.
    #[must_use]
    pub fn temporary() -> Self {
        Self::Temporary(format!("evented_{}", uuid::Uuid::now_v7().simple()))
    }

    /// The name of the slot.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Durable(name) | Self::Temporary(name) => name,
        }
    }
}

/// The format in which the server sends values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// PostgreSQL's binary format, for rows that are read into types. A type without a binary format is sent as text.
    #[default]
    Binary,
    /// PostgreSQL's text format, in one fixed style (ISO dates, UTC, hexadecimal bytes, every digit of a float), for
    /// rows that are displayed.
    Text,
}

/// Whether the connection is encrypted, and how the server's identity is checked. The same as libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// The encryption of the connection.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    pub(crate) mode: TlsMode,
    pub(crate) root_certificates: Option<PathBuf>,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

/// The parameters of a connection.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) database: String,
    pub(crate) options: String,
    pub(crate) application_name: String,
    pub(crate) tls: Tls,
    pub(crate) slot: String,
    pub(crate) publications: Vec<String>,
    pub(crate) binary: bool,
    pub(crate) start: Lsn,
    pub(crate) confirmed: Lsn,
    pub(crate) buffer: usize,
    pub(crate) max_message: usize,
    pub(crate) status_interval: Duration,
    pub(crate) idle_timeout: Duration,
}
