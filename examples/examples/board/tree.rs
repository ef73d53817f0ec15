//! What a page shows of an item: a tree of records.

use evented_live::{List, Row, Tree};
use serde::Serialize;

use crate::model::{Comment, Item, Person, Tag, Tagging};

/// An item with its last comments and its tags.
///
/// The fields of the record are those of the card, so that its JSON has the `id` by which the page keeps its element.
#[derive(Tree, Serialize, Clone, Debug, PartialEq)]
pub struct ItemCard {
    #[tree(row)]
    #[serde(flatten)]
    pub item: Row<Item>,
    #[tree(has_many, order = |c| c.id.desc(), limit = 3)]
    pub comments: List<CommentCard>,
    #[tree(many_to_many(Tagging), order = |t| t.name.asc())]
    pub tags: List<Row<Tag>>,
}

/// A comment with its author.
#[derive(Tree, Serialize, Clone, Debug, PartialEq)]
pub struct CommentCard {
    #[tree(row)]
    #[serde(flatten)]
    pub comment: Row<Comment>,
    #[tree(belongs_to)]
    pub author: Option<Row<Person>>,
}
