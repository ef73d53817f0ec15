//! What has to be there before the log can be read: a publication, a slot, tables that tell enough.
//!
//! These are operations like any other: values that are run on a connection, blocking or async.

use diesel::QueryResult;
use diesel::deserialize::{self, QueryableByName};
use diesel::pg::{Pg, PgQueryBuilder};
use diesel::query_builder::{QueryBuilder, QueryFragment};
use diesel::row::NamedRow;
use evented_core::KeyValue;

use super::sql::quoted;
use super::{Lsn, Relation};
use crate::backend::Dialect;
use crate::error::{Error, RecordName};
use crate::log::LogName;
use crate::model::Rows;
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::statement::{Statement, optional};

mod check;
mod publication;
mod slot;

pub use check::{Check, Problem, check};
pub use publication::{CreatePublication, DropPublication, create_publication, drop_publication};
pub use slot::{
    CreateSlot, Created, DropSlot, ReadSlotStatus, SlotHealth, SlotStatus, create_slot, drop_slot,
    slot_status,
};

/// The name of a table, with its schema or without.
///
/// ```
/// use evented_diesel::wal::TableName;
///
/// assert_eq!(TableName::from("items").to_string(), r#""items""#);
/// assert_eq!(TableName::from(("shop", "Odd \"name\"")).to_string(), r#""shop"."Odd ""name""""#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableName(String);

impl TableName {
    /// The table of an evented model.
    #[must_use]
    pub fn of<M: Rows<Pg>>() -> Self {
        let mut name = Statement::<Pg>::new("");
        name.table::<M>();
        let mut sql = PgQueryBuilder::new();
        // The name of a table has no binds, and nothing else fails.
        let _ = name.to_sql(&mut sql, &Pg);
        Self(sql.finish())
    }

    /// Whether it is the name of this table: without a schema, of the table in any schema that is read.
    pub(crate) fn names(&self, relation: &Relation) -> bool {
        let (schema, table) = (relation.schema.as_str(), relation.table.as_str());
        *self == Self::from(table) || *self == Self::from((schema, table))
    }
}

impl From<&str> for TableName {
    fn from(table: &str) -> Self {
        Self(quoted(table))
    }
}

impl From<(&str, &str)> for TableName {
    fn from((schema, table): (&str, &str)) -> Self {
        Self(format!("{}.{}", quoted(schema), quoted(table)))
    }
}

impl From<LogName> for TableName {
    fn from(log: LogName) -> Self {
        match log.schema {
            Some(schema) => Self::from((schema, log.table)),
            None => Self::from(log.table),
        }
    }
}

/// As SQL writes it.
impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads where the server writes: the end of its log. What is committed before the reading is before that.
///
/// A writer that wants to see its own change derived reads it after its commit, and waits for a tail to be there.
#[must_use = "a reading does nothing until it is run"]
pub fn position() -> ReadPosition {
    ReadPosition(())
}

/// Reads the end of the log: [`position`].
#[derive(Debug)]
#[must_use = "a reading does nothing until it is run"]
pub struct ReadPosition(());

impl Operation<Pg> for ReadPosition {
    type Output = Lsn;

    async fn perform<D: Driver<Pg>>(self, driver: &mut D) -> Result<Lsn, Error> {
        let name = named("log", "end");
        let rows = texts(driver, &name, Statement::new(WRITTEN)).await?;
        lsn(&name, first(&rows, 0))
    }
}

/// The end of the log, as a text. What was written is not sent yet, with `synchronous_commit = off`; so not
/// `pg_current_wal_lsn()`.
const WRITTEN: &str = "SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() \
     ELSE pg_current_wal_insert_lsn() END)::text";

/// What an error is about.
fn named(kind: &'static str, name: &str) -> RecordName {
    RecordName { schema: kind, key: Some(KeyValue::Text(name.to_owned())) }
}

/// A row whose columns are all texts.
struct Texts(Vec<Option<String>>);

impl QueryableByName<Pg> for Texts {
    fn build<'a>(row: &impl NamedRow<'a, Pg>) -> deserialize::Result<Self> {
        (0..row.field_count())
            .map(|index| optional(row, index, Pg::read_text))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

async fn texts<D: Driver<Pg>>(
    driver: &mut D,
    name: &RecordName,
    statement: Statement<'_, Pg>,
) -> Result<Vec<Texts>, Error> {
    driver.load::<Texts>(statement).await.map_err(|error| failed(name, error))
}

async fn run<D: Driver<Pg>>(driver: &mut D, name: &RecordName, sql: &str) -> Result<(), Error> {
    let done: QueryResult<()> = driver.batch(sql).await;
    done.map_err(|error| failed(name, error))
}

fn failed(name: &RecordName, error: diesel::result::Error) -> Error {
    Error::database(name.clone(), error)
}

/// A column of the first row.
fn first(rows: &[Texts], column: usize) -> Option<&str> {
    rows.first()?.0.get(column)?.as_deref()
}

fn lsn(name: &RecordName, text: Option<&str>) -> Result<Lsn, Error> {
    text.unwrap_or_default().parse().map_err(|error: super::NotAnLsn| {
        failed(name, diesel::result::Error::DeserializationError(error.into()))
    })
}
