//! What a page receives: a reset, then patches that lead from each state to the next.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{BodyDataStream, Bytes};
use axum::http::Request;
use axum::response::Response;
use diesel::SqliteConnection;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use evented_diesel::prelude::*;
use evented_live::LiveDsl;
use evented_live::axum::{LastState, sse};
use evented_live_tests::board::{
    Comment, CommentChanges, NewTag, NewTagging, Post, PostChanges, PostTree, Tag, Tagging, Thread, comment,
    post,
};
use evented_live_tests::{Kit, Log, NewPerson, Person, Task, TaskChanges, World, task};
use serde_json::Value;

type Conn = SyncConnectionWrapper<SqliteConnection>;

/// A page without a browser.
struct Page {
    body: Pin<Box<BodyDataStream>>,
    text: String,
    data: BTreeMap<String, Value>,
    id: String,
}

impl Page {
    fn new(response: Response) -> Self {
        let body = Box::pin(response.into_body().into_data_stream());
        Self { body, text: String::new(), data: BTreeMap::new(), id: String::new() }
    }

    async fn chunk(&mut self) -> Option<Bytes> {
        use futures_core::Stream as _;
        let next = std::future::poll_fn(|cx| self.body.as_mut().poll_next(cx));
        tokio::time::timeout(Duration::from_secs(100), next).await.expect("an event").map(Result::unwrap)
    }

    /// Takes the next event: its name and its length. `None` after the end.
    async fn event(&mut self) -> Option<(String, usize)> {
        while !self.text.contains("\n\n") {
            let chunk = self.chunk().await?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        let end = self.text.find("\n\n").unwrap();
        let event: String = self.text.drain(..end + 2).collect();
        let field = |name: &str| {
            event.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap_or_default()
        };
        let (name, data) = (field("event"), serde_json::from_str::<Value>(field("data")).unwrap());
        if !field("id").is_empty() {
            self.id = field("id").to_owned();
        }
        match name {
            "reset" => self.data = serde_json::from_value(data).unwrap(),
            "patch" => {
                for (label, patch) in data.as_object().unwrap() {
                    let patch: json_patch::Patch = serde_json::from_value(patch.clone()).unwrap();
                    json_patch::patch(self.data.entry(label.clone()).or_default(), &patch).unwrap();
                }
            }
            _ => {}
        }
        Some((name.to_owned(), event.len()))
    }
}

async fn last_state(url: &str, header: Option<&str>) -> LastState {
    use axum::extract::FromRequestParts as _;
    let request = Request::builder().uri(url);
    let request = header.into_iter().fold(request, |request, id| request.header("Last-Event-ID", id));
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    LastState::from_request_parts(&mut parts, &()).await.unwrap()
}

async fn page(world: &World<Conn>, last: LastState) -> Page {
    let mut set = world.store.set();
    let tasks = Task::live().filter(|t| t.org_id.eq(1)).order(|t| (t.rank.asc(), t.title.asc())).limit(6);
    set.show("tasks", tasks).unwrap();
    set.show("first", Person::live().one(1)).unwrap();
    // This one is for the program alone.
    set.sync("hidden", Task::live().filter(|t| t.org_id.eq(2))).unwrap();
    Page::new(sse(set, last))
}

#[tokio::test(flavor = "multi_thread")]
async fn patches_lead_from_each_state_to_the_next() {
    let mut world = World::<Conn>::new::<Log>().await;
    let mut page = page(&world, LastState::default()).await;
    assert_eq!(page.event().await.unwrap().0, "reset");
    assert_eq!(page.data["tasks"], Value::Array(Vec::new()));
    assert_eq!(page.data["first"], Value::Null);

    let mut tasks: Vec<Task> = Vec::new();
    let mut random: u64 = 7;
    let mut below = move |end: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % end.max(1)
    };
    for round in 0..120 {
        let rank = i16::try_from(below(10)).unwrap();
        match below(5) {
            0 | 1 => {
                tasks.push(world.insert(task(1 + i32::from(below(4) == 0), rank, "a/b~c \"quoted\"")).await);
            }
            2 if !tasks.is_empty() => {
                let gone = tasks.swap_remove(below(tasks.len()));
                world.db.run(gone.delete()).await.unwrap();
            }
            _ if !tasks.is_empty() => {
                let index = below(tasks.len());
                let note = (below(2) == 0).then(|| format!("{round}"));
                let changes = TaskChanges { rank: Some(rank), note: Some(note), ..Default::default() };
                tasks[index] = world.db.run(tasks[index].update(changes)).await.unwrap();
            }
            _ => {}
        }
        if round == 60 {
            world.db.run(Person::insert(NewPerson { name: "Ann".into() })).await.unwrap();
        }
    }
    tasks.retain(|task| task.org_id == 1);
    tasks.sort_by(|one, other| {
        (one.rank, &one.title, one.id.uuid()).cmp(&(other.rank, &other.title, other.id.uuid()))
    });
    tasks.truncate(6);
    let expected = serde_json::to_value(&tasks).unwrap();
    while page.data["tasks"] != expected || page.data["first"]["name"] != "Ann" {
        page.event().await.expect("an event");
    }
    assert!(!page.data.contains_key("hidden"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_comes_back_gets_nothing_or_a_reset() {
    let mut world = World::<Conn>::new::<Log>().await;
    world.insert(task(1, 1, "a")).await;
    let mut first = page(&world, LastState::default()).await;
    first.event().await.unwrap();
    // By the header of the browser, or by the parameter of the script.
    for last in [
        last_state("/events", Some(&first.id)).await,
        last_state(&format!("/events?a=1&last={}", first.id), None).await,
    ] {
        let mut same = page(&world, last).await;
        assert_eq!(same.event().await.unwrap().0, "state", "it has the state already");
    }
    let old = first.id.clone();
    world.insert(task(1, 2, "b")).await;
    assert_eq!(first.event().await.unwrap().0, "patch");
    for unknown in [old.as_str(), "another", "1-2", "\u{7f}"] {
        let mut other =
            page(&world, last_state(&format!("/events?last={}", unknown.replace('\u{7f}', "x")), None).await)
                .await;
        assert_eq!(other.event().await.unwrap().0, "reset");
        assert_eq!(
            (other.data["tasks"].clone(), other.id.clone()),
            (first.data["tasks"].clone(), first.id.clone())
        );
    }
    // A store over the same database has other states.
    let store = Conn::store(evented_live::over(&world.hub), &world.db.url).await;
    let mut set = store.set();
    set.show("tasks", Task::live().filter(|t| t.org_id.eq(1))).unwrap();
    let mut elsewhere = Page::new(sse(set, last_state("/events", Some(&first.id)).await));
    assert_eq!(elsewhere.event().await.unwrap().0, "reset");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_one_field_is_a_small_patch_and_a_stop_ends_the_page() {
    let mut world = World::<Conn>::new::<Log>().await;
    let mut last = None;
    for rank in 0..6 {
        last = Some(world.insert(task(1, rank, &"long ".repeat(200))).await);
    }
    let mut page = page(&world, LastState::default()).await;
    let (_, whole) = page.event().await.unwrap();
    let done = TaskChanges { done: Some(true), ..Default::default() };
    world.db.run(last.unwrap().update(done)).await.unwrap();
    let (name, length) = page.event().await.unwrap();
    assert!(name == "patch" && length < 200 && whole > 6_000, "{length} of {whole}");
    world.store.stop();
    while page.event().await.is_some() {}
}

/// A view that counts how often it becomes JSON.
#[derive(Clone, PartialEq)]
struct Counted(String);

static COUNTED: AtomicUsize = AtomicUsize::new(0);

impl From<&Task> for Counted {
    fn from(task: &Task) -> Self {
        Self(task.title.clone())
    }
}

impl serde::Serialize for Counted {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        COUNTED.fetch_add(1, Ordering::SeqCst);
        self.0.serialize(serializer)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_is_made_once_for_all_pages() {
    let mut world = World::<Conn>::new::<Log>().await;
    let first = world.insert(task(1, 1, "a")).await;
    world.insert(task(1, 2, "b")).await;
    let mut pages = Vec::new();
    for _ in 0..20 {
        let mut set = world.store.set();
        set.show("tasks", Task::live().filter(|t| t.org_id.eq(1)).view::<Counted>()).unwrap();
        let mut page = Page::new(sse(set, LastState::default()));
        page.event().await.unwrap();
        pages.push(page);
    }
    assert_eq!(COUNTED.swap(0, Ordering::SeqCst), 2, "two rows, once");
    world.db.run(first.update(TaskChanges { title: Some("c".into()), ..Default::default() })).await.unwrap();
    for page in &mut pages {
        assert_eq!(page.event().await.unwrap().0, "patch");
        assert_eq!(page.data["tasks"], serde_json::json!(["c", "b"]));
    }
    assert_eq!(COUNTED.load(Ordering::SeqCst), 2, "the row before and after");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_is_cancelled_is_null_on_the_page_once() {
    let mut world = World::<Conn>::new::<Log>().await;
    let ann = world.db.run(Person::insert(NewPerson { name: "Ann".into() })).await.unwrap();
    let mut set = world.store.set();
    let tasks = set.show("tasks", Task::live().filter(|t| t.org_id.eq(1))).unwrap();
    set.show("person", Person::live().one(ann.id)).unwrap();
    set.attach("end", move |turn| {
        if turn.get(tasks).is_some_and(|tasks| tasks.len() == 1) {
            turn.cancel("person");
        }
        evented_live::Flow::Continue
    })
    .unwrap();
    let mut page = Page::new(sse(set, LastState::default()));
    assert_eq!(page.event().await.unwrap().0, "reset");
    assert_eq!(page.data["person"]["name"], "Ann");
    world.insert(task(1, 1, "a")).await;
    while page.data["tasks"].as_array().unwrap().is_empty() {
        assert_eq!(page.event().await.unwrap().0, "patch");
    }
    world.insert(task(1, 2, "b")).await;
    let mut events = 0;
    while page.data["tasks"].as_array().unwrap().len() < 2 {
        assert_eq!(page.event().await.unwrap().0, "patch");
        events += 1;
    }
    assert_eq!(page.data["person"], Value::Null);
    assert!(events <= 2, "{events} events for two turns");
}

/// A view whose fields are spoiled where JSON goes through a tree of values.
#[derive(Clone, PartialEq, serde::Serialize)]
struct Share {
    share: f32,
    done: bool,
}

impl From<&Task> for Share {
    fn from(task: &Task) -> Self {
        Self { share: 0.1 * f32::from(task.rank), done: task.done }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_in_a_patch_is_the_number_of_a_reset() {
    let mut world = World::<Conn>::new::<Log>().await;
    let first = world.insert(task(1, 1, "a")).await;
    let query = Task::live().filter(|t| t.org_id.eq(1)).view::<Share>();
    let mut set = world.store.set();
    set.show("tasks", query.clone()).unwrap();
    let mut page = Page::new(sse(set, LastState::default()));
    page.event().await.unwrap();
    world.db.run(first.update(TaskChanges { rank: Some(3), ..Default::default() })).await.unwrap();
    world.insert(task(1, 7, "b")).await;
    while page.data["tasks"].as_array().unwrap().len() < 2 {
        page.event().await.unwrap();
    }
    let mut set = world.store.set();
    set.show("tasks", query).unwrap();
    let mut other = Page::new(sse(set, LastState::default()));
    other.event().await.unwrap();
    assert_eq!(page.data, other.data);
}

/// A page of trees: posts with their comments and tags.
async fn page_of_trees(world: &World<Conn>) -> Page {
    let mut set = world.store.set();
    set.show("posts", PostTree::live().order(|p| p.rank.asc()).limit(8)).unwrap();
    set.show("first", Thread::live().order(|p| p.rank.asc()).limit(1)).unwrap();
    Page::new(sse(set, LastState::default()))
}

#[tokio::test(flavor = "multi_thread")]
async fn patches_of_trees_lead_from_each_state_to_the_next() {
    let mut world = World::<Conn>::of_board::<Log>().await;
    let mut page = page_of_trees(&world).await;
    page.event().await.unwrap();
    let mut random: u64 = 11;
    let mut below = move |end: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % end.max(1)
    };
    let (mut posts, mut comments, mut tags) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..150 {
        let rank = i16::try_from(below(10)).unwrap();
        match below(7) {
            0 => posts.push(world.db.run(Post::insert(post(1, rank, "a/b~c"))).await.unwrap()),
            1 | 2 if !posts.is_empty() => {
                let of: &Post = &posts[below(posts.len())];
                comments.push(world.db.run(Comment::insert(comment(of, rank, "\"x\""))).await.unwrap());
            }
            3 if !comments.is_empty() => {
                let post_id = Some(posts[below(posts.len())].id);
                let changes = CommentChanges { post_id, rank: Some(rank), ..Default::default() };
                let comment: &Comment = &comments[below(comments.len())];
                world.db.run(comment.update(changes)).await.unwrap();
            }
            4 if comments.len() > 3 => {
                let gone = comments.swap_remove(below(comments.len()));
                world.db.run(gone.delete()).await.unwrap();
            }
            5 if !posts.is_empty() => {
                let tag = NewTag { name: round.to_string(), hidden: below(3) == 0 };
                let tag: Tag = world.db.run(Tag::insert(tag)).await.unwrap();
                let post_id = posts[below(posts.len())].id;
                let link = NewTagging { post_id, tag_id: tag.id, weight: 0 };
                world.db.run(Tagging::insert(link)).await.unwrap();
                tags.push(tag);
            }
            _ if !posts.is_empty() => {
                let parent_id = (below(2) == 0).then(|| posts[below(posts.len())].id);
                let changes =
                    PostChanges { rank: Some(rank), parent_id: Some(parent_id), ..Default::default() };
                let post: &Post = &posts[below(posts.len())];
                world.db.run(post.update(changes)).await.unwrap();
            }
            _ => {}
        }
    }
    world.db.run(Post::insert(post(1, -1, "last"))).await.unwrap();
    while page.data["posts"][0]["post"]["title"] != "last" {
        page.event().await.expect("an event");
    }
    let fresh = {
        let mut fresh = page_of_trees(&world).await;
        fresh.event().await.unwrap();
        fresh
    };
    assert_eq!(page.data, fresh.data);
    let posts = page.data["posts"].as_array().unwrap();
    assert!(posts.iter().any(|post| !post["comments"].as_array().unwrap().is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_leaf_is_a_small_patch() {
    let mut world = World::<Conn>::of_board::<Log>().await;
    let mut last = None;
    for rank in 0..8 {
        let post = world.db.run(Post::insert(post(1, rank, &"long ".repeat(200)))).await.unwrap();
        for rank in 0..3 {
            last = Some(
                world.db.run(Comment::insert(comment(&post, rank, &"text ".repeat(100)))).await.unwrap(),
            );
        }
    }
    let mut page = page_of_trees(&world).await;
    let (_, whole) = page.event().await.unwrap();
    let changes = CommentChanges { author_id: Some(Some(1)), ..Default::default() };
    world.db.run(last.unwrap().update(changes)).await.unwrap();
    let (name, length) = page.event().await.unwrap();
    assert!(name == "patch" && length < 300 && whole > 20_000, "{length} of {whole}");
    // An author that appears below a comment.
    world.db.run(Person::insert(NewPerson { name: "Ann".into() })).await.unwrap();
    let (name, length) = page.event().await.unwrap();
    assert!(name == "patch" && length < 300, "{length}");
}
