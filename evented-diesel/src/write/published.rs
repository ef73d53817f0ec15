//! Writes the domain events of a command, where the database does not write them in the statement of the command.

use diesel::QueryResult;
use evented_core::KeyValue;

use crate::backend::EventedBackend;
use crate::domain::{Cause, Publication, PublicationRow, push_publications};
use crate::error::{Error, Subject};
use crate::exec::Executor;
use crate::model::Model;
use crate::sql::Statement;
use crate::statements::by_bus;
use crate::write::options::Options;

/// The most events that one statement writes: SQLite limits the parts of a `UNION ALL`.
pub(super) const EVENTS_PER_STATEMENT: usize = 100;

/// Returns whether the domain events of a command take a statement of their own.
pub(crate) fn takes_a_statement<DB: EventedBackend, M: Model>(options: &Options) -> bool {
    !DB::NUMBERS_TRANSACTIONS && (M::PUBLISHES || !options.publishes.is_empty())
}

/// Writes the domain events of a command after its event, unless the statement of the command has done so. `event` is the record and
/// the revision of the event.
pub(crate) async fn after<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    name: &Subject,
    published: &[Publication],
    event: (&KeyValue, i64),
) -> Result<(), Error> {
    if DB::NUMBERS_TRANSACTIONS { Ok(()) } else { write(executor, name, published, event).await }
}

/// Writes domain events in statements of their own, one for each bus.
pub(crate) async fn write<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    name: &Subject,
    published: &[Publication],
    (record, revision): (&KeyValue, i64),
) -> Result<(), Error> {
    if published.is_empty() {
        return Ok(());
    }
    let record = record.to_string();
    let cause = Cause::Event { record: &record, revision };
    let rows = published.iter().map(|publication| PublicationRow { publication, cause }).collect();
    let written = write_rows(executor, rows).await;
    written.map_err(|error| Error::database(name.clone(), error))
}

/// Writes domain events of several changes, in their order within each bus.
pub(crate) async fn write_rows<'q, DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    rows: Vec<PublicationRow<'q>>,
) -> QueryResult<()> {
    for of_bus in by_bus(rows) {
        for rows in of_bus.chunks(EVENTS_PER_STATEMENT) {
            let mut statement = Statement::new("");
            push_publications(&mut statement, rows);
            executor.execute(statement).await?;
        }
    }
    Ok(())
}
