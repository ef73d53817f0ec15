//! What an error is about.

use evented_core::KeyValue;

/// The record, model, log or other object that an error is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// One record.
    Record {
        /// The name of the model in the log.
        schema: &'static str,
        /// The key of the record.
        key: KeyValue,
    },
    /// Several records of a model, or a record that has no key yet; contains the model's name in the log.
    Model(&'static str),
    /// An event log; contains the name of its table.
    Log(&'static str),
    /// A transaction that the caller opened.
    Transaction,
    /// An object of the database server that is not a table of records.
    Object {
        /// The kind of object, for example `slot`.
        kind: &'static str,
        /// The object's name; empty if the server has only one such object.
        name: String,
    },
}

impl Subject {
    /// Returns the model's name in the log, if the error is about a record or a model.
    #[must_use]
    pub fn schema(&self) -> Option<&'static str> {
        match self {
            Self::Record { schema, .. } | Self::Model(schema) => Some(schema),
            _ => None,
        }
    }

    /// Returns the record's key, if the error is about one record.
    #[must_use]
    pub fn key(&self) -> Option<&KeyValue> {
        match self {
            Self::Record { key, .. } => Some(key),
            _ => None,
        }
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Record { schema, key } => write!(f, "{schema} {key}"),
            Self::Model(schema) => f.write_str(schema),
            Self::Log(log) => write!(f, "the log `{log}`"),
            Self::Transaction => f.write_str("the transaction"),
            Self::Object { kind, name } if name.is_empty() => write!(f, "the {kind}"),
            Self::Object { kind, name } => write!(f, "the {kind} `{name}`"),
        }
    }
}
