//! Posts and comments, and the table that is derived from them.

use evented_diesel::prelude::*;
use evented_react::{Projection, Subscriber};

diesel::table! {
    posts (id) {
        id -> Integer,
        title -> Text,
    }
}

diesel::table! {
    comments (id) {
        id -> Integer,
        post_id -> Integer,
        text -> Text,
    }
}

/// A post.
#[derive(Evented, Clone, Debug)]
#[diesel(table_name = posts)]
pub struct Post {
    pub id: i32,
    pub title: String,
}

/// A comment on a post.
#[derive(Evented, Clone, Debug)]
#[diesel(table_name = comments)]
pub struct Comment {
    pub id: i32,
    pub post_id: i32,
    pub text: String,
}

/// The number of comments of each post.
pub fn post_counts<C: Send + 'static>() -> Subscriber<C> {
    Projection::table("post_counts", "post_id")
        .columns(["title", "comments"])
        .select(
            "SELECT p.id AS post_id, p.title, count(c.id) AS comments
             FROM posts p LEFT JOIN comments c ON c.post_id = p.id
             WHERE p.id IN ({keys}) GROUP BY p.id, p.title",
        )
        .keyed(Post::changes(), |post: &Post| post.id)
        .keyed(Comment::changes(), |comment: &Comment| comment.post_id)
        .into()
}
