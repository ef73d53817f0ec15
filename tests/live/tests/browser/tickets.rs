//! The page of the example `live`, to whose database other processes write.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::browser::{Browser, LONG, Process, Window, free_port};

/// Everything that the page shows.
const SHOWN: &str = "
    const text = id => document.getElementById(id).textContent
    return [text('state'), text('org'), text('closed'), [...document.querySelectorAll('#urgent li')].map(it => it.textContent)]";

fn process(file: &Path, arguments: &[&str]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evented-live-tickets"));
    command.args(arguments).arg("--database").arg(file);
    Process(command.stdout(Stdio::null()).spawn().expect("a process"))
}

/// Waits until a page is live and shows what a fresh one does.
async fn equals_a_fresh_one(browser: &Browser, window: &Window, url: &str) -> Value {
    let fresh = browser.open(url).await;
    window.is("live").await;
    fresh.is("live").await;
    let end = Instant::now() + LONG;
    loop {
        let (shown, expected) = (window.run(SHOWN, &[]).await, fresh.run(SHOWN, &[]).await);
        if shown == expected {
            fresh.close().await;
            return shown;
        }
        assert!(Instant::now() < end, "the page shows {shown:#}, and not {expected:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Two processes write to both organisations, while the one that serves the pages is killed and comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_follows_the_writes_of_other_processes() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (file, port) = (folder.path().join("tickets.db"), free_port().to_string());
    let server = || process(&file, &["show", "--port", &port]);
    let url = |org: i32| format!("http://127.0.0.1:{port}/?org={org}");
    let mut serving = server();
    let client = reqwest::Client::new();
    while client.get(url(1)).send().await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let windows = [browser.open(&url(1)).await, browser.open(&url(1)).await, browser.open(&url(2)).await];
    for window in &windows {
        window.is("live").await;
    }
    let write = ["write", "--changes", "200", "--pause", "5"];
    let mut writers = [process(&file, &write), process(&file, &write)];
    windows[0].until("tickets come", "return document.querySelectorAll('#urgent li').length > 1").await;
    drop(serving);
    windows[0].is("stale").await;
    serving = server();
    for writer in &mut writers {
        assert!(writer.0.wait().unwrap().success());
    }
    let mut shown = Vec::new();
    for (window, org) in windows.iter().zip([1, 1, 2]) {
        shown.push(equals_a_fresh_one(&browser, window, &url(org)).await);
    }
    assert_eq!(shown[0], shown[1]);
    assert_ne!(shown[0], shown[2]);
    for window in windows {
        window.close().await;
    }
    drop(serving);
}
