//! Durable subscribers and derived tables: each event of a log is handled once, on any number of machines.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backoff;
mod batch;
mod bus_source;
mod call;
mod delivery;
mod derived_table;
mod divide;
mod division;
mod due;
mod effect;
mod events;
mod failure;
mod handler;
mod home;
mod inline;
mod input;
mod item;
mod key;
mod lend;
mod next_state;
mod operations;
mod outcome;
mod part;
mod projection;
mod refresh;
mod register;
#[cfg(feature = "cron")]
mod run_schedules;
#[cfg(feature = "cron")]
mod schedule;
mod settle;
mod source;
mod step;
mod store;
mod subscriber;
mod tables;
mod tail;
mod target;
mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
mod worker;

pub use backoff::Retry;
pub use delivery::Delivery;
pub use effect::{Effect, EffectAsync, IntoEffect};
pub use evented_core::{Change, ChangeKind, Channel, Kinds, Position};
pub use evented_diesel::IntoKey;
pub use events::{AllEvents, AnyEvent, BusExt, DomainEventExt, Events};
pub use failure::Failure;
pub use handler::{Asynchronous, Blocking, Handle, HandleAsync, IntoHandler};
pub use inline::inline;
pub use input::{ChannelExt, Input, InputError, IntoInput};
pub use operations::{
    Adopt, Difference, DifferenceKind, Differences, Lag, LagOf, ListAside, LiveWorker, NotASetAsideId, Pause,
    Prune, Pruned, Rebuild, Rebuilt, Resize, RetryAside, ScheduleStatus, Schedules, SetAside, SetAsideId,
    SetAsideState, Skip, SubscriberStatus, Subscribers, Unschedule, Unsubscribe, Verify, WaitFor, Waited,
    Which, adopt, lag, pause, prune, rebuild, resize, resume, retry, schedules, set_aside, skip, subscribers,
    subscribers_of, unschedule, unsubscribe, verify, wait_for,
};
pub use projection::Projection;
pub use register::{Register, RegisterError, register};
#[cfg(feature = "cron")]
pub use schedule::{Missed, Schedule, ScheduleError};
pub use source::ActionChange;
pub use subscriber::{From, InCopies, OnDead, Subscriber, SubscriberInput};
pub use tables::MigrationsExt;
#[cfg(feature = "__async")]
pub use worker::WorkerTasks;
pub use worker::{StartError, StillRunning, Worker, WorkerStatus, WorkerThreads};
