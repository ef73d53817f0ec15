//! A writer: comments that are made, moved and deleted, some of which fail once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use evented_diesel::ModelOn;
use evented_diesel::prelude::*;
use evented_react_tests::{Comment, CommentChanges, Kit, NewComment, NewPost, Post};
use evented_tests::db::Db;
use tokio::task::JoinHandle;

/// Writes a comment.
pub(crate) async fn comment<C>(db: &mut Db<C>, post_id: i32, text: &str) -> Comment
where
    C: Kit,
    Comment: ModelOn<C::Backend>,
{
    db.run(Comment::insert(NewComment { post_id, text: text.to_owned() })).await.expect("a comment")
}

/// A writer that runs until it is stopped.
pub(crate) struct Traffic {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Traffic {
    /// Starts a writer on a connection of its own, on a thread: the futures of blocking connections wait there.
    pub(crate) async fn start<C>(db: &Db<C>) -> Self
    where
        C: Kit,
        Comment: ModelOn<C::Backend>,
        Post: ModelOn<C::Backend>,
    {
        let mut db = db.connect().await;
        let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&written));
        let thread = tokio::task::spawn_blocking(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(write(&mut db, &stopped, &counted));
        });
        Self { stop, written, thread: Some(thread) }
    }

    /// Stops the writer, and returns how many changes it wrote.
    pub(crate) async fn stop(&mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.await.expect("the writer");
        }
        self.written.load(Ordering::Relaxed)
    }
}

async fn write<C>(db: &mut Db<C>, stopped: &AtomicBool, written: &AtomicUsize)
where
    C: Kit,
    Comment: ModelOn<C::Backend>,
    Post: ModelOn<C::Backend>,
{
    let mut posts = Vec::new();
    for number in 0..5 {
        let new = NewPost { title: format!("post {number}") };
        posts.push(db.run(Post::insert(new)).await.expect("a post"));
    }
    let mut comments: Vec<Comment> = Vec::new();
    let mut round = 0_usize;
    while !stopped.load(Ordering::Relaxed) {
        round += 1;
        let post = posts[round % posts.len()].id;
        match round % 6 {
            0 if comments.len() > 4 => {
                let gone = comments.swap_remove(round % comments.len());
                db.run(gone.delete()).await.expect("a delete");
            }
            1 if comments.len() > 4 => {
                let at = round % comments.len();
                let changes = CommentChanges { post_id: Some(post), ..CommentChanges::default() };
                comments[at] = db.run(comments[at].update(changes)).await.expect("a move");
            }
            2 => {
                db.begin().await;
                comment(db, post, "rolled back").await;
                db.rollback().await;
            }
            3 if round.is_multiple_of(5) => comments.push(comment(db, post, "once").await),
            _ => comments.push(comment(db, post, &format!("c{round}")).await),
        }
        written.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
