//! The test models, on both databases.
#![allow(missing_docs, reason = "the tests are their documentation")]

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use evented_diesel::{Action, Context, Evented, Fields, Id, RawPayload, ValidationErrors};
use serde::{Deserialize, Serialize};

pub mod columns;
pub mod defaulted;
pub mod ledger;
pub mod racing;
pub mod related;
pub mod shared;
pub mod stepped;

pub mod schema {
    diesel::table! {
        use diesel::sql_types::*;
        use evented_diesel::sql_types::{Uid, UtcTime};
        items (id) {
            id -> Uid,
            org_id -> Uid,
            name -> Text,
            value -> Integer,
            note -> Nullable<Text>,
            archived_at -> Nullable<UtcTime>,
            inserted_at -> UtcTime,
            updated_at -> UtcTime,
        }
    }
    diesel::table! {
        use diesel::sql_types::*;
        notes (id) {
            id -> Integer,
            text -> Text,
        }
    }
    diesel::table! {
        use diesel::sql_types::*;
        use evented_diesel::sql_types::Uid;
        counters (id) {
            id -> Uid,
            count -> BigInt,
            #[sql_name = "revision_no"]
            revision -> BigInt,
        }
    }
    diesel::table! {
        use diesel::sql_types::*;
        pages (path) {
            path -> Text,
            title -> Text,
            views -> BigInt,
        }
    }
    diesel::table! {
        use diesel::sql_types::*;
        use evented_diesel::sql_types::Uid;
        stricts (id) {
            id -> Uid,
            name -> Text,
        }
    }
    diesel::table! {
        use diesel::sql_types::*;
        use evented_diesel::sql_types::Uid;
        healed (id) {
            id -> Uid,
            name -> Text,
            by_database -> Integer,
        }
    }
}
use schema::{counters, healed, items, notes, pages, stricts};

/// Used only for its id.
#[derive(Debug)]
pub struct Org;

/// The model of the documents: timestamps, a nullable column, a version, actions, a rule.
#[derive(Evented, Queryable, Selectable, Identifiable, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[diesel(table_name = items)]
#[evented(
    schema = "items",
    version = 2,
    actions(Archive(aliases("put_away")), Restore, AddValue(name = "add")),
    retired("double" = Item::double),
    scopes(org = org_id),
    upcast(1 = Item::v1_to_v2),
    check = Item::valid
)]
pub struct Item {
    pub id: Id<Item>,
    pub org_id: Id<Org>,
    #[evented(renamed(from = "title", version = 1))]
    pub name: String,
    pub value: i32,
    pub note: Option<String>,
    #[evented(skip_insert)]
    pub archived_at: Option<DateTime<Utc>>,
    #[evented(inserted_at)]
    pub inserted_at: DateTime<Utc>,
    #[evented(updated_at)]
    pub updated_at: DateTime<Utc>,
}

impl Item {
    fn valid(&self) -> Result<(), ValidationErrors> {
        let mut faults = ValidationErrors::none();
        if self.name.is_empty() {
            faults.add("name", "is empty");
        }
        if self.value < 0 {
            faults.add("value", "is negative");
        }
        faults.into_result()
    }

    /// Version 1 kept the value as text.
    fn v1_to_v2(attrs: &mut RawPayload) {
        if let Some(value) = attrs.get("value").and_then(|value| value.as_str()?.parse::<i64>().ok()) {
            attrs.set("value", value);
        }
    }

    fn double(_: &RawPayload, item: &mut Self, _: &Context) {
        item.value *= 2;
    }
}

/// Archives the item. [`Restore`] restores it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Archive {
    pub reason: String,
}

impl Action<Item> for Archive {
    fn check(&self, item: &Item, _: &Context) -> Result<(), ValidationErrors> {
        if item.archived_at.is_some() {
            return Err(ValidationErrors::field("archived_at", "is already archived"));
        }
        Ok(())
    }
    fn apply(&self, item: &mut Item, cx: &Context) {
        item.archived_at = Some(cx.at);
    }
}

/// Restores an archived item.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Restore;

impl Action<Item> for Restore {
    fn apply(&self, item: &mut Item, _: &Context) {
        item.archived_at = None;
    }
}

/// Adds to the value.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct AddValue(pub i32);

impl Action<Item> for AddValue {
    fn apply(&self, item: &mut Item, _: &Context) {
        item.value = item.value.saturating_add(self.0);
    }
}

/// A model whose key the database generates.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = notes)]
pub struct Note {
    pub id: i32,
    pub text: String,
}

/// A model with a revision column under another name.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = counters)]
#[evented(actions(Increment))]
pub struct Counter {
    pub id: Id<Counter>,
    pub count: i64,
    #[evented(revision)]
    pub revision: i64,
}

/// Adds one to the counter.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Increment;

impl Action<Counter> for Increment {
    fn apply(&self, counter: &mut Counter, _: &Context) {
        counter.count += 1;
    }
}

/// A model whose key the caller provides, with its own form of savepoints.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = pages, primary_key(path))]
#[evented(actions(Visit), savepoint(with = Page::compact))]
pub struct Page {
    pub path: String,
    pub title: String,
    #[evented(skip_insert)]
    pub views: i64,
}

impl Page {
    fn compact(&self) -> Fields {
        let mut fields = Fields::new();
        fields.set("title", self.title.as_str());
        fields.set("views", self.views);
        fields
    }
}

/// Counts a view.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Visit {
    pub times: i64,
}

impl Action<Page> for Visit {
    fn apply(&self, page: &mut Page, _: &Context) {
        page.views += self.times;
    }
}

/// A model that refuses drift.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = stricts)]
#[evented(drift = refuse)]
pub struct Strict {
    pub id: Id<Strict>,
    pub name: String,
}

/// A model that heals drift; the database sets one column.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = healed)]
#[evented(drift = heal)]
pub struct Healed {
    pub id: Id<Healed>,
    pub name: String,
    #[evented(generated)]
    pub by_database: i32,
}
