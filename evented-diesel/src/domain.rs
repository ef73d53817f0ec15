//! Domain events: what happened in the terms of the application, published with the write that made it happen.

mod bus;
mod domain_event;
mod key;
mod publication;
mod publish_for;

pub(crate) use bus::delayed_table;
pub use bus::{Bus, DomainEvents};
pub use domain_event::{DomainEvent, decode_event};
pub use key::{IntoKey, key_text};
pub(crate) use publication::{Cause, Due, NewPublication, Publication, PublicationRow, push_publications};
pub use publish_for::{Publications, PublishFor, Publishing};
