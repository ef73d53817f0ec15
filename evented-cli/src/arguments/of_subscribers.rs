//! The arguments of the commands about durable subscribers and derived tables.

use clap::{Args, Subcommand};
use evented_react::{SetAsideId, Which};

#[derive(Debug, Subcommand)]
pub(crate) enum Subscriber {
    /// Show how far a subscriber is behind each of its logs
    Lag {
        /// The name of the subscriber
        name: String,
    },
    /// List the deliveries that a subscriber has set aside: those that failed, and those that wait for them
    Aside {
        /// The name of the subscriber
        name: String,
        /// List only those that need somebody: they are dead, passed over or unreadable
        #[arg(long)]
        dead: bool,
    },
    /// Try deliveries again that have failed, at once and with all of their attempts before them
    Retry {
        /// The name of the subscriber
        name: String,
        #[command(flatten)]
        which: WhichArgument,
    },
    /// Skip deliveries that have failed: they count as handled, and those that waited for them go on
    Skip {
        /// The name of the subscriber
        name: String,
        #[command(flatten)]
        which: WhichArgument,
    },
    /// Pause a subscriber: within a second its workers handle nothing more, and nothing is missed
    Pause {
        /// The name of the subscriber
        name: String,
    },
    /// Let a paused subscriber go on where it was
    Resume {
        /// The name of the subscriber
        name: String,
    },
    /// Divide a subscriber into another number of parts, while its workers run
    Resize {
        /// The name of the subscriber
        name: String,
        /// How many deliveries, of different keys, are handled at the same time over all workers
        #[arg(value_parser = clap::value_parser!(u16).range(1..))]
        parts: u16,
    },
    /// Let a subscriber go on that has stalled because the database was copied or restored
    Adopt {
        /// The name of the subscriber
        name: String,
        /// Skip what is not handled, with everything that is set aside
        #[arg(long)]
        skip_pending: bool,
    },
    /// Remove a subscriber with its progress and everything that it has set aside
    Unsubscribe {
        /// The name of the subscriber
        name: String,
        /// Confirm that the progress is lost
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Projection {
    /// Recompute every row of the derived table, and write those that differ, in one transaction
    Rebuild {
        /// The name of the projection
        name: String,
    },
    /// List the rows of the derived table that differ from what its SELECT returns
    Verify {
        /// The name of the projection
        name: String,
    },
}

/// The deliveries that a command works on, of those that failed.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct WhichArgument {
    /// All that failed
    #[arg(long)]
    all: bool,
    /// The one with this id: `3/17`, as `aside` lists it
    #[arg(long, value_name = "ID")]
    id: Option<SetAsideId>,
    /// Those of a key, as `aside --json` lists it
    #[arg(long, value_name = "KEY", allow_negative_numbers = true)]
    key: Option<String>,
}

impl From<WhichArgument> for Which {
    fn from(argument: WhichArgument) -> Self {
        match argument {
            WhichArgument { all: true, .. } => Self::All,
            WhichArgument { id: Some(id), .. } => Self::One(id),
            WhichArgument { key, .. } => Self::Key(key.unwrap_or_default()),
        }
    }
}
