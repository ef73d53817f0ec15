//! `adopt`: records what other SQL did to a table.

use serde::Serialize;

use crate::commands::backfill::Skipped;
use crate::commands::rebuild;
use crate::failure::Failure;
use crate::progress::Bar;
use evented_diesel::ModelOn;
use evented_diesel::maintenance::Adopt;
use evented_diesel::spi::{EventedBackend, Executor, Operation};

/// The result of an adoption.
#[derive(Debug, Serialize)]
pub(crate) struct Done {
    pub(crate) schema: &'static str,
    /// How many rows the log did not know.
    pub(crate) new: u64,
    /// How many rows differed from the log.
    pub(crate) changed: u64,
    /// How many records had no row any more.
    pub(crate) gone: u64,
    pub(crate) skipped: Vec<Skipped>,
}

/// Records what differs. The events have this actor.
pub(crate) async fn run<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    chunk: u16,
    actor: Option<String>,
) -> Result<Done, Failure> {
    rebuild::table::<M>()?;
    let mut adopt = Adopt::<M>::new().chunk(chunk).each(move |_, event| event.meta.actor.clone_from(&actor));
    let bar = Bar::counting(format!("{}: adopt", M::SCHEMA)).ticking();
    let mut all = Done { schema: M::SCHEMA, new: 0, changed: 0, gone: 0, skipped: Vec::new() };
    while let Some(done) = adopt.page().perform(executor).await? {
        bar.add(done.examined);
        all.new += done.new;
        all.changed += done.changed;
        all.gone += done.gone;
        all.skipped.extend(done.skipped.into_iter().map(Skipped::from));
    }
    bar.end();
    Ok(all)
}
