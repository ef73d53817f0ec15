//! The history of an item, from the event log.

use axum::Json;
use axum::extract::{Path, State as Shared};
use chrono::{DateTime, Utc};
use evented_diesel::Entry;
use evented_diesel::async_prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::access::Viewer;
use crate::board::Board;
use crate::commands::mine;
use crate::failed::Failed;
use crate::model::Item;

/// An event: who changed what, when.
#[derive(Serialize)]
pub struct Told {
    revision: i64,
    action: String,
    actor: Option<String>,
    at: DateTime<Utc>,
    changes: Vec<Change>,
}

/// A field that the event changed. The values have the types of the field: a text, a number, or null where the item did not exist.
#[derive(Serialize)]
struct Change {
    field: &'static str,
    before: Value,
    after: Value,
}

impl From<Entry<Item>> for Told {
    fn from(entry: Entry<Item>) -> Self {
        let changes = entry.changeset.iter();
        let changes = changes.map(|change| Change {
            field: change.field,
            before: change.from.clone(),
            after: change.to.clone(),
        });
        Self {
            revision: entry.event.revision(),
            action: entry.event.action().to_owned(),
            actor: entry.event.actor(),
            at: entry.event.at(),
            changes: changes.collect(),
        }
    }
}

/// Returns the history of an item on the viewer's board, the newest event first.
pub async fn history(
    Shared(board): Shared<Board>,
    Path(id): Path<Id<Item>>,
    viewer: Viewer,
) -> Result<Json<Vec<Told>>, Failed> {
    let entries = board.run(async move |mut conn| {
        mine(viewer, id, &mut conn).await?;
        Ok(Item::history(id).run(&mut conn).await?)
    });
    Ok(Json(entries.await?.into_iter().rev().map(Told::from).collect()))
}
