//! A server of one page, which the tests open in a browser and kill: `evented-live-page DATABASE PORT`.
#![allow(missing_docs, clippy::expect_used, reason = "test support")]

use axum::Router;
use axum::extract::{Query, State};
use axum::response::{Html, Response};
use axum::routing::get;
use diesel::SqliteConnection;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use evented_feed::Hub;
use evented_live::axum::LastState;
use evented_live::{self as live, AsyncStore, LiveDsl};
use evented_live_tests::Task;
use serde::Deserialize;

type Conn = SyncConnectionWrapper<SqliteConnection>;

const PAGE: &str = include_str!("page.html");

#[derive(Deserialize)]
struct Viewer {
    org: i32,
}

async fn events(viewer: Query<Viewer>, State(store): State<AsyncStore<Conn>>, last: LastState) -> Response {
    let org = viewer.org;
    let allowed = move |task: &Task| task.org_id == org;
    let mut page = store.set();
    let tasks = Task::live().filter(|t| t.org_id.eq(org)).order(|t| t.rank.asc()).limit(5);
    page.show("tasks", tasks.allowed_by(allowed)).expect("a label");
    let done = Task::live().filter(|t| t.org_id.eq(org).and(t.done.eq(true))).keys();
    page.show("done", done).expect("a label");
    live::axum::sse(page, last)
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let (path, port) = (args.next().expect("a database"), args.next().expect("a port"));
    let connect = move || {
        let path = path.clone();
        async move { evented_tests::db::connect_async::<Conn>(&path).await }
    };
    let hub = Hub::of::<Task>().spawn(connect.clone()).await.expect("a hub");
    let store = live::over(&hub).spawn(connect).await.expect("a store");
    let app = Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/events", get(events))
        .route("/live.js", get(live::axum::script))
        .with_state(store.clone());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await.expect("a port");
    let stopped = async move {
        let _ = tokio::signal::ctrl_c().await;
        // The streams end, so that the server does.
        store.stop();
    };
    axum::serve(listener, app).with_graceful_shutdown(stopped).await.expect("a server");
}
