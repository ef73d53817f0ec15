//! A log that several models share: the content of the attributes of `#[derive(EventLog)]`.

use proc_macro2::Span;
use syn::{Ident, Path};

use super::{Alias, KeyKind, Spanned};

/// A unit struct with `#[derive(EventLog)]`.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) ident: Ident,
    /// The path of the library.
    pub(crate) krate: Path,
    /// `table = "events"`: the table, or the view of all shards.
    pub(crate) table: Spanned<String>,
    /// `db_schema = "audit"`: the database schema of the tables.
    pub(crate) db_schema: Option<Spanned<String>>,
    /// `key = Id`: the type that the records' keys are made of.
    pub(crate) key: KeyKind,
    /// `models(Item, Comment(schema = "comments"))`: the models, and the name that the list states for each.
    pub(crate) models: Vec<(Path, Option<Spanned<String>>)>,
    /// `actions(archive(aliases("put_away")))`: the old names of actions.
    pub(crate) aliases: Vec<Alias>,
    /// `hashed`: each event has a hash, which covers the hash of the previous event of its record.
    pub(crate) hashed: bool,
    pub(crate) links: Vec<LogLink>,
    pub(crate) shards: Option<Shards>,
}

/// One link of `links(ancestors, replies(Reply))`.
#[derive(Debug)]
pub(crate) struct LogLink {
    pub(crate) name: Ident,
    /// The type of the link's fields, if it has fields.
    pub(crate) data: Option<Path>,
}

/// `shards(4)`, `shards(4, by = f)` or `shards("eu", "us", by = f)`.
#[derive(Debug)]
pub(crate) struct Shards {
    /// The suffixes of the table names, one for each shard.
    pub(crate) names: Vec<String>,
    /// The function that selects the shard of a record.
    pub(crate) by: Option<Path>,
    pub(crate) span: Span,
}
