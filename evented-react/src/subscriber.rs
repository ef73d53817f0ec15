//! Subscribers: named, durable readers of changes, with what they do.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use evented_core::ActionOf;
use evented_diesel::Model;
use evented_diesel::spi::{SourceLog, stable_hash};

use crate::backoff::Retry;
use crate::bus_source::{BusRoute, BusSource};
use crate::derived_table::Table;
use crate::effect::IntoEffect;
use crate::events::EventInput;
use crate::handler::IntoHandler;
use crate::input::{InputError, IntoInput};
use crate::source::{ActionChange, ModelSource, OfAction, Route, RouteTo, Source};
use crate::target::Target;

mod inputs;

pub use inputs::SubscriberInput;

/// Where a subscriber begins when it is registered for the first time. Later it continues where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum From {
    /// With the first change that is committed after it is registered. On PostgreSQL, changes of transactions that are
    /// younger than the oldest open one come, too.
    #[default]
    Now,
    /// With the first event of each log.
    Beginning,
}

/// What becomes of the other deliveries of a key while one of them is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDead {
    /// They wait, in their order, until somebody says [`retry`](crate::retry) or [`skip`](crate::skip).
    #[default]
    Block,
    /// They go on. The dead delivery is kept.
    PassOver,
}

/// A durable subscriber to the changes of one or several models.
///
/// Its name stands for it in the database. A [`Worker`](crate::Worker) registers it, stores how far it came, and calls its
/// handlers, each in the transaction that also stores the progress. So the effect of a handler in this database is there
/// exactly once.
///
/// `C` is the connection that the handlers receive, for example `PgConnection` or `AsyncPgConnection`.
pub struct Subscriber<C> {
    pub(crate) name: String,
    pub(crate) version: i32,
    pub(crate) parts: Option<i32>,
    pub(crate) from: From,
    pub(crate) retry: Retry,
    pub(crate) on_dead: OnDead,
    pub(crate) timeout: Duration,
    pub(crate) sources: Vec<Box<dyn Source<C>>>,
    inputs: i32,
    has_handlers: bool,
    pub(crate) has_effects: bool,
    in_flight: Option<u32>,
    rate: Option<Rate>,
    in_copies: Option<InCopies>,
    /// The derived table, if the subscriber keeps one.
    pub(crate) table: Option<Table>,
}

/// What a subscriber does in a copy of its database: in a dump that was restored elsewhere, for example.
///
/// PostgreSQL: the identifier of the server and the database tell a copy, so a dump, and a database that was created from another one
/// as its template. A copy of all files of a server has the same identifier. SQLite: the path of the file tells a copy; one at the same
/// path of another machine is not noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InCopies {
    /// It stalls, until [`adopt`](crate::adopt) says that it runs in the copy. So a copy sends no mail again.
    Stall,
    /// It goes on: a copy has its progress and everything that its handlers wrote.
    GoOn,
}

/// How many effects begin in a time.
#[derive(Debug, Clone, Copy)]
struct Rate {
    effects: u32,
    per: Duration,
}

/// How many effects run at the same time, by default.
const IN_FLIGHT: u32 = 8;
/// The time that a handler has, by default.
const TIMEOUT: Duration = Duration::from_secs(30);

impl<C: Send + 'static> Subscriber<C> {
    /// Creates a subscriber without inputs. The name must not change: it stands for the progress in the database.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: 1,
            parts: None,
            from: From::Now,
            retry: Retry::default(),
            on_dead: OnDead::Block,
            timeout: TIMEOUT,
            sources: Vec::new(),
            inputs: 0,
            has_handlers: false,
            has_effects: false,
            in_flight: None,
            rate: None,
            in_copies: None,
            table: None,
        }
    }

    /// Adds an input with its handler: a [`Handle`](crate::Handle), a [`HandleAsync`](crate::HandleAsync) or a closure. An input
    /// is the changes of a model, the domain events of a type, or every event of a bus.
    ///
    /// A change that matches two inputs is handled by both handlers: in one transaction, if their keys are the same.
    ///
    /// ```ignore
    /// Subscriber::new("stock")
    ///     .on(OrderLine::changes(), Reserve)
    ///     .on(OrderPlaced::events(), WriteInvoice)
    /// ```
    #[must_use]
    pub fn on<I: SubscriberInput<C>, K>(
        mut self,
        input: I,
        handler: impl IntoHandler<I::Item, C, K>,
    ) -> Self {
        input.add_to(&mut self, Target::Handler(handler.into_reaction()));
        self
    }

    /// Adds an input with an effect outside of the database: an [`Effect`](crate::Effect), an
    /// [`EffectAsync`](crate::EffectAsync) or a closure. A subscriber has handlers or effects, not both.
    ///
    /// ```ignore
    /// Subscriber::new("mails").effect(OrderPlaced::events().when(|order| order.total > 0), SendMail { smtp })
    /// ```
    #[must_use]
    pub fn effect<I: SubscriberInput<C>, K>(
        mut self,
        input: I,
        effect: impl IntoEffect<I::Item, C, K>,
    ) -> Self {
        self.has_effects = true;
        input.add_to(&mut self, Target::Effect(effect.into_perform()));
        self
    }

    /// Adds a handler of the events of one action. It receives the action with the change that it made.
    ///
    /// ```ignore
    /// Subscriber::new("mail").on_action::<Ticket, Close, _>(Ticket::changes(), TellTheReporter)
    /// ```
    #[must_use]
    pub fn on_action<M: Model, A: ActionOf<M>, K>(
        mut self,
        input: impl IntoInput<M>,
        handler: impl IntoHandler<ActionChange<M, A>, C, K>,
    ) -> Self {
        let handler = OfAction::<M, A, C>(handler.into_reaction());
        self.route(input, RouteTo::HandleAction(Arc::new(handler)));
        self
    }

    pub(crate) fn route_events<T: Send + Sync + 'static>(
        &mut self,
        input: EventInput<T>,
        target: Target<T, C>,
    ) {
        self.has_handlers |= matches!(target, Target::Handler(_));
        let log = input.log;
        let route = BusRoute::new(self.inputs, input, target);
        self.inputs += 1;
        let known = self
            .sources
            .iter_mut()
            .filter_map(|source| source.as_any_mut().downcast_mut::<BusSource<C>>())
            .find(|source| source.log.name == log.name);
        match known {
            Some(source) => source.routes.push(route),
            None => self.sources.push(Box::new(BusSource { log, routes: vec![route] })),
        }
    }

    pub(crate) fn route<M: Model>(&mut self, input: impl IntoInput<M>, to: RouteTo<M, C>) {
        self.has_handlers |= !matches!(to, RouteTo::Target(Target::Effect(_)));
        let route = Route { index: self.inputs, input: input.into_input(), to };
        self.inputs += 1;
        // All inputs of one model are one source: its events are decoded once.
        let known = self
            .sources
            .iter_mut()
            .find_map(|source| source.as_any_mut().downcast_mut::<ModelSource<M, C>>());
        match known {
            Some(source) => source.routes.push(route),
            None => self.sources.push(Box::new(ModelSource { routes: vec![route] })),
        }
    }

    /// Sets where the subscriber begins when it is registered for the first time. Default: [`From::Now`].
    #[must_use]
    pub fn from(mut self, from: From) -> Self {
        self.from = from;
        self
    }

    /// Sets when a delivery that failed is tried again. Default: see [`Retry`].
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Sets what becomes of the other deliveries of a key while one is dead. Default: [`OnDead::Block`].
    #[must_use]
    pub fn on_dead(mut self, on_dead: OnDead) -> Self {
        self.on_dead = on_dead;
        self
    }

    /// Sets how long a handler or an effect may run. Default: 30 seconds. An async one is stopped then. A blocking handler that
    /// took longer is noticed when it returns, and what it wrote is rolled back. A blocking effect is not stopped, and what it
    /// returns counts.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how many effects run at the same time, over all workers. Default: 8. 0 counts as 1. The parts share it evenly, and each
    /// part runs one at least. So with 1, and by default one part then, there is one at a time.
    ///
    /// An effect that is slow holds up the deliveries of its key, and takes one of these places. A subscriber without effects has
    /// no such limit, and setting it is an error.
    #[must_use]
    pub fn in_flight(mut self, effects: u32) -> Self {
        self.in_flight = Some(effects.max(1));
        self
    }

    /// Limits how many effects begin in a time, over all workers: `rate(100, Duration::from_secs(1))`. They begin at even distances.
    /// The parts share the rate evenly, whatever their keys have to do: a subscriber with one [part](Self::parts) uses it fully.
    /// 0 counts as 1. A subscriber without effects has no rate, and setting it is an error.
    #[must_use]
    pub fn rate(mut self, effects: u32, per: Duration) -> Self {
        self.rate = Some(Rate { effects: effects.max(1), per });
        self
    }

    /// Sets what the subscriber does in a copy of the database that it was registered in. Default: [`InCopies::Stall`] for effects,
    /// [`InCopies::GoOn`] for handlers.
    #[must_use]
    pub fn in_copies(mut self, in_copies: InCopies) -> Self {
        self.in_copies = Some(in_copies);
        self
    }

    /// Sets the number of parts: how many deliveries, of different keys, are handled at the same time over all workers.
    /// Default: 8 on PostgreSQL, 1 on SQLite, which has one writer at a time, and of effects not more than
    /// [`in_flight`](Self::in_flight). Another number is a new
    /// [`version`](Self::version); [`resize`](crate::resize) changes it without one.
    #[must_use]
    pub fn parts(mut self, parts: u16) -> Self {
        self.parts = Some(i32::from(parts.max(1)));
        self
    }

    /// Sets the version of the subscriber. Default: 1. A subscriber whose inputs, keys or number of parts differ must
    /// have a higher version. Workers of the older version then write nothing more.
    #[must_use]
    pub fn version(mut self, version: u16) -> Self {
        self.version = i32::from(version.max(1));
        self
    }
}

impl<C> Subscriber<C> {
    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the logs that the subscriber reads, each once.
    pub(crate) fn logs(&self) -> Vec<SourceLog> {
        let mut logs: Vec<SourceLog> = Vec::new();
        for source in &self.sources {
            let log = source.log();
            if logs.iter().all(|known| known.name != log.name) {
                logs.push(log);
            }
        }
        logs
    }

    /// Returns what the inputs take, a line each.
    pub(crate) fn takes(&self) -> String {
        let mut lines: Vec<String> = self.sources.iter().flat_map(|source| source.takes()).collect();
        lines.sort_unstable();
        lines.dedup();
        lines.join("\n")
    }

    /// Returns the tables of the buses that the subscriber reads.
    pub(crate) fn buses(&self) -> Vec<&'static str> {
        self.sources.iter().filter_map(|source| source.bus()).collect()
    }

    pub(crate) fn check(&self) -> Result<(), InputError> {
        if self.has_effects && self.has_handlers {
            return Err(InputError::HandlersAndEffects);
        }
        let unused = self.in_flight.map(|_| "in_flight").or(self.rate.map(|_| "rate"));
        if let Some(setting) = unused.filter(|_| !self.has_effects) {
            return Err(InputError::OfEffects { setting });
        }
        self.sources.iter().try_for_each(|source| source.check())
    }

    /// Returns whether the subscriber does nothing in a copy of its database.
    pub(crate) fn stalls_in_copies(&self) -> bool {
        match self.in_copies {
            Some(in_copies) => in_copies == InCopies::Stall,
            None => self.has_effects,
        }
    }

    /// Returns how many effects run at the same time over all parts.
    pub(crate) fn in_flight_at_most(&self) -> u32 {
        self.in_flight.unwrap_or(IN_FLIGHT)
    }

    /// Returns how many effects of one of so many parts run at the same time.
    pub(crate) fn share_of_part(&self, part: i32, parts: i32) -> usize {
        let (part, parts) = (part.max(0).unsigned_abs(), parts.max(1).unsigned_abs());
        let all = self.in_flight_at_most();
        let share = all / parts + u32::from(part < all % parts);
        usize::try_from(share.max(1)).unwrap_or(usize::MAX)
    }

    /// Returns the time between the beginnings of two effects of one of so many parts.
    pub(crate) fn distance_of_part(&self, parts: i32) -> Duration {
        let of_rate = |rate: Rate| (rate.per / rate.effects).saturating_mul(parts.max(1).unsigned_abs());
        self.rate.map(of_rate).unwrap_or_default()
    }

    /// Returns a short text that differs if the inputs, their keys, or the derived table differ.
    pub(crate) fn digest(&self) -> String {
        let inputs = self.sources.iter().flat_map(|source| source.describe());
        let lines: Vec<String> = inputs.chain(self.table.as_ref().map(Table::describe)).collect();
        format!("{:016x}", stable_hash(lines.join("\n").as_bytes()))
    }
}

impl<C> fmt::Debug for Subscriber<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("parts", &self.parts)
            .field("from", &self.from)
            .field("logs", &self.logs().iter().map(|log| log.name.table).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
