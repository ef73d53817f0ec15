//! Reads the events that an event is linked to.

use evented_core::Json;

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Operation, sealed};
use crate::model::{Direction, Event, Link, Linked, Model, Record, link_table};
use crate::statements::{LinkedRow, linked};

/// Reads the events at the other ends of an event's links. See [`Event::linked`] and [`Event::linked_from`].
#[derive(Debug)]
#[must_use = "a read does nothing until it is run"]
pub struct LinkedEvents<M: Model, L> {
    event: Event<M>,
    direction: Direction,
    link: std::marker::PhantomData<fn() -> L>,
}

impl<M: Model> Event<M> {
    /// Reads the earlier events that this one is linked to, oldest first.
    pub fn linked<L: Link<Log = M::Log>>(&self, link: L) -> LinkedEvents<M, L> {
        let _ = link;
        LinkedEvents { event: self.clone(), direction: Direction::From, link: std::marker::PhantomData }
    }

    /// Reads the later events that are linked to this one, oldest first.
    pub fn linked_from<L: Link<Log = M::Log>>(&self, link: L) -> LinkedEvents<M, L> {
        let _ = link;
        LinkedEvents { event: self.clone(), direction: Direction::To, link: std::marker::PhantomData }
    }
}

impl<M: Model, L> sealed::Operation for LinkedEvents<M, L> {}

impl<DB: EventedBackend, M: Model, L: Link<Log = M::Log>> Operation<DB> for LinkedEvents<M, L> {
    type Output = Vec<Linked<M, L::Data>>;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<Self::Output, Error> {
        read::<DB, M, L, E>(executor, &self.event, self.direction).await
    }
}

/// Reads the events that an event is linked to, or the events that are linked to it.
async fn read<DB: EventedBackend, M: Model, L: Link, E: Executor<DB>>(
    executor: &mut E,
    event: &Event<M>,
    direction: Direction,
) -> Result<Vec<Linked<M, L::Data>>, Error> {
    let record = Record::<M>::new(event.record.clone());
    let events = M::event_table(&record.value);
    let table = link_table(events.name, L::NAME);
    let statement = linked(events, &table, &record.value, event.id(), direction, L::TYPED);
    let rows = record.load::<LinkedRow, _, _>(executor, statement).await?;
    let nothing = Json::from_text("null".to_owned());
    rows.into_iter()
        .map(|row| {
            let data = row.data.as_ref().unwrap_or(&nothing).read();
            let data = data.map_err(|error| record.not_encoded(error))?;
            Ok(Linked { event: Event::new(record.key.clone(), row.event), data })
        })
        .collect()
}
