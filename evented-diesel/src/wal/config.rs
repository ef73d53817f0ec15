//! What to read, from where, and how.

use std::path::PathBuf;
use std::time::Duration;

use super::{Lsn, System, TableName};

mod url;

pub use url::ConfigError;

/// What a [`Tail`](super::Tail) reads, and how.
///
/// ```
/// use evented_diesel::wal::{Config, Slot};
///
/// let config = Config::from_url("postgres://reader:secret@db/shop?sslmode=require", Slot::durable("shop"), "shop")?
///     .from("16/B374D848".parse().ok());
/// # Ok::<_, evented_diesel::wal::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Config {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) database: String,
    pub(super) options: Option<String>,
    pub(super) application_name: String,
    pub(super) tls: Tls,
    pub(super) slot: Slot,
    pub(super) publications: Vec<String>,
    pub(super) format: Format,
    pub(super) from: Option<Lsn>,
    pub(super) system: Option<System>,
    pub(super) buffer: usize,
    pub(super) max_message: usize,
    pub(super) status_interval: Duration,
    pub(super) liveness: Duration,
    pub(super) opens_within: Duration,
    pub(super) reconnects_within: Option<Duration>,
    /// Tables that must be published, with all of a row before its change.
    pub(super) whole_rows_of: Vec<TableName>,
}

impl Config {
    /// Reads `publication` through `slot`, on the server of this URL: `postgres://user:password@host:port/database`, or
    /// `key=value` pairs, with the parameters of libpq that have to do with a single host, `options`, `sslmode`
    /// (`disable`, `prefer`, `require`, `verify-ca`, `verify-full`), `sslrootcert`, `sslcert` and `sslkey`. A host that
    /// begins with `/` is the directory of a socket. Without `sslmode` it is `prefer`. `verify-ca` looks at the name in the
    /// certificate as well, as `verify-full` does; without `sslrootcert` Mozilla's authorities are trusted.
    ///
    /// # Errors
    ///
    /// A URL that cannot be read, lacks host or user, or names several hosts; a name that no slot can have.
    pub fn from_url(url: &str, slot: Slot, publication: impl Into<String>) -> Result<Self, ConfigError> {
        url::read(url, slot, vec![publication.into()])
    }

    /// Reads a further publication.
    pub fn publication(mut self, publication: impl Into<String>) -> Self {
        self.publications.push(publication.into());
        self
    }

    /// The consumer's own position: the [`end`](super::Message::Commit) of the last transaction that it has handled.
    /// Transactions up to it are passed over.
    ///
    /// A consumer should keep its position with what it does, in one transaction if that is to happen exactly once. What
    /// it confirms to the server is only leave to forget, which the server itself may forget when it restarts. `None`,
    /// the default, leaves it to the server.
    pub fn from(mut self, position: Option<Lsn>) -> Self {
        self.from = position;
        self
    }

    /// The server that the position is of. On any other one the tail ends with
    /// [`MustRefetch`](super::WalError::MustRefetch).
    pub fn system(mut self, system: Option<System>) -> Self {
        self.system = system;
        self
    }

    /// In which form values come; [`Format::Binary`] by default.
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// How many messages are held between the socket and the consumer; 256 by default. With the size of a row it is
    /// what bounds the memory. When they are full, the server waits.
    pub fn buffer(mut self, messages: usize) -> Self {
        self.buffer = messages.max(1);
        self
    }

    /// The largest message that is taken, in bytes; 1 GiB by default. A row is a message.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// How often the server is told what was confirmed; every second by default.
    pub fn status_interval(mut self, interval: Duration) -> Self {
        self.status_interval = interval;
        self
    }

    /// How long a connection may be silent before it is taken for dead, by the server as well as by us; a minute by
    /// default. The server speaks up after half of that.
    pub fn liveness(mut self, silence: Duration) -> Self {
        self.liveness = silence;
        self
    }

    /// How long [`Tail::open`](super::Tail::open) tries to connect, and to be given the slot; half a minute by default.
    pub fn opens_within(mut self, limit: Duration) -> Self {
        self.opens_within = limit;
        self
    }

    /// How long a connection that broke is tried to be made again; without limit by default.
    pub fn reconnects_within(mut self, limit: Option<Duration>) -> Self {
        self.reconnects_within = limit;
        self
    }

    /// The name under which the connection is seen in `pg_stat_replication`; `evented` by default.
    pub fn application_name(mut self, name: impl Into<String>) -> Self {
        self.application_name = name.into();
        self
    }

    /// Tables whose rows must come whole, also as they were: it is looked at when the tail is opened.
    pub(crate) fn whole_rows_of(mut self, tables: Vec<TableName>) -> Self {
        self.whole_rows_of = tables;
        self
    }

    /// The connection's password, instead of that of the URL.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = password.into();
        self
    }

    /// What the session is set to.
    fn session_options(&self) -> String {
        let mut options = self.options.clone().unwrap_or_default();
        let mut set = |name: &str, value: &str| {
            if !options.is_empty() {
                options.push(' ');
            }
            options.push_str(&format!("-c {name}={value}"));
        };
        set("wal_sender_timeout", &format!("{}ms", self.liveness.as_millis().clamp(100, 86_400_000)));
        if self.format == Format::Text {
            // The text of a value depends on the session, and the session's defaults on database and role.
            set("datestyle", "ISO");
            set("intervalstyle", "postgres");
            set("timezone", "UTC");
            set("extra_float_digits", "3");
            set("bytea_output", "hex");
        }
        options
    }

    /// What a connection is made with. `start` is where the stream begins, `confirmed` what the server may forget.
    pub(super) fn target(&self, start: Lsn, confirmed: Lsn) -> Target {
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
            liveness: self.liveness,
        }
    }
}

// Without the password.
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

/// What keeps the reader's place on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// A slot that is there, and stays: what is written while nobody reads is kept for it. See
    /// [`create_slot`](super::create_slot).
    Durable(String),
    /// A slot for one connection. It begins now, and if the connection breaks, the tail ends with
    /// [`MustRefetch`](super::WalError::MustRefetch). For views that can be read anew.
    Temporary(String),
}

impl Slot {
    /// A slot that stays.
    #[must_use]
    pub fn durable(name: impl Into<String>) -> Self {
        Self::Durable(name.into())
    }

    /// A slot for one connection, under a name of its own.
    #[must_use]
    pub fn temporary() -> Self {
        Self::Temporary(format!("evented_{}", uuid::Uuid::now_v7().simple()))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Durable(name) | Self::Temporary(name) => name,
        }
    }
}

/// In which form values come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// As PostgreSQL sends them to programs: for rows that are read into types. Types without such a form come as text.
    #[default]
    Binary,
    /// As PostgreSQL writes them, in one fixed style (ISO dates, UTC, hexadecimal bytes, every digit of a float): for
    /// rows that are shown.
    Text,
}

/// Whether the connection is encrypted, and whether the server must show who it is. As libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// How the connection is encrypted.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub(super) mode: TlsMode,
    pub(super) root_certificates: Option<PathBuf>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

/// What a connection is made with.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) database: String,
    pub(super) options: String,
    pub(super) application_name: String,
    pub(super) tls: Tls,
    pub(super) slot: String,
    pub(super) publications: Vec<String>,
    pub(super) binary: bool,
    pub(super) start: Lsn,
    pub(super) confirmed: Lsn,
    pub(super) buffer: usize,
    pub(super) max_message: usize,
    pub(super) status_interval: Duration,
    pub(super) liveness: Duration,
}
