//! What records were before the events that are read: their histories, for who lacks them.

use evented_core::{KeyValue, StoredEvent};

use super::desk::Wanted;
use super::{Source, is_garbage, load};
use crate::backend::Dialect;
use crate::error::Error;
use crate::log::LogName;
use crate::run::driver::Driver;
use crate::statement::{Logged, histories};

/// Has the histories learned that are wanted, each from its last savepoint on; or from the beginning, where `learn` says that
/// the savepoint is of no use.
pub(crate) async fn learn_histories<DB: Dialect, D: Driver<DB>>(
    driver: &mut D,
    source: &Source,
    schema: &str,
    wanted: Wanted,
    mut learn: impl FnMut(&KeyValue, &[StoredEvent]) -> bool + Send,
) -> Result<(), Error> {
    for (table, wanted) in wanted {
        for (record, history) in histories_of(driver, source, table, schema, &wanted, true).await? {
            if learn(&record, &history) {
                continue;
            }
            let whole = [(record, history.last().map_or(0, |event| event.revision))];
            for (record, history) in histories_of(driver, source, table, schema, &whole, false).await? {
                learn(&record, &history);
            }
        }
    }
    Ok(())
}

/// The events of several records of one table, each up to a revision.
async fn histories_of<DB: Dialect, D: Driver<DB>>(
    driver: &mut D,
    source: &Source,
    table: LogName,
    schema: &str,
    wanted: &[(KeyValue, i64)],
    from_savepoint: bool,
) -> Result<Vec<(KeyValue, Vec<StoredEvent>)>, Error> {
    let statement = histories(table, source.shared.then_some(schema), wanted, from_savepoint);
    let loaded = match load(driver, source, statement).await {
        // One by one, so that a row that cannot be read is the matter of its record alone.
        Err(error) if is_garbage(&error) => {
            let mut readable = Vec::new();
            for wanted in wanted {
                let wanted = std::slice::from_ref(wanted);
                let statement = histories(table, source.shared.then_some(schema), wanted, from_savepoint);
                match load(driver, source, statement).await {
                    Err(error) if is_garbage(&error) => {}
                    other => readable.extend(other?),
                }
            }
            readable
        }
        other => other?,
    };
    let mut histories: Vec<(KeyValue, Vec<StoredEvent>)> = Vec::new();
    for Logged { record, event, .. } in loaded {
        match histories.last_mut() {
            Some((last, events)) if *last == record => events.push(event),
            _ => histories.push((record, vec![event])),
        }
    }
    Ok(histories)
}
