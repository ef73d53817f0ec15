//! Writing and reading links between events.

use evented_core::Json;
use uuid::Uuid;

use super::command::Record;
use crate::backend::Dialect;
use crate::error::Error;
use crate::event::Event;
use crate::link::{Direction, Link, Linked, NewLink};
use crate::model::Model;
use crate::run::driver::Driver;
use crate::statement::{LinkedRow, link, linked};

/// Writes the links of an event, in the transaction that writes the event.
pub(crate) async fn write<DB: Dialect, M: Model, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    event: Uuid,
    links: &[NewLink],
) -> Result<(), Error> {
    let place = M::place(&record.value);
    for new in links {
        let data = match &new.data {
            Some(Ok(data)) => Some(data),
            Some(Err(error)) => {
                return Err(Error::Form { record: record.name(), source: error.as_str().into() });
            }
            None => None,
        };
        let table = table(place.table.table, new.name);
        let statement = link(place, &table, M::SCHEMA, &record.value, (event, new.to), data);
        let refused = || Error::Link { record: record.name(), link: new.name, event: new.to };
        // It is there already, and no event is earlier than itself.
        if new.to == event {
            return Err(refused());
        }
        let written = driver.execute(statement).await.map_err(|error| record.failed(error))?;
        if written == 0 {
            return Err(refused());
        }
    }
    Ok(())
}

/// Reads what an event is linked to, or what is linked to it.
pub(crate) async fn read<DB: Dialect, M: Model, L: Link, D: Driver<DB>>(
    driver: &mut D,
    event: &Event<M>,
    direction: Direction,
) -> Result<Vec<Linked<M, L::Data>>, Error> {
    let record = Record::<M>::new(event.record.clone());
    let place = M::place(&record.value);
    let table = table(place.table.table, L::NAME);
    let statement = linked(place, &table, &record.value, event.id(), direction, L::TYPED);
    let rows = driver.load::<LinkedRow>(statement).await.map_err(|error| record.failed(error))?;
    let nothing = Json::from_text("null".to_owned());
    rows.into_iter()
        .map(|row| {
            let data = row.data.as_ref().unwrap_or(&nothing).read();
            let data = data.map_err(|source| Error::Form { record: record.name(), source: source.into() })?;
            Ok(Linked { event: Event { record: record.key.clone(), stored: row.event }, data })
        })
        .collect()
}

/// The links of a shard's events are in a table of their own beside it.
fn table(log: &str, link: &str) -> String {
    format!("{log}_{link}")
}
