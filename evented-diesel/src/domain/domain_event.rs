//! The trait of domain events, and how a stored event becomes one.

use evented_core::{EventData, Json, KeyValue, PayloadError, RawPayload};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::Bus;

/// Something that happened, in the terms of the application: an order was placed, a payment failed. `#[derive(DomainEvent)]` on
/// a struct implements it.
///
/// A command [publishes](crate::Command::publish) events in the statement that writes its change, and
/// [`publish`](crate::publish) does so in any transaction. Subscribers of `evented-react` handle each event once.
///
/// ```
/// use evented_diesel::DomainEvent;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(DomainEvent, Serialize, Deserialize, Clone, Debug, PartialEq)]
/// #[domain_event(name = "order_placed", key = order)]
/// struct OrderPlaced {
///     order: i64,
///     total: i64,
/// }
/// assert_eq!(OrderPlaced::NAME, "order_placed");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a domain event",
    note = "write `#[derive(DomainEvent, Serialize, Deserialize)]` and `#[domain_event(name = \"…\")]` on it"
)]
pub trait DomainEvent: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The bus that it is published on.
    type Bus: Bus;
    /// The name in the bus. It must not change.
    const NAME: &'static str;
    /// Older names.
    const ALIASES: &'static [&'static str];
    /// The version of its form.
    const VERSION: i32;

    /// Returns the key: events of one key are handled one after the other. `None`: in any order.
    fn key(&self) -> Option<KeyValue>;

    /// Converts the payload of an older version into the form of this one.
    fn upcast(payload: &mut RawPayload);
}

/// Decodes a stored event as an `E`; `None` if it is another event.
///
/// # Errors
///
/// A version that is newer than the program's, or a payload that does not decode.
pub fn decode_event<E: DomainEvent>(data: &EventData) -> Result<Option<E>, PayloadError> {
    if data.action != E::NAME && !E::ALIASES.contains(&data.action.as_str()) {
        return Ok(None);
    }
    if data.version > E::VERSION {
        return Err(PayloadError::NewerVersion { found: data.version, known: E::VERSION });
    }
    if data.version == E::VERSION {
        return Ok(Some(data.payload.read()?));
    }
    let mut payload = RawPayload::new(data.action.clone(), data.version, Json::read(&data.payload)?);
    E::upcast(&mut payload);
    Ok(Some(serde_json::from_value(payload.into_value())?))
}
