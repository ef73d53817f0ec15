//! Models whose rows refer to rows of others: threads with posts, posts with votes, and a tree of places.

use diesel::prelude::*;
use evented_diesel::migrations::{Database, Migrations};
use evented_diesel::{Evented, Id};

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    threads (id) {
        id -> Uid,
        title -> Text,
    }
}
diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    posts (thread_id, number) {
        #[sql_name = "thread"]
        thread_id -> Uid,
        number -> Integer,
        text -> Text,
    }
}
diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    votes (id) {
        id -> Integer,
        thread_id -> Uid,
        post -> Integer,
        up -> Bool,
    }
}
diesel::table! {
    places (id) {
        id -> Integer,
        parent -> Nullable<Integer>,
        name -> Text,
    }
}

/// Has posts.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = threads)]
#[evented(cascade(Vote = votes::thread_id, Post))]
pub struct Thread {
    pub id: Id<Thread>,
    pub title: String,
}

/// Belongs to a thread, and has votes.
#[derive(Evented, Queryable, Selectable, Identifiable, Associations, Clone, Debug, PartialEq)]
#[diesel(table_name = posts, primary_key(thread_id, number), belongs_to(Thread))]
#[evented(cascade(Vote = (votes::thread_id, votes::post)))]
pub struct Post {
    pub thread_id: Id<Thread>,
    pub number: i32,
    pub text: String,
}

/// Refers to a post.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = votes)]
pub struct Vote {
    pub id: i32,
    pub thread_id: Id<Thread>,
    pub post: i32,
    pub up: bool,
}

/// Lies in another place.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = places)]
#[evented(cascade(Place = places::parent))]
pub struct Place {
    pub id: i32,
    pub parent: Option<i32>,
    pub name: String,
}

/// The tables and their logs. Foreign keys delete the rows that refer to a deleted one.
#[must_use]
pub fn tables(database: Database) -> String {
    let (id, key, pragma) = match database {
        Database::Postgres => ("UUID", "SERIAL PRIMARY KEY", ""),
        Database::Sqlite => ("BLOB", "INTEGER PRIMARY KEY", "PRAGMA foreign_keys = ON;"),
    };
    let logs = Migrations::new().log::<Thread>().log::<Post>().log::<Vote>().log::<Place>().up_sql(database);
    format!(
        "{pragma} CREATE TABLE threads (id {id} PRIMARY KEY, title TEXT NOT NULL);
         CREATE TABLE posts (thread {id} NOT NULL REFERENCES threads (id) ON DELETE CASCADE, number INTEGER NOT NULL,
             text TEXT NOT NULL, PRIMARY KEY (thread, number));
         CREATE TABLE votes (id {key}, thread_id {id} NOT NULL, post INTEGER NOT NULL, up BOOLEAN NOT NULL,
             FOREIGN KEY (thread_id, post) REFERENCES posts (thread, number) ON DELETE CASCADE);
         CREATE TABLE places (id {key}, parent INTEGER REFERENCES places (id) ON DELETE CASCADE, name TEXT NOT NULL);
         {logs}"
    )
}
