//! Addresses a record by its key: its name in errors, and statements about it.

use diesel::deserialize::QueryableByName;
use diesel::result::Error as DieselError;
use evented_core::{Digest, Evented, Json, JsonError, KeyPartKind, KeyValue, Meta};

use crate::error::{Error, Subject};
use crate::exec::Executor;
use crate::model::definition::Model;
use crate::sql::{SqlTypes, Statement, Text};

/// A record's key in its two representations.
pub struct Record<M: Evented> {
    /// The typed key.
    pub key: M::Key,
    /// The key as a value that a statement can bind.
    pub value: KeyValue,
}

impl<M: Model> Record<M> {
    /// Creates the record with this key.
    pub fn new(key: M::Key) -> Self {
        let value = M::key_value(&key);
        Self { key, value }
    }

    /// Creates the record with a key that was read from the log or from the table.
    ///
    /// # Errors
    ///
    /// A key that no record of the model can have: other SQL wrote it.
    pub(crate) fn of_stored(value: KeyValue) -> Result<Self, Error> {
        let name = Subject::Record { schema: M::SCHEMA, key: value.clone() };
        let wrong = || Error::Encode { record: name, error: "the log's key is of another kind".into() };
        M::key_from(value).map(Self::new).ok_or_else(wrong)
    }

    /// Checks that a row that was found by the record's key has that key.
    ///
    /// # Errors
    ///
    /// [`Error::OtherKey`] if the database takes keys for equal that differ.
    pub(crate) fn check_row(&self, row: &M) -> Result<(), Error> {
        // Only texts can be equal and differ.
        if !M::KEY_PARTS.contains(&KeyPartKind::Text) {
            return Ok(());
        }
        self.check_key(&M::key_value(&row.key()))
    }

    /// Like [`check_row`](Self::check_row), with the key of the row.
    pub(crate) fn check_key(&self, found: &KeyValue) -> Result<(), Error> {
        if *found == self.value {
            return Ok(());
        }
        Err(Error::OtherKey { record: self.name(), found: found.to_string() })
    }

    /// Runs a statement that writes the record's row and returns it.
    ///
    /// # Errors
    ///
    /// [`Error::NotWritten`] if the database returns no row.
    pub(crate) async fn write<R, DB: SqlTypes, E: Executor<DB>>(
        &self,
        executor: &mut E,
        statement: Statement<'_, DB, impl Text>,
    ) -> Result<R, Error>
    where
        R: QueryableByName<DB> + Send + 'static,
    {
        self.first(executor, statement).await?.ok_or_else(|| Error::NotWritten { record: self.name() })
    }

    /// Returns the record's name for errors.
    pub fn name(&self) -> Subject {
        Subject::Record { schema: M::SCHEMA, key: self.value.clone() }
    }

    /// Wraps a database error with the record's name.
    pub(crate) fn failed(&self, error: DieselError) -> Error {
        Error::database(self.name(), error)
    }

    /// Creates the error for a value that cannot be serialized as JSON, with the record's name.
    pub(crate) fn not_encoded(&self, source: impl Into<JsonError>) -> Error {
        Error::encode(self.name(), source.into())
    }

    /// Serializes the metadata of an event of the record.
    pub(crate) fn meta(&self, meta: &Meta) -> Result<Option<Json>, Error> {
        meta.to_json().map_err(|error| self.not_encoded(error))
    }

    /// Computes the digest of a state of the record.
    pub(crate) fn digest(&self, state: &M) -> Result<Digest, Error> {
        state.state_digest().map_err(|source| Error::Unstorable { record: self.name(), error: source })
    }

    /// Runs a statement about the record and reads all rows of the result.
    pub(crate) async fn load<R, DB: SqlTypes, E: Executor<DB>>(
        &self,
        executor: &mut E,
        statement: Statement<'_, DB, impl Text>,
    ) -> Result<Vec<R>, Error>
    where
        R: QueryableByName<DB> + Send + 'static,
    {
        executor.load(statement).await.map_err(|error| self.failed(error))
    }

    /// Runs a statement about the record and reads the first row of the result.
    pub(crate) async fn first<R, DB: SqlTypes, E: Executor<DB>>(
        &self,
        executor: &mut E,
        statement: Statement<'_, DB, impl Text>,
    ) -> Result<Option<R>, Error>
    where
        R: QueryableByName<DB> + Send + 'static,
    {
        Ok(self.load(executor, statement).await?.into_iter().next())
    }

    /// Runs a statement about the record that returns no rows. Returns the number of rows that it wrote.
    pub(crate) async fn execute<DB: SqlTypes, E: Executor<DB>>(
        &self,
        executor: &mut E,
        statement: Statement<'_, DB, impl Text>,
    ) -> Result<usize, Error> {
        executor.execute(statement).await.map_err(|error| self.failed(error))
    }
}

impl<M: Evented> std::fmt::Debug for Record<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", M::SCHEMA, self.value)
    }
}

/// Wraps a database error with the model's name: an error of a statement about a whole table or log.
pub(crate) fn table_failed<M: Model>(error: DieselError) -> Error {
    Error::database(Subject::Model(M::SCHEMA), error)
}
