//! The changes that the example writes.

use diesel::SqliteConnection;
use evented_diesel::prelude::*;
use evented_feed::Position;

use crate::model::{Item, ItemChanges, NewItem, Rename, Transfer};

/// Writes the changes step by step. After each step, calls `delivered` with its description and its position in the stream
/// of changes.
pub fn tell(
    conn: &mut SqliteConnection,
    mut delivered: impl FnMut(&str, Position) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let lamp = NewItem { org_id: 1, name: "Lamp".into(), price: 40 };
    let lamp = Item::insert(lamp).by("ada").recorded().run(conn)?;
    delivered("Ada buys a lamp for organisation 1.", lamp.position())?;

    let chair = NewItem { org_id: 2, name: "Chair".into(), price: 90 };
    let chair = Item::insert(chair).by("ben").recorded().run(conn)?;
    delivered("Ben buys a chair for organisation 2.", chair.position())?;

    let lamp = lamp.record.rename(Rename { name: "Desk lamp".into() }).by("ada").recorded().run(conn)?;
    delivered("Ada renames the lamp.", lamp.position())?;

    let cheaper = ItemChanges { price: Some(35), ..Default::default() };
    let lamp = lamp.record.update(cheaper).by("ben").recorded().run(conn)?;
    delivered("Ben says what it is worth by now.", lamp.position())?;

    let chair = chair.record.transfer(Transfer { to: 1 }).by("ben").recorded().run(conn)?;
    delivered("Ben gives the chair to organisation 1.", chair.position())?;

    let lamp = lamp.record.transfer(Transfer { to: 2 }).by("ada").recorded().run(conn)?;
    delivered("Ada gives the lamp to organisation 2.", lamp.position())?;

    let lamp = lamp.record.rename(Rename { name: "Ben's lamp".into() }).by("ben").recorded().run(conn)?;
    delivered("Ben renames it there.", lamp.position())?;

    let gone = chair.record.delete().by("ada").recorded().run(conn)?;
    delivered("Ada throws the chair away.", gone.position())
}
