//! The law of trees on a database: what a tree reports at a cut equals its query, evaluated over every change up to that cut.

use std::collections::BTreeMap;
use std::time::Duration;

use evented_diesel::prelude::*;
use evented_feed::{Change, Feed};
use evented_live::{Cut, List, Live, Row, Status, Tree};
use evented_live_tests::board::{
    Comment, CommentChanges, CommentTree, NewComment, NewPost, NewReaction, NewTag, NewTagging, Post, PostChanges, PostTree,
    Reaction, Tag, TagChanges, Tagging, Thread, comment, post,
};
use evented_live_tests::random::Random;
use evented_live_tests::{NewPerson, Person, PersonChanges};
use evented_tests::db::Db;

use super::{Conn, Source, World};

/// The title of the last post.
const LAST: &str = "\u{10FFFF}";

/// What a writer chooses at random.
trait Choose {
    fn choose<T: Clone>(&mut self, from: &[T]) -> Option<T>;
    fn rank(&mut self) -> i16;
}

impl Choose for Random {
    fn choose<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        from.get(self.below(from.len())).cloned()
    }

    fn rank(&mut self) -> i16 {
        i16::try_from(self.below(6)).unwrap()
    }
}

/// What a writer has written.
#[derive(Default, Clone)]
pub(super) struct Mine {
    posts: Vec<Post>,
    comments: Vec<Comment>,
    reactions: Vec<Reaction>,
    tags: Vec<Tag>,
    taggings: Vec<Tagging>,
    people: Vec<Person>,
}

/// Writes at random: single commands, and transactions that stay open or roll back.
pub(super) async fn write(mut db: Db<Conn>, mut mine: Mine, seed: u64, rounds: usize) -> Mine {
    let mut random = Random(seed);
    for _ in 0..rounds {
        let in_transaction = random.below(4) == 0;
        let rolls_back = in_transaction && random.below(3) == 0;
        let before = mine.clone();
        if in_transaction {
            db.begin().await;
        }
        for _ in 0..if in_transaction { 1 + random.below(3) } else { 1 } {
            change(&mut db, &mut mine, &mut random).await;
        }
        if in_transaction && random.below(3) == 0 {
            tokio::time::sleep(Duration::from_millis(random.below(20) as u64)).await;
        }
        if rolls_back {
            db.rollback().await;
            mine = before;
        } else if in_transaction {
            db.commit().await;
        }
    }
    mine
}

async fn change(db: &mut Db<Conn>, mine: &mut Mine, random: &mut Random) {
    match random.below(13) {
        0..2 => {
            let new = NewPost {
                editor_id: random.choose(&mine.people).map(|it| it.id),
                parent_id: random.choose(&mine.posts).map(|it| it.id),
                ..post(i32::try_from(random.below(2)).unwrap(), random.rank(), "x")
            };
            mine.posts.push(db.run(Post::insert(new)).await.unwrap());
        }
        2..5 => {
            let Some(of) = random.choose(&mine.posts) else { return };
            let author_id = random.choose(&mine.people).map(|it| it.id);
            let new = NewComment { author_id, ..comment(&of, random.rank(), "y") };
            mine.comments.push(db.run(Comment::insert(new)).await.unwrap());
        }
        5 => {
            let Some(of) = random.choose(&mine.comments) else { return };
            let kind = ["a", "b", "c"][random.below(3)].to_owned();
            let new = NewReaction { comment_id: of.id, kind };
            mine.reactions.push(db.run(Reaction::insert(new)).await.unwrap());
        }
        6 => {
            let new = NewTag { name: ["u", "v", "w"][random.below(3)].into(), hidden: random.below(3) == 0 };
            mine.tags.push(db.run(Tag::insert(new)).await.unwrap());
            mine.people.push(db.run(Person::insert(NewPerson { name: "p".into() })).await.unwrap());
        }
        7 => {
            let (Some(post), Some(tag)) = (random.choose(&mine.posts), random.choose(&mine.tags)) else { return };
            if mine.taggings.iter().any(|it| it.post_id == post.id && it.tag_id == tag.id) {
                return;
            }
            let new = NewTagging { post_id: post.id, tag_id: tag.id, weight: 0 };
            mine.taggings.push(db.run(Tagging::insert(new)).await.unwrap());
        }
        8 => {
            if let Some(post) = random.choose(&mine.posts) {
                let changes = PostChanges {
                    rank: Some(random.rank()),
                    org_id: Some(i32::try_from(random.below(2)).unwrap()),
                    editor_id: Some(random.choose(&mine.people).map(|it| it.id)),
                    parent_id: Some(random.choose(&mine.posts).map(|it| it.id)),
                    ..Default::default()
                };
                drop(db.run(post.update(changes)).await.unwrap());
            }
        }
        9..11 => {
            if let (Some(comment), Some(post)) = (random.choose(&mine.comments), random.choose(&mine.posts)) {
                let changes = CommentChanges {
                    rank: Some(random.rank()),
                    post_id: (random.below(3) == 0).then_some(post.id),
                    author_id: Some(random.choose(&mine.people).map(|it| it.id)),
                    ..Default::default()
                };
                drop(db.run(comment.update(changes)).await.unwrap());
            }
        }
        11 => {
            if let (Some(tag), Some(person)) = (random.choose(&mine.tags), random.choose(&mine.people)) {
                let changes = TagChanges { hidden: Some(random.below(2) == 0), ..Default::default() };
                drop(db.run(tag.update(changes)).await.unwrap());
                let name = ["p", "q"][random.below(2)].to_owned();
                let changes = PersonChanges { name: Some(name) };
                drop(db.run(person.update(changes)).await.unwrap());
            }
        }
        _ => delete(db, mine, random).await,
    }
}

/// Deletes something, also what others refer to.
async fn delete(db: &mut Db<Conn>, mine: &mut Mine, random: &mut Random) {
    macro_rules! delete {
        ($list:ident) => {{
            let at = random.below(mine.$list.len());
            if at < mine.$list.len() {
                db.run(mine.$list.swap_remove(at).delete()).await.unwrap();
            }
        }};
    }
    match random.below(6) {
        0 => delete!(posts),
        1 => delete!(comments),
        2 => delete!(reactions),
        3 => delete!(taggings),
        4 => delete!(tags),
        _ => delete!(people),
    }
}

/// Everything at a cut.
struct Rows {
    posts: Vec<Post>,
    comments: Vec<Comment>,
    reactions: Vec<Reaction>,
    tags: Vec<Tag>,
    taggings: Vec<Tagging>,
    people: Vec<Person>,
}

/// All changes of all models.
struct Heard {
    posts: Vec<Change<Post>>,
    comments: Vec<Change<Comment>>,
    reactions: Vec<Change<Reaction>>,
    tags: Vec<Change<Tag>>,
    taggings: Vec<Change<Tagging>>,
    people: Vec<Change<Person>>,
}

/// The records that the changes up to a cut lead to, in the order of their keys.
fn state_at<M: Evented + Clone>(changes: &[Change<M>], cut: &Cut) -> Vec<M> {
    let mut state: BTreeMap<String, M> = BTreeMap::new();
    for change in changes.iter().filter(|change| cut.reaches(change.position()) == Some(true)) {
        let key = M::key_value(change.key().unwrap()).to_string();
        match change.after() {
            Some(record) => drop(state.insert(key, record.clone())),
            None => drop(state.remove(&key)),
        }
    }
    state.into_values().collect()
}

impl Heard {
    fn at(&self, cut: &Cut) -> Rows {
        let mut rows = Rows {
            posts: state_at(&self.posts, cut),
            comments: state_at(&self.comments, cut),
            reactions: state_at(&self.reactions, cut),
            tags: state_at(&self.tags, cut),
            taggings: state_at(&self.taggings, cut),
            people: state_at(&self.people, cut),
        };
        rows.posts.sort_by_key(|post| post.id.uuid());
        rows
    }
}

fn list<M: Evented, T>(records: Vec<M>, build: impl Fn(M) -> T) -> List<T> {
    let keys = records.iter().map(|record| M::key_value(&record.key())).collect();
    List::new(records.into_iter().map(build).collect(), keys)
}

trait Naive: Tree<Model = Post> + std::fmt::Debug {
    fn naive(post: &Post, rows: &Rows) -> Self;
    fn post(&self) -> &Post;
}

fn comment_tree(comment: Comment, rows: &Rows) -> CommentTree {
    let mut reactions: Vec<_> =
        rows.reactions.iter().filter(|it| it.comment_id == comment.id).cloned().collect();
    reactions.sort_by_key(|it| it.id.uuid());
    CommentTree {
        author: rows.people.iter().find(|it| Some(it.id) == comment.author_id).cloned().map(Row::new),
        reactions: list(reactions, Row::new),
        comment: Row::new(comment),
    }
}

impl Naive for PostTree {
    fn naive(post: &Post, rows: &Rows) -> Self {
        let mut comments: Vec<_> = rows.comments.iter().filter(|it| it.post_id == post.id).cloned().collect();
        comments.sort_by_key(|it| (it.rank, it.text.clone(), it.id.uuid()));
        let first = comments.iter().find(|it| it.rank >= 2).cloned();
        let mut reactions: Vec<_> = rows
            .reactions
            .iter()
            .filter(|it| comments.iter().any(|comment| comment.id == it.comment_id))
            .cloned()
            .collect();
        reactions.sort_by_key(|it| (it.kind.clone(), it.id.uuid()));
        comments.sort_by_key(|it| (std::cmp::Reverse(it.rank), it.id.uuid()));
        comments.truncate(3);
        let is_tagged = |tag: &Tag| rows.taggings.iter().any(|it| it.post_id == post.id && it.tag_id == tag.id);
        let mut tags: Vec<_> = rows.tags.iter().filter(|it| !it.hidden && is_tagged(it)).cloned().collect();
        tags.sort_by_key(|it| (it.name.clone(), it.id.uuid()));
        Self {
            post: Row::new(post.clone()),
            comments: list(comments, |it| comment_tree(it, rows)),
            first: first.map(Row::new),
            tags: list(tags, Row::new),
            reactions: list(reactions, Row::new),
            editor: rows.people.iter().find(|it| Some(it.id) == post.editor_id).cloned().map(Row::new),
            parent: rows.posts.iter().find(|it| Some(it.id) == post.parent_id).cloned().map(Row::new),
        }
    }
    fn post(&self) -> &Post {
        &self.post
    }
}

impl Naive for Thread {
    fn naive(post: &Post, rows: &Rows) -> Self {
        fn thread(post: &Post, rows: &Rows, depth: usize) -> Thread {
            let mut below: Vec<_> = rows.posts.iter().filter(|it| it.parent_id == Some(post.id)).cloned().collect();
            below.sort_by_key(|it| (it.rank, it.id.uuid()));
            below.truncate(if depth == 0 { 0 } else { usize::MAX });
            let below = list(below, |it| thread(&it, rows, depth - 1));
            Thread { post: Row::new(post.clone()), below }
        }
        thread(post, rows, 2)
    }
    fn post(&self) -> &Post {
        &self.post
    }
}

/// What a value reported.
type Reports<T> = Vec<(Vec<T>, Cut)>;

/// Collects what a value reports, until it has the last post.
async fn collect<T: Naive>(mut live: Live<List<T>>) -> Reports<T> {
    let mut reports = Vec::new();
    loop {
        let (value, cut, status) = live.read();
        if matches!(status, Status::Exact) {
            let ends = value.iter().any(|tree| tree.post().title == LAST);
            reports.push((value.to_vec(), cut));
            if ends {
                return reports;
            }
        }
        let update = tokio::time::timeout(Duration::from_secs(100), live.changed()).await.expect("a change");
        let update = update.expect("the value goes on").unwrap();
        let mut list = update.old().to_vec();
        update.steps().iter().for_each(|step| step.apply(&mut list));
        assert_eq!(*update.new(), list, "the steps lead from the old value to the new one");
    }
}

/// Collects what a feed delivers, up to its last change.
async fn drain<M: evented_diesel::Model + Clone>(
    mut feed: Feed<M>,
    is_last: impl Fn(&Change<M>) -> bool,
) -> Vec<Change<M>> {
    let mut changes: Vec<Change<M>> = Vec::new();
    while !changes.last().is_some_and(&is_last) {
        let next = tokio::time::timeout(Duration::from_secs(100), feed.next()).await.expect("the last change");
        changes.push(next.unwrap().unwrap());
    }
    changes
}

type Select = fn(&mut Vec<Post>);

fn compare<T: Naive>(reports: Reports<T>, heard: &Heard, select: Select) {
    assert!(reports.len() > 1, "{} reports", reports.len());
    for (trees, cut) in reports {
        let rows = heard.at(&cut);
        let mut roots = rows.posts.clone();
        select(&mut roots);
        let expected: Vec<T> = roots.iter().map(|root| T::naive(root, &rows)).collect();
        assert_eq!(trees, expected, "at {cut}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_tree_equals_its_query_at_every_cut_that_it_reports() {
    let mut world = World::of_board::<Source>().await;
    macro_rules! feed {
        ($model:ty) => {
            world.hub.subscribe_builder(<$model>::changes()).buffer(100_000).feed().unwrap()
        };
    }
    let (posts, comments, reactions) = (feed!(Post), feed!(Comment), feed!(Reaction));
    let (all_tags, taggings, people) = (feed!(Tag), feed!(Tagging), feed!(Person));
    let mut writers = Vec::new();
    for seed in 1..4 {
        writers.push(tokio::spawn(write(world.db.connect().await, Mine::default(), seed * 91, 150)));
    }
    tokio::time::sleep(Duration::from_millis(30)).await;
    let all = tokio::spawn(collect(world.store.open(PostTree::live()).await.unwrap()));
    let query = PostTree::live().filter(|p| p.org_id.eq(1)).order(|p| p.rank.desc()).limit(4);
    let few = tokio::spawn(collect(world.store.open(query).await.unwrap()));
    let threads = tokio::spawn(collect(world.store.open(Thread::live().order(|p| p.rank.asc())).await.unwrap()));
    for writer in writers {
        writer.await.unwrap();
    }
    // The last one of each model.
    let id = |ends: &str| ends.to_owned();
    let person = world.db.run(Person::insert(NewPerson { name: id(LAST) })).await.unwrap();
    let tag = world.db.run(Tag::insert(NewTag { name: id(LAST), hidden: true })).await.unwrap();
    let last = world.db.run(Post::insert(post(0, 0, "almost last"))).await.unwrap();
    world.db.run(Tagging::insert(NewTagging { post_id: last.id, tag_id: tag.id, weight: 99 })).await.unwrap();
    let last_comment = world.db.run(Comment::insert(comment(&last, 0, LAST))).await.unwrap();
    let new = NewReaction { comment_id: last_comment.id, kind: id(LAST) };
    world.db.run(Reaction::insert(new)).await.unwrap();
    let new = NewPost { editor_id: Some(person.id), ..post(1, 99, LAST) };
    world.db.run(Post::insert(new)).await.unwrap();
    let heard = Heard {
        posts: drain(posts, |it| it.after().is_some_and(|it| it.title == LAST)).await,
        comments: drain(comments, |it| it.after().is_some_and(|it| it.text == LAST)).await,
        reactions: drain(reactions, |it| it.after().is_some_and(|it| it.kind == LAST)).await,
        tags: drain(all_tags, |it| it.after().is_some_and(|it| it.name == LAST)).await,
        taggings: drain(taggings, |it| it.after().is_some_and(|it| it.weight == 99)).await,
        people: drain(people, |it| it.after().is_some_and(|it| it.name == LAST)).await,
    };
    compare(all.await.unwrap(), &heard, |_| {});
    compare(few.await.unwrap(), &heard, |posts| {
        posts.retain(|post| post.org_id == 1);
        posts.sort_by_key(|post| (std::cmp::Reverse(post.rank), post.id.uuid()));
        posts.truncate(4);
    });
    compare(threads.await.unwrap(), &heard, |posts| posts.sort_by_key(|post| (post.rank, post.id.uuid())));
}
