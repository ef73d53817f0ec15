//! Tests the boards over HTTP, as pages use them.

mod server;

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use server::{LONG, Page, Server};

fn number(item: &Value) -> i64 {
    item["revision"].as_i64().unwrap()
}

fn quoted(item: &Value) -> String {
    format!("\"{}\"", number(item))
}

#[tokio::test]
async fn a_page_shows_the_tree_of_each_item() {
    let server = Server::start().await;
    let mut page = server.look("red").await;
    assert_eq!(page.data["org"], json!({ "id": 1, "name": "Ark" }));
    assert_eq!(page.data["me"]["name"], "Ada");
    let lamp = server.add("red", "Lamp").await;
    for text in ["one", "two", "three", "four"] {
        assert_eq!(server.comment("rose", &lamp, text).await, StatusCode::CREATED);
    }
    for name in ["room", "light", "room"] {
        assert_eq!(server.tag("red", &lamp, name).await, StatusCode::NO_CONTENT);
    }
    let renamed = server.ask("PUT", "/me", "rose", json!({ "name": "Maxine" }), None).await;
    assert_eq!(renamed.status(), StatusCode::NO_CONTENT);
    page.until("the comments and tags", |page| {
        let Some(item) = page.item(&lamp) else { return false };
        let texts = item["comments"].as_array().unwrap().iter().map(|it| it["text"].as_str().unwrap());
        let names = item["tags"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap());
        let authors = item["comments"].as_array().unwrap().iter().all(|it| it["author"]["name"] == "Maxine");
        texts.eq(["four", "three", "two"]) && names.eq(["light", "room"]) && authors
    })
    .await;
    assert_eq!(page.data["tags"].as_array().unwrap().len(), 2);

    let light = page.item(&lamp).unwrap()["tags"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/items/{lamp}/tags/{light}");
    assert_eq!(server.delete("red", &path, None).await, StatusCode::NO_CONTENT);
    assert_eq!(server.delete("red", &path, None).await, StatusCode::NOT_FOUND);
    page.until("one tag", |page| page.item(&lamp).unwrap()["tags"].as_array().unwrap().len() == 1).await;
    let revision = quoted(page.item(&lamp).unwrap());
    let path = format!("/items/{lamp}");
    assert_eq!(server.delete("red", &path, Some(&revision)).await, StatusCode::NO_CONTENT);
    page.until("nothing", |page| page.item(&lamp).is_none()).await;
    assert_eq!(server.comment("red", &lamp, "late").await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_item_is_in_one_column_at_every_moment() {
    let server = Server::start().await;
    let (lamp, desk, chair) =
        (server.add("red", "Lamp").await, server.add("red", "Desk").await, server.add("red", "Chair").await);
    let mut page = server.look("red").await;
    assert_eq!(page.titles("todo"), ["Lamp", "Desk", "Chair"]);
    let to = |state: &str, before: Option<&str>| json!({ "state": state, "before": before });
    assert_eq!(server.shift("red", &chair, to("todo", Some(&lamp)), "\"1\"").await, StatusCode::NO_CONTENT);
    assert_eq!(server.shift("red", &lamp, to("done", None), "\"1\"").await, StatusCode::NO_CONTENT);
    assert_eq!(server.shift("red", &desk, to("done", Some(&lamp)), "\"1\"").await, StatusCode::NO_CONTENT);
    while page.titles("done") != ["Desk", "Lamp"] {
        page.next().await.unwrap();
        let shown: usize =
            ["todo", "doing", "done"].into_iter().map(|column| page.titles(column).len()).sum();
        assert_eq!(shown, 3, "{:?}", page.data);
    }
    assert_eq!(page.titles("todo"), ["Chair"]);
    // The item itself is no neighbour, and one that is elsewhere is the end.
    assert_eq!(server.shift("red", &desk, to("done", Some(&desk)), "\"2\"").await, StatusCode::NO_CONTENT);
    page.until("the end", |page| page.titles("done") == ["Lamp", "Desk"]).await;
    let odd = server.shift("red", &desk, to("nowhere", None), "\"3\"").await;
    assert_eq!(odd, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_change_names_the_revision_that_it_is_made_to() {
    let server = Server::start().await;
    let lamp = server.add("red", "Lamp").await;
    let status = async |revision| server.rename("red", &lamp, "Desk lamp", revision).await.status();
    assert_eq!(status(None).await, StatusCode::PRECONDITION_REQUIRED);
    for odd in ["1", "\"one\"", "*", "W/\"1\""] {
        assert_eq!(status(Some(odd)).await, StatusCode::BAD_REQUEST, "{odd}");
    }
    assert_eq!(status(Some("\"7\"")).await, StatusCode::PRECONDITION_FAILED);
    let renamed = server.rename("red", &lamp, "Desk lamp", Some("\"1\"")).await;
    assert_eq!(
        (renamed.status(), &renamed.headers()["etag"]),
        (StatusCode::NO_CONTENT, &"\"2\"".parse().unwrap())
    );
    // What the other one has not seen is not overwritten.
    let late = server.rename("rose", &lamp, "Floor lamp", Some("\"1\"")).await;
    assert_eq!(late.status(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(late.text().await.unwrap(), "Somebody else has changed it meanwhile.");
    let place = json!({ "state": "done" });
    assert_eq!(server.shift("rose", &lamp, place, "\"1\"").await, StatusCode::PRECONDITION_FAILED);
    let path = format!("/items/{lamp}");
    assert_eq!(server.delete("rose", &path, Some("\"1\"")).await, StatusCode::PRECONDITION_FAILED);
    assert_eq!(server.delete("rose", &path, None).await, StatusCode::PRECONDITION_REQUIRED);
    assert_eq!(server.look("red").await.titles("todo"), ["Desk lamp"]);
    assert_eq!(server.delete("rose", &path, Some("\"2\"")).await, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_history_says_who_changed_what() {
    let server = Server::start().await;
    let lamp = server.add("red", "Lamp").await;
    assert!(server.rename("rose", &lamp, "Desk lamp", Some("\"1\"")).await.status().is_success());
    let place = json!({ "state": "done" });
    assert_eq!(server.shift("red", &lamp, place, "\"2\"").await, StatusCode::NO_CONTENT);
    server.comment("red", &lamp, "no change of the item").await;

    let history: Value = server.get(&format!("/items/{lamp}/history?token=red")).await.json().await.unwrap();
    let told = history.as_array().unwrap();
    let heads: Vec<_> = told.iter().map(|it| (&it["revision"], &it["action"], &it["actor"])).collect();
    let (ada, max) = (json!("ada"), json!("max"));
    assert_eq!(
        heads,
        [
            (&json!(3), &json!("move"), &ada),
            (&json!(2), &json!("rename"), &max),
            (&json!(1), &json!("insert"), &ada)
        ]
    );
    assert_eq!(told[1]["changes"], json!([{ "field": "title", "before": "Lamp", "after": "Desk lamp" }]));
    let moved = told[0]["changes"].as_array().unwrap();
    assert!(moved.contains(&json!({ "field": "state", "before": "todo", "after": "done" })), "{moved:?}");
    let added = told[2]["changes"].as_array().unwrap();
    assert!(added.contains(&json!({ "field": "org_id", "before": null, "after": 1 })), "{added:?}");
    assert!(told.iter().all(|it| it["at"].as_str().unwrap().ends_with('Z')));
}

#[tokio::test]
async fn one_organisation_has_no_part_in_the_other() {
    let server = Server::start().await;
    let lamp = server.add("red", "Lamp").await;
    server.tag("red", &lamp, "room").await;
    let page = server.look("red").await;
    let room = page.item(&lamp).unwrap()["tags"][0]["id"].as_str().unwrap();
    let statuses = [
        server.rename("blue", &lamp, "Mine", Some("\"1\"")).await.status(),
        server.shift("blue", &lamp, json!({ "state": "done" }), "\"1\"").await,
        server.comment("blue", &lamp, "mine").await,
        server.tag("blue", &lamp, "mine").await,
        server.delete("blue", &format!("/items/{lamp}/tags/{room}"), None).await,
        server.delete("blue", &format!("/items/{lamp}"), Some("\"1\"")).await,
        server.get(&format!("/items/{lamp}/history?token=blue")).await.status(),
    ];
    assert_eq!(statuses, [StatusCode::NOT_FOUND; 7]);
    for path in ["/", "/events", &format!("/items/{lamp}/history")] {
        for query in ["", "?token=green", "?token="] {
            let status = server.get(&format!("{path}{query}")).await.status();
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}{query}");
        }
    }
    let page = server.get("/?token=blue").await;
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("script-src 'self'"));
    assert_eq!((page.status(), server.look("red").await.titles("todo")), (StatusCode::OK, vec!["Lamp"]));
}

/// Does something at random as one of the viewers. What the other organisation must not see has the word SECRET in it.
async fn at_random(server: &Server, page: &Page, token: &str, random: &mut impl FnMut(usize) -> usize) {
    let columns = ["todo", "doing", "done"];
    let column = columns[random(3)];
    let items = page.data[column].as_array().unwrap();
    let text = format!("SECRET of {token} {}", random(1_000));
    let Some(item) = items.get(random(items.len().max(1))) else {
        server.add(token, &text).await;
        return;
    };
    let (id, revision) = (item["id"].as_str().unwrap(), quoted(item));
    match random(9) {
        0 => drop(server.add(token, &text).await),
        1 | 2 => drop(server.comment(token, id, &text).await),
        3 => drop(server.tag(token, id, &text).await),
        4 => {
            let tag = item["tags"][0]["id"].as_str().unwrap_or("00000000-0000-0000-0000-000000000000");
            server.delete(token, &format!("/items/{id}/tags/{tag}"), None).await;
        }
        5 => drop(server.rename(token, id, &text, Some(&revision)).await),
        6 | 7 => {
            let before = items.first().map(|first| first["id"].clone());
            server
                .shift(token, id, json!({ "state": columns[random(3)], "before": before }), &revision)
                .await;
        }
        _ => drop(server.delete(token, &format!("/items/{id}"), Some(&revision)).await),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_equal_fresh_ones_and_have_no_byte_of_others() {
    let server = Server::start().await;
    let mut pages = [server.look("red").await, server.look("rose").await, server.look("blue").await];
    let mut seed = 11_usize;
    let mut random = move |end: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % end
    };
    for _ in 0..120 {
        for (index, token) in ["red", "rose", "blue"].into_iter().enumerate() {
            at_random(&server, &pages[index], token, &mut random).await;
        }
        // The pages take what has come so far, and are behind at times: some changes conflict.
        for page in &mut pages {
            while let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(1), page.next()).await {}
        }
    }
    for (page, token) in pages.iter_mut().zip(["red", "rose", "blue"]) {
        let fresh = server.look(token).await;
        page.until("the data of a fresh page", |page| page.data == fresh.data).await;
        assert!(
            fresh.data["todo"].as_array().unwrap().len() + fresh.data["done"].as_array().unwrap().len() > 1
        );
    }
    for page in &pages[..2] {
        let text = page.text();
        assert!(text.contains("SECRET of red") && text.contains("SECRET of rose"));
        assert!(!text.contains("SECRET of blue") && !text.contains("Ben") && !text.contains("Bay"));
    }
    let text = pages[2].text();
    assert!(text.contains("SECRET of blue") && text.contains("event: patch"));
    assert!(
        !text.contains("of red")
            && !text.contains("of rose")
            && !text.contains("Ada")
            && !text.contains("Ark")
    );
}

#[tokio::test]
async fn a_page_that_comes_back_gets_what_it_needs() {
    let server = Server::start().await;
    server.add("red", "Lamp").await;
    let page = server.look("red").await;
    let unchanged = server.look_from("red", &page.id, page.data.clone()).await;
    assert!(unchanged.text().contains("event: state"), "{}", unchanged.text());
    server.add("red", "Desk").await;
    for last in [page.id.as_str(), "17", "no-state", "%00"] {
        let mut again = server.look_from("red", last, page.data.clone()).await;
        again.until("both items", |page| page.titles("todo") == ["Lamp", "Desk"]).await;
        assert!(last == page.id || again.text().starts_with("event: reset"), "{last}: {}", again.text());
    }
}

#[tokio::test]
async fn the_end_of_the_server_ends_its_streams() {
    let mut server = Server::start().await;
    let mut page = server.look("red").await;
    server.interrupt();
    while page.next().await.is_some() {}
    tokio::time::timeout(LONG, server.serving).await.expect("the server ends").unwrap().unwrap();
}

#[tokio::test]
async fn input_is_checked() {
    let server = Server::start().await;
    let lamp = server.add("red", "Lamp").await;
    let status =
        async |path: String, body: Value| server.ask("POST", &path, "red", body, None).await.status();
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    assert_eq!(status("/items".into(), json!({ "title": " " })).await, refused);
    assert_eq!(status("/items".into(), json!({ "title": "x".repeat(201) })).await, refused);
    assert_eq!(status(format!("/items/{lamp}/comments"), json!({ "text": "" })).await, refused);
    assert_eq!(status(format!("/items/{lamp}/tags"), json!({ "name": "" })).await, refused);
    assert_eq!(status(format!("/items/{lamp}/comments"), json!({ "text": "a\0b" })).await, refused);
    assert_eq!(server.rename("red", &lamp, " ", Some("\"1\"")).await.text().await.unwrap(), "title is empty");
    let large = json!({ "title": "x".repeat(20_000) });
    assert_eq!(status("/items".into(), large).await, StatusCode::PAYLOAD_TOO_LARGE);
    let page = server.look("red").await;
    assert!(page.item(&lamp).unwrap()["comments"] == json!([]) && page.data["tags"] == json!([]));
}

/// A client that hangs up after its request leaves no transaction open: what is acknowledged later is kept.
#[tokio::test]
async fn a_client_that_hangs_up_loses_nothing_of_others() {
    let server = Server::start().await;
    let host = server.address.strip_prefix("http://").unwrap();
    for round in 0..60_u64 {
        let body = json!({ "title": format!("cut {round}") }).to_string();
        let request = format!(
            "POST /items?token=red HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_micros(round * 50)).await;
    }
    let mut acknowledged = Vec::new();
    for number in 0..5 {
        let title = format!("kept {number}");
        server.add("red", &title).await;
        acknowledged.push(title);
    }
    // Another server on the file.
    let server = Server::over(server.folder).await;
    let page = server.look("red").await;
    let titles = page.titles("todo");
    for title in acknowledged {
        assert!(titles.contains(&title.as_str()), "{title} is lost: {titles:?}");
    }
}
