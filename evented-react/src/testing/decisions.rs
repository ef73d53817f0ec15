//! Tests what an action does to a record, without a database.

use std::fmt::Debug;

use chrono::{DateTime, Utc};
use evented_core::{ActionOf, AnyAction, Context, Decision, Undecided, decide_change};
use evented_diesel::spi::declared_events;
use evented_diesel::{DomainEvent, Model};
use uuid::Uuid;

/// Begins a test of an action on a record.
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # mod example {
/// # use evented_diesel::prelude::*;
/// # use evented_diesel::{DomainEvent, PublishFor, Publishing};
/// # use evented_react::testing;
/// # use serde::{Deserialize, Serialize};
/// # diesel::table! { orders (id) { id -> Integer, status -> Text, } }
/// #[derive(Evented, Clone, Debug)]
/// #[evented(actions(Cancel), publish(on(Cancel) = OrderCancelled))]
/// struct Order { id: i32, status: String }
///
/// # #[derive(Serialize, Deserialize, Clone, Debug)]
/// # struct Cancel;
/// # impl Action<Order> for Cancel {
/// #     fn apply(&self, order: &mut Order, _: &Context) { order.status = "cancelled".into(); }
/// # }
/// #[derive(DomainEvent, Serialize, Deserialize, Debug)]
/// #[domain_event(name = "order_cancelled", key = order)]
/// struct OrderCancelled { order: i32 }
/// # impl PublishFor<Order> for OrderCancelled {
/// #     fn of(change: &Publishing<'_, Order>) -> Option<Self> { Some(Self { order: change.after()?.id }) }
/// # }
///
/// pub(super) fn a_cancelled_order_says_so() {
///     let order = Order { id: 7, status: "open".into() };
///     let then = testing::given(order).when(&Cancel);
///     assert_eq!(then.after().status, "cancelled");
///     assert_eq!(then.events::<OrderCancelled>()[0].order, 7);
/// }
/// # }
/// # #[cfg(feature = "sqlite")]
/// # example::a_cancelled_order_says_so();
/// ```
pub fn given<M: Model>(record: M) -> Given<M> {
    Given { record, actor: None, at: Utc::now() }
}

/// A record to test an action on. Returned by [`given`].
#[derive(Debug)]
#[must_use = "nothing is tested until `when`"]
pub struct Given<M> {
    record: M,
    actor: Option<String>,
    at: DateTime<Utc>,
}

impl<M: Model> Given<M> {
    /// Sets the actor.
    pub fn by(mut self, actor: impl Into<String>) -> Self {
        self.actor = Some(actor.into());
        self
    }

    /// Sets the time. Default: now.
    pub fn at(mut self, time: DateTime<Utc>) -> Self {
        self.at = time;
        self
    }

    /// Decides on the action, as a command does.
    pub fn when<A: ActionOf<M>>(self, action: &A) -> Then<M> {
        let cx = Context::new(self.at, Uuid::now_v7(), self.actor.clone(), M::VERSION);
        let action: &dyn AnyAction<M> = action;
        let decision = decide_change(&self.record, action, &cx);
        Then { before: self.record, actor: self.actor, decision }
    }
}

/// What an action did, or why it did not. Returned by [`Given::when`].
#[derive(Debug)]
pub struct Then<M> {
    before: M,
    actor: Option<String>,
    decision: Result<Decision<M>, Undecided>,
}

impl<M: Model + Debug> Then<M> {
    /// Returns the record after the action.
    ///
    /// # Panics
    ///
    /// The action was refused.
    #[track_caller]
    #[must_use]
    pub fn after(&self) -> &M {
        &self.decided().after
    }

    /// Returns the domain events of one type that the model publishes for the action by its attribute `publish`, in their order.
    ///
    /// # Panics
    ///
    /// The action was refused, or an event cannot be stored.
    #[track_caller]
    #[must_use]
    #[expect(clippy::panic, reason = "an assertion")]
    pub fn events<E: DomainEvent>(&self) -> Vec<E> {
        let decided = self.decided();
        let (before, after) = (Some(&self.before), Some(&decided.after));
        match declared_events(decided.action, self.actor.as_deref(), before, after) {
            Ok(events) => events,
            Err(reason) => panic!("an event `{}` cannot be stored: {reason}", E::NAME),
        }
    }

    /// Returns why the action was refused.
    ///
    /// # Panics
    ///
    /// It was not.
    #[track_caller]
    #[must_use]
    #[expect(clippy::panic, reason = "an assertion")]
    pub fn refused(&self) -> &Undecided {
        match &self.decision {
            Ok(decided) => panic!("the action `{}` was not refused: {:#?}", decided.action, decided.after),
            Err(reason) => reason,
        }
    }

    #[track_caller]
    #[expect(clippy::panic, reason = "an assertion")]
    fn decided(&self) -> &Decision<M> {
        match &self.decision {
            Ok(decided) => decided,
            Err(reason) => panic!("the action was refused: {reason}"),
        }
    }
}
