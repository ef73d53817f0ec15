//! Returns the domain events that a model declares, without a database.

use crate::domain::{DomainEvent, NewPublication, Publications, Publishing};
use crate::model::Model;

/// Returns the events of one type that a model declares for a change, without a database.
///
/// # Errors
///
/// An event cannot be stored, or not be read again.
pub fn declared_events<M: Model, E: DomainEvent>(
    action: &'static str,
    actor: Option<&str>,
    before: Option<&M>,
    after: Option<&M>,
) -> Result<Vec<E>, String> {
    let mut all = Publications::default();
    M::publish_for(&Publishing::new(action, actor, before, after), &mut all);
    all.0.iter().filter_map(NewPublication::decoded).collect()
}
