//! What happens to the elements of a page.

use serde_json::json;

use crate::browser::Browser;
use crate::server::Server;

/// A comment that is being typed stays, with its focus, while cards around it come, move and get comments, while its own card
/// gets comments and moves to another column, and while the server is away.
#[tokio::test(flavor = "multi_thread")]
async fn focus_and_typed_text_survive() {
    let Some(browser) = Browser::start() else { return };
    let mut server = Server::start().await;
    let board = server.board.clone();
    let (lamp, desk) = (board.add("red", "Lamp").await, board.add("red", "Desk").await);
    let window = browser.open(&board.page("red")).await;
    window.has("todo", &["Lamp", "Desk"]).await;
    let type_ =
        "const card = [...document.querySelectorAll('.card')].find(it => it.textContent.includes('Lamp'))
        window.input = card.querySelector('.comment input')
        input.focus()
        input.value = 'half a sent'
        input.setSelectionRange(4, 7)";
    window.run(type_, &[]).await;
    let is_kept =
        "return document.activeElement == input && input.value == 'half a sent' && input.isConnected
        && input.selectionStart == 4 && input.selectionEnd == 7
        && input.closest('.card').querySelector('.title').textContent == 'Lamp'";
    window.until("it is typed", is_kept).await;

    // A neighbour moves before it, gets comments and a tag, and leaves; others come.
    let id = lamp.strip_prefix("/items/").unwrap();
    board.done("PUT", &format!("{desk}/place"), "rose", json!({ "state": "todo", "before": id }), 1).await;
    window.has("todo", &["Desk", "Lamp"]).await;
    for number in 0..5 {
        board
            .done("POST", &format!("{desk}/comments"), "rose", json!({ "text": number.to_string() }), 0)
            .await;
        board
            .done("POST", &format!("{lamp}/comments"), "rose", json!({ "text": number.to_string() }), 0)
            .await;
    }
    board.done("POST", &format!("{desk}/tags"), "rose", json!({ "name": "wood" }), 0).await;
    board.add("rose", "Chair").await;
    let comments = "return document.querySelectorAll('.comments li').length == 6";
    window.until("three comments at both", comments).await;
    window.until("it is kept", is_kept).await;
    board.done("PUT", &format!("{desk}/place"), "rose", json!({ "state": "done" }), 2).await;
    window.has("todo", &["Lamp", "Chair"]).await;
    window.until("it is kept without its neighbour", is_kept).await;

    // The card itself gets another place, and another column.
    board.done("PUT", &format!("{lamp}/place"), "rose", json!({ "state": "todo" }), 1).await;
    window.has("todo", &["Chair", "Lamp"]).await;
    window.until("it is kept in another place", is_kept).await;
    board.done("PUT", &format!("{lamp}/place"), "rose", json!({ "state": "done" }), 2).await;
    window.has("done", &["Desk", "Lamp"]).await;
    window.until("it is kept in another column", is_kept).await;

    server.kill();
    window.is("stale").await;
    server.restart().await;
    board.add("rose", "Table").await;
    window.has("todo", &["Chair", "Table"]).await;
    window.until("it is kept while the server was away", is_kept).await;

    // What cannot be sent is kept as well.
    server.kill();
    window.is("stale").await;
    window.run("input.closest('form').requestSubmit()", &[]).await;
    let has_message = "return !document.querySelector('.conflict:not([hidden])')?.textContent == false
        && input.value == 'half a sent'";
    window.until("the page shows the message", has_message).await;
    server.restart().await;
    window.is("live").await;
    window.run("input.closest('form').requestSubmit()", &[]).await;
    window
        .until("it is sent", "return input.value == '' && document.body.textContent.includes('half a sent')")
        .await;
    window.close().await;
}

/// Texts of users are shown as they are, also if they are markup.
#[tokio::test(flavor = "multi_thread")]
async fn markup_is_shown_as_text() {
    const IMAGE: &str = "<img src=x onerror='window.broken = true'>";
    const SCRIPT: &str = "<script>window.broken = true</script>";
    let Some(browser) = Browser::start() else { return };
    let server = Server::start().await;
    let board = &server.board;
    let window = browser.open(&board.page("red")).await;
    window.is("live").await;
    let item = board.add("red", &format!("{IMAGE}{SCRIPT}&amp;")).await;
    board.done("PUT", "/me", "red", json!({ "name": format!("{SCRIPT}{IMAGE}") }), 0).await;
    board
        .done("POST", &format!("{item}/comments"), "red", json!({ "text": format!("{IMAGE}\n{SCRIPT}") }), 0)
        .await;
    for name in ["<b>bold</b>", "'\"><svg onload=alert()>"] {
        board.done("POST", &format!("{item}/tags"), "red", json!({ "name": name }), 0).await;
    }
    let fresh = browser.open(&board.page("red")).await;
    for window in [&window, &fresh] {
        window.has("todo", &[&format!("{IMAGE}{SCRIPT}&amp;")]).await;
        window.until("the tags", "return document.querySelectorAll('.tags li').length == 2").await;
        window.until("the comment", "return document.querySelectorAll('.comments li').length == 1").await;
        window.run("document.querySelector('[data-do=history]').click()", &[]).await;
        window.until("the history", "return !!document.querySelector('#history dd')").await;
        let elements = "return document.querySelectorAll('main img, main script, main b b, main svg[onload], #history img')
            .length == 0 && document.querySelectorAll('script').length == 1 && window.broken === undefined";
        window.until("no element is made of a text", elements).await;
        let comment = window.run("return document.querySelector('.comments li').textContent", &[]).await;
        let comment = comment.as_str().unwrap();
        assert!(comment.starts_with(&format!("{SCRIPT}{IMAGE}")), "{comment}");
        assert!(comment.ends_with(&format!("{IMAGE}\n{SCRIPT}")), "{comment}");
    }
    window.equals(&fresh).await;
    window.close().await;
    fresh.close().await;
}
