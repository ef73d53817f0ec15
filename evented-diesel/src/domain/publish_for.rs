//! The domain events that the attribute `publish` of a model declares: `#[evented(publish(on(insert) = OrderPlaced))]`.

use evented_core::Evented;

use crate::domain::{DomainEvent, NewPublication};

/// Makes a domain event of a change of a model, for `#[evented(publish(…))]` on the model.
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # mod example {
/// use diesel::prelude::*;
/// use evented_diesel::prelude::*;
/// use evented_diesel::{DomainEvent, PublishFor, Publishing};
/// use serde::{Deserialize, Serialize};
///
/// # diesel::table! { orders (id) { id -> Integer, total -> Integer, } }
/// #[derive(Evented, Clone, Debug)]
/// #[diesel(table_name = orders)]
/// #[evented(publish(on(insert) = OrderPlaced))]
/// struct Order {
///     id: i32,
///     total: i32,
/// }
///
/// #[derive(DomainEvent, Serialize, Deserialize, Debug)]
/// #[domain_event(name = "order_placed", key = order)]
/// struct OrderPlaced {
///     order: i32,
///     total: i32,
/// }
///
/// impl PublishFor<Order> for OrderPlaced {
///     fn of(change: &Publishing<'_, Order>) -> Option<Self> {
///         change.after().map(|order| Self { order: order.id, total: order.total })
///     }
/// }
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be published for a change of `{M}`",
    note = "write `impl PublishFor<{M}> for {Self}`"
)]
pub trait PublishFor<M: Evented>: DomainEvent + Sized {
    /// Returns the event of a change; `None` publishes nothing.
    fn of(change: &Publishing<'_, M>) -> Option<Self>;
}

/// A change of a model that is about to be written, as [`PublishFor`] sees it.
#[derive(Debug, Clone, Copy)]
pub struct Publishing<'c, M> {
    action: &'static str,
    actor: Option<&'c str>,
    before: Option<&'c M>,
    after: Option<&'c M>,
}

impl<'c, M> Publishing<'c, M> {
    /// Creates the change.
    pub(crate) fn new(
        action: &'static str,
        actor: Option<&'c str>,
        before: Option<&'c M>,
        after: Option<&'c M>,
    ) -> Self {
        Self { action, actor, before, after }
    }

    /// Returns the name of the action.
    #[must_use]
    pub fn action(&self) -> &'static str {
        self.action
    }

    /// Returns who makes the change; `None` if that is not known.
    #[must_use]
    pub fn actor(&self) -> Option<&'c str> {
        self.actor
    }

    /// Returns the record before the change; `None` for an insert.
    #[must_use]
    pub fn before(&self) -> Option<&'c M> {
        self.before
    }

    /// Returns the record after the change; `None` for a delete.
    #[must_use]
    pub fn after(&self) -> Option<&'c M> {
        self.after
    }
}

/// The domain events of a change, as the derive collects them.
#[derive(Debug, Default)]
pub struct Publications(pub(crate) Vec<NewPublication>);

impl Publications {
    /// Adds the event of a change, if it has one.
    pub fn add<M: Evented, E: PublishFor<M>>(&mut self, change: &Publishing<'_, M>) {
        self.0.extend(E::of(change).as_ref().map(NewPublication::of));
    }
}
