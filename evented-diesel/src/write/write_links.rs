//! Writes the links of an event.

use uuid::Uuid;

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::Executor;
use crate::model::{Model, NewLink, Record};
use crate::statements::link;

/// Writes the links of an event, in the transaction that writes the event.
pub(crate) async fn run<DB: EventedBackend, M: Model, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    event: Uuid,
    links: &[NewLink],
) -> Result<(), Error> {
    let events = M::event_table(&record.value);
    for new in links {
        let data = match &new.data {
            Some(Ok(data)) => Some(data),
            Some(Err(error)) => {
                return Err(Error::Encode { record: record.name(), error: error.as_str().into() });
            }
            None => None,
        };
        let refused = || Error::Link { record: record.name(), link: new.name, event: new.to };
        // The event is in the log already, so the statement would find it. A link to the event that has it is not
        // allowed.
        if new.to == event {
            return Err(refused());
        }
        let table = new.table(events.name);
        let statement = link(events, &table, M::SCHEMA, &record.value, (event, new.to), data);
        if record.execute(executor, statement).await? == 0 {
            return Err(refused());
        }
    }
    Ok(())
}
