//! The model: the content of the attributes, with names and defaults resolved.
//!
//! `parse` creates it from the syntax, `check` checks that its parts are consistent, `expand` reads it.

mod domain;
mod log;
mod tree;

pub(crate) use domain::{Bus, DomainEvent};
pub(crate) use log::{Log, LogLink, Shards};
pub(crate) use tree::{BranchKind, BranchOptions, Join, Through, Tree, TreeBranch, TreeRow};

use proc_macro2::Span;
use syn::{Expr, Ident, Path, Type, Visibility};

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
    /// `publish(on(insert) = OrderPlaced)`: the domain events of its changes.
    pub(crate) publishes: Vec<PublishOn>,
    /// `after_write = path`: the hook that runs after an event is written.
    pub(crate) after_write: Option<Path>,
    /// `cascade(Comment, Reply = (replies::shop_id, replies::number))`: the models whose records are deleted first.
    pub(crate) cascade: Vec<Child>,
    /// `view`: the table is a view of PostgreSQL. The span of the attribute.
    pub(crate) view: Option<Span>,
    /// `live`: the fields are values for live queries. The span of the attribute.
    pub(crate) live: Option<Span>,
    /// `#[diesel(belongs_to(Parent))]`: the parents, each with the foreign key.
    pub(crate) parents: Vec<BelongsTo>,
    /// `log(table = path)`: the user's own `table!` of the log.
    pub(crate) log_table: Option<Path>,
    /// `log(db_schema = "audit")`: the database schema of the log's table.
    pub(crate) db_schema: Option<Spanned<String>>,
    /// `insert = Type`: the user's own input of an insert.
    pub(crate) insert: Option<Path>,
    /// `update = Type`: the user's own input of an update.
    pub(crate) update: Option<Path>,
    /// `names(…)`: the names of the generated types.
    pub(crate) names: GeneratedNames,
    /// `check = path`: the check of each new state.
    pub(crate) check: Option<Path>,
    /// `savepoint(with = path)`: the user's own form of a savepoint.
    pub(crate) savepoint: Option<Path>,
    /// `savepoint(every = n)`: the number of revisions after which a savepoint is written.
    pub(crate) savepoint_every: Option<Spanned<u32>>,
    /// `upcast(0 = f, 1 = g)`: the step from each version to the next.
    pub(crate) upcasts: Vec<(Spanned<u32>, Path)>,
    pub(crate) drift: Drift,
    /// In order of declaration; at least one of kind [`FieldKind::Key`].
    pub(crate) fields: Vec<Field>,
    /// The indices of the key's fields, in the order of the key's parts.
    pub(crate) key: Vec<usize>,
}

/// One action of `actions(Archive, Close(name = "close"))`.
#[derive(Debug)]
pub(crate) struct ActionDef {
    pub(crate) ty: Path,
    /// The name in the log, from `name = "…"`. Default: the last segment of the type's path in snake case.
    pub(crate) name: String,
    /// The generated method, from `method = …`. Default: the last segment of the type's path in snake case, raw if it is
    /// a keyword. `None`: `method = _`, none is generated.
    pub(crate) method: Option<Ident>,
    pub(crate) span: Span,
}

/// One domain event of `publish(on(insert) = OrderPlaced, on(update(status)) = StatusChanged)`.
#[derive(Debug)]
pub(crate) struct PublishOn {
    pub(crate) on: On,
    pub(crate) event: Path,
}

/// The changes for which a domain event is published.
#[derive(Debug)]
pub(crate) enum On {
    Insert,
    /// A change of one of these fields; of any field if there are none.
    Update(Vec<Ident>),
    Delete,
    /// An action.
    Action(Path),
}

/// A model whose records are deleted before those that they refer to.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) model: Path,
    /// The columns that refer to the parts of the key, in their order. Empty: that of Diesel's `belongs_to`.
    pub(crate) columns: Vec<Path>,
}

/// A parent from `#[diesel(belongs_to(Parent, foreign_key = column))]`.
#[derive(Debug)]
pub(crate) struct BelongsTo {
    pub(crate) parent: Path,
    /// The column of the foreign key. Default: the one that Diesel derives from the name of the parent.
    pub(crate) column: Ident,
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
    pub(crate) ty: Type,
    /// The field of the model that holds this field, from `#[evented(embed(…))]`; `None` for a field of the model itself.
    pub(crate) owner: Option<Owner>,
    /// The column, from `#[diesel(column_name = …)]`. Default: the field's name.
    pub(crate) column: Ident,
    pub(crate) kind: FieldKind,
    /// `#[evented(given)]`: the caller gives the key of each new record.
    pub(crate) given: Option<Span>,
    /// The generated insert type does not have the field. It starts with the default of its type.
    pub(crate) skip_insert: bool,
    /// `#[evented(default)]`, `#[evented(default = expression)]`: the caller of an insert may leave the field out.
    pub(crate) default: Option<Omitted>,
    /// The generated update type does not have the field. Only actions change it.
    pub(crate) skip_update: bool,
    /// The items of the field's lists have no order: `#[evented(unordered)]`, or a `HashSet`.
    pub(crate) unordered: bool,
    /// `#[evented(renamed(from = "title", version = 1))]`, which may be repeated.
    pub(crate) renamed: Vec<Renamed>,
    /// `#[evented(added(version = 1, default = path))]`: the version that added the field, and its value in older events.
    pub(crate) added: Option<Added>,
    /// `#[evented(with = module)]`: the functions that write and read the field's form in the log.
    pub(crate) with: Option<Path>,
    /// `#[diesel(deserialize_as = Type)]`.
    pub(crate) deserialize_as: Option<Type>,
    /// `#[diesel(serialize_as = Type)]`.
    pub(crate) serialize_as: Option<Type>,
    /// Doc attributes, copied to the generated types.
    pub(crate) docs: Vec<syn::Attribute>,
}

/// The value of a field that the caller of an insert leaves out.
#[derive(Debug)]
pub(crate) struct Omitted {
    /// The expression; `None` if the database has a `DEFAULT` for the column.
    pub(crate) value: Option<Expr>,
    pub(crate) span: Span,
}

/// A field whose type is a struct of several columns.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
}

/// The role of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldKind {
    Key(KeyKind),
    InsertedAt,
    UpdatedAt,
    Revision,
    /// No column: the library neither reads nor writes the field, and sets it to the default of its type.
    Skipped,
    /// The database generates the value: the library reads it, never writes it, and leaves it out of the digest.
    Generated,
    Plain,
}

/// The type that a part of a key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// `uuid::Uuid`.
    Uuid,
    /// `Id<Model>`, on all databases.
    Id,
    /// `String`.
    Text,
    /// `i16`.
    I16,
    /// `i32`.
    I32,
    /// `i64`.
    I64,
    /// `bool`.
    Bool,
    /// `Vec<u8>`.
    Bytes,
}

/// Who makes the key of a new record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeySource {
    Library,
    Caller,
    Database,
}

impl KeyKind {
    /// The form in which a log keeps a key of this part alone. The parts of a key of several columns are kept as text.
    pub(crate) fn in_log(self) -> Self {
        match self {
            Self::Uuid | Self::Id | Self::Text | Self::I32 | Self::I64 => self,
            Self::I16 | Self::Bool | Self::Bytes => Self::Text,
        }
    }

    /// Who makes a key of this part alone, unless an attribute says that the caller gives it.
    pub(crate) fn source(self) -> KeySource {
        match self {
            Self::Uuid | Self::Id => KeySource::Library,
            Self::Text | Self::Bool | Self::Bytes => KeySource::Caller,
            Self::I16 | Self::I32 | Self::I64 => KeySource::Database,
        }
    }
}

impl Model {
    /// The fields of the key, in the order of its parts.
    pub(crate) fn keys(&self) -> impl ExactSizeIterator<Item = (&Field, KeyKind)> {
        self.key.iter().map(|index| {
            let field = &self.fields[*index];
            let kind = match field.kind {
                FieldKind::Key(kind) => kind,
                _ => KeyKind::Text,
            };
            (field, kind)
        })
    }

    /// Who makes the key of a new record for which the caller gives none.
    pub(crate) fn key_source(&self) -> KeySource {
        match self.keys().collect::<Vec<_>>().as_slice() {
            [(field, kind)] if field.given.is_none() => kind.source(),
            _ => KeySource::Caller,
        }
    }

    /// The form in which a log of the model's own keeps the key.
    pub(crate) fn key_in_log(&self) -> KeyKind {
        match self.keys().collect::<Vec<_>>().as_slice() {
            [(_, kind)] => kind.in_log(),
            _ => KeyKind::Text,
        }
    }
}

/// A field's earlier name. `version` is the first schema version with the current name.
#[derive(Debug)]
pub(crate) struct Renamed {
    pub(crate) from: String,
    pub(crate) version: u32,
    pub(crate) span: Span,
}

/// The schema version that added a field.
#[derive(Debug)]
pub(crate) struct Added {
    pub(crate) version: u32,
    /// The function that returns the value of the field in older events. Default: the default of the type.
    pub(crate) default: Option<Path>,
    pub(crate) span: Span,
}

/// The names of the generated types, from `names(insert = …, update = …, event = …)`.
#[derive(Debug, Default)]
pub(crate) struct GeneratedNames {
    pub(crate) insert: Option<Ident>,
    pub(crate) update: Option<Ident>,
    pub(crate) event: Option<EventName>,
}

/// The name of the generated event type.
#[derive(Debug)]
pub(crate) enum EventName {
    Given(Ident),
    /// `names(event = _)`: none. The type is `<Item as Evented>::Event`.
    Hidden,
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
        !matches!(
            self.kind,
            FieldKind::Key(_) | FieldKind::Generated | FieldKind::Revision | FieldKind::Skipped
        )
    }

    /// Whether the field is a column of the table.
    pub(crate) fn is_column(&self) -> bool {
        self.kind != FieldKind::Skipped
    }
}
