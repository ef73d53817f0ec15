//! Several windows at once.

use serde_json::json;

use crate::browser::Browser;
use crate::server::Server;

/// Two windows of one organisation and one of another are used at once. At the end they equal fresh pages, and nothing of the
/// other organisation was received.
#[tokio::test(flavor = "multi_thread")]
async fn windows_that_are_used_at_once_equal_fresh_ones() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start().await;
    let board = &server.board;
    let ada = browser.open(&board.page("red")).await;
    let max = browser.open(&board.page("rose")).await;
    let ben = browser.open(&board.page("blue")).await;
    let (of_ark, of_bay) = (board.record("red", ""), board.record("blue", ""));
    for (window, text) in [(&ada, "SECRET of Ark"), (&max, "SECRET of Ark too"), (&ben, "SECRET of Bay")] {
        window.is("live").await;
        window.is_used(150, text).await;
    }
    for window in [&ada, &max, &ben] {
        window.was_used().await;
    }
    board.add("red", "the last of Ark").await;
    board.add("blue", "the last of Bay").await;
    of_ark.until("the last of Ark").await;
    of_bay.until("the last of Bay").await;
    for (token, window) in [("red", &ada), ("rose", &max), ("blue", &ben)] {
        let fresh = browser.open(&board.page(token)).await;
        fresh.is("live").await;
        window.equals(&fresh).await;
        fresh.close().await;
    }
    let shown = ada.shown().await.to_string();
    assert!(shown.contains("SECRET of Ark too") && !shown.contains("of Bay"), "{shown}");
    let shown = ben.shown().await.to_string();
    assert!(shown.contains("SECRET of Bay") && !shown.contains("of Ark"), "{shown}");
    let (ark, bay) = (of_ark.text(), of_bay.text());
    assert!(ark.contains("event: patch") && !ark.contains("of Bay") && !ark.contains("Ben"), "{ark}");
    assert!(bay.contains("event: patch") && !bay.contains("of Ark") && !bay.contains("Ada"), "{bay}");
    for window in [ada, max, ben] {
        window.close().await;
    }
}

/// A window that renames what another has renamed meanwhile says so, and keeps the text.
#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_shown_and_what_was_typed_is_kept() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start().await;
    let board = &server.board;
    let lamp = board.add("red", "Lamp").await;
    let window = browser.open(&board.page("red")).await;
    window.has("todo", &["Lamp"]).await;
    let edit = "document.querySelector('[data-do=edit]').click();
        document.querySelector('.rename input').value = 'Desk lamp'";
    window.run(edit, &[]).await;
    board.done("PUT", &format!("{lamp}/title"), "rose", json!({ "title": "Floor lamp" }), 1).await;
    window.has("todo", &["Floor lamp"]).await;
    window.run("document.querySelector('.rename').requestSubmit()", &[]).await;
    let shown = "const message = document.querySelector('.conflict')
        return !message.hidden && message.textContent.includes('“Floor lamp”')
            && document.querySelector('.rename input').value == 'Desk lamp'";
    window.until("the page shows the conflict", shown).await;
    // The viewer has seen the conflict, and saves again.
    window.run("document.querySelector('.rename').requestSubmit()", &[]).await;
    window.has("todo", &["Desk lamp"]).await;
    window.until("the page hides the message", "return document.querySelector('.conflict').hidden").await;

    window.run("document.querySelector('[data-do=history]').click()", &[]).await;
    window
        .until("three events", "return document.querySelectorAll('#history .events > li').length == 3")
        .await;
    let history =
        "return [...document.querySelectorAll('#history li b, #history dd')].map(it => it.textContent)";
    let shown = window.run(history, &[]).await;
    let expected =
        json!(["ada", "Floor lamp → Desk lamp", "max", "Lamp → Floor lamp", "ada", "Lamp", "To do", "n"]);
    assert_eq!(shown, expected);
    window.close().await;
}
