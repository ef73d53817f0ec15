//! Checks that every public item of the derive has a doc comment. This file is part of a library, because the lint
//! ignores tests.
#![deny(missing_docs, unreachable_pub)]

use chrono::{DateTime, Utc};
use evented_diesel::{Context, Evented, Id, RawPayload, ValidationErrors};

/// The table.
pub mod schema {
    diesel::table! {
        use diesel::sql_types::*;
        use evented_diesel::sql_types::{Uid, UtcTime};
        /// Books.
        books (id) {
            /// Its key.
            id -> Uid,
            /// Its title.
            title -> Text,
            /// Its author.
            author -> Nullable<Text>,
            /// When it was lent.
            #[sql_name = "lent at"]
            lent_at -> Nullable<UtcTime>,
            /// When it was bought.
            bought_at -> UtcTime,
            /// Its revision.
            revision -> Integer,
        }
    }
}

/// Actions.
pub mod actions {
    use evented_diesel::Action;
    use serde::{Deserialize, Serialize};

    use super::{Book, Context};

    /// Lends the book.
    #[derive(Serialize, Deserialize, Clone, Debug)]
    pub struct Lend;

    impl Action<Book> for Lend {
        fn apply(&self, book: &mut Book, cx: &Context) {
            book.lent_at = Some(cx.at);
        }
    }
}

/// A book.
#[derive(Evented, Clone, Debug, PartialEq)]
#[diesel(table_name = schema::books)]
#[evented(
    version = 1,
    actions(actions::Lend),
    retired("burn" = Book::burn),
    scopes(author = author),
    upcast(0 = Book::v0),
    check = Book::valid
)]
pub struct Book {
    id: Id<Book>,
    /// The printed title; see [`Book::author`].
    pub title: String,
    pub(crate) author: Option<String>,
    /// When it was lent.
    #[evented(skip_insert)]
    pub lent_at: Option<DateTime<Utc>>,
    /// When it was bought.
    #[evented(inserted_at)]
    pub bought_at: DateTime<Utc>,
    /// The number of changes.
    #[evented(revision)]
    pub revision: i32,
}

impl Book {
    /// Returns the author.
    #[must_use]
    pub fn author(&self) -> Option<&str> {
        self.author.as_deref()
    }

    fn valid(&self) -> Result<(), ValidationErrors> {
        if self.title.is_empty() { Err(ValidationErrors::field("title", "is empty")) } else { Ok(()) }
    }

    fn burn(_: &RawPayload, _: &mut Book, _: &Context) {}

    fn v0(_: &mut RawPayload) {}
}
