//! Domain events as inputs of subscribers.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use evented_core::{EventData, KeyValue, Meta};
use evented_diesel::read::SourceChange;
use evented_diesel::spi::{LogName, SourceLog, decode_event, log_offset};
use evented_diesel::{Bus, DomainEvent, Model};

use crate::delivery::Delivery;
use crate::key::IntoKey;

type Filter<E> = Arc<dyn Fn(&E) -> bool + Send + Sync>;
type KeyOf<E> = Arc<dyn Fn(&E) -> Option<KeyValue> + Send + Sync>;

/// The events of one type, as an input of a subscriber. [`DomainEventExt::events`] creates it.
pub struct Events<E> {
    filters: Vec<Filter<E>>,
    key: Option<KeyOf<E>>,
}

/// Every event of a bus, as an input of a subscriber. [`BusExt::all`] creates it.
pub struct AllEvents<B> {
    bus: PhantomData<fn() -> B>,
}

/// Adds [`events`](Self::events) to domain events.
pub trait DomainEventExt: DomainEvent {
    /// Returns the events of this type, for [`Subscriber::on`](crate::Subscriber::on) and [`Subscriber::effect`](crate::Subscriber::effect).
    #[must_use]
    fn events() -> Events<Self>
    where
        Self: Sized,
    {
        Events { filters: Vec::new(), key: None }
    }
}

impl<E: DomainEvent> DomainEventExt for E {}

/// Adds [`all`](Self::all) to buses.
pub trait BusExt: Bus {
    /// Returns every event of the bus, for [`Subscriber::on`](crate::Subscriber::on) and [`Subscriber::effect`](crate::Subscriber::effect).
    #[must_use]
    fn all() -> AllEvents<Self>
    where
        Self: Sized,
    {
        AllEvents { bus: PhantomData }
    }
}

impl<B: Bus> BusExt for B {}

impl<E: DomainEvent> Events<E> {
    /// Takes only the events that the function accepts. With several, all must accept it.
    #[must_use]
    pub fn when(mut self, accepts: impl Fn(&E) -> bool + Send + Sync + 'static) -> Self {
        self.filters.push(Arc::new(accepts));
        self
    }

    /// Sets the key that orders deliveries, instead of the key of the event.
    #[must_use]
    pub fn key<K: IntoKey>(mut self, key: impl Fn(&E) -> K + Send + Sync + 'static) -> Self {
        self.key = Some(Arc::new(move |event| key(event).into_key()));
        self
    }
}

impl<E> fmt::Debug for Events<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("filters", &self.filters.len()).finish_non_exhaustive()
    }
}

impl<B> fmt::Debug for AllEvents<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllEvents").finish_non_exhaustive()
    }
}

/// An event of any type.
#[derive(Debug, Clone)]
pub struct AnyEvent {
    data: EventData,
    bus: LogName,
}

impl AnyEvent {
    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.data.action
    }

    /// Returns the version of its form.
    #[must_use]
    pub fn version(&self) -> i32 {
        self.data.version
    }

    /// Returns whether it is an `E`.
    #[must_use]
    pub fn is<E: DomainEvent>(&self) -> bool {
        self.name() == E::NAME || E::ALIASES.contains(&self.name())
    }

    /// Decodes it as an `E`; `None` if it is another event.
    ///
    /// # Errors
    ///
    /// It has a version that is newer than the program's, or does not decode.
    pub fn downcast<E: DomainEvent>(&self) -> Result<Option<E>, evented_core::PayloadError> {
        decode_event(&self.data)
    }

    /// Returns who published it, what caused it, and what it belongs to. The cause is the event of the command that published it.
    /// The publisher's own entries are there if it was published without a command.
    #[must_use]
    pub fn meta(&self) -> Meta {
        self.data.meta.as_ref().map(Meta::from_json).unwrap_or_default()
    }
}

impl Delivery<'_, AnyEvent> {
    /// Returns an operation that reads the change which the event was published with, as for a delivery of one type.
    pub fn change<M: Model>(&self) -> SourceChange<M> {
        SourceChange::of(self.value.bus, log_offset(self.place.position))
    }
}

/// An event that an input accepts, with the key that the input gives it.
type Accepted<T> = (T, Option<KeyValue>);

/// An input of domain events, without the types of its filters.
pub(crate) struct EventInput<T> {
    pub(crate) log: SourceLog,
    pub(crate) description: String,
    /// The name of the events, and `*` for all.
    pub(crate) takes: &'static str,
    /// Whether the key is not that of the event.
    pub(crate) makes_keys: bool,
    #[expect(clippy::type_complexity, reason = "one function")]
    pub(crate) accept: Arc<dyn Fn(&EventData) -> Result<Option<Accepted<T>>, String> + Send + Sync>,
}

impl<E: DomainEvent> From<Events<E>> for EventInput<E> {
    fn from(events: Events<E>) -> Self {
        // A function has no description: another one is not noticed.
        let keyed = if events.key.is_some() { " with a key of its own" } else { "" };
        let description = format!("{}{keyed}", E::NAME);
        let makes_keys = events.key.is_some();
        let accept = move |data: &EventData| {
            let event = decode_event::<E>(data).map_err(|error| error.to_string())?;
            let accepted = event.filter(|event| events.filters.iter().all(|accepts| accepts(event)));
            Ok(accepted.map(|event| {
                let key = events.key.as_ref().and_then(|key| key(&event));
                (event, key)
            }))
        };
        Self {
            log: SourceLog::of_bus::<E::Bus>(),
            description,
            takes: E::NAME,
            makes_keys,
            accept: Arc::new(accept),
        }
    }
}

impl<B: Bus> From<AllEvents<B>> for EventInput<AnyEvent> {
    fn from(_: AllEvents<B>) -> Self {
        let accept = |data: &EventData| Ok(Some((AnyEvent { data: data.clone(), bus: B::name() }, None)));
        Self {
            log: SourceLog::of_bus::<B>(),
            description: "all".to_owned(),
            takes: "*",
            makes_keys: false,
            accept: Arc::new(accept),
        }
    }
}
