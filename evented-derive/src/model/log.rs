//! A log that several models share: what the attributes of `#[derive(EventLog)]` say.

use proc_macro2::Span;
use syn::{Ident, Path};

use super::{KeyKind, Spanned};

/// A unit struct with `#[derive(EventLog)]`.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) ident: Ident,
    /// Where the library is found.
    pub(crate) krate: Path,
    /// `table = "events"`: the table, or the view of all shards.
    pub(crate) table: Spanned<String>,
    /// `log_schema = "audit"`: the PostgreSQL schema of the tables.
    pub(crate) log_schema: Option<Spanned<String>>,
    /// `key = Id`.
    pub(crate) key: KeyKind,
    /// `schemas(Item, Comment as "comments")`: the models, and the name that one is said to have.
    pub(crate) models: Vec<(Path, Option<Spanned<String>>)>,
    /// `aliases(archive = "put_away")`: today's name of an action, and an old one.
    pub(crate) aliases: Vec<(Spanned<String>, Spanned<String>)>,
    /// `hashed`: each event has the hash of the one before it.
    pub(crate) hashed: bool,
    pub(crate) links: Vec<LogLink>,
    pub(crate) shards: Option<Shards>,
}

/// One link of `links(ancestors, replies(Reply))`.
#[derive(Debug)]
pub(crate) struct LogLink {
    pub(crate) name: Ident,
    /// The type of its fields.
    pub(crate) data: Option<Path>,
}

/// `shards(4)`, `shards(4, by = f)` or `shards("eu", "us", by = f)`.
#[derive(Debug)]
pub(crate) struct Shards {
    /// What is added to the table's name.
    pub(crate) names: Vec<String>,
    /// Which one a record is in.
    pub(crate) by: Option<Path>,
    pub(crate) span: Span,
}
