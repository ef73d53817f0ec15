//! Changes applied to values that the program holds, and what is read for them.

use std::time::Duration;

use evented_diesel::prelude::*;
use evented_live::{AnyChange, List, LiveDsl as _, Outcome, sync};
use evented_live_tests::board::{
    Comment, CommentChanges, NewComment, NewTag, NewTagging, Post, PostChanges, PostTree, Tag, Tagging, comment, post,
};
use evented_live_tests::{NewPerson, Person, until};

use super::{Source, World};

/// Merges the feeds of the models in the order of their changes: each command is one transaction, and is awaited.
macro_rules! next {
    ($feed:ident) => {
        AnyChange::from(tokio::time::timeout(Duration::from_secs(100), $feed.next()).await.unwrap().unwrap().unwrap())
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_tree_follows_changes_and_is_filled() {
    let mut world = World::of_board::<Source>().await;
    let ann = world.db.run(Person::insert(NewPerson { name: "Ann".into() })).await.unwrap();
    let a = world.db.run(Post::insert(post(1, 1, "a"))).await.unwrap();
    let b = world.db.run(Post::insert(post(1, 2, "b"))).await.unwrap();
    let query = || PostTree::live().order(|p| p.rank.asc());
    let mut live = world.store.open(query()).await.unwrap();
    let mut held: List<PostTree> = live.get();
    let mut comments = world.hub.subscribe(Comment::changes()).unwrap();
    let mut posts = world.hub.subscribe(Post::changes()).unwrap();
    let mut taggings = world.hub.subscribe(Tagging::changes()).unwrap();
    let mut people = world.hub.subscribe(Person::changes()).unwrap();

    // A child comes, whose author has to be read.
    let new = NewComment { author_id: Some(ann.id), ..comment(&a, 3, "one") };
    let one = world.db.run(Comment::insert(new)).await.unwrap();
    let change = next!(comments);
    let synced = sync(&mut held, &change);
    assert!(synced.has_changed() && !synced.is_whole());
    assert_eq!(held[0].comments[0].comment.text, "one");
    assert!(held[0].comments[0].author.is_none(), "it is not known yet");
    world.store.fill(&mut held, &synced, |one| one).await.unwrap();
    assert_eq!(held[0].comments[0].author.as_ref().unwrap().name, "Ann");

    // What is held changes without a read.
    world.db.run(ann.delete()).await.unwrap();
    let synced = sync(&mut held, &next!(people));
    assert!(synced.has_changed() && synced.is_whole());
    assert!(held[0].comments[0].author.is_none());
    let moved = CommentChanges { post_id: Some(b.id), ..Default::default() };
    world.db.run(one.update(moved)).await.unwrap();
    let synced = sync(&mut held, &next!(comments));
    assert!(synced.has_changed());
    assert_eq!((held[0].comments.len(), held[1].comments.len()), (0, 1));
    world.store.fill(&mut held, &synced, |one| one).await.unwrap();

    // A link joins.
    let red = world.db.run(Tag::insert(NewTag { name: "red".into(), hidden: false })).await.unwrap();
    let link = NewTagging { post_id: a.id, tag_id: red.id, weight: 0 };
    let link = world.db.run(Tagging::insert(link)).await.unwrap();
    let synced = sync(&mut held, &next!(taggings));
    assert!(!synced.is_whole());
    // For blocking code.
    tokio::task::block_in_place(|| world.store.fill_within(&mut held, &synced, Duration::from_secs(100), |one| one)).unwrap();
    assert_eq!(held[0].tags.len(), 1);
    world.db.run(link.delete()).await.unwrap();
    assert!(sync(&mut held, &next!(taggings)).is_whole());
    assert!(held[0].tags.is_empty());

    // The query knows the order.
    world.db.run(a.update(PostChanges { rank: Some(5), ..Default::default() })).await.unwrap();
    let synced = query().sync(&mut held, &next!(posts));
    assert!(synced.has_changed() && synced.is_whole());
    let expected = until(&mut live, "the live value", |live| live.last().is_some_and(|it| it.post.rank == 5)).await;
    assert_eq!(held, expected, "the held value equals the live one");
    world.db.run(b.delete()).await.unwrap();
    let change = next!(posts);
    let mut one = Some(held[0].clone());
    assert_eq!(sync(&mut one, &change).outcome(), Outcome::Changed);
    assert!(one.is_none());
    assert!(query().sync(&mut held, &change).has_changed());
    assert_eq!(held.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_list_of_a_query_follows_changes() {
    let mut world = World::of_board::<Source>().await;
    let query = Post::live().filter(|p| p.org_id.eq(1)).order(|p| p.rank.desc()).limit(2);
    let mut feed = world.hub.subscribe(Post::changes()).unwrap();
    let mut held = world.store.open(query.clone()).await.unwrap().get();
    let mut posts = Vec::new();
    for rank in 1..4 {
        posts.push(world.db.run(Post::insert(post(1, rank, "x"))).await.unwrap());
        assert!(query.sync(&mut held, &next!(feed)).is_whole());
    }
    let ranks = |held: &List<evented_live::Row<Post>>| held.iter().map(|post| post.rank).collect::<Vec<_>>();
    assert_eq!(ranks(&held), [3, 2]);
    world.db.run(Post::insert(post(2, 9, "elsewhere"))).await.unwrap();
    assert!(!query.sync(&mut held, &next!(feed)).has_changed());
    // The window has room for one that the program does not hold.
    world.db.run(posts[2].delete()).await.unwrap();
    let synced = query.sync(&mut held, &next!(feed));
    assert!(synced.has_changed() && !synced.is_whole());
    assert_eq!(ranks(&held), [2]);
    // Records, without rows.
    let mut records: Vec<Post> = posts;
    world.db.run(records[0].update(PostChanges { title: Some("y".into()), ..Default::default() })).await.unwrap();
    assert!(sync(&mut records, &next!(feed)).has_changed());
    assert_eq!(records[0].title, "y");
}
