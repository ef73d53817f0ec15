//! The model: the content of the attributes, with names and defaults resolved.
//!
//! `parse` creates it from the syntax, `check` checks that its parts are consistent, `expand` reads it.

mod log;

pub(crate) use log::{Log, LogLink, Shards};

use proc_macro2::Span;
use syn::{Ident, Path, Type, Visibility};

/// A struct with `#[derive(Evented)]`.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    /// The path of the library: `::evented_diesel`, or the path in `#[evented(crate = path)]`.
    pub(crate) krate: Path,
    /// The Diesel table, from `#[diesel(table_name = path)]`. Default: the one that Diesel derives from the struct's
    /// name.
    pub(crate) table: Path,
    /// The model's name in the log, from `schema = "…"`. Default: the table's name.
    pub(crate) schema: Spanned<String>,
    /// The schema version, from `version = n`. Default: 0.
    pub(crate) version: Spanned<u32>,
    pub(crate) actions: Vec<ActionDef>,
    /// `retired("shut" = path)`: actions that no longer exist, with the function that replays them.
    pub(crate) retired: Vec<(Spanned<String>, Path)>,
    /// `actions(Close(aliases("shut")))`: the old names of actions.
    pub(crate) aliases: Vec<Alias>,
    /// `scopes(org = org_id, (org = org_id, post = post_id))`: each a named combination of fields.
    pub(crate) scopes: Vec<Vec<(Ident, Ident)>>,
    /// `log(shared = path)`: the log that the model shares with other models.
    pub(crate) shared_log: Option<Path>,
    /// `log(only)`: the model has no table. The span of the attribute.
    pub(crate) log_only: Option<Span>,
    /// `before_append = path`: the hook that runs before an event is written.
    pub(crate) before_append: Option<Path>,
    /// `log(table = path)`: the user's own `table!` of the log.
    pub(crate) log_table: Option<Path>,
    /// `log(db_schema = "audit")`: the database schema of the log's table.
    pub(crate) db_schema: Option<Spanned<String>>,
    /// `insert = Type`: the user's own input of an insert.
    pub(crate) insert: Option<Path>,
    /// `update = Type`: the user's own input of an update.
    pub(crate) update: Option<Path>,
    /// `check = path`: the check of each new state.
    pub(crate) check: Option<Path>,
    /// `savepoint(with = path)`: the user's own form of a savepoint.
    pub(crate) savepoint: Option<Path>,
    /// `savepoint(every = n)`: the number of revisions after which a savepoint is written.
    pub(crate) savepoint_every: Option<Spanned<u32>>,
    /// `upcast(0 = f, 1 = g)`: the step from each version to the next.
    pub(crate) upcasts: Vec<(Spanned<u32>, Path)>,
    pub(crate) drift: Drift,
    /// In order of declaration; exactly one of kind [`FieldKind::Key`].
    pub(crate) fields: Vec<Field>,
}

/// One action of `actions(Archive, Close(name = "close"))`.
#[derive(Debug)]
pub(crate) struct ActionDef {
    pub(crate) ty: Path,
    /// The name in the log, from `name = "…"`. Default: the last segment of the type's path in snake case.
    pub(crate) name: String,
    /// The generated method: the last segment of the type's path in snake case, raw if it is a keyword.
    pub(crate) method: Ident,
    pub(crate) span: Span,
}

/// An old name of an action, from `aliases("shut")`. Rows of the log may have it.
#[derive(Debug)]
pub(crate) struct Alias {
    /// The current name of the action in the log.
    pub(crate) action: Spanned<String>,
    pub(crate) old: Spanned<String>,
}

/// What a write does if the row was changed without an event.
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
    /// The column, from `#[diesel(column_name = …)]`. Default: the field's name.
    pub(crate) column: Ident,
    pub(crate) kind: FieldKind,
    /// The generated insert type does not have the field. It starts with the default of its type.
    pub(crate) skip_insert: bool,
    /// The items of the field's lists have no order: `#[evented(unordered)]`, or a `HashSet`.
    pub(crate) unordered: bool,
    /// `#[evented(renamed(from = "title", version = 1))]`, which may be repeated.
    pub(crate) renamed: Vec<Renamed>,
    /// `#[diesel(deserialize_as = Type)]`.
    pub(crate) deserialize_as: Option<Type>,
    /// Doc attributes, copied to the generated types.
    pub(crate) docs: Vec<syn::Attribute>,
}

/// The role of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldKind {
    Key(KeyKind),
    InsertedAt,
    UpdatedAt,
    Revision,
    /// The database generates the value: the library reads it, never writes it, and leaves it out of the digest.
    Generated,
    Plain,
}

/// The type that a key is made of, and who makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// `uuid::Uuid`, made by the library.
    Uuid,
    /// `Id<Model>`, made by the library, on all databases.
    Id,
    /// `String`, given by the caller.
    Text,
    /// `i32`, made by the database.
    I32,
    /// `i64`, made by the database.
    I64,
}

/// A field's earlier name. `version` is the first schema version with the current name.
#[derive(Debug)]
pub(crate) struct Renamed {
    pub(crate) from: String,
    pub(crate) version: u32,
    pub(crate) span: Span,
}

/// A value and its span in the source.
#[derive(Debug, Clone)]
pub(crate) struct Spanned<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

impl Field {
    /// Whether the field is part of the state, which is recorded in the log and in the digest.
    pub(crate) fn is_state(&self) -> bool {
        !matches!(self.kind, FieldKind::Key(_) | FieldKind::Generated | FieldKind::Revision)
    }
}
