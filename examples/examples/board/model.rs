//! The models: the items of organisations, with their comments and tags.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use evented_diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::state::State;

diesel::table! { orgs (id) { id -> Integer, name -> Text } }
diesel::table! { people (id) { id -> Integer, org_id -> Integer, name -> Text } }
diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    items (id) {
        id -> Uid,
        org_id -> Integer,
        title -> Text,
        state -> Text,
        rank -> Text,
        revision -> BigInt,
    }
}
diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::{Uid, UtcTime};
    comments (id) {
        id -> Uid,
        org_id -> Integer,
        item_id -> Uid,
        author_id -> Integer,
        text -> Text,
        at -> UtcTime,
    }
}
diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    tags (id) { id -> Uid, org_id -> Integer, name -> Text }
}
diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    taggings (item_id, tag_id) { item_id -> Uid, tag_id -> Uid, org_id -> Integer }
}

/// An organisation. Every other record names the one that it belongs to, for the policies.
#[derive(Evented, Queryable, Selectable, Identifiable, Serialize, Clone, Debug, PartialEq)]
#[diesel(table_name = orgs)]
#[evented(live)]
pub struct Org {
    #[evented(given)]
    pub id: i32,
    pub name: String,
}

/// A person, who writes comments.
#[derive(Evented, Queryable, Selectable, Identifiable, Serialize, Clone, Debug, PartialEq)]
#[diesel(table_name = people)]
#[evented(live, check = Person::named)]
pub struct Person {
    #[evented(given)]
    pub id: i32,
    #[evented(skip_update)]
    pub org_id: i32,
    pub name: String,
}

/// An item on the board of an organisation.
#[derive(Evented, Queryable, Selectable, Identifiable, Serialize, Clone, Debug, PartialEq)]
#[diesel(table_name = items)]
#[evented(live, update = evented_diesel::Never, actions(Rename, Move(method = shift)), cascade(Comment, Tagging))]
#[evented(scopes(org = org_id), check = Item::titled)]
pub struct Item {
    pub id: Id<Item>,
    pub org_id: i32,
    pub title: String,
    /// The column of the board.
    pub state: State,
    /// The place in the column: ranks are ordered by their bytes.
    pub rank: String,
    /// The revision. A change names the one that its page shows.
    #[evented(revision)]
    pub revision: i64,
}

/// Gives the item another title.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Rename {
    pub title: String,
}

impl Action<Item> for Rename {
    fn apply(&self, item: &mut Item, _: &Context) {
        item.title.clone_from(&self.title);
    }
}

/// Moves the item to another place of the board.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Move {
    pub state: State,
    pub rank: String,
}

impl Action<Item> for Move {
    fn apply(&self, item: &mut Item, _: &Context) {
        item.state = self.state;
        item.rank.clone_from(&self.rank);
    }
}

/// A comment on an item.
#[derive(Evented, Queryable, Selectable, Identifiable, Associations, Serialize, Clone, Debug, PartialEq)]
#[diesel(table_name = comments, belongs_to(Item), belongs_to(Person, foreign_key = author_id))]
#[evented(live, check = Comment::says_something)]
pub struct Comment {
    pub id: Id<Comment>,
    pub org_id: i32,
    pub item_id: Id<Item>,
    pub author_id: i32,
    pub text: String,
    #[evented(inserted_at)]
    pub at: DateTime<Utc>,
}

/// A tag of an organisation.
#[derive(Evented, Queryable, Selectable, Identifiable, Serialize, Clone, Debug, PartialEq)]
#[diesel(table_name = tags)]
#[evented(live, check = Tag::named)]
pub struct Tag {
    pub id: Id<Tag>,
    pub org_id: i32,
    pub name: String,
}

/// An item has a tag: a join table, whose key is the pair.
#[derive(Evented, Queryable, Selectable, Identifiable, Associations, Serialize, Clone, Debug, PartialEq)]
#[diesel(table_name = taggings, primary_key(item_id, tag_id), belongs_to(Item), belongs_to(Tag))]
#[evented(live)]
pub struct Tagging {
    pub item_id: Id<Item>,
    pub tag_id: Id<Tag>,
    pub org_id: i32,
}

/// The greatest number of characters of a text that is one line.
const LINE: usize = 200;

impl Person {
    fn named(&self) -> Result<(), ValidationErrors> {
        says_something("name", &self.name, LINE)
    }
}

impl Item {
    fn titled(&self) -> Result<(), ValidationErrors> {
        says_something("title", &self.title, LINE)
    }
}

impl Comment {
    fn says_something(&self) -> Result<(), ValidationErrors> {
        says_something("text", &self.text, 2_000)
    }
}

impl Tag {
    fn named(&self) -> Result<(), ValidationErrors> {
        says_something("name", &self.name, 40)
    }
}

fn says_something(field: &'static str, text: &str, most: usize) -> Result<(), ValidationErrors> {
    if text.trim().is_empty() {
        Err(ValidationErrors::field(field, "is empty"))
    } else if text.chars().count() > most {
        Err(ValidationErrors::field(field, format!("has more than {most} characters")))
    } else {
        Ok(())
    }
}
