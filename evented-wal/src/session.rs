//! Opens a connection up to the start of the stream, and checks that the server, the slot, the publications and the
//! position match.

use crate::config::{Config, Slot};
use crate::error::{Gap, WalError};
use crate::found_table::FoundTables;
use crate::lsn::Lsn;
use crate::mark::PUBLISHED_STATE;
use crate::quoting::{literal, quoted};
use crate::relation::Identity;
use crate::required_table::RequiredTable;
use crate::system::SystemId;
use crate::table_setup::TableSetup;
use crate::transport::{Failure, Row, Transport};

/// The position at which a connection begins, and what is known from the previous one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Begin {
    /// The position at which the stream begins; zero means the position of the slot.
    pub(crate) start: Lsn,
    /// The position up to which the server may discard its log.
    pub(crate) confirmed: Lsn,
    /// The server, if known.
    pub(crate) system: Option<SystemId>,
    /// Whether there was a previous connection. If so, the slot existed.
    pub(crate) again: bool,
    /// Whether the stream failed because something that it needs does not exist.
    pub(crate) undefined: bool,
    /// The publications as they were found; empty before the first connection.
    pub(crate) published: Published,
    /// The required tables as they were found; empty before the first connection.
    pub(crate) tables: FoundTables,
}

/// The publications of a stream.
#[derive(Debug, Clone, Default)]
pub(crate) struct Published {
    /// An identifier of each publication that differs from a later publication with the same name, in the order of
    /// the configuration.
    oids: Vec<String>,
    /// Whether the server silently skips the changes of a missing publication, as versions 18 and later do.
    pub(crate) is_silent: bool,
}

/// A stream that has begun.
pub(crate) struct Session<T> {
    pub(crate) wire: T,
    pub(crate) system: SystemId,
    /// The position at which the stream begins: it includes every transaction that commits after it.
    pub(crate) start: Lsn,
    /// The end of the server's log.
    pub(crate) written: Lsn,
    pub(crate) published: Published,
    pub(crate) tables: FoundTables,
}

/// Why a stream could not be opened.
#[derive(Debug)]
pub(crate) enum Unopened {
    /// A temporary failure.
    Later(Failure),
    /// A permanent failure.
    Never(WalError),
}

impl From<WalError> for Unopened {
    fn from(error: WalError) -> Self {
        Self::Never(error)
    }
}

pub(crate) async fn open<T: Transport>(config: &Config, begin: &Begin) -> Result<Session<T>, Unopened> {
    let judge = |failure| judge(config, failure);
    let mut wire = T::connect(&config.target(begin.start, begin.confirmed)).await.map_err(judge)?;
    let identity = wire.query("IDENTIFY_SYSTEM").await.map_err(judge)?;
    let (system, written) = identify(&identity)?;
    if let Some(expected) = begin.system.clone().filter(|expected| *expected != system) {
        return Err(must_refetch(Gap::OtherSystem { expected, found: system }));
    }
    if begin.start > written {
        return Err(must_refetch(Gap::Ahead { position: begin.start, server: written }));
    }
    let level = wire.query("SHOW wal_level").await.map_err(judge)?;
    if let Some(found) = text(&level, 0).filter(|found| *found != "logical") {
        return Err(WalError::WalLevel { found: found.to_owned() }.into());
    }
    let published = publications(&mut wire, config, begin).await?;
    let (tables, fault) = tables(&mut wire, config).await?;
    begin.tables.check(&tables)?;
    if let Some(fault) = fault {
        return Err(fault.into());
    }
    let start = match &config.slot {
        Slot::Durable(slot) => durable(&mut wire, config, begin, slot).await?.max(begin.start),
        Slot::Temporary(slot) => temporary(&mut wire, config, slot).await?,
    };
    wire.start().await.map_err(judge)?;
    Ok(Session { wire, system, start, written, published, tables })
}

fn identify(rows: &[Row]) -> Result<(SystemId, Lsn), WalError> {
    let read = || {
        let (id, timeline) = (text(rows, 0)?.to_owned(), text(rows, 1)?.parse().ok()?);
        Some((SystemId { id, timeline }, text(rows, 2)?.parse().ok()?))
    };
    read().ok_or_else(|| WalError::Protocol(format!("IDENTIFY_SYSTEM gives {rows:?}")))
}

/// Checks that the publications exist and are the same as before.
pub(crate) async fn publications<T: Transport>(
    wire: &mut T,
    config: &Config,
    begin: &Begin,
) -> Result<Published, Unopened> {
    let mut published = Published::default();
    for (index, publication) in config.publications.iter().enumerate() {
        let query = format!(
            "SELECT oid, current_setting('server_version_num')::int >= 180000 \
             FROM pg_catalog.pg_publication WHERE pubname = {}",
            literal(publication)
        );
        let rows = wire.query(&query).await.map_err(|failure| judge(config, failure))?;
        let Some(oid) = text(&rows, 0) else {
            return Err(WalError::MissingPublication { publication: publication.clone() }.into());
        };
        published.is_silent = text(&rows, 1) == Some("t");
        let known = begin.published.oids.get(index);
        if published.is_silent && known.is_some_and(|known| known != oid) {
            return Err(younger(publication));
        }
        published.oids.push(oid.to_owned());
    }
    match config.publications.first() {
        // The publication exists now, but the stream reports that it does not: the stream is at a position before its
        // creation.
        Some(publication) if begin.undefined => Err(younger(publication)),
        _ => Ok(published),
    }
}

fn younger(publication: &str) -> Unopened {
    must_refetch(Gap::PublicationYounger { publication: publication.to_owned() })
}

/// Looks up the required tables. Returns them, and what prevents the tail from reading them.
pub(crate) async fn tables<T: Transport>(
    wire: &mut T,
    config: &Config,
) -> Result<(FoundTables, Option<WalError>), Unopened> {
    if config.required.is_empty() {
        return Ok((FoundTables::default(), None));
    }
    // The state is read first, so that what changes meanwhile is a change of it.
    let state = wire.query(&format!("SELECT {PUBLISHED_STATE}")).await;
    let state = state.map_err(|failure| judge(config, failure))?;
    let state = text(&state, 0).unwrap_or_default().to_owned();
    let (mut tables, mut fault) = (FoundTables::new(state.into()), None);
    for required in &config.required {
        let sql = TableSetup::sql(&config.publications, required);
        let rows = wire.query(&sql).await.map_err(|failure| judge(config, failure))?;
        let unreadable = || WalError::Protocol(format!("the catalogs give {rows:?}"));
        let setup = match rows.first() {
            Some(row) => Some(TableSetup::read(required, row).ok_or_else(unreadable)?),
            None => None,
        };
        if let Some(setup) = &setup {
            tables.add(required.name.clone(), setup);
        }
        fault = fault.or_else(|| fault_of(config, required, setup));
    }
    Ok((tables, fault))
}

/// What prevents a tail from reading a table.
fn fault_of(config: &Config, required: &RequiredTable, setup: Option<TableSetup>) -> Option<WalError> {
    let table = || required.name.to_string();
    let Some(setup) = setup else {
        return (!required.if_published).then(|| WalError::MissingTable { table: table() });
    };
    let Some(publication) = setup.publication else {
        let publication = config.publications.first().cloned().unwrap_or_default();
        return (!required.if_published).then(|| WalError::NotPublished { table: table(), publication });
    };
    if !setup.complete {
        return Some(WalError::Partial { table: table(), publication });
    }
    if let Some(in_part) = setup.in_part.into_iter().next() {
        return Some(in_part.into());
    }
    let not_whole = required.whole_old_rows && setup.identity != Identity::Full;
    not_whole.then(|| WalError::NotWhole { table: table() })
}

/// Checks the slot before it is used, and returns its position.
async fn durable<T: Transport>(
    wire: &mut T,
    config: &Config,
    begin: &Begin,
    slot: &str,
) -> Result<Lsn, Unopened> {
    // The cause is a column only since version 17.
    let query = format!(
        "SELECT coalesce(plugin, '-'), coalesce(database, '-'), current_database(), wal_status, \
         to_jsonb(s) ->> 'invalidation_reason', confirmed_flush_lsn \
         FROM pg_catalog.pg_replication_slots s WHERE slot_name = {}",
        literal(slot)
    );
    let rows = wire.query(&query).await.map_err(|failure| judge(config, failure))?;
    let slot = || slot.to_owned();
    if rows.is_empty() {
        let known = begin.again || begin.start > Lsn::ZERO;
        return Err(if known {
            must_refetch(Gap::SlotDropped { slot: slot() })
        } else {
            WalError::MissingSlot { slot: slot() }.into()
        });
    }
    let text = |column| text(&rows, column).unwrap_or_default();
    let wrong = |what, column, wanted: &str| WalError::WrongSlot {
        slot: slot(),
        what,
        found: text(column).to_owned(),
        wanted: wanted.to_owned(),
    };
    if text(0) != "pgoutput" {
        return Err(wrong("plugin", 0, "pgoutput").into());
    }
    if text(1) != text(2) {
        return Err(wrong("database", 1, text(2)).into());
    }
    if text(3) == "lost" {
        let cause = if text(4).is_empty() { "it is lost" } else { text(4) };
        return Err(must_refetch(Gap::SlotLost { slot: slot(), cause: cause.to_owned() }));
    }
    Ok(text(5).parse().unwrap_or_default())
}

/// Creates the temporary slot of this connection.
async fn temporary<T: Transport>(wire: &mut T, config: &Config, slot: &str) -> Result<Lsn, Unopened> {
    let command =
        format!("CREATE_REPLICATION_SLOT {} TEMPORARY LOGICAL \"pgoutput\" NOEXPORT_SNAPSHOT", quoted(slot));
    let rows = wire.query(&command).await.map_err(|failure| judge(config, failure))?;
    let point = text(&rows, 1).and_then(|point| point.parse().ok());
    point.ok_or_else(|| WalError::Protocol(format!("CREATE_REPLICATION_SLOT gives {rows:?}")).into())
}

fn text(rows: &[Row], column: usize) -> Option<&str> {
    rows.first()?.get(column)?.as_deref()
}

fn must_refetch(reason: Gap) -> Unopened {
    Unopened::Never(WalError::MustRefetch { reason })
}

/// Decides whether a failure is temporary.
pub(crate) fn judge(config: &Config, failure: Failure) -> Unopened {
    let slot = || config.slot.name().to_owned();
    let user = || config.user.clone();
    let error = match failure {
        Failure::Server(error) => match error.code.as_str() {
            // Another reader has the slot, there are too many connections, or the server is stopping or starting.
            "55006" | "57P01" | "57P02" | "57P03" | "57P05" => {
                return Unopened::Later(Failure::Server(error));
            }
            code if code.starts_with("08") || code.starts_with("53") => {
                return Unopened::Later(Failure::Server(error));
            }
            code if code.starts_with("28") => {
                WalError::Authentication { user: user(), message: error.message }
            }
            "42501" => WalError::NoReplicationRole { user: user(), server: error },
            // A part of the log was removed, or the slot was invalidated just before it was used.
            "58P01" | "55000" => {
                WalError::MustRefetch { reason: Gap::SlotLost { slot: slot(), cause: error.message } }
            }
            _ => WalError::Server(error),
        },
        Failure::Io(message) => return Unopened::Later(Failure::Io(message)),
        Failure::Auth(message) => WalError::Authentication { user: user(), message },
        Failure::Tls(message) => WalError::Tls { message },
        Failure::TooLarge { size, limit } => WalError::TooLarge { size, limit },
        Failure::Protocol(message) => WalError::Protocol(message),
    };
    Unopened::Never(error)
}
