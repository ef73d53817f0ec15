//! `publish`: publishes a domain event.

use serde::Serialize;
use uuid::Uuid;

use crate::arguments::Publish as Asked;
use crate::failure::Failure;
use evented_diesel::spi::{EventedBackend, Executor, Operation};
use evented_diesel::{DomainEvent, Publish};

/// The event that was published; with `duplicate`, the one that was published before with the same unique key.
#[derive(Debug, Serialize)]
pub(crate) struct Done {
    pub(crate) event: &'static str,
    pub(crate) id: Uuid,
    pub(crate) duplicate: bool,
}

/// Decodes an event, for the operation that publishes it.
pub(crate) fn decode<T: DomainEvent>(json: &str) -> Result<Publish, Failure> {
    let decoded = serde_json::from_str::<T>(json)
        .map_err(|error| Failure::new(format!("the JSON is not a valid event `{}`: {error}", T::NAME)))?;
    Ok(evented_diesel::publish(decoded))
}

/// Adds the options of the arguments.
pub(crate) fn with_options(mut publish: Publish, asked: &Asked) -> Publish {
    if let Some(actor) = &asked.by {
        publish = publish.by(actor);
    }
    if let Some(key) = &asked.unique {
        publish = publish.unique(key);
    }
    publish
}

/// Publishes an event of this name.
pub(crate) async fn run<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    event: &'static str,
    publish: Publish,
) -> Result<Done, Failure> {
    let published = publish.perform(executor).await?;
    Ok(Done { event, id: published.id, duplicate: published.is_duplicate })
}
