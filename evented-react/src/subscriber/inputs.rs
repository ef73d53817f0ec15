//! What a subscriber takes as an input: the changes of a model, and domain events.

use evented_core::{Change, Channel};
use evented_diesel::{Bus, DomainEvent, Model};

use crate::events::{AllEvents, AnyEvent, EventInput, Events};
use crate::input::Input;
use crate::source::RouteTo;
use crate::subscriber::Subscriber;
use crate::target::Target;

/// An input of a subscriber: the changes of a model ([`Channel`](crate::Channel), [`Input`](crate::Input)), or domain events
/// ([`Events`](crate::Events), [`AllEvents`](crate::AllEvents)).
pub trait SubscriberInput<C>: sealed::SubscriberInput<C> {}
impl<C, I: sealed::SubscriberInput<C>> SubscriberInput<C> for I {}

/// Only the inputs of this crate are inputs.
pub(crate) mod sealed {
    use crate::subscriber::Subscriber;
    use crate::target::Target;

    pub trait SubscriberInput<C> {
        /// What its handlers and effects receive.
        type Item: Send + Sync + 'static;

        #[expect(private_interfaces, reason = "the trait is sealed")]
        fn add_to(self, subscriber: &mut Subscriber<C>, target: Target<Self::Item, C>);
    }
}

impl<M: Model, C: Send + 'static> sealed::SubscriberInput<C> for Channel<M> {
    type Item = Change<M>;

    #[expect(private_interfaces, reason = "the trait is sealed")]
    fn add_to(self, subscriber: &mut Subscriber<C>, target: Target<Change<M>, C>) {
        subscriber.route(self, RouteTo::Target(target));
    }
}

impl<M: Model, C: Send + 'static> sealed::SubscriberInput<C> for Input<M> {
    type Item = Change<M>;

    #[expect(private_interfaces, reason = "the trait is sealed")]
    fn add_to(self, subscriber: &mut Subscriber<C>, target: Target<Change<M>, C>) {
        subscriber.route(self, RouteTo::Target(target));
    }
}

impl<E: DomainEvent, C: Send + 'static> sealed::SubscriberInput<C> for Events<E> {
    type Item = E;

    #[expect(private_interfaces, reason = "the trait is sealed")]
    fn add_to(self, subscriber: &mut Subscriber<C>, target: Target<E, C>) {
        subscriber.route_events(EventInput::from(self), target);
    }
}

impl<B: Bus, C: Send + 'static> sealed::SubscriberInput<C> for AllEvents<B> {
    type Item = AnyEvent;

    #[expect(private_interfaces, reason = "the trait is sealed")]
    fn add_to(self, subscriber: &mut Subscriber<C>, target: Target<AnyEvent, C>) {
        subscriber.route_events(EventInput::from(self), target);
    }
}
