//! The HTTP routes.

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::Sse;
use axum::response::{Html, IntoResponse};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use evented_diesel::async_prelude::*;
use evented_diesel::{Command, Error};
use serde::Deserialize;

use crate::access::Viewer;
use crate::board::Board;
use crate::events::Looking;
use crate::failed::Failed;
use crate::model::{Item, NewItem, Rename, Transfer, items};

/// The most bytes of a request.
const LARGEST_BODY: usize = 16 * 1024;

/// Creates the routes: the page, the events, and the actions on items.
pub fn routes(board: Board) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/orgs/{org}/events", get(events))
        .route("/items", post(add))
        .route("/items/{id}", axum::routing::delete(delete))
        .route("/items/{id}/name", put(rename))
        .route("/items/{id}/org", put(transfer))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(board)
}

async fn page(viewer: Viewer) -> Html<String> {
    Html(include_str!("page.html").replace("{org}", &viewer.org.to_string()).replace("{name}", viewer.name))
}

async fn events(
    State(board): State<Board>,
    Path(org): Path<i32>,
    viewer: Viewer,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Failed> {
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let looking = Looking::new(board, viewer, org, seen)?;
    Ok(Sse::new(looking.events()))
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

async fn add(
    State(board): State<Board>,
    viewer: Viewer,
    Json(Name { name }): Json<Name>,
) -> Result<(StatusCode, Json<Item>), Failed> {
    let new = Item::insert(NewItem { org_id: viewer.org, name }).by(viewer.name);
    let item = board.run(async move |mut conn| Ok(new.run(&mut conn).await?)).await?;
    Ok((StatusCode::CREATED, Json(item)))
}

async fn rename(
    State(board): State<Board>,
    Path(id): Path<Id<Item>>,
    viewer: Viewer,
    Json(Name { name }): Json<Name>,
) -> Result<Json<Item>, Failed> {
    change(&board, viewer, id, move |item| item.rename(Rename { name })).await
}

async fn transfer(
    State(board): State<Board>,
    Path(id): Path<Id<Item>>,
    viewer: Viewer,
    Json(transfer): Json<Transfer>,
) -> Result<Json<Item>, Failed> {
    change(&board, viewer, id, move |item| item.transfer(transfer)).await
}

async fn delete(
    State(board): State<Board>,
    Path(id): Path<Id<Item>>,
    viewer: Viewer,
) -> Result<Json<Item>, Failed> {
    change(&board, viewer, id, |item| item.delete()).await
}

/// Changes an item if it is on the viewer's own board. The page receives the change through the feed, as all other
/// pages do.
async fn change(
    board: &Board,
    viewer: Viewer,
    id: Id<Item>,
    change: impl FnOnce(&Item) -> Command<Item> + Send + 'static,
) -> Result<Json<Item>, Failed> {
    let changed = board.run(async move |mut conn| {
        let changed = conn.transaction::<_, Error, _>(async |conn| {
            // A write that changes nothing takes SQLite's lock before the read, so that no other request moves the item
            // in between. On PostgreSQL this is `for_update()`.
            let mine = items::table.find(id).filter(items::org_id.eq(viewer.org));
            diesel::update(mine).set(items::name.eq(items::name)).execute(conn).await?;
            let item: Option<Item> = mine.select(Item::as_select()).first(conn).await.optional()?;
            let Some(item) = item else { return Ok(None) };
            change(&item).by(viewer.name).run(conn).await.map(Some)
        });
        Ok(changed.await?)
    });
    changed.await?.map(Json).ok_or_else(Failed::not_found)
}
