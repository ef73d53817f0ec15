//! The law of watches: a value that a program keeps by the changes of its watch alone ends equal to what is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use evented_live::{Store, sync};
use evented_live_tests::board::PostTree;
use evented_live_tests::{Kit, eventually};

use super::tree_law::{Mine, write};
use super::{Conn, Source, World};

/// How many trees are held, each with a watch of its own.
const TREES: usize = 8;

/// Keeps a tree, until it is at rest and equals what is read.
async fn keep(store: Store<<Conn as Kit>::Reader>, mut held: Option<PostTree>, have_ended: Arc<AtomicBool>) -> usize {
    let id = held.as_ref().unwrap().post.id;
    let mut watch = store.subscribe(&held).unwrap();
    let (mut until, mut changes) = (None, 0);
    loop {
        match tokio::time::timeout(Duration::from_millis(100), watch.next()).await {
            Ok(change) => {
                let synced = sync(&mut held, &change.unwrap().unwrap());
                if !synced.is_whole() {
                    store.fill(&mut held, &synced, |one| one).await.unwrap();
                    watch.follow(&held);
                }
                changes += 1;
            }
            Err(_) if have_ended.load(Ordering::Relaxed) => {
                let read = store.open(PostTree::live().one(id)).await.unwrap().get();
                if held == read {
                    return changes;
                }
                let until = until.get_or_insert_with(|| Instant::now() + Duration::from_secs(100));
                assert!(Instant::now() < *until, "held: {held:#?}\nread: {read:#?}");
            }
            Err(_) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_follows_its_watch_ends_equal_to_a_fresh_one() {
    let world = World::of_board::<Source>().await;
    // What is there before: posts with comments by people, tags and links.
    let mine = write(world.db.connect().await, Mine::default(), 5, 120).await;
    let trees = world.store.open(PostTree::live()).await.unwrap();
    let have_ended = Arc::new(AtomicBool::new(false));
    let mut keeping = Vec::new();
    for tree in trees.get().iter().take(TREES) {
        keeping.push(tokio::spawn(keep(world.store.clone(), Some(tree.clone()), Arc::clone(&have_ended))));
    }
    assert_eq!(keeping.len(), TREES);
    eventually("the watches", async || world.store.subscriptions().len() == TREES).await;
    write(world.db.connect().await, mine, 6, 200).await;
    have_ended.store(true, Ordering::Relaxed);
    let mut changes = 0;
    for kept in keeping {
        changes += kept.await.unwrap();
    }
    assert!(changes > 50, "{changes} changes");
}
