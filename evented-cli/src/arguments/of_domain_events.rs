//! The arguments of the commands about domain events and schedules.

use std::time::Duration;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Bus {
    /// Remove the old events of a bus that every subscriber has handled, 1,000 per transaction
    Prune {
        /// The table of the bus
        name: String,
        /// Remove only events that are older: `90s`, `15m`, `12h` or `30d`; a number alone is in seconds
        #[arg(long, value_name = "DURATION", value_parser = crate::input::duration)]
        older_than: Duration,
    },
}

/// The domain event to publish.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The name of the event; `BUS.NAME` if several buses have an event of this name
    pub(crate) name: String,
    /// The event as JSON, in the form of its present version
    // It cannot have the name of the option `--json`. Some events are numbers.
    #[arg(value_name = "JSON", allow_negative_numbers = true)]
    pub(crate) payload: String,
    /// The actor of the event
    #[arg(long, value_name = "ACTOR")]
    pub(crate) by: Option<String>,
    /// Publish the event only if its bus has none with this key
    #[arg(long, value_name = "KEY")]
    pub(crate) unique: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Schedule {
    /// Remove a schedule: it publishes nothing more, until a worker that has it is started
    Remove {
        /// The name of the schedule
        name: String,
    },
}
