//! Trees are made of associations that exist.

use diesel::prelude::*;
use evented_diesel::prelude::*;
use evented_live::{List, Policy, Row, Tree};

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    posts (id) { id -> Uid, title -> Text }
}
diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    comments (id) { id -> Uid, post_id -> Uid, number -> Integer, body -> Binary }
}

#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = posts)]
#[evented(live)]
struct Post {
    id: Id<Post>,
    title: String,
}

#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = comments)]
#[evented(live)]
struct Comment {
    id: Id<Comment>,
    post_id: Id<Post>,
    number: i32,
    body: Vec<u8>,
}

// `Comment` has no `#[diesel(belongs_to(Post))]`.
#[derive(Tree, Clone, Debug, PartialEq)]
struct WithoutAssociation {
    #[tree(row)]
    post: Row<Post>,
    #[tree(has_many)]
    comments: List<Row<Comment>>,
}

// A field of another type.
#[derive(Tree, Clone, Debug, PartialEq)]
struct ByAnotherField {
    #[tree(row)]
    post: Row<Post>,
    #[tree(has_many, by = number)]
    comments: List<Row<Comment>>,
}

// No such field.
#[derive(Tree, Clone, Debug, PartialEq)]
struct ByNoField {
    #[tree(row)]
    post: Row<Post>,
    #[tree(has_many, by = thread_id, filter = |c| c.number.eq("one"))]
    comments: List<Row<Comment>>,
}

// A record is no tree: a row is.
#[derive(Tree, Clone, Debug, PartialEq)]
struct OfRecords {
    #[tree(row)]
    post: Row<Post>,
    #[tree(has_many, by = post_id)]
    comments: List<Comment>,
}

// One at most has no limit, and a tree that contains itself has a depth.
#[derive(Tree, Clone, Debug, PartialEq)]
struct Options {
    #[tree(row)]
    post: Row<Post>,
    #[tree(has_one, by = post_id, limit = 3)]
    first: Option<Row<Comment>>,
    #[tree(has_many, by = post_id)]
    below: List<Options>,
    title: String,
}

#[derive(Tree, Clone, Debug, PartialEq)]
struct Card {
    #[tree(row)]
    post: Row<Post>,
    #[tree(has_many, by = post_id)]
    comments: List<Row<Comment>>,
}

struct OfPostsAlone;
impl Policy<Post> for OfPostsAlone {
    fn may_see(&self, _: &Post) -> bool {
        true
    }
}

fn main() {
    // A policy for each model.
    let _ = Card::live().allowed_by(OfPostsAlone);
}
