//! Recognizes writes that the database answered without an error and did not carry out as asked.
//!
//! A trigger or a rule can suppress a row, or change its key. On PostgreSQL event and row are one statement, which would
//! be committed with its answer. So the statement itself checks its result, and fails by casting a text to a number: its
//! message contains the text in every language of the server.

// Without a database, no write can be refused.
#![cfg_attr(not(any(feature = "__pg", feature = "sqlite")), allow(dead_code))]

use diesel::result::Error as DieselError;

use super::{Error, Subject};

/// What the database did instead of writing the row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RefusedRow {
    /// It wrote no row.
    #[error("{}", Self::NO_ROW)]
    NoRow,
    /// It wrote a row with this key.
    #[error("{prefix}{0}", prefix = Self::OTHER_KEY)]
    OtherKey(String),
}

impl RefusedRow {
    /// The beginning of the text for a row that was not written.
    pub(crate) const NO_ROW: &str = "evented: the row was not written";
    /// The beginning of the text for a row that was written with another key, which follows.
    pub(crate) const OTHER_KEY: &str = "evented: the row was written with the key ";

    /// Returns the reason as an error of Diesel, for a check that is made outside the database.
    pub(crate) fn into_diesel(self) -> DieselError {
        DieselError::QueryBuilderError(Box::new(self))
    }

    /// Returns the reason if an error of Diesel contains one.
    pub(super) fn of(error: &DieselError) -> Option<Self> {
        match error {
            DieselError::QueryBuilderError(reason) => reason.downcast_ref().cloned(),
            DieselError::DatabaseError(_, information) => {
                let message = information.message();
                if let Some(at) = message.find(Self::OTHER_KEY) {
                    let key = message.get(at + Self::OTHER_KEY.len()..).unwrap_or_default();
                    // The server quotes the text.
                    return Some(Self::OtherKey(
                        key.trim_end_matches(['"', '«', '»', '“', '”', '\'']).to_owned(),
                    ));
                }
                message.contains(Self::NO_ROW).then_some(Self::NoRow)
            }
            _ => None,
        }
    }

    pub(super) fn into_error(self, record: Subject) -> Error {
        match self {
            Self::NoRow => Error::NotWritten { record },
            Self::OtherKey(found) => Error::OtherKey { record, found },
        }
    }
}
