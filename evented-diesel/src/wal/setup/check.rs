//! Whether everything is there that a reader needs.

use diesel::pg::Pg;

use super::publication::is_published;
use super::{TableName, first, named, texts};
use crate::error::{Error, RecordName};
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::statement::Statement;
use crate::wal::Identity;
use crate::wal::sql::quoted;

/// Looks whether the log can be read as it is meant to be; gives what is in the way. Each [`Problem`] says what to do.
///
/// ```no_run
/// use evented_diesel::{prelude::*, wal};
///
/// # fn look(conn: &mut diesel::PgConnection) -> Result<(), evented_diesel::Error> {
/// for problem in wal::check("shop").slot("shop").table("items").keyed("orders").run(conn)? {
///     eprintln!("{problem}");
/// }
/// # Ok(()) }
/// ```
pub fn check(publication: impl Into<String>) -> Check {
    Check { publication: publication.into(), slot: None, tables: Vec::new() }
}

/// Looks whether the log can be read: [`check`].
#[derive(Debug)]
#[must_use = "a check does nothing until it is run"]
pub struct Check {
    publication: String,
    slot: Option<String>,
    /// With whether whole old rows are wanted.
    tables: Vec<(TableName, bool)>,
}

impl Check {
    /// Looks at the slot, too.
    pub fn slot(mut self, name: impl Into<String>) -> Self {
        self.slot = Some(name.into());
        self
    }

    /// A table that must be published, and whose rows must come as they were before, too.
    pub fn table(mut self, table: impl Into<TableName>) -> Self {
        self.tables.push((table.into(), true));
        self
    }

    /// A table that must be published; of a row before its change the key is enough.
    pub fn keyed(mut self, table: impl Into<TableName>) -> Self {
        self.tables.push((table.into(), false));
        self
    }
}

/// What is in the way of a reader. Its text ends with what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The server does not write what a logical reader needs.
    #[error(
        "the server has `wal_level = {found}`: run `ALTER SYSTEM SET wal_level = logical`, and restart it"
    )]
    WalLevel {
        /// What it is set to.
        found: String,
    },
    /// There is no such publication.
    #[error(
        "there is no publication {}: create it with `wal::create_publication`, before the slot",
        quoted(publication)
    )]
    MissingPublication {
        /// The publication.
        publication: String,
    },
    /// The publication leaves out some kinds of changes.
    #[error(
        "the publication {0} leaves out changes: run \
             `ALTER PUBLICATION {0} SET (publish = 'insert, update, delete, truncate')`",
        quoted(publication)
    )]
    Partial {
        /// The publication.
        publication: String,
    },
    /// There is no such table.
    #[error("there is no table {table}")]
    MissingTable {
        /// The table.
        table: TableName,
    },
    /// The publication lacks a table.
    #[error(
        "the table {table} is not published: run `ALTER PUBLICATION {} ADD TABLE {table}`",
        quoted(publication)
    )]
    NotPublished {
        /// The publication.
        publication: String,
        /// The table.
        table: TableName,
    },
    /// The log will not hold what is wanted of the rows of a table before their changes.
    #[error("the table {table} has the replica identity {found}, by which {}: run \
             `ALTER TABLE {table} REPLICA IDENTITY FULL`",
            if *.keyless { "its rows cannot be updated or deleted while it is published" }
            else { "the log holds only the key of a row before its change" })]
    Identity {
        /// The table.
        table: TableName,
        /// What it has.
        found: Identity,
        /// Whether it has no key either.
        keyless: bool,
    },
    /// There is no such slot.
    #[error("there is no slot `{slot}`: create it with `wal::create_slot`")]
    MissingSlot {
        /// The slot.
        slot: String,
    },
    /// The slot is for another plugin, or another database.
    #[error("the slot `{slot}` has {what} `{found}`, and `{wanted}` is wanted: take another name")]
    WrongSlot {
        /// The slot.
        slot: String,
        /// What is wrong with it.
        what: &'static str,
        /// What it has.
        found: String,
        /// What it should have.
        wanted: String,
    },
    /// The slot is lost.
    #[error("the slot `{slot}` is lost: drop it, create it anew, and read the tables anew")]
    LostSlot {
        /// The slot.
        slot: String,
    },
}

impl Operation<Pg> for Check {
    type Output = Vec<Problem>;

    async fn perform<D: Driver<Pg>>(self, driver: &mut D) -> Result<Vec<Problem>, Error> {
        let name = named("publication", &self.publication);
        let mut problems = Vec::new();
        let level = Statement::new("SELECT current_setting('wal_level')");
        let level = texts(driver, &name, level).await?;
        if let Some(found) = first(&level, 0).filter(|found| *found != "logical") {
            problems.push(Problem::WalLevel { found: found.to_owned() });
        }
        let all_tables = publication(driver, &name, &self.publication, &mut problems).await?;
        for (table, whole) in self.tables {
            let Some(problem) = identity(driver, &name, &table, whole).await? else {
                problems.push(Problem::MissingTable { table });
                continue;
            };
            problems.extend(problem);
            if all_tables == Some(false) && !is_published(driver, &name, &self.publication, &table).await? {
                let publication = self.publication.clone();
                problems.push(Problem::NotPublished { publication, table });
            }
        }
        if let Some(slot) = self.slot {
            problems.extend(look_at_slot(driver, slot).await?);
        }
        Ok(problems)
    }
}

/// Whether the publication, if there is one, is for all tables.
async fn publication<D: Driver<Pg>>(
    driver: &mut D,
    name: &RecordName,
    publication: &str,
    problems: &mut Vec<Problem>,
) -> Result<Option<bool>, Error> {
    let mut query = Statement::new(
        "SELECT puballtables::text, (pubinsert AND pubupdate AND pubdelete AND pubtruncate)::text \
         FROM pg_publication WHERE pubname = ",
    );
    query.value(publication);
    let found = texts(driver, name, query).await?;
    if found.is_empty() {
        problems.push(Problem::MissingPublication { publication: publication.to_owned() });
        return Ok(None);
    }
    if first(&found, 1) != Some("true") {
        problems.push(Problem::Partial { publication: publication.to_owned() });
    }
    Ok(Some(first(&found, 0) == Some("true")))
}

/// Whether the log holds enough of a table's rows; `None` if there is no such table.
async fn identity<D: Driver<Pg>>(
    driver: &mut D,
    name: &RecordName,
    table: &TableName,
    whole: bool,
) -> Result<Option<Option<Problem>>, Error> {
    let mut query = Statement::new(
        "SELECT c.relreplident::text, EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND \
         CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END)::text \
         FROM pg_class c WHERE c.oid = to_regclass(",
    );
    query.value(table.0.as_str()).sql(")");
    let found = texts(driver, name, query).await?;
    let identity = match first(&found, 0) {
        None => return Ok(None),
        Some("f") => return Ok(Some(None)),
        Some("d") => Identity::Default,
        Some("i") => Identity::Index,
        Some(_) => Identity::Nothing,
    };
    let keyless = first(&found, 1) != Some("true");
    let problem = Problem::Identity { table: table.clone(), found: identity, keyless };
    Ok(Some((whole || keyless).then_some(problem)))
}

async fn look_at_slot<D: Driver<Pg>>(driver: &mut D, slot: String) -> Result<Option<Problem>, Error> {
    let mut query = Statement::new(
        "SELECT coalesce(plugin, '-'), coalesce(database, '-'), current_database()::text, wal_status \
         FROM pg_replication_slots WHERE slot_name = ",
    );
    query.value(slot.as_str());
    let found = texts(driver, &named("slot", &slot), query).await?;
    if found.is_empty() {
        return Ok(Some(Problem::MissingSlot { slot }));
    }
    let text = |column| first(&found, column).unwrap_or_default();
    for (what, found, wanted) in [("plugin", text(0), "pgoutput"), ("database", text(1), text(2))] {
        if found != wanted {
            let (found, wanted) = (found.to_owned(), wanted.to_owned());
            return Ok(Some(Problem::WrongSlot { slot, what, found, wanted }));
        }
    }
    Ok((text(3) == "lost").then_some(Problem::LostSlot { slot }))
}
