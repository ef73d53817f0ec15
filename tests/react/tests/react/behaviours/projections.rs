//! Derived tables: after any history they equal a fresh count.

use evented_diesel::prelude::*;
use evented_react::{DifferenceKind, Projection, Subscriber, rebuild, verify};
use evented_react_tests::{
    Comment, CommentChanges, Kit, NewComment, NewPost, POST_COUNTS, Post, PostChanges, WRONG_COUNTS, fresh, post_counts,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::Conn;

#[tokio::test]
async fn the_old_row_and_the_new_row_of_a_move_are_computed() {
    let mut db = fresh::<Conn>().await;
    let one = db.run(Post::insert(NewPost { title: "One".into() })).await.unwrap();
    let two = db.run(Post::insert(NewPost { title: "Two".into() })).await.unwrap();
    let comment = db.run(Comment::insert(NewComment { post_id: one.id, text: "x".into() })).await.unwrap();
    db.conn.drain(&post_counts()).await.unwrap();
    let count = |post: &Post| format!("SELECT comments FROM post_counts WHERE post_id = {}", post.id);
    assert_eq!((db.number(&count(&one)).await, db.number(&count(&two)).await), (1, 0));
    db.run(comment.update(CommentChanges { post_id: Some(two.id), ..CommentChanges::default() })).await.unwrap();
    db.conn.drain(&post_counts()).await.unwrap();
    assert_eq!((db.number(&count(&one)).await, db.number(&count(&two)).await), (0, 1));
    db.run(two.delete()).await.unwrap();
    db.conn.drain(&post_counts()).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM post_counts").await, 1);
    assert_eq!(db.number(WRONG_COUNTS).await, 0);
}

#[tokio::test]
async fn a_rebuild_writes_what_differs_and_verify_names_it() {
    let mut db = fresh::<Conn>().await;
    for title in ["a", "b", "c"] {
        db.run(Post::insert(NewPost { title: title.into() })).await.unwrap();
    }
    let counts = post_counts::<Conn>();
    db.conn.drain(&counts).await.unwrap();
    assert_eq!(db.run(verify(&counts)).await.unwrap().unwrap().rows, []);
    db.sql("UPDATE post_counts SET comments = 9 WHERE title = 'a'; DELETE FROM post_counts WHERE title = 'b'; \
            INSERT INTO post_counts VALUES (99, 'z', 1)").await;
    let found = db.run(verify(&counts)).await.unwrap().unwrap();
    let mut kinds: Vec<_> = found.rows.iter().map(|row| (row.key.as_str(), row.kind)).collect();
    kinds.sort_by_key(|(key, _)| *key);
    let expected =
        [("1", DifferenceKind::Differs), ("2", DifferenceKind::Missing), ("99", DifferenceKind::Extra)];
    assert_eq!((kinds.as_slice(), found.unhandled), (expected.as_slice(), Some(0)));
    let rebuilt = db.run(rebuild(&counts)).await.unwrap().unwrap();
    assert_eq!((rebuilt.written, rebuilt.deleted), (2, 1));
    assert_eq!(db.number(WRONG_COUNTS).await, 0);
    assert_eq!(db.run(rebuild(&counts)).await.unwrap().unwrap().written, 0);
}

#[tokio::test]
async fn another_select_needs_a_higher_version() {
    let mut db = fresh::<Conn>().await;
    db.run(Post::insert(NewPost { title: "a".into() })).await.unwrap();
    db.conn.drain(&post_counts()).await.unwrap();
    let other = |version| -> Subscriber<Conn> {
        let select = "SELECT p.id AS post_id, p.title, 7 AS comments FROM posts p WHERE p.id IN ({keys})";
        Projection::table("post_counts", "post_id")
            .columns(["title", "comments"])
            .select(select)
            .keyed(Post::changes(), |post: &Post| post.id)
            .version(version)
            .into()
    };
    let error = db.conn.drain(&other(1)).await.unwrap_err();
    assert!(error.to_string().contains("higher version"), "{error}");
    db.conn.drain(&other(2)).await.unwrap();
    db.run(rebuild(&other(2))).await.unwrap().unwrap();
    assert_eq!(db.number("SELECT comments FROM post_counts").await, 7);
    // The older version writes nothing more.
    let error = db.conn.drain(&post_counts()).await.unwrap_err();
    assert!(error.to_string().contains("version 2 is registered"), "{error}");
}

#[tokio::test]
async fn a_select_without_keys_is_refused() {
    let mut db = fresh::<Conn>().await;
    let select = POST_COUNTS.replace("IN ({keys})", "= 1").leak();
    let wrong: Subscriber<Conn> = Projection::table("post_counts", "post_id")
        .columns(["title", "comments"])
        .select(select)
        .keyed(Post::changes(), |post: &Post| post.id)
        .into();
    let error = db.conn.drain(&wrong).await.unwrap_err();
    assert!(error.to_string().contains("IN ({keys})"), "{error}");
}

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    Post,
    Rename(usize),
    DeletePost(usize),
    Comment(usize),
    Move(usize, usize),
    DeleteComment(usize),
    Drain,
    RolledBack(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => Just(Step::Post),
        1 => any::<usize>().prop_map(Step::Rename),
        1 => any::<usize>().prop_map(Step::DeletePost),
        4 => any::<usize>().prop_map(Step::Comment),
        3 => any::<(usize, usize)>().prop_map(|(comment, post)| Step::Move(comment, post)),
        2 => any::<usize>().prop_map(Step::DeleteComment),
        2 => Just(Step::Drain),
        1 => any::<usize>().prop_map(Step::RolledBack),
    ];
    proptest::collection::vec(step, 1..40)
}

#[test]
fn after_any_history_the_table_equals_a_fresh_count() {
    let config = Config { cases: 12, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::XorShift);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ran = TestRunner::new_with_rng(config, rng).run(&steps(), |steps| {
        runtime.block_on(async {
            let mut db = fresh::<Conn>().await;
            let (mut posts, mut comments): (Vec<Post>, Vec<Comment>) = (Vec::new(), Vec::new());
            for step in steps {
                one(&mut db, &mut posts, &mut comments, step).await;
            }
            db.conn.drain(&post_counts()).await.unwrap();
            assert_eq!(db.number(WRONG_COUNTS).await, 0);
        });
        Ok(())
    });
    ran.unwrap();
}

async fn one(
    db: &mut evented_tests::db::Db<Conn>,
    posts: &mut Vec<Post>,
    comments: &mut Vec<Comment>,
    step: Step,
) {
    let nth = |count: usize, index: usize| (count > 0).then(|| index % count);
    match step {
        Step::Post => posts.push(db.run(Post::insert(NewPost { title: "t".into() })).await.unwrap()),
        Step::Rename(post) => {
            let Some(at) = nth(posts.len(), post) else { return };
            let changes = PostChanges { title: Some(format!("t{post}")) };
            posts[at] = db.run(posts[at].update(changes)).await.unwrap();
        }
        Step::DeletePost(post) => {
            let Some(at) = nth(posts.len(), post) else { return };
            db.run(posts.swap_remove(at).delete()).await.unwrap();
        }
        Step::Comment(post) | Step::RolledBack(post) => {
            let Some(at) = nth(posts.len(), post) else { return };
            let new = NewComment { post_id: posts[at].id, text: "c".into() };
            if matches!(step, Step::RolledBack(_)) {
                db.begin().await;
                db.run(Comment::insert(new)).await.unwrap();
                db.rollback().await;
            } else {
                comments.push(db.run(Comment::insert(new)).await.unwrap());
            }
        }
        Step::Move(comment, post) => {
            let (Some(at), Some(to)) = (nth(comments.len(), comment), nth(posts.len(), post)) else { return };
            let changes = CommentChanges { post_id: Some(posts[to].id), ..CommentChanges::default() };
            comments[at] = db.run(comments[at].update(changes)).await.unwrap();
        }
        Step::DeleteComment(comment) => {
            let Some(at) = nth(comments.len(), comment) else { return };
            db.run(comments.swap_remove(at).delete()).await.unwrap();
        }
        Step::Drain => drop(db.conn.drain(&post_counts()).await.unwrap()),
    }
}
