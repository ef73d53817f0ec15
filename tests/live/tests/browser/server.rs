//! The board as a process that can be killed, and requests to it.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::browser::{LONG, Process, free_port};

/// A board with a database of its own.
pub(crate) struct Server {
    folder: TempDir,
    port: u16,
    process: Option<Process>,
    pub(crate) board: Requests,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let board = Requests { client: Client::new(), address: format!("http://127.0.0.1:{port}") };
        let mut server = Self { folder, port, process: None, board };
        server.restart().await;
        server
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("board.db")
    }

    /// Kills the process: it has no time to end anything.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// Starts the process on the database, and waits until it answers.
    pub(crate) async fn restart(&mut self) {
        self.kill();
        let mut command = Command::new(env!("CARGO_BIN_EXE_evented-live-board"));
        command.arg("--port").arg(self.port.to_string()).arg("--database").arg(self.file());
        self.process = Some(Process(command.stdout(Stdio::null()).spawn().expect("a server")));
        let end = Instant::now() + LONG;
        while self.board.client.get(self.board.page("red")).send().await.is_err() {
            assert!(Instant::now() < end, "the server does not answer");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Requests to a board.
#[derive(Clone)]
pub(crate) struct Requests {
    client: Client,
    address: String,
}

impl Requests {
    /// The address of a viewer's page.
    pub(crate) fn page(&self, token: &str) -> String {
        format!("{}/?token={token}", self.address)
    }

    /// Sends a command, and returns the answer; `None` if the server is not there.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Value,
        revision: i64,
    ) -> Option<(StatusCode, Value)> {
        let url = format!("{}{path}?token={token}", self.address);
        let request = self.client.request(method.parse().unwrap(), url).json(&body);
        let answer = request.header("if-match", format!("\"{revision}\"")).send().await.ok()?;
        let status = answer.status();
        Some((status, answer.json().await.unwrap_or(Value::Null)))
    }

    /// Sends a command that is accepted.
    pub(crate) async fn done(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Value,
        revision: i64,
    ) -> Value {
        let answer = self.send(method, path, token, body, revision).await;
        let (status, answer) = answer.expect("an answer");
        assert!(status.is_success(), "{path}: {status}");
        answer
    }

    /// Adds an item, and returns its path.
    pub(crate) async fn add(&self, token: &str, title: &str) -> String {
        let added = self.done("POST", "/items", token, json!({ "title": title }), 0).await;
        format!("/items/{}", added["id"].as_str().unwrap())
    }

    /// Receives the events of a page: all bytes, for as long as it is connected.
    pub(crate) fn record(&self, token: &str, last: &str) -> Recording {
        let (client, url) =
            (self.client.clone(), format!("{}/events?token={token}&last={last}", self.address));
        let bytes = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let received = std::sync::Arc::clone(&bytes);
        tokio::spawn(async move {
            let Ok(mut response) = client.get(url).send().await else { return };
            assert_eq!(response.status(), StatusCode::OK);
            while let Ok(Some(chunk)) = response.chunk().await {
                received.lock().unwrap().extend_from_slice(&chunk);
            }
        });
        Recording(bytes)
    }
}

/// The bytes that a page receives.
pub(crate) struct Recording(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Recording {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// Waits until this was received.
    pub(crate) async fn until(&self, text: &str) -> String {
        let end = Instant::now() + LONG;
        loop {
            let received = self.text();
            if received.contains(text) {
                return received;
            }
            assert!(Instant::now() < end, "`{text}` is not in {received}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
