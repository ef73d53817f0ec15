//! Builds the statements about links between events.

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_core::{Json, KeyValue, StoredEvent};
use uuid::Uuid;

use crate::model::Direction;
use crate::sql::{EventTable, SqlTypes, Statement, Value, optional};
use crate::statements::events::{EVENT_COLUMNS, EVENT_WIDTH, read_event};

/// Links an event to another event of the same record. Writes nothing if the record has no such event.
pub(crate) fn link<'q, DB: SqlTypes>(
    events: EventTable,
    table: &'q str,
    schema: &'static str,
    record: &'q KeyValue,
    (event, to): (Uuid, Uuid),
    data: Option<&'q Json>,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("INSERT INTO ");
    statement.beside(events.name, table);
    statement.sql(" (schema, record_id, event_id, linked_id").sql(if data.is_some() { ", data" } else { "" });
    statement.sql(") SELECT ").value(schema).sql(", ").value(record).sql(", ").value(event).sql(", e.id");
    if let Some(data) = data {
        statement.sql(", ").value(Value::Json(data.as_str()));
    }
    statement.sql(" FROM ").log(events.name).sql(" e WHERE e.id = ").value(to).sql(" AND ");
    statement.of_record("e", events, record);
    statement
}

/// Reads the events at the other ends of an event's links.
pub(crate) fn linked<'q, DB: SqlTypes>(
    events: EventTable,
    table: &'q str,
    record: &'q KeyValue,
    event: Uuid,
    direction: Direction,
    typed: bool,
) -> Statement<'q, DB> {
    let (this, other) = match direction {
        Direction::From => ("l.event_id = ", "l.linked_id"),
        Direction::To => ("l.linked_id = ", "l.event_id"),
    };
    let mut statement = Statement::new("SELECT ");
    statement.sql(EVENT_COLUMNS).sql(if typed { ", l.data" } else { ", NULL" }).sql(" FROM ");
    statement.beside(events.name, table);
    statement.sql(" l INNER JOIN ").log(events.name).sql(" e ON e.id = ").sql(other);
    statement.sql(" AND e.record_id = l.record_id WHERE ").sql(this).value(event).sql(" AND ");
    statement.of_record("l", events, record).and_schema("e", events).sql(" ORDER BY e.revision");
    statement
}

/// The result of [`linked`].
pub(crate) struct LinkedRow {
    pub(crate) event: StoredEvent,
    pub(crate) data: Option<Json>,
}

impl<DB: SqlTypes> QueryableByName<DB> for LinkedRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self {
            event: read_event(row)?,
            data: optional(row, EVENT_WIDTH, DB::read_json)?.map(Json::from_text),
        })
    }
}
