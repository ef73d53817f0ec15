//! Reads the domain events of one type from their bus.

use std::fmt;
use std::marker::PhantomData;

use crate::backend::EventedBackend;
use crate::domain::{DomainEvent, decode_event};
use crate::error::{Error, Subject};
use crate::exec::{Executor, Operation, sealed};
use crate::stream::log_pages::{BEGINNING, read_page};
use crate::stream::source_log::SourceLog;

/// How many events are read at once.
const PAGE: i64 = 1_000;

/// Reads the domain events of one type, in the order of their bus, with those that the current transaction has published. For
/// tests and for buses that are not large: it returns all of them.
///
/// Running it fails with [`Error::Encode`] if one of them does not decode.
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # mod example {
/// use diesel::prelude::*;
/// use evented_diesel::prelude::*;
/// use evented_diesel::stream::published;
/// use evented_diesel::{DomainEvent, Error};
/// # use serde::{Deserialize, Serialize};
///
/// #[derive(DomainEvent, Serialize, Deserialize, Debug, PartialEq)]
/// #[domain_event(name = "payment_failed", key = order)]
/// struct PaymentFailed { order: i32 }
///
/// fn test(conn: &mut SqliteConnection) -> Result<(), Error> {
///     assert_eq!(published::<PaymentFailed>().run(conn)?, [PaymentFailed { order: 7 }]);
///     Ok(())
/// }
/// # }
/// ```
pub fn published<E: DomainEvent>() -> PublishedEvents<E> {
    PublishedEvents(PhantomData)
}

/// Reads domain events. Returned by [`published`].
#[must_use = "an operation does nothing until it is run"]
pub struct PublishedEvents<E>(PhantomData<fn() -> E>);

impl<E> fmt::Debug for PublishedEvents<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublishedEvents").finish_non_exhaustive()
    }
}

impl<E> sealed::Operation for PublishedEvents<E> {}

impl<DB: EventedBackend, E: DomainEvent> Operation<DB> for PublishedEvents<E> {
    type Output = Vec<E>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Vec<E>, Error> {
        let log = SourceLog::of_bus::<E::Bus>();
        let (mut found, mut after) = (Vec::new(), BEGINNING);
        loop {
            let page = read_page(executor, &log, after, None, PAGE).await?;
            for event in &page.events {
                after = event.offset;
                let decoded = decode_event::<E>(&event.data);
                found.extend(decoded.map_err(|error| Error::Encode {
                    record: Subject::Object { kind: "event", name: format!("{} {}", E::NAME, event.data.id) },
                    error: error.into(),
                })?);
            }
            if let Some(row) = &page.unreadable {
                after = row.offset;
            }
            if !page.has_more() {
                return Ok(found);
            }
        }
    }
}
