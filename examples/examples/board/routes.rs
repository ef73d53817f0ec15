//! The HTTP routes.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::Sse;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use evented_diesel::async_prelude::*;
use evented_diesel::{Command, Error};
use evented_feed::HubError;
use serde::Deserialize;

use crate::access::Viewer;
use crate::board::Board;
use crate::events::Looking;
use crate::model::{Item, NewItem, Rename, Transfer, items};

/// Creates the routes: the page, the events, and the actions on items.
pub fn routes(board: Board) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/orgs/{org}/events", get(events))
        .route("/items", post(add))
        .route("/items/{id}", axum::routing::delete(delete))
        .route("/items/{id}/name", put(rename))
        .route("/items/{id}/org", put(transfer))
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
    let item = new.run(&mut *board.conn.lock().await).await?;
    Ok((StatusCode::CREATED, Json(item)))
}

async fn rename(
    State(board): State<Board>,
    Path(id): Path<Id<Item>>,
    viewer: Viewer,
    Json(Name { name }): Json<Name>,
) -> Result<Json<Item>, Failed> {
    change(&board, viewer, id, |item| item.rename(Rename { name })).await
}

async fn transfer(
    State(board): State<Board>,
    Path(id): Path<Id<Item>>,
    viewer: Viewer,
    Json(transfer): Json<Transfer>,
) -> Result<Json<Item>, Failed> {
    change(&board, viewer, id, |item| item.transfer(transfer)).await
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
    change: impl FnOnce(&Item) -> Command<Item>,
) -> Result<Json<Item>, Failed> {
    // The lock is held from the read to the write, so that no other request moves the item in between.
    let mut conn = board.conn.lock().await;
    let mine = items::table.find(id).filter(items::org_id.eq(viewer.org));
    let item: Option<Item> = mine.select(Item::as_select()).first(&mut *conn).await.optional()?;
    let item = item.ok_or(Failed(StatusCode::NOT_FOUND, "it is not on your board".to_owned()))?;
    Ok(Json(change(&item).by(viewer.name).run(&mut *conn).await?))
}

/// The error response.
struct Failed(StatusCode, String);

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

impl From<HubError> for Failed {
    fn from(error: HubError) -> Self {
        let status = match error {
            HubError::Denied(_) => StatusCode::FORBIDDEN,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self(status, error.to_string())
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let status = match error {
            Error::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

impl From<diesel::result::Error> for Failed {
    fn from(error: diesel::result::Error) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}
