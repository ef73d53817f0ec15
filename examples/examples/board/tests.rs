//! Tests the boards over HTTP, as browsers use them.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

use super::*;

/// A server on a free port, with its own database.
struct Server {
    client: Client,
    address: String,
    folder: TempDir,
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut board = Board::open(&folder.path().join("board.db").to_string_lossy()).await.unwrap();
        board.quiet = Duration::from_millis(20);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, routes::routes(board)).await });
        Self { client: Client::new(), address, folder }
    }

    /// Sends a request, and hangs up without reading the answer.
    async fn hang_up(&self, name: &str, after: Duration) {
        let host = self.address.strip_prefix("http://").unwrap();
        let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
        let body = json!({ "name": name }).to_string();
        let request = format!(
            "POST /items?token=red HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        tokio::time::sleep(after).await;
    }

    async fn ask(&self, method: &str, path: &str, token: &str, body: Value) -> Response {
        let url = format!("{}{path}?token={token}", self.address);
        self.client.request(method.parse().unwrap(), url).json(&body).send().await.unwrap()
    }

    /// Adds an item, and returns its id.
    async fn add(&self, token: &str, name: &str) -> String {
        let added = self.ask("POST", "/items", token, json!({ "name": name })).await;
        assert_eq!(added.status(), StatusCode::CREATED);
        added.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()
    }

    async fn rename(&self, token: &str, id: &str, name: &str) -> StatusCode {
        self.ask("PUT", &format!("/items/{id}/name"), token, json!({ "name": name })).await.status()
    }

    async fn transfer(&self, token: &str, id: &str, to: i32) -> StatusCode {
        self.ask("PUT", &format!("/items/{id}/org"), token, json!({ "to": to })).await.status()
    }

    async fn delete(&self, token: &str, id: &str) -> StatusCode {
        self.ask("DELETE", &format!("/items/{id}"), token, Value::Null).await.status()
    }

    /// Opens a board, as a browser that has last seen the event `seen`.
    async fn look_from(&self, org: i32, token: &str, seen: Option<&str>) -> Page {
        let mut ask = self.client.get(format!("{}/orgs/{org}/events?token={token}", self.address));
        if let Some(seen) = seen {
            ask = ask.header("last-event-id", seen);
        }
        let response = ask.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Page { response, unread: String::new() }
    }

    /// Opens a board for the first time, and returns the names in the list.
    async fn look(&self, org: i32, token: &str) -> (Page, Vec<String>) {
        let mut page = self.look_from(org, token, None).await;
        let (_, list) = page.next().await;
        assert_eq!(list["kind"], "list");
        let names =
            list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned());
        (page, names.collect())
    }
}

/// An open page.
struct Page {
    response: Response,
    unread: String,
}

impl Page {
    /// Returns the next event with data, and its id.
    async fn next(&mut self) -> (String, Value) {
        loop {
            if let (id, Some(delivered)) = self.sign().await {
                return (id, delivered);
            }
        }
    }

    /// Returns the next event: its id, and its data, if any. A timeout makes a test fail instead of hang when no event
    /// arrives.
    async fn sign(&mut self) -> (String, Option<Value>) {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let field = |name| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                let id = field("id:").expect("an id").to_owned();
                let delivered = field("data:").map(|data| serde_json::from_str(data).unwrap());
                self.unread = rest.to_owned();
                return (id, delivered);
            }
            let chunk = tokio::time::timeout(Duration::from_secs(60), self.response.chunk());
            let chunk = chunk.await.expect("in time").unwrap().expect("not the end");
            self.unread.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Returns a summary of the next event's data, and its id.
    async fn delivered(&mut self) -> (String, String) {
        let (id, delivered) = self.next().await;
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let what = if delivered["kind"] == "gone" { &delivered["id"] } else { &delivered["item"]["name"] };
        (format!("{} {} by {}", text(&delivered["kind"]), text(what), text(&delivered["by"])), id)
    }
}

#[tokio::test]
async fn changes_arrive_while_one_looks() {
    let server = Server::start().await;
    let old = server.add("red", "Lamp").await;
    let (mut page, names) = server.look(1, "red").await;
    assert_eq!(names, ["Lamp"]);
    let new = server.add("red", "Chair").await;
    assert_eq!(server.rename("red", &old, "Desk lamp").await, StatusCode::OK);
    assert_eq!(server.delete("red", &new).await, StatusCode::OK);
    assert_eq!(page.delivered().await.0, "put Chair by ada");
    assert_eq!(page.delivered().await.0, "put Desk lamp by ada");
    assert_eq!(page.delivered().await.0, format!("gone {new} by ada"));
}

#[tokio::test]
async fn a_resuming_subscriber_gets_the_missed_changes_only() {
    let server = Server::start().await;
    let (mut page, _) = server.look(1, "red").await;
    let lamp = server.add("red", "Lamp").await;
    let (delivered, seen) = page.delivered().await;
    assert_eq!(delivered, "put Lamp by ada");
    drop(page);
    server.rename("red", &lamp, "Desk lamp").await;
    server.add("blue", "Bench").await;
    server.delete("red", &lamp).await;

    let mut page = server.look_from(1, "red", Some(&seen)).await;
    assert_eq!(page.delivered().await.0, "put Desk lamp by ada");
    assert_eq!(page.delivered().await.0, format!("gone {lamp} by ada"));
    // The page continues from there.
    server.add("red", "Chair").await;
    let (delivered, seen) = page.delivered().await;
    assert_eq!(delivered, "put Chair by ada");

    // A page that missed nothing receives only the later changes.
    let mut page = server.look_from(1, "red", Some(&seen)).await;
    server.add("red", "Table").await;
    assert_eq!(page.delivered().await.0, "put Table by ada");
}

#[tokio::test]
async fn a_feed_that_is_cut_off_after_the_read_point_resumes_from_it() {
    let server = Server::start().await;
    server.add("red", "Lamp").await;
    let mut page = server.look_from(1, "red", None).await;
    let (seen, list) = page.next().await;
    assert_eq!(list["kind"], "list");
    drop(page);
    server.add("red", "Chair").await;
    let mut page = server.look_from(1, "red", Some(&seen)).await;
    let mut delivered = page.delivered().await.0;
    // The feed began at the position of the hub, which may not have reached the lamp yet. A page that receives the lamp
    // again shows the same.
    if delivered == "put Lamp by ada" {
        delivered = page.delivered().await.0;
    }
    assert_eq!(delivered, "put Chair by ada");
}

#[tokio::test]
async fn a_page_on_which_nothing_happens_keeps_up_with_the_others() {
    let server = Server::start().await;
    let (mut red, _) = server.look(1, "red").await;
    let (mut blue, _) = server.look(2, "blue").await;
    server.add("red", "Lamp").await;
    let (_, place) = red.delivered().await;
    // It has received no data, and its position has advanced as far.
    loop {
        let (id, delivered) = blue.sign().await;
        assert_eq!(delivered, None);
        if id == place {
            break;
        }
    }
}

#[tokio::test]
async fn an_id_from_elsewhere_begins_with_the_list() {
    let (server, other) = (Server::start().await, Server::start().await);
    let (mut page, _) = other.look(1, "red").await;
    other.add("red", "Elsewhere").await;
    let (delivered, foreign) = page.delivered().await;
    assert_eq!(delivered, "put Elsewhere by ada");
    server.add("red", "Lamp").await;
    server.add("red", "Chair").await;
    for seen in [foreign.as_str(), "17", "no position"] {
        let mut page = server.look_from(1, "red", Some(seen)).await;
        let (_, list) = page.next().await;
        assert_eq!((&list["kind"], list["items"].as_array().unwrap().len()), (&json!("list"), 2), "{seen}");
    }
}

#[tokio::test]
async fn what_moves_leaves_here_and_enters_there() {
    let server = Server::start().await;
    let (mut red, _) = server.look(1, "red").await;
    let (mut blue, _) = server.look(2, "blue").await;
    let lamp = server.add("red", "Lamp").await;
    assert_eq!(server.transfer("red", &lamp, 2).await, StatusCode::OK);
    assert_eq!(server.rename("blue", &lamp, "Ben's lamp").await, StatusCode::OK);
    server.add("red", "Chair").await;
    assert_eq!(red.delivered().await.0, "put Lamp by ada");
    assert_eq!(red.delivered().await.0, format!("gone {lamp} by ada"));
    // This board does not receive the later changes of an item that left.
    assert_eq!(red.delivered().await.0, "put Chair by ada");
    // The first event about the item on the other board is its arrival.
    assert_eq!(blue.delivered().await.0, "put Lamp by ada");
    assert_eq!(blue.delivered().await.0, "put Ben's lamp by ben");
}

#[tokio::test]
async fn one_organisation_has_no_part_in_the_other() {
    let server = Server::start().await;
    let lamp = server.add("red", "Lamp").await;
    let (mut blue, names) = server.look(2, "blue").await;
    assert!(names.is_empty(), "{names:?}");
    server.rename("red", &lamp, "Desk lamp").await;
    // It receives the next change of its own board, and no earlier one.
    server.add("blue", "Bench").await;
    assert_eq!(blue.delivered().await.0, "put Bench by ben");

    assert_eq!(server.rename("blue", &lamp, "Mine").await, StatusCode::NOT_FOUND);
    assert_eq!(server.transfer("blue", &lamp, 2).await, StatusCode::NOT_FOUND);
    assert_eq!(server.delete("blue", &lamp).await, StatusCode::NOT_FOUND);
    let status = async |path: &str| {
        let url = format!("{}{path}", server.address);
        server.client.get(url).send().await.unwrap().status()
    };
    assert_eq!(status("/orgs/1/events?token=blue").await, StatusCode::FORBIDDEN);
    assert_eq!(status("/orgs/1/events?token=green").await, StatusCode::UNAUTHORIZED);
    assert_eq!(status("/orgs/1/events").await, StatusCode::UNAUTHORIZED);
    assert_eq!(status("/?token=blue").await, StatusCode::OK);
    // Resume from a position of the other organisation's feed, which a viewer might have learned.
    let (_, seen) = {
        let (mut red, _) = server.look(1, "red").await;
        server.add("red", "Chair").await;
        red.delivered().await
    };
    let ask = server.client.get(format!("{}/orgs/1/events?token=blue", server.address));
    let refused = ask.header("last-event-id", seen).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_name_must_say_something() {
    let server = Server::start().await;
    let refused = server.ask("POST", "/items", "red", json!({ "name": " " })).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let text = refused.text().await.unwrap();
    assert!(text.contains("name is empty"), "{text}");
}

/// A page opens while others write: the list and the later changes together contain every item exactly once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn between_the_list_and_the_changes_nothing_is_missed_or_doubled() {
    const ITEMS: usize = 200;
    let server = std::sync::Arc::new(Server::start().await);
    let writer = tokio::spawn({
        let server = std::sync::Arc::clone(&server);
        async move {
            for n in 0..ITEMS {
                server.add("red", &n.to_string()).await;
            }
        }
    });
    for _ in 0..8 {
        let (mut page, mut names) = server.look(1, "red").await;
        while names.len() < ITEMS && names.last().is_none_or(|last| *last != (ITEMS - 1).to_string()) {
            let (_, delivered) = page.next().await;
            names.push(delivered["item"]["name"].as_str().unwrap().to_owned());
        }
        let expected: Vec<String> = (0..names.len()).map(|n| n.to_string()).collect();
        assert_eq!(names, expected);
        if names.len() == ITEMS && writer.is_finished() {
            break;
        }
    }
    writer.await.unwrap();
}

/// A client that hangs up after its request leaves no transaction open: what is acknowledged later is kept.
#[tokio::test]
async fn a_client_that_hangs_up_loses_nothing_of_others() {
    let server = Server::start().await;
    for round in 0..60_u64 {
        server.hang_up(&format!("cut {round}"), Duration::from_micros(round * 50)).await;
    }
    let mut acknowledged = Vec::new();
    for number in 0..5 {
        let id = server.add("red", &format!("kept {number}")).await;
        assert_eq!(server.rename("red", &id, &format!("renamed {number}")).await, StatusCode::OK);
        acknowledged.push(format!("renamed {number}"));
    }
    // The server starts again on the file.
    let file = server.folder.path().join("board.db");
    let board = Board::open(&file.to_string_lossy()).await.unwrap();
    let (list, _) = board.list_and_feed(1, access::VIEWERS[0].1).await.unwrap();
    let names: Vec<&str> = list.iter().map(|item| item.name.as_str()).collect();
    for name in acknowledged {
        assert!(names.contains(&name.as_str()), "{name} is lost: {names:?}");
    }
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused() {
    let server = Server::start().await;
    let large = server.ask("POST", "/items", "red", json!({ "name": "x".repeat(20_000) })).await;
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
}
