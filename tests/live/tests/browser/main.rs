//! Tests pages of live values in a browser: headless Chromium, through its WebDriver.
//!
//! `cargo xtask test` installs the browser where it can. Without it, the test of pages is left out, and says so.
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use diesel::SqliteConnection;
use evented_diesel::prelude::*;
use evented_live_tests::{Task, TaskChanges, fresh, task};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts the WebDriver; `None` if there is none.
fn driver(port: u16) -> Option<Process> {
    let driver = Command::new("chromedriver").arg(format!("--port={port}")).stdout(Stdio::null()).spawn();
    driver.ok().map(Process)
}

fn serve(path: &str, port: u16) -> Process {
    let mut server = Command::new(env!("CARGO_BIN_EXE_evented-live-page"));
    Process(server.args([path, &port.to_string()]).spawn().expect("a server"))
}

async fn window(driver: u16) -> Client {
    let arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
    let Value::Object(wanted) = json!({ "goog:chromeOptions": { "args": arguments } }) else {
        unreachable!()
    };
    let url = format!("http://127.0.0.1:{driver}");
    for _ in 0..100 {
        let client =
            ClientBuilder::new(HttpConnector::new()).capabilities(wanted.clone()).connect(&url).await;
        match client {
            Ok(client) => return client,
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
    panic!("no browser")
}

/// What a page shows.
const SHOWN: &str = "return [document.querySelector('#state').textContent, document.querySelector('#done').textContent, \
                     ...[...document.querySelectorAll('#tasks span')].map(it => it.textContent)]";

async fn shown(window: &Client) -> Vec<String> {
    let shown = window.execute(SHOWN, Vec::new()).await.expect("a page");
    serde_json::from_value(shown).unwrap()
}

/// Waits until a page shows this.
async fn shows(window: &Client, expected: &[&str]) {
    let end = Instant::now() + Duration::from_secs(100);
    loop {
        let shown = shown(window).await;
        if shown == expected {
            return;
        }
        assert!(Instant::now() < end, "the page shows {shown:?}, not {expected:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Receives the bytes of a page for as long as it is connected.
async fn receive(port: u16, path: &str) -> tokio::task::JoinHandle<String> {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    tokio::spawn(async move {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

async fn is_up(port: u16) {
    for _ in 0..1_000 {
        if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the server does not answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_the_database() {
    let (driver_port, port) = (free_port(), free_port());
    let Some(_driver) = driver(driver_port) else {
        println!("LEFT OUT: there is no chromedriver; on Debian, install chromium and chromium-driver");
        return;
    };
    let mut db = fresh::<SqliteConnection>().await;
    let server = serve(&db.url, port);
    is_up(port).await;

    let first = window(driver_port).await;
    let second = window(driver_port).await;
    let other = window(driver_port).await;
    let mine = format!("http://127.0.0.1:{port}/?org=1");
    first.goto(&mine).await.unwrap();
    second.goto(&mine).await.unwrap();
    other.goto(&format!("http://127.0.0.1:{port}/?org=2")).await.unwrap();
    let bytes = receive(port, "/events?org=1").await;
    shows(&first, &["live", "0"]).await;

    // Both windows of an organisation, and nobody else's.
    let lamp = db.run(Task::insert(task(1, 5, "<b>Lamp</b> & co"))).await.unwrap();
    db.run(Task::insert(task(2, 1, "SECRET"))).await.unwrap();
    shows(&first, &["live", "0", "<b>Lamp</b> & co"]).await;
    shows(&second, &["live", "0", "<b>Lamp</b> & co"]).await;
    shows(&other, &["live", "0", "SECRET"]).await;

    // An input keeps its focus and its text while its neighbours move, and when its row changes.
    let draft = "const input = document.querySelector('#tasks input'); input.focus(); input.value = 'draft'";
    first.execute(draft, Vec::new()).await.unwrap();
    let desk = db.run(Task::insert(task(1, 1, "Desk"))).await.unwrap();
    let lamp =
        db.run(lamp.update(TaskChanges { title: Some("Lamp".into()), ..Default::default() })).await.unwrap();
    shows(&first, &["live", "0", "Desk", "Lamp"]).await;
    let desk = db
        .run(desk.update(TaskChanges { rank: Some(9), done: Some(true), ..Default::default() }))
        .await
        .unwrap();
    shows(&first, &["live", "1", "Lamp", "Desk"]).await;
    let focused = first.execute("return document.activeElement.value", Vec::new()).await.unwrap();
    assert_eq!(focused, json!("draft"));

    // The server is killed. The pages say so, and come back with what happened meanwhile.
    drop(server);
    let received = bytes.await.unwrap();
    assert!(received.contains("event: reset") && received.contains("event: patch"), "{received}");
    assert!(!received.contains("SECRET"), "{received}");
    shows(&first, &["stale", "1", "Lamp", "Desk"]).await;
    db.run(desk.delete()).await.unwrap();
    for rank in 10..20_i16 {
        db.run(Task::insert(task(1, rank, &rank.to_string()))).await.unwrap();
    }
    let _server = serve(&db.url, port);
    is_up(port).await;
    let expected = ["live", "0", "Lamp", "10", "11", "12", "13"];
    for page in [&first, &second] {
        shows(page, &expected).await;
    }
    db.run(lamp.update(TaskChanges { rank: Some(12), ..Default::default() })).await.unwrap();
    // Of two with one rank, the older key is first.
    let expected = ["live", "0", "10", "11", "Lamp", "12", "13"];
    shows(&second, &expected).await;
    let fresh = window(driver_port).await;
    fresh.goto(&mine).await.unwrap();
    shows(&fresh, &shown(&second).await.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for window in [first, second, other, fresh] {
        window.close().await.unwrap();
    }
}
