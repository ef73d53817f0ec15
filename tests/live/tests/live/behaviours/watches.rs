//! Subscriptions to values and channels.

use std::time::Duration;

use evented_diesel::Model;
use evented_diesel::prelude::*;
use evented_feed::{ChangeKind, Feed, Policy};
use evented_live::{AnyChange, List, LiveDsl as _, LiveError, Row, Watch, allowed, sync};
use evented_live_tests::board::{
    Comment, CommentChanges, CommentTree, NewComment, NewReaction, NewTag, NewTagging, Post, PostChanges, PostTree, Reaction, Tag,
    TagChanges, Tagging, comment, post,
};
use evented_live_tests::{NewPerson, Person, PersonChanges};

use super::{Source, World};

async fn next(watch: &mut Watch) -> AnyChange {
    tokio::time::timeout(Duration::from_secs(100), watch.next()).await.expect("a change").unwrap().unwrap()
}

/// Waits until the hub has sent a change that is looked for. What is written afterwards comes later,
/// whatever its model is.
async fn sent<M: Model>(changes: &mut Feed<M>, is_it: impl Fn(&M) -> bool) {
    loop {
        let change = tokio::time::timeout(Duration::from_secs(100), changes.next()).await.expect("a change");
        if change.unwrap().unwrap().after().is_some_and(&is_it) {
            return;
        }
    }
}

/// Takes the next change, and applies it as a program does.
async fn step(world: &World, watch: &mut Watch, trees: &mut List<PostTree>) -> AnyChange {
    let change = next(watch).await;
    let synced = sync(trees, &change);
    if !synced.is_whole() {
        world.store.fill(trees, &synced, |one| one).await.unwrap();
        watch.follow(trees);
    }
    change
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_delivers_what_concerns_its_values_and_follows_them() {
    let mut world = World::of_board::<Source>().await;
    let ann = world.db.run(Person::insert(NewPerson { name: "Ann".into() })).await.unwrap();
    let a = world.db.run(Post::insert(post(1, 1, "a"))).await.unwrap();
    let b = world.db.run(Post::insert(post(1, 2, "b"))).await.unwrap();
    let tree = world.store.open(PostTree::live().one(a.id)).await.unwrap().get();
    let mut trees: List<PostTree> = tree.into_iter().collect::<Vec<_>>().into();
    let mut watch = world.store.subscribe_as("a page", &trees).unwrap();
    let mut posts = world.hub.subscribe(Post::changes()).unwrap();

    // What concerns another post is not delivered, and what concerns this one is, each once and in order.
    world.db.run(Comment::insert(comment(&b, 1, "elsewhere"))).await.unwrap();
    world.db.run(b.update(PostChanges { title: Some("B".into()), ..Default::default() })).await.unwrap();
    sent(&mut posts, |post| post.title == "B").await;
    let new = NewComment { author_id: Some(ann.id), ..comment(&a, 1, "one") };
    let one = world.db.run(Comment::insert(new)).await.unwrap();
    let change = step(&world, &mut watch, &mut trees).await;
    assert_eq!(change.kind(), ChangeKind::Insert, "{change:?}");
    assert_eq!(change.of::<Comment>().unwrap().after().unwrap().text, "one");

    // What the change brought in is watched from then on: the comment, its author, its reactions.
    world.db.run(ann.update(PersonChanges { name: Some("Anna".into()) })).await.unwrap();
    assert!(step(&world, &mut watch, &mut trees).await.is::<Person>());
    assert_eq!(trees[0].comments[0].author.as_ref().unwrap().name, "Anna");
    let reaction = NewReaction { comment_id: one.id, kind: "+".into() };
    world.db.run(Reaction::insert(reaction)).await.unwrap();
    assert!(step(&world, &mut watch, &mut trees).await.is::<Reaction>());

    // A link, and the tag behind it. A tag that is linked may be hidden, and come in later: all tags are watched.
    let red = world.db.run(Tag::insert(NewTag { name: "red".into(), hidden: false })).await.unwrap();
    assert!(step(&world, &mut watch, &mut trees).await.is::<Tag>());
    let link = NewTagging { post_id: a.id, tag_id: red.id, weight: 0 };
    let link = world.db.run(Tagging::insert(link)).await.unwrap();
    assert!(step(&world, &mut watch, &mut trees).await.is::<Tagging>());
    world.db.run(red.update(TagChanges { name: Some("rose".into()), ..Default::default() })).await.unwrap();
    assert!(step(&world, &mut watch, &mut trees).await.is::<Tag>());
    assert_eq!(trees[0].tags[0].name, "rose");
    world.db.run(link.delete()).await.unwrap();
    assert!(step(&world, &mut watch, &mut trees).await.is::<Tagging>());
    world.db.run(red.update(TagChanges { name: Some("pink".into()), ..Default::default() })).await.unwrap();
    assert!(step(&world, &mut watch, &mut trees).await.is::<Tag>());
    assert!(trees[0].tags.is_empty());

    // A comment that moves away is not watched any more, and neither is its author.
    world.db.run(one.update(CommentChanges { post_id: Some(b.id), ..Default::default() })).await.unwrap();
    assert!(step(&world, &mut watch, &mut trees).await.is::<Comment>());
    world.db.run(ann.update(PersonChanges { name: Some("Annie".into()) })).await.unwrap();
    world.db.run(one.update(CommentChanges { text: Some("two".into()), ..Default::default() })).await.unwrap();
    world.db.run(a.update(PostChanges { title: Some("A".into()), ..Default::default() })).await.unwrap();
    let change = step(&world, &mut watch, &mut trees).await;
    assert_eq!(change.of::<Post>().unwrap().after().unwrap().title, "A", "{change:?}");

    // Each subscription has a name, and what it is subscribed to.
    let all = world.store.subscriptions();
    assert_eq!((all.len(), all[0].0.as_str()), (1, "a page"));
    let of = |schema: &str| all[0].1.iter().find(|it| it.schema == schema).unwrap().clone();
    assert_eq!(of("posts").records.len(), 1);
    assert_eq!(of("comments").foreign_keys, ["post_id"]);
    assert_eq!(watch.unsubscribe(&trees), 1);
    world.db.run(a.delete()).await.unwrap();
    assert!(matches!(watch.recv_timeout(Duration::from_millis(300)), Err(LiveError::TimedOut)));
    drop(watch);
    assert!(world.store.subscriptions().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_linked_and_does_not_pass_the_filter_is_watched() {
    let mut world = World::of_board::<Source>().await;
    let a = world.db.run(Post::insert(post(1, 1, "a"))).await.unwrap();
    let tag = world.db.run(Tag::insert(NewTag { name: "red".into(), hidden: true })).await.unwrap();
    world.db.run(Tagging::insert(NewTagging { post_id: a.id, tag_id: tag.id, weight: 0 })).await.unwrap();
    let tree = world.store.open(PostTree::live().one(a.id)).await.unwrap().get();
    let mut trees: List<PostTree> = tree.into_iter().collect::<Vec<_>>().into();
    assert!(trees[0].tags.is_empty());
    let mut watch = world.store.subscribe(&trees).unwrap();
    world.db.run(tag.update(TagChanges { hidden: Some(false), ..Default::default() })).await.unwrap();
    assert!(step(&world, &mut watch, &mut trees).await.is::<Tag>());
    assert_eq!(trees[0].tags.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_into_a_window_is_watched() {
    let mut world = World::of_board::<Source>().await;
    let ann = world.db.run(Person::insert(NewPerson { name: "Ann".into() })).await.unwrap();
    let a = world.db.run(Post::insert(post(1, 1, "a"))).await.unwrap();
    let new = NewComment { author_id: Some(ann.id), ..comment(&a, 0, "behind") };
    world.db.run(Comment::insert(new)).await.unwrap();
    let mut shown = Vec::new();
    for rank in 1..4 {
        shown.push(world.db.run(Comment::insert(comment(&a, rank, "shown"))).await.unwrap());
    }
    let tree = world.store.open(PostTree::live().one(a.id)).await.unwrap().get();
    let mut trees: List<PostTree> = tree.into_iter().collect::<Vec<_>>().into();
    let mut watch = world.store.subscribe(&trees).unwrap();
    world.db.run(ann.update(PersonChanges { name: Some("not shown".into()) })).await.unwrap();
    world.db.run(shown[0].delete()).await.unwrap();
    let change = next(&mut watch).await;
    assert!(change.is::<Comment>(), "{change:?}");
    let synced = sync(&mut trees, &change);
    world.store.fill(&mut trees, &synced, |one| one).await.unwrap();
    // The author changes after the program has read the comment, and before it says so.
    let mut people = world.store.subscribe(Person::changes()).unwrap();
    world.db.run(ann.update(PersonChanges { name: Some("between".into()) })).await.unwrap();
    while next(&mut people).await.of::<Person>().unwrap().after().unwrap().name != "between" {}
    watch.follow(&trees);
    // The author's first change may come, too: the hub reads one log after the other.
    while trees[0].comments[2].author.as_ref().unwrap().name != "between" {
        assert!(step(&world, &mut watch, &mut trees).await.is::<Person>());
    }
    world.db.run(ann.update(PersonChanges { name: Some("after".into()) })).await.unwrap();
    while trees[0].comments[2].author.as_ref().unwrap().name != "after" {
        assert!(step(&world, &mut watch, &mut trees).await.is::<Person>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_says_that_changes_of_its_models_are_missing() {
    let mut world = World::of_board::<Source>().await;
    let mut of_tags = world.store.subscribe(Tag::changes()).unwrap();
    let mut of_posts = world.store.subscribe(Post::changes()).unwrap();
    if <Source as evented_live_tests::Source<super::Conn>>::HEARS_SQL {
        // The write-ahead log has the row, whatever the event is.
        return;
    }
    world.db.begin().await;
    world.db.run(Tag::insert(NewTag { name: "t".into(), hidden: false })).await.unwrap();
    evented_live_tests::write_as_a_newer_program(&mut world.db, "tags").await;
    world.db.commit().await;
    let missing = tokio::time::timeout(Duration::from_secs(100), of_tags.next()).await.unwrap();
    assert!(matches!(missing, Some(Err(LiveError::Gap { schema: "tags", .. }))), "{missing:?}");
    world.db.run(Post::insert(post(1, 1, "a"))).await.unwrap();
    assert!(next(&mut of_posts).await.is::<Post>());
}

#[tokio::test(flavor = "multi_thread")]
async fn records_options_and_channels_are_watched_in_one_stream() {
    let mut world = World::of_board::<Source>().await;
    let a = world.db.run(Post::insert(post(1, 1, "a"))).await.unwrap();
    let b = world.db.run(Post::insert(post(2, 1, "b"))).await.unwrap();
    let row: Option<Row<Post>> = world.store.open(Post::live().one(b.id)).await.unwrap().get();
    let mut watch = world.store.subscribe((&a, &row, Tag::changes(), Post::changes().scope(Post::ORG.eq(3)))).unwrap();
    world.db.run(b.update(PostChanges { rank: Some(7), ..Default::default() })).await.unwrap();
    world.db.run(Post::insert(post(1, 1, "not of interest"))).await.unwrap();
    world.db.run(Tag::insert(NewTag { name: "t".into(), hidden: false })).await.unwrap();
    world.db.run(Post::insert(post(3, 1, "of the scope"))).await.unwrap();
    world.db.run(a.delete()).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let change = next(&mut watch).await;
        seen.push((change.schema(), change.kind()));
    }
    // The order is that of each model: a hub reads one log after the other.
    let kinds = |schema: &str| {
        seen.iter().filter(|(of, _)| *of == schema).map(|(_, kind)| *kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds("posts"), [ChangeKind::Update, ChangeKind::Insert, ChangeKind::Delete]);
    assert_eq!(kinds("tags"), [ChangeKind::Insert]);
    world.store.stop();
    let end = tokio::time::timeout(Duration::from_secs(100), watch.next()).await.unwrap();
    assert!(matches!(end, Some(Err(LiveError::Stopped { .. }))), "{end:?}");
    assert!(watch.next().await.is_none());
}

/// A viewer who may not see comments by this person.
struct Viewer(i32);
impl Policy<Comment> for Viewer {
    fn may_see(&self, comment: &Comment) -> bool {
        comment.author_id != Some(self.0)
    }
}
macro_rules! sees_all {
    ($($model:ty),*) => {$(
        impl Policy<$model> for Viewer {
            fn may_see(&self, _: &$model) -> bool {
                true
            }
        }
    )*};
}
sees_all!(Reaction, Person);

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_decides_what_a_watch_delivers() {
    let mut world = World::of_board::<Source>().await;
    let ann = world.db.run(Person::insert(NewPerson { name: "Ann".into() })).await.unwrap();
    let a = world.db.run(Post::insert(post(1, 1, "a"))).await.unwrap();
    let one = world.db.run(Comment::insert(comment(&a, 1, "one"))).await.unwrap();
    let two = world.db.run(Comment::insert(comment(&a, 2, "two"))).await.unwrap();
    let mut trees: Vec<CommentTree> = world.store.open(CommentTree::live()).await.unwrap().get().to_vec();
    let mut watch = world.store.subscribe(allowed(&trees, Viewer(ann.id))).unwrap();
    // It becomes hidden: the viewer hears that it left, and nothing more of it.
    let hide = CommentChanges { author_id: Some(Some(ann.id)), ..Default::default() };
    world.db.run(one.update(hide)).await.unwrap();
    let change = next(&mut watch).await;
    assert_eq!(change.kind(), ChangeKind::Leave);
    assert!(change.of::<Comment>().unwrap().after().is_none());
    assert!(sync(&mut trees, &change).has_changed());
    assert_eq!(trees.len(), 1);
    world.db.run(one.update(CommentChanges { text: Some("secret".into()), ..Default::default() })).await.unwrap();
    world.db.run(two.update(CommentChanges { text: Some("seen".into()), ..Default::default() })).await.unwrap();
    let change = next(&mut watch).await;
    assert_eq!(change.of::<Comment>().unwrap().after().unwrap().text, "seen");
}
