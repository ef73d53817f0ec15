//! Runs queries whose result columns are all texts.

use diesel::QueryResult;
use diesel::deserialize::{self, QueryableByName};
use diesel::pg::Pg;
use diesel::row::NamedRow;
use evented_diesel::spi::{Executor, SqlTypes, Statement, optional};
use evented_diesel::{Error, Subject};
use evented_wal::{Lsn, NotAnLsn};

/// Returns the subject of an error.
pub(super) fn subject(kind: &'static str, name: &str) -> Subject {
    Subject::Object { kind, name: name.to_owned() }
}

/// A row whose columns are all texts.
pub(super) struct Texts(pub(super) Vec<Option<String>>);

impl QueryableByName<Pg> for Texts {
    fn build<'a>(row: &impl NamedRow<'a, Pg>) -> deserialize::Result<Self> {
        (0..row.field_count())
            .map(|index| optional(row, index, Pg::read_text))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

pub(super) async fn texts<D: Executor<Pg>>(
    executor: &mut D,
    name: &Subject,
    statement: Statement<'_, Pg>,
) -> Result<Vec<Texts>, Error> {
    executor.load::<Texts>(statement).await.map_err(|error| failed(name, error))
}

/// Runs a query whose text has been made for this run. It has no binds.
pub(super) async fn dynamic_texts<D: Executor<Pg>>(
    executor: &mut D,
    name: &Subject,
    sql: &str,
) -> Result<Vec<Texts>, Error> {
    let query = diesel::dsl::sql::<diesel::sql_types::Untyped>(sql);
    let mut statement = Statement::new("");
    statement.fragment(&query);
    texts(executor, name, statement).await
}

pub(super) async fn run<D: Executor<Pg>>(executor: &mut D, name: &Subject, sql: &str) -> Result<(), Error> {
    let done: QueryResult<()> = executor.batch(sql).await;
    done.map_err(|error| failed(name, error))
}

fn failed(name: &Subject, error: diesel::result::Error) -> Error {
    Error::database(name.clone(), error)
}

/// Returns a column of the first row.
pub(super) fn first(rows: &[Texts], column: usize) -> Option<&str> {
    rows.first()?.0.get(column)?.as_deref()
}

pub(super) fn lsn(name: &Subject, text: Option<&str>) -> Result<Lsn, Error> {
    text.unwrap_or_default()
        .parse()
        .map_err(|error: NotAnLsn| failed(name, diesel::result::Error::DeserializationError(error.into())))
}
