//! The commands about what reacts to events: durable subscribers, derived tables, domain events and schedules.

use clap::Subcommand;

use crate::arguments::{Bus, Projection, Publish, Schedule, Subscriber};

#[derive(Debug, Subcommand)]
pub(crate) enum Reacting {
    /// Show the durable subscribers: whether they go on, who serves them, and how much they have set aside
    Subscribers,
    /// Show how far a durable subscriber is behind and what it has set aside, and manage it
    #[command(subcommand)]
    Subscriber(Subscriber),
    /// Recompute or verify the derived table of a projection
    #[command(subcommand)]
    Projection(Projection),
    /// Remove old domain events
    #[command(subcommand)]
    Bus(Bus),
    /// Publish a domain event
    Publish(Publish),
    /// Show the schedules that workers have registered, and when each is due
    Schedules,
    /// Remove a schedule
    #[command(subcommand)]
    Schedule(Schedule),
}
