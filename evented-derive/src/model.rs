//! The model: what the attributes say, with names and defaults resolved.
//!
//! `parse` makes it from the syntax, `check` holds its parts against each other, `expand` reads it.

mod log;

pub(crate) use log::{Log, LogLink, Shards};

use proc_macro2::Span;
use syn::{Ident, Path, Type, Visibility};

/// A struct with `#[derive(Evented)]`.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    /// Where the library is found: `::evented_diesel`, or what `#[evented(crate = path)]` says.
    pub(crate) krate: Path,
    /// The Diesel table, from `#[diesel(table_name = path)]`; Diesel's own default otherwise.
    pub(crate) table: Path,
    /// The stable name in the log, from `schema = "…"`; the table's name otherwise.
    pub(crate) schema: Spanned<String>,
    /// The schema version, `version = n`; 0 otherwise.
    pub(crate) version: Spanned<u32>,
    pub(crate) actions: Vec<ActionDef>,
    /// `retired("shut" = path)`: actions that no longer exist, with the function that replays them.
    pub(crate) retired: Vec<(Spanned<String>, Path)>,
    /// `aliases(close = "shut")`: today's action name and the name old rows carry.
    pub(crate) aliases: Vec<(Spanned<String>, Spanned<String>)>,
    /// `scopes(org = org_id, (org = org_id, post = post_id))`: each a named combination of fields.
    pub(crate) scopes: Vec<Vec<(Ident, Ident)>>,
    /// `log = path`: the log that the model shares with others.
    pub(crate) log: Option<Path>,
    /// `log_only`: the model has no table.
    pub(crate) log_only: Option<Span>,
    /// `prepare = path`: the hook before an event is written.
    pub(crate) prepare: Option<Path>,
    /// `log_table = path`: the user's own `table!` of the log.
    pub(crate) log_table: Option<Path>,
    /// `log_schema = "audit"`: the PostgreSQL schema of the log's table.
    pub(crate) log_schema: Option<Spanned<String>>,
    /// `insert = Type`: the user's own input of an insert.
    pub(crate) insert: Option<Path>,
    /// `update = Type`: the user's own input of an update.
    pub(crate) update: Option<Path>,
    /// `check = path`: the rule on each new state.
    pub(crate) check: Option<Path>,
    /// `savepoint = path`: the user's own form of a savepoint.
    pub(crate) savepoint: Option<Path>,
    /// `savepoint(every = n)`: each how many revisions one is written.
    pub(crate) savepoint_every: Option<Spanned<u32>>,
    /// `upcast(0 = f, 1 = g)`: the step from a version to the next.
    pub(crate) upcasts: Vec<(Spanned<u32>, Path)>,
    pub(crate) drift: Drift,
    /// In order of declaration; exactly one of kind [`FieldKind::Key`].
    pub(crate) fields: Vec<Field>,
}

/// One action of `actions(Archive, Close as "close")`.
#[derive(Debug)]
pub(crate) struct ActionDef {
    pub(crate) ty: Path,
    /// The stable name in the log: `as "…"`, or the type's last segment in snake case.
    pub(crate) name: String,
    /// The generated method, the type's last segment in snake case (raw if it is a keyword).
    pub(crate) method: Ident,
    pub(crate) span: Span,
}

/// What happens when a row was changed behind the log's back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drift {
    Adopt,
    Heal,
    Refuse,
}

/// One field of the struct.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    pub(crate) ty: Type,
    /// The column, from `#[diesel(column_name = …)]`; the field's name otherwise.
    pub(crate) column: Ident,
    pub(crate) kind: FieldKind,
    /// Left out of the generated insert type; starts as its type's default.
    pub(crate) skip_insert: bool,
    /// `#[evented(renamed(from = "title", version = 1))]`, possibly several.
    pub(crate) renamed: Vec<Renamed>,
    /// `#[diesel(deserialize_as = Type)]`.
    pub(crate) deserialize_as: Option<Type>,
    /// Doc attributes, copied to the generated types.
    pub(crate) docs: Vec<syn::Attribute>,
}

/// What a field is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldKind {
    Key(KeyKind),
    InsertedAt,
    UpdatedAt,
    Revision,
    /// Belongs to the database: read, never written, not in the digest.
    External,
    Plain,
}

/// What a key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// `uuid::Uuid`, made by the library.
    Uuid,
    /// `Id<Model>`, made by the library, on every database.
    Id,
    /// `String`, given by the caller.
    Text,
    /// `i32`, made by the database.
    I32,
    /// `i64`, made by the database.
    I64,
}

/// A field's earlier name: `version` is the first schema version with today's name.
#[derive(Debug)]
pub(crate) struct Renamed {
    pub(crate) from: String,
    pub(crate) version: u32,
    pub(crate) span: Span,
}

/// A value and where it was written.
#[derive(Debug, Clone)]
pub(crate) struct Spanned<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

impl Field {
    /// Part of the state: recorded in the log and in the digest.
    pub(crate) fn is_state(&self) -> bool {
        !matches!(self.kind, FieldKind::Key(_) | FieldKind::External | FieldKind::Revision)
    }
}
