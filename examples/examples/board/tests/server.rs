//! A board on a free port, its requests, and its pages without a browser.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Client, Response, StatusCode};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::board::Board;

/// The longest time that a test waits for anything.
pub const LONG: Duration = Duration::from_secs(100);

/// A server with its own database.
pub struct Server {
    pub client: Client,
    pub address: String,
    pub folder: TempDir,
    end: Option<oneshot::Sender<()>>,
    pub serving: JoinHandle<anyhow::Result<()>>,
}

impl Server {
    pub async fn start() -> Self {
        Self::over(tempfile::tempdir().unwrap()).await
    }

    /// Starts a server on the database of this folder.
    pub async fn over(folder: TempDir) -> Self {
        let board = Board::open(&folder.path().join("board.db").to_string_lossy()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (end, ends) = oneshot::channel();
        let ends = async move { drop(ends.await) };
        let serving = tokio::spawn(crate::serve(listener, board, ends));
        Self { client: Client::new(), address, folder, end: Some(end), serving }
    }

    /// Ends the server, as Ctrl-C does.
    pub fn interrupt(&mut self) {
        let _ = self.end.take().unwrap().send(());
    }

    pub async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.address)).send().await.unwrap()
    }

    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Value,
        revision: Option<&str>,
    ) -> Response {
        let url = format!("{}{path}?token={token}", self.address);
        let mut request = self.client.request(method.parse().unwrap(), url);
        if !body.is_null() {
            request = request.json(&body);
        }
        if let Some(revision) = revision {
            request = request.header("if-match", revision);
        }
        request.send().await.unwrap()
    }

    /// Adds an item, and returns its key.
    pub async fn add(&self, token: &str, title: &str) -> String {
        let added = self.ask("POST", "/items", token, json!({ "title": title }), None).await;
        assert_eq!(added.status(), StatusCode::CREATED);
        added.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()
    }

    pub async fn rename(&self, token: &str, id: &str, title: &str, revision: Option<&str>) -> Response {
        self.ask("PUT", &format!("/items/{id}/title"), token, json!({ "title": title }), revision).await
    }

    pub async fn shift(&self, token: &str, id: &str, place: Value, revision: &str) -> StatusCode {
        self.ask("PUT", &format!("/items/{id}/place"), token, place, Some(revision)).await.status()
    }

    pub async fn comment(&self, token: &str, id: &str, text: &str) -> StatusCode {
        self.ask("POST", &format!("/items/{id}/comments"), token, json!({ "text": text }), None)
            .await
            .status()
    }

    pub async fn tag(&self, token: &str, id: &str, name: &str) -> StatusCode {
        self.ask("POST", &format!("/items/{id}/tags"), token, json!({ "name": name }), None).await.status()
    }

    pub async fn delete(&self, token: &str, path: &str, revision: Option<&str>) -> StatusCode {
        self.ask("DELETE", path, token, Value::Null, revision).await.status()
    }

    /// Opens a page.
    pub async fn look(&self, token: &str) -> Page {
        self.look_from(token, "", BTreeMap::new()).await
    }

    /// Opens a page again that has the state `last`, with this data.
    pub async fn look_from(&self, token: &str, last: &str, data: BTreeMap<String, Value>) -> Page {
        let response = self.get(&format!("/events?token={token}&last={last}")).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let (unread, received) = (Vec::new(), Vec::new());
        let mut page = Page { response, unread, received, data, id: last.to_owned() };
        page.next().await.unwrap();
        page
    }
}

/// An open page: it keeps its data as the script does.
pub struct Page {
    response: Response,
    unread: Vec<u8>,
    /// Every byte that was received.
    pub received: Vec<u8>,
    /// The value of each label.
    pub data: BTreeMap<String, Value>,
    /// The id of the last event.
    pub id: String,
}

impl Page {
    /// Takes the next event, and returns its name; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.unread.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = self.unread.drain(..at + 2).collect();
                return Some(self.take(std::str::from_utf8(&event).unwrap()));
            }
            let chunk = tokio::time::timeout(LONG, self.response.chunk()).await.expect("an event in time");
            let Ok(Some(chunk)) = chunk else { return None };
            self.unread.extend_from_slice(&chunk);
            self.received.extend_from_slice(&chunk);
        }
    }

    fn take(&mut self, event: &str) -> String {
        let field = |name| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let name = field("event:").expect("a name").to_owned();
        self.id = field("id:").map_or(std::mem::take(&mut self.id), str::to_owned);
        let data: Value = serde_json::from_str(field("data:").expect("data")).unwrap();
        match (name.as_str(), data) {
            ("reset", Value::Object(labels)) => self.data = labels.into_iter().collect(),
            ("patch", Value::Object(labels)) => self.patch(labels),
            _ => {}
        }
        name
    }

    fn patch(&mut self, labels: Map<String, Value>) {
        for (label, steps) in labels {
            let value = self.data.get_mut(&label).expect("a label");
            for step in steps.as_array().expect("steps") {
                apply(value, step);
            }
        }
    }

    /// Takes events until the page shows this.
    pub async fn until(&mut self, what: &str, is_shown: impl Fn(&Self) -> bool) {
        while !is_shown(self) {
            assert!(self.next().await.is_some(), "the stream ended before: {what}");
        }
    }

    /// The item of this key, in whichever column.
    pub fn item(&self, id: &str) -> Option<&Value> {
        let columns = ["todo", "doing", "done"].into_iter().filter_map(|column| self.data[column].as_array());
        columns.flatten().find(|item| item["id"] == id)
    }

    pub fn titles(&self, column: &str) -> Vec<&str> {
        self.data[column].as_array().unwrap().iter().map(|item| item["title"].as_str().unwrap()).collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }
}

/// Applies an operation of JSON Patch, by its definition.
fn apply(value: &mut Value, step: &Value) {
    let path = step["path"].as_str().unwrap();
    match step["op"].as_str().unwrap() {
        "replace" if path.is_empty() => *value = step["value"].clone(),
        "replace" => *value.pointer_mut(path).unwrap() = step["value"].clone(),
        "add" => add(value, path, step["value"].clone()),
        "remove" => drop(remove(value, path)),
        "move" => {
            let moved = remove(value, step["from"].as_str().unwrap());
            add(value, path, moved);
        }
        other => panic!("{other}"),
    }
}

fn add(value: &mut Value, path: &str, new: Value) {
    let (list, index) = path.rsplit_once('/').unwrap();
    value.pointer_mut(list).unwrap().as_array_mut().unwrap().insert(index.parse().unwrap(), new);
}

fn remove(value: &mut Value, path: &str) -> Value {
    let (list, index) = path.rsplit_once('/').unwrap();
    value.pointer_mut(list).unwrap().as_array_mut().unwrap().remove(index.parse().unwrap())
}
