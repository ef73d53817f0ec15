//! The script of the example, the same on every database.

use anyhow::{Context as _, bail, ensure};
use chrono::{TimeDelta, Utc};
use diesel::QueryResult;
use diesel::connection::LoadConnection;
use evented_diesel::prelude::*;
use evented_diesel::{Error, EventedBackend, ModelOn};

use crate::model::{Archive, Item, ItemChanges, NewItem, Restore};
use crate::show;

/// Runs the script. `row` reads a row with plain Diesel.
pub fn tell<Conn>(conn: &mut Conn, row: fn(&mut Conn, Id<Item>) -> QueryResult<Item>) -> anyhow::Result<()>
where
    Conn: LoadConnection<Backend: EventedBackend> + Send,
    Item: ModelOn<Conn::Backend>,
{
    let now = Utc::now();
    let yesterday = now - TimeDelta::days(1);

    show::heading("Three days ago Ada makes an item. One statement writes the row and its first event.");
    let new = NewItem { name: "Lamp".into(), price: 40 };
    let item = Item::insert(new).by("ada").at(now - TimeDelta::days(3)).run(conn)?;
    show::row(&row(conn, item.id)?);

    show::heading("Two days ago Ben renames it; today Ada puts it away: an action of the shop's own.");
    let changes = ItemChanges { name: Some("Desk lamp".into()), ..Default::default() };
    item.update(changes).by("ben").at(now - TimeDelta::days(2)).run(conn)?;
    item.archive(Archive { reason: "winter".into() }).by("ada").run(conn)?;
    show::row(&row(conn, item.id)?);

    show::heading("Its history: who, when, what changed.");
    show::history(&Item::history(item.id).run(conn)?);

    show::heading("As it was yesterday, from the log alone.");
    if let Some(then) = Item::replay(item.id).as_of(yesterday).run(conn)? {
        show::row(&then);
    }

    show::heading("An action checks its input. To put it away twice is refused, and nothing is written:");
    if let Err(error) = item.archive(Archive { reason: "again".into() }).by("ben").run(conn) {
        println!("  {error}");
    }

    show::heading(
        "Somebody opens a SQL shell: UPDATE items SET price = 35. The next write finds it and records it.",
    );
    conn.batch_execute("UPDATE items SET price = 35")?;
    item.restore(Restore).by("ada").run(conn)?;
    show::history(&Item::history(item.id).run(conn)?);

    show::heading(
        "Ada and Ben both look at revision 5. Ada is first; Ben hears of it instead of overwriting her.",
    );
    let dearer = || ItemChanges { price: Some(45), ..Default::default() };
    item.update(dearer()).by("ada").expecting(5).run(conn)?;
    match item.update(ItemChanges { price: Some(20), ..Default::default() }).by("ben").expecting(5).run(conn)
    {
        Err(error @ Error::Conflict { .. }) => println!("  {error}"),
        other => bail!("a conflict was due, and there was {other:?}"),
    }

    show::heading("Row and log agree: the row, and the same replayed from its events.");
    let stored = row(conn, item.id)?;
    let replayed = Item::replay(item.id).run(conn)?.context("the log lost the item")?;
    show::row(&stored);
    show::row(&replayed);
    ensure!(stored == replayed, "they do not agree");
    Ok(())
}
