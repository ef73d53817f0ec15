//! Reads the change that a domain event was published with.

use std::marker::PhantomData;

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_core::{ExactKind, KeyKind, KeyValue, LogOffset};
use uuid::Uuid;

use crate::backend::EventedBackend;
use crate::error::{Error, Subject};
use crate::exec::{Executor, Operation, sealed};
use crate::model::{Model, Record};
use crate::read::entry::Entry;
use crate::read::history::History;
use crate::sql::{LogName, SqlTypes, Statement, field, optional};

/// Reads the change that a domain event was published with: the event of the command, with the record before and after it, from the
/// log of the model. `Delivery::change` of `evented-react` returns it.
///
/// Running it returns `None` if the domain event was published without a command, or by a command on another model.
#[derive(Debug)]
#[must_use = "a read does nothing until it is run"]
pub struct SourceChange<M> {
    bus: LogName,
    offset: LogOffset,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> SourceChange<M> {
    /// Reads the change of the event at this offset of a bus.
    #[doc(hidden)]
    pub fn of(bus: LogName, offset: LogOffset) -> Self {
        Self { bus, offset, model: PhantomData }
    }

    /// Returns the record and the revision of the event that the domain event was published with.
    async fn source<DB: EventedBackend, D: Executor<DB>>(
        &self,
        executor: &mut D,
    ) -> Result<Option<(Record<M>, i64)>, Error> {
        let mut statement =
            Statement::new("SELECT e.source_schema, e.source_record, e.source_revision FROM ");
        statement.log(self.bus).sql(" e WHERE e.txid = ").value(self.offset.txid);
        statement.sql(" AND e.position = ").value(self.offset.position);
        let rows = executor.load::<SourceRow>(statement).await;
        let rows = rows.map_err(|error| Error::of_log(self.bus.table, error))?;
        let Some(Source { schema, record, revision }) = rows.into_iter().next().and_then(|row| row.0) else {
            return Ok(None);
        };
        if schema != M::SCHEMA {
            return Ok(None);
        }
        let wrong = || Error::Encode {
            record: Subject::Object { kind: "bus", name: self.bus.table.to_owned() },
            error: format!("the source `{record}` of an event is no key of `{schema}`").into(),
        };
        let key = stored_key(M::KEY, &record).ok_or_else(wrong)?;
        Ok(Some((Record::of_stored(key)?, revision)))
    }
}

/// Returns the key that a text of it stands for.
fn stored_key(kind: KeyKind, text: &str) -> Option<KeyValue> {
    match kind.exact() {
        ExactKind::Uuid => Uuid::parse_str(text).ok().map(KeyValue::Uuid),
        ExactKind::Int => text.parse().ok().map(KeyValue::Int),
        ExactKind::BigInt => text.parse().ok().map(KeyValue::BigInt),
        ExactKind::Text => Some(KeyValue::Text(text.to_owned())),
    }
}

struct Source {
    schema: String,
    record: String,
    revision: i64,
}

/// The source of a domain event; `None` if no command published it.
struct SourceRow(Option<Source>);

impl<DB: SqlTypes> QueryableByName<DB> for SourceRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let Some(schema) = optional(row, 0, DB::read_text)? else { return Ok(Self(None)) };
        let (record, revision) = (field(row, 1, DB::read_text)?, field(row, 2, DB::read_big_int)?);
        Ok(Self(Some(Source { schema, record, revision })))
    }
}

impl<M: Model> sealed::Operation for SourceChange<M> {}

impl<DB: EventedBackend, M: Model> Operation<DB> for SourceChange<M> {
    type Output = Option<Entry<M>>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Option<Entry<M>>, Error> {
        let Some((record, revision)) = self.source(executor).await? else { return Ok(None) };
        let last = |entries: Vec<Entry<M>>| {
            let is_whole = entries.len() > 1 || revision == 1;
            entries.into_iter().next_back().filter(|entry| entry.event.revision() == revision && is_whole)
        };
        let recent = History::up_to_revision(record.key.clone(), revision, true).perform(executor).await?;
        match last(recent) {
            Some(entry) => Ok(Some(entry)),
            // The event itself is the savepoint that reading began with: the state before it is in the events before.
            None => Ok(last(History::up_to_revision(record.key, revision, false).perform(executor).await?)),
        }
    }
}
