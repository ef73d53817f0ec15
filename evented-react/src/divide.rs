//! Divides the keys of a subscriber into another number of parts.

use evented_diesel::Error;
use evented_diesel::spi::{EventedBackend, Executor};

use crate::division::Division;
use crate::store::{self, CursorRow, DeferredRow, Patience, SubscriberRow, load, lock_part, write};

/// Divides the keys of a registered subscriber into another number of parts, in the current transaction, whose caller has
/// locked the subscriber's row. Nothing is missed, and nothing is handled twice. Returns the row as it is then.
pub(crate) async fn divide<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    row: SubscriberRow,
    parts: i32,
) -> Result<SubscriberRow, Error> {
    if parts == row.division.parts {
        return Ok(row);
    }
    let name = row.name.as_str();
    lock_all(executor, name, row.division.parts).await?;
    let cursors = load::<CursorRow, _, _>(executor, store::cursors_of(name, None)).await?;
    let stood = cursors.iter().map(|cursor| (cursor.stream.as_str(), cursor.part, cursor.offset));
    let rows = load::<DeferredRow, _, _>(executor, store::deferred_of(name, i64::MAX)).await?;
    // A row that every part has set aside stands for the keys of one part. Its division says which keys these are.
    let keeps = rows.iter().any(|row| row.origin.is_some());
    let division = row.division.resized((parts, keeps), stood);
    store_division(executor, name, &division).await?;
    write(executor, store::remove_parts("evented_cursors", name, 0)).await?;
    for slowest in slowest(&cursors) {
        for part in 0..parts {
            let cursor = CursorRow { part, ..slowest.clone() };
            write(executor, store::insert_cursor(name, &cursor)).await?;
        }
    }
    give_to_parts(executor, name, &division, rows).await?;
    Ok(SubscriberRow { division, ..row })
}

/// Locks the work of all parts: no worker is within a batch then.
pub(crate) async fn lock_all<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    name: &str,
    parts: i32,
) -> Result<(), Error> {
    for part in 0..parts {
        lock_part(executor, name, part, Patience::Waits).await?;
    }
    Ok(())
}

/// Forgets how a subscriber was divided before, if all parts have passed where the fastest part then was.
pub(crate) async fn forget_earlier<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    name: &str,
    division: &Division,
) -> Result<(), Error> {
    if division.earlier().is_none() {
        return Ok(());
    }
    let cursors = load::<CursorRow, _, _>(executor, store::cursors_of(name, None)).await?;
    let offsets = slowest(&cursors).iter().map(|cursor| (cursor.stream.clone(), cursor.offset)).collect();
    if division.is_settled(&offsets) {
        write(executor, store::forget_earlier(name, division.number)).await?;
    }
    Ok(())
}

/// Returns the lowest cursor of each log.
pub(crate) fn slowest(cursors: &[CursorRow]) -> Vec<&CursorRow> {
    let mut slowest: Vec<&CursorRow> = Vec::new();
    for cursor in cursors {
        match slowest.iter_mut().find(|known| known.stream == cursor.stream) {
            Some(known) if cursor.offset < known.offset => *known = cursor,
            Some(_) => {}
            None => slowest.push(cursor),
        }
    }
    slowest
}

/// Stores a division, with its parts, which nobody owns then.
pub(crate) async fn store_division<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    name: &str,
    division: &Division,
) -> Result<(), Error> {
    let earlier = division.earlier();
    write(executor, store::set_division(name, division, earlier.as_deref())).await?;
    write(executor, store::remove_parts("evented_parts", name, division.parts)).await?;
    for part in 0..division.parts {
        write(executor, store::insert_part(name, part)).await?;
    }
    free_parts(executor, name).await
}

/// Takes all parts from their owners, which write nothing more.
pub(crate) async fn free_parts<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    name: &str,
) -> Result<(), Error> {
    write(executor, store::free_parts(name)).await.map(drop)
}

/// Gives the deliveries that were set aside to the parts that have their keys now.
async fn give_to_parts<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    name: &str,
    division: &Division,
    mut rows: Vec<DeferredRow>,
) -> Result<(), Error> {
    // The deliveries of a key come from one part, and keep their order. Their new numbers are free in every part.
    rows.sort_by_key(|row| (row.part, row.number));
    let first = rows.iter().map(|row| row.number).max().unwrap_or(0) + 1;
    for (number, row) in (first..).zip(&rows) {
        write(executor, store::renumber(name, row, (division.part(&row.key), number))).await?;
    }
    Ok(())
}
