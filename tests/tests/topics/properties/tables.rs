//! Tests whole tables: commands, changes of many rows, upserts, saves, plain SQL, cascades of both kinds and adoptions, in
//! any order. Afterwards every table agrees with its log, and the history of every row explains it.

use diesel::prelude::*;
use evented_core::Evented as _;
use evented_diesel::{Error, EventedDsl as _, EventedTableDsl as _, Id, batch};
use evented_tests::models::related::*;
use proptest::prelude::*;
use std::cell::RefCell;
use uuid::Uuid;

use super::Db;
use crate::cases;

/// What happens. Records are chosen by a number among those that there are.
#[derive(Debug, Clone)]
enum Step {
    Thread(String),
    Post(usize, i32),
    Vote(usize),
    Upsert(usize, i32, String),
    Save(usize, String),
    UpdateWhere(i32, String),
    FlipVotes(bool),
    DeleteThread(usize),
    DeletePostsWhere(i32),
    ManyInserts(usize, Vec<i32>),
    Independent(Vec<i32>),
    Place(Option<usize>),
    MovePlaces(i32),
    DeletePlace(usize),
    /// Plain SQL, with the cascades of the database.
    Plain(&'static str),
    Adopt,
    AdoptSomePosts(i32),
    Savepoint(usize),
}

const PLAIN: [&str; 7] = [
    "UPDATE posts SET text = text || '+' WHERE number % 2 = 0",
    "UPDATE threads SET title = 'by hand' WHERE length(title) < 3",
    "DELETE FROM threads WHERE title LIKE 'a%'",
    "DELETE FROM posts WHERE number > 5",
    "UPDATE votes SET up = NOT up",
    "INSERT INTO places (parent, name) SELECT max(id), 'new' FROM places",
    "DELETE FROM places WHERE name = 'new'",
];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = || "[a-c]{1,4}";
    let step = prop_oneof![
        3 => name().prop_map(Step::Thread),
        3 => (any::<usize>(), 0_i32..8).prop_map(|(thread, number)| Step::Post(thread, number)),
        3 => any::<usize>().prop_map(Step::Vote),
        3 => (any::<usize>(), 0_i32..8, name()).prop_map(|(thread, number, text)| Step::Upsert(thread, number, text)),
        2 => (any::<usize>(), name()).prop_map(|(post, text)| Step::Save(post, text)),
        2 => (0_i32..8, name()).prop_map(|(below, text)| Step::UpdateWhere(below, text)),
        1 => any::<bool>().prop_map(Step::FlipVotes),
        1 => any::<usize>().prop_map(Step::DeleteThread),
        1 => (0_i32..8).prop_map(Step::DeletePostsWhere),
        2 => (any::<usize>(), prop::collection::vec(0_i32..20, 1..6)).prop_map(|(thread, of)| Step::ManyInserts(thread, of)),
        2 => prop::collection::vec(0_i32..9, 1..6).prop_map(Step::Independent),
        3 => prop::option::of(any::<usize>()).prop_map(Step::Place),
        1 => (0_i32..6).prop_map(Step::MovePlaces),
        1 => any::<usize>().prop_map(Step::DeletePlace),
        5 => prop::sample::select(&PLAIN[..]).prop_map(Step::Plain),
        2 => Just(Step::Adopt),
        1 => (0_i32..8).prop_map(Step::AdoptSomePosts),
        1 => any::<usize>().prop_map(Step::Savepoint),
    ];
    prop::collection::vec(step, 1..25)
}

/// Runs an operation that the state of the tables may refuse.
macro_rules! run {
    ($db:expr, $operation:expr) => {{
        $db.begin().await;
        match $db.run($operation).await {
            Ok(_) => $db.commit().await,
            // A record that plain SQL removed, a key that is taken, a thread that does not exist.
            Err(
                Error::Deleted { .. }
                | Error::NotFound { .. }
                | Error::Exists { .. }
                | Error::Constraint { .. }
                | Error::Batch { .. },
            ) => $db.rollback().await,
            Err(error) => panic!("{error:?}"),
        }
    }};
}

fn one<T: Clone>(of: &[T], number: usize) -> Option<T> {
    (!of.is_empty()).then(|| of[number % of.len()].clone())
}

async fn step(db: &mut Db, step: Step) {
    let threads: Vec<Thread> = db.load(threads::table.order(threads::title).select(Thread::as_select())).await;
    let posts: Vec<Post> = db.load(posts::table.order((posts::number, posts::text)).select(Post::as_select())).await;
    let places: Vec<Place> = db.load(places::table.order(places::id).select(Place::as_select())).await;
    let thread_of = |number: usize| one(&threads, number).map_or(Id::new(Uuid::nil()), |thread| thread.id);
    let changes = |text: String| PostChanges { text: Some(text) };
    match step {
        Step::Thread(title) => run!(db, Thread::insert(NewThread { title })),
        Step::Post(thread, number) => {
            run!(db, Post::insert(NewPost { thread_id: thread_of(thread), number, text: "new".into() }));
        }
        Step::Vote(post) => {
            if let Some(post) = one(&posts, post) {
                run!(db, Vote::insert(NewVote { thread_id: post.thread_id, post: post.number, up: true }));
            }
        }
        Step::Upsert(thread, number, text) => {
            let new = NewPost { thread_id: thread_of(thread), number, text: text.clone() };
            run!(db, Post::upsert(new).on((posts::thread_id, posts::number)).set(changes(text)));
        }
        Step::Save(post, text) => {
            if let Some(post) = one(&posts, post) {
                run!(db, Post { text, ..post }.save());
            }
        }
        Step::UpdateWhere(below, text) => run!(db, Post::update_where(posts::number.lt(below), changes(text))),
        Step::FlipVotes(up) => {
            run!(db, Vote::update_where(votes::up.ne(up), VoteChanges { up: Some(up), ..VoteChanges::default() }));
        }
        Step::DeleteThread(thread) => run!(db, Thread::delete_by(thread_of(thread))),
        Step::DeletePostsWhere(number) => run!(db, Post::delete_where(posts::number.eq(number)).in_chunks(2)),
        Step::ManyInserts(thread, numbers) => {
            let new = |number| NewPost { thread_id: thread_of(thread), number, text: "many".into() };
            run!(db, batch(numbers.into_iter().map(new).map(Post::insert).collect::<Vec<_>>()));
        }
        Step::Independent(numbers) => {
            let Some(thread) = one(&threads, 0) else { return };
            let commands = numbers.into_iter().map(|number| match number % 3 {
                0 => Post::execute_on((thread.id, number), changes("independent".into())),
                1 => Post::delete_by((thread.id, number)),
                _ => Post::insert(NewPost { thread_id: thread.id, number, text: "independent".into() }),
            });
            run!(db, batch(commands.collect::<Vec<_>>()).independent());
        }
        Step::Place(parent) => {
            let parent = parent.and_then(|number| one(&places, number)).map(|place| place.id);
            run!(db, Place::insert(NewPlace { parent, name: "place".into() }));
        }
        Step::MovePlaces(above) => {
            let changes = PlaceChanges { name: Some("moved".into()), ..PlaceChanges::default() };
            run!(db, Place::update_where(places::id.gt(above), changes));
        }
        Step::DeletePlace(number) => {
            if let Some(place) = one(&places, number) {
                run!(db, place.delete());
            }
        }
        Step::Plain(sql) => db.sql(sql).await,
        Step::Adopt => adopt_all(db).await,
        Step::AdoptSomePosts(below) => run!(db, Post::adopt().filter(posts::number.lt(below)).chunk(2)),
        Step::Savepoint(thread) => {
            if let Some(thread) = one(&threads, thread) {
                run!(db, Thread::savepoint(thread.id));
            }
        }
    }
}

async fn adopt_all(db: &mut Db) {
    run!(db, Thread::adopt().chunk(3));
    run!(db, Post::adopt().chunk(3));
    run!(db, Vote::adopt().chunk(3));
    run!(db, Place::adopt().chunk(3));
}

/// Checks that every row is what its log says, and its log what its history adds up to.
macro_rules! agrees {
    ($db:expr, $($model:ident of $table:ident),*) => {$(
        assert_eq!($db.run($model::verify_table()).await.unwrap(), []);
        assert_eq!($db.run($model::verify_replay()).await.unwrap(), []);
        let rows: Vec<$model> = $db.load($table::table.select($model::as_select())).await;
        for row in rows {
            assert_eq!($db.run($model::verify(row.key())).await.unwrap(), []);
            assert_eq!($db.run($model::replay(row.key())).await.unwrap(), Some(row));
        }
    )*};
}

#[test]
fn whatever_happens_every_history_explains_its_row() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let db = runtime.block_on(async {
        let mut db = Db::new().await;
        db.sql(&tables(Db::DATABASE)).await;
        db
    });
    let db = RefCell::new(db);
    cases(60)
        .run(&steps(), |steps| {
            runtime.block_on(async {
                let db = &mut *db.borrow_mut();
                for it in steps {
                    step(db, it).await;
                }
                adopt_all(db).await;
                agrees!(db, Thread of threads, Post of posts, Vote of votes, Place of places);
                db.sql("DELETE FROM threads; DELETE FROM places").await;
            });
            Ok(())
        })
        .unwrap();
}
