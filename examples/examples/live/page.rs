//! The page of the same set: it has no other way to learn of a change.

use axum::Router;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use evented_live::axum::LastState;
use evented_live::{self as live, LiveDsl, LiveError};
use serde::Deserialize;

use crate::database::{Conn, Store};
use crate::model::{Card, Org, Ticket};

/// Who looks at the page. A real program would take it from a session.
#[derive(Deserialize)]
struct Viewer {
    org: i32,
}

/// Sends the labels of a page.
async fn events(viewer: Query<Viewer>, State(store): State<Store>, last: LastState) -> Response {
    match page(&store, viewer.org) {
        Ok(page) => live::axum::sse(page, last),
        Err(error) => (axum::http::StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

fn page(store: &Store, org: i32) -> Result<live::AsyncSet<Conn>, LiveError> {
    let mut page = store.set();
    page.show("org", Org::live().one(org))?;
    let urgent = Ticket::live().filter(|t| t.org_id.eq(org).and(t.closed.eq(false)));
    page.show("urgent", urgent.order(|t| (t.urgency.desc(), t.title.asc())).limit(5).view::<Card>())?;
    page.show("closed", Ticket::live().filter(|t| t.org_id.eq(org).and(t.closed.eq(true))).keys())?;
    Ok(page)
}

/// Serves the page until the program ends.
pub async fn serve(store: Store, port: u16) -> anyhow::Result<()> {
    let app = Router::new()
        .route("/", get(async || Html(include_str!("page.html"))))
        .route("/events", get(events))
        .route("/live.js", get(live::axum::script))
        .with_state(store);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    Ok(axum::serve(listener, app).await?)
}
