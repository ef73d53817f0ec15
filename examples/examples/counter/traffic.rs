//! A writer: posts and comments are made, moved, changed and deleted.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use evented_diesel::prelude::*;

use crate::database;
use crate::model::{Comment, CommentChanges, NewComment, NewPost, Post, PostChanges};

/// Starts a writer on a thread. It returns how many changes it made.
pub fn start(database: String, seed: usize, time: Duration) -> JoinHandle<anyhow::Result<usize>> {
    std::thread::spawn(move || write(&database, seed, Instant::now() + time))
}

fn write(database: &str, seed: usize, until: Instant) -> anyhow::Result<usize> {
    let conn = &mut database::open(database)?;
    let (mut posts, mut comments): (Vec<Post>, Vec<Comment>) = (Vec::new(), Vec::new());
    let (mut written, mut dice) = (0, seed * 7_919 + 1);
    while Instant::now() < until {
        // Numbers that look random, and are the same in each run.
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (what, which) = ((dice >> 33) % 10, dice >> 40);
        let post = (!posts.is_empty()).then(|| which % posts.len());
        let comment = (!comments.is_empty()).then(|| which % comments.len());
        match (what, post, comment) {
            (0, ..) | (_, None, _) => {
                posts.push(Post::insert(NewPost { title: format!("Post {which}") }).run(conn)?);
            }
            (1, Some(post), _) => {
                let changes = PostChanges { title: Some(format!("Post {which}")) };
                posts[post] = posts[post].update(changes).run(conn)?;
            }
            (2, Some(post), _) if posts.len() > 5 => drop(posts.swap_remove(post).delete().run(conn)?),
            (3 | 4, Some(post), Some(comment)) => {
                let changes = CommentChanges { post_id: Some(posts[post].id), ..CommentChanges::default() };
                comments[comment] = comments[comment].update(changes).run(conn)?;
            }
            (5, _, Some(comment)) => drop(comments.swap_remove(comment).delete().run(conn)?),
            (_, Some(post), _) => {
                let new = NewComment { post_id: posts[post].id, text: format!("Comment {which}") };
                comments.push(Comment::insert(new).run(conn)?);
            }
        }
        written += 1;
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(written)
}
