//! A server that is killed, and comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::browser::Browser;
use crate::random::{Random, write};
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn pages_come_back_after_a_kill() {
    let Some(browser) = Browser::start() else { return };
    let mut server = Server::start().await;
    let board = server.board.clone();
    let lamp = board.add("red", "Lamp").await;
    let windows = [browser.open(&board.page("red")).await, browser.open(&board.page("rose")).await];
    for window in &windows {
        window.has("todo", &["Lamp"]).await;
    }
    server.kill();
    for window in &windows {
        window.is("stale").await;
        window.has("todo", &["Lamp"]).await;
    }
    server.restart().await;
    board.done("PUT", &format!("{lamp}/title"), "red", json!({ "title": "Desk lamp" }), 1).await;
    let fresh = browser.open(&board.page("rose")).await;
    fresh.has("todo", &["Desk lamp"]).await;
    for window in &windows {
        window.has("todo", &["Desk lamp"]).await;
        window.is("live").await;
    }
    windows[1].equals(&fresh).await;
    // They follow the new process.
    board.done("POST", &format!("{lamp}/comments"), "red", json!({ "text": "it is back" }), 0).await;
    for window in windows.into_iter().chain([fresh]) {
        window.until("a comment", "return document.body.textContent.includes('it is back')").await;
        window.close().await;
    }
}

/// The server is killed 50 times under open pages, while others write. Each page ends equal to a fresh one, with all that was
/// acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_under_open_pages() {
    let Some(browser) = Browser::start() else { return };
    let mut server = Server::start().await;
    let board = server.board.clone();
    let viewers = ["red", "rose", "blue"];
    let mut windows = Vec::new();
    for token in viewers {
        let window = browser.open(&board.page(token)).await;
        window.is("live").await;
        windows.push(window);
    }
    let ends = Arc::new(AtomicBool::new(false));
    let writers = [("red", 3), ("blue", 5)];
    let writers =
        writers.map(|(token, seed)| tokio::spawn(write(board.clone(), token, seed, Arc::clone(&ends))));
    let (mut random, mut recordings) = (Random(17), Vec::new());
    for cycle in 0..50 {
        recordings.push((board.record("red", ""), "blue "));
        recordings.push((board.record("blue", ""), "red "));
        tokio::time::sleep(Duration::from_millis(random.below(600))).await;
        if cycle % 10 == 9 {
            for window in &windows {
                window.is("live").await;
            }
        }
        server.kill();
        tokio::time::sleep(Duration::from_millis(random.below(60))).await;
        server.restart().await;
    }
    ends.store(true, Ordering::Relaxed);
    let [ark, bay] = writers;
    let (ark, bay) = (ark.await.unwrap(), bay.await.unwrap());
    for (token, window) in viewers.into_iter().zip(windows) {
        let fresh = browser.open(&board.page(token)).await;
        fresh.is("live").await;
        window.equals(&fresh).await;
        let shown = window.shown().await.to_string();
        for title in if token == "blue" { &bay } else { &ark } {
            assert!(shown.contains(&json!(title).to_string()), "{title} is lost: {shown}");
        }
        window.close().await;
        fresh.close().await;
    }
    assert!(ark.len() > 5 && bay.len() > 5, "{} and {} items", ark.len(), bay.len());
    let (mut events, mut patches) = (0, 0);
    for (recording, others) in recordings {
        let text = recording.text();
        events += text.matches("event: ").count();
        patches += text.matches("event: patch").count();
        assert!(!text.contains(&format!("\"{others}")), "`{others}` is in {text}");
    }
    assert!(patches > 50 && events > patches, "{patches} patches in {events} events");
    println!("{} and {} items; {patches} patches in {events} recorded events", ark.len(), bay.len());
}

/// The id of a state of a process that was killed is no error: the page gets everything.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_state_after_a_restart_gets_a_reset() {
    let mut server = Server::start().await;
    let board = server.board.clone();
    board.add("red", "Lamp").await;
    let before = board.record("red", "").until("Lamp").await;
    let id = |text: &str| {
        let id = text.lines().find_map(|line| line.strip_prefix("id: "));
        id.expect("an id").to_owned()
    };
    let same = board.record("red", &id(&before)).until("\n\n").await;
    assert!(same.starts_with("event: state"), "{same}");
    server.kill();
    server.restart().await;
    let after = board.record("red", &id(&before)).until("Lamp").await;
    assert!(after.starts_with("event: reset"), "{after}");
    assert_ne!(id(&after), id(&before));
}
