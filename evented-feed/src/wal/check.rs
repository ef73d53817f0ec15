//! Checks that the server has everything that a reader needs.

use diesel::pg::Pg;
use evented_diesel::spi::{Executor, Operation, Statement, sealed};
use evented_diesel::{Error, Subject};
use evented_wal::{Identity, PublishedInPart, RequiredTable, TableName, TableSetup, quoted};

use crate::wal::texts::{dynamic_texts, first, subject, texts};

/// Checks whether a reader of the log would work, and returns the problems found. The text of each [`Problem`] ends
/// with the step to take.
///
/// ```no_run
/// use evented_diesel::prelude::*;
/// use evented_feed::wal;
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

/// Checks whether a reader of the log would work. Returned by [`check`].
#[derive(Debug)]
#[must_use = "a check does nothing until it is run"]
pub struct Check {
    publication: String,
    slot: Option<String>,
    tables: Vec<RequiredTable>,
}

impl Check {
    /// Also checks the slot.
    pub fn slot(mut self, name: impl Into<String>) -> Self {
        self.slot = Some(name.into());
        self
    }

    /// Adds a table that must be published, and whose whole old rows must be in the log.
    pub fn table(self, table: impl Into<TableName>) -> Self {
        self.require(RequiredTable::new(table).whole_old_rows())
    }

    /// Adds a table that must be published. Of its old rows, the key is enough.
    pub fn keyed(self, table: impl Into<TableName>) -> Self {
        self.require(RequiredTable::new(table))
    }

    /// Adds a table with the columns that must be published.
    /// [`required_table_of`](super::required_table_of) and [`required_logs_of`](super::required_logs_of) return what a
    /// hub requires for a model.
    pub fn require(mut self, table: RequiredTable) -> Self {
        self.tables.push(table);
        self
    }
}

/// A problem that prevents a reader from working. Its text ends with the step to take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The server's `wal_level` is not `logical`, so its log lacks what a logical reader needs.
    #[error(
        "the server has `wal_level = {found}`: run `ALTER SYSTEM SET wal_level = logical`, and restart it"
    )]
    WalLevel {
        /// The present value of `wal_level`.
        found: String,
    },
    /// The publication does not exist.
    #[error(
        "there is no publication {}: create it with `wal::create_publication`, before the slot",
        quoted(publication)
    )]
    MissingPublication {
        /// The name of the publication.
        publication: String,
    },
    /// The publication omits some kinds of changes.
    #[error(
        "the publication {0} leaves out changes: run \
             `ALTER PUBLICATION {0} SET (publish = 'insert, update, delete, truncate')`",
        quoted(publication)
    )]
    Partial {
        /// The name of the publication.
        publication: String,
    },
    /// The table does not exist.
    #[error("there is no table {table}")]
    MissingTable {
        /// The name of the table.
        table: TableName,
    },
    /// The publication lacks a table.
    #[error(
        "the table {table} is not published: run `ALTER PUBLICATION {} ADD TABLE {table}`",
        quoted(publication)
    )]
    NotPublished {
        /// The name of the publication.
        publication: String,
        /// The name of the table.
        table: TableName,
    },
    /// The publication omits rows or columns of a table.
    #[error(transparent)]
    PublishedInPart(#[from] PublishedInPart),
    /// The table's replica identity does not put enough of its old rows into the log.
    #[error("the table {table} has the replica identity {found}, by which {}: run \
             `ALTER TABLE {table} REPLICA IDENTITY FULL`",
            if *.keyless { "its rows cannot be updated or deleted while it is published" }
            else { "the log holds only the key of a row before its change" })]
    Identity {
        /// The name of the table.
        table: TableName,
        /// The present replica identity.
        found: Identity,
        /// Whether the table also has no key.
        keyless: bool,
    },
    /// The slot does not exist.
    #[error("there is no slot `{slot}`: create it with `wal::create_slot`")]
    MissingSlot {
        /// The name of the slot.
        slot: String,
    },
    /// The slot is for another plugin or another database.
    #[error("the slot `{slot}` has {what} `{found}`, and `{wanted}` is required: take another name")]
    WrongSlot {
        /// The name of the slot.
        slot: String,
        /// Which property is wrong: `plugin` or `database`.
        what: &'static str,
        /// The present value.
        found: String,
        /// The required value.
        wanted: String,
    },
    /// The slot is lost: the server has removed log that the slot needs.
    #[error("the slot `{slot}` is lost: drop it, create it again, and read the tables again")]
    LostSlot {
        /// The name of the slot.
        slot: String,
    },
}

impl sealed::Operation for Check {}

impl Operation<Pg> for Check {
    type Output = Vec<Problem>;

    async fn perform<D: Executor<Pg>>(self, executor: &mut D) -> Result<Vec<Problem>, Error> {
        let name = subject("publication", &self.publication);
        let mut problems = Vec::new();
        let level = Statement::new("SELECT current_setting('wal_level')");
        let level = texts(executor, &name, level).await?;
        if let Some(found) = first(&level, 0).filter(|found| *found != "logical") {
            problems.push(Problem::WalLevel { found: found.to_owned() });
        }
        let exists = publication(executor, &name, &self.publication, &mut problems).await?;
        for table in self.tables {
            problems.extend(table_problems(executor, &name, &self.publication, exists, &table).await?);
        }
        if let Some(slot) = self.slot {
            problems.extend(slot_problem(executor, slot).await?);
        }
        Ok(problems)
    }
}

/// Looks for the publication, and returns whether it exists.
async fn publication<D: Executor<Pg>>(
    executor: &mut D,
    name: &Subject,
    publication: &str,
    problems: &mut Vec<Problem>,
) -> Result<bool, Error> {
    let mut query = Statement::new(
        "SELECT (pubinsert AND pubupdate AND pubdelete AND pubtruncate)::text \
         FROM pg_publication WHERE pubname = ",
    );
    query.value(publication);
    let found = texts(executor, name, query).await?;
    if found.is_empty() {
        problems.push(Problem::MissingPublication { publication: publication.to_owned() });
        return Ok(false);
    }
    if first(&found, 0) != Some("true") {
        problems.push(Problem::Partial { publication: publication.to_owned() });
    }
    Ok(true)
}

async fn table_problems<D: Executor<Pg>>(
    executor: &mut D,
    name: &Subject,
    publication: &str,
    exists: bool,
    required: &RequiredTable,
) -> Result<Vec<Problem>, Error> {
    let publication = publication.to_owned();
    let sql = TableSetup::sql(std::slice::from_ref(&publication), required);
    let found = dynamic_texts(executor, name, &sql).await?;
    let setup = found.first().and_then(|row| TableSetup::read(required, &row.0));
    let (table, mut problems) = (required.name().clone(), Vec::new());
    let Some(setup) = setup else {
        return Ok((!required.is_if_published())
            .then_some(Problem::MissingTable { table })
            .into_iter()
            .collect());
    };
    // An identity by a key that the table does not have prevents updates and deletes.
    let (identity, keyless) = (setup.identity, !setup.keyed);
    if identity != Identity::Full && (required.needs_whole_old_rows() || keyless) {
        problems.push(Problem::Identity { table: table.clone(), found: identity, keyless });
    }
    if exists && setup.publication.is_none() && !required.is_if_published() {
        problems.push(Problem::NotPublished { publication, table });
    }
    problems.extend(setup.in_part.into_iter().map(Problem::from));
    Ok(problems)
}

async fn slot_problem<D: Executor<Pg>>(executor: &mut D, slot: String) -> Result<Option<Problem>, Error> {
    let mut query = Statement::new(
        "SELECT coalesce(plugin, '-'), coalesce(database, '-'), current_database()::text, wal_status \
         FROM pg_replication_slots WHERE slot_name = ",
    );
    query.value(slot.as_str());
    let found = texts(executor, &subject("slot", &slot), query).await?;
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
