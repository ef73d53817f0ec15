//! The HTTP routes.

use axum::Router;
use axum::extract::{DefaultBodyLimit, State as Shared};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post, put};
use evented_live::LiveError;
use evented_live::axum::{LastState, script, sse};

use crate::access::Viewer;
use crate::board::Board;
use crate::{commands, history};

/// The most bytes of a request.
const LARGEST_BODY: usize = 16 * 1024;

/// What the page may load and run: only what this server sends.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Creates the routes: the page, its events, and the commands.
pub fn routes(board: Board) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/board.css", file("text/css", include_str!("page/board.css")))
        .route("/board.js", file("text/javascript", include_str!("page/board.js")))
        .route("/card.js", file("text/javascript", include_str!("page/card.js")))
        .route("/history.js", file("text/javascript", include_str!("page/history.js")))
        .route("/send.js", file("text/javascript", include_str!("page/send.js")))
        .route("/live.js", get(script))
        .route("/events", get(events))
        .route("/me", put(commands::rename_me))
        .route("/items", post(commands::add))
        .route("/items/{id}", delete(commands::delete))
        .route("/items/{id}/title", put(commands::rename))
        .route("/items/{id}/place", put(commands::shift))
        .route("/items/{id}/comments", post(commands::comment))
        .route("/items/{id}/tags", post(commands::tag))
        .route("/items/{id}/tags/{tag}", delete(commands::untag))
        .route("/items/{id}/history", get(history::history))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(board)
}

/// Sends the page. It has no data: the data comes with the events.
async fn page(_: Viewer) -> impl IntoResponse {
    // The token is in the address: the browser sends the address to no other site.
    let headers = [(CONTENT_SECURITY_POLICY, POLICY), (REFERRER_POLICY, "no-referrer")];
    (headers, Html(include_str!("page/board.html")))
}

/// Sends what the page shows, and each change of it.
async fn events(
    Shared(board): Shared<Board>,
    viewer: Viewer,
    last: LastState,
) -> Result<Response, LiveError> {
    Ok(sse(board.page(viewer)?, last))
}

fn file(kind: &'static str, text: &'static str) -> MethodRouter<Board> {
    get(async move || ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text))
}
