//! Defines the traits that describe a model's tables. The derive implements them.

use diesel::backend::Backend;
use diesel::deserialize;
use diesel::row::Row;
use evented_core::live::{self, LiveModel, SyncItem, Tree};
use evented_core::{Evented, KeyValue};

use crate::domain::{Publications, Publishing};
use crate::error::{Error, FieldNames};
use crate::exec::Executor;
use crate::model::cascade::{Cascade, DeletingChildren};
use crate::model::derived::Derived;
use crate::model::event::Event;
use crate::model::log::{EventLog, HoldsModel};
use crate::model::pending_event::PendingEvent;
use crate::model::written::Written;
use crate::sql::{BindColumns, BindOperands, EventTable, NamedTable, SqlTypes};

/// A model with its tables. `#[derive(Evented)]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an evented model",
    label = "`#[derive(Evented)]` is missing",
    note = "add `Evented` to the derives of `{Self}`, next to Diesel's own"
)]
pub trait Model: Evented {
    /// Shows that the derive implements the trait.
    #[doc(hidden)]
    const DERIVED: Derived;
    /// The log that holds the model's events.
    type Log: EventLog + HoldsModel<Self>;
    /// The table that Diesel's associations over the model's events start from: the log's table, or the part of it that
    /// belongs to this model.
    #[doc(hidden)]
    type Events: diesel::Table + Default;

    /// Whether the model has a table. Without one, its state exists only in the log. Default: `true`.
    const HAS_TABLE: bool = true;
    /// Whether the model's table is a view of PostgreSQL, `#[evented(view)]`. A view has no versions of its rows, so every
    /// write locks the row first. Default: `false`.
    const IS_VIEW: bool = false;
    /// Whether a hook runs before the model's events are written, `#[evented(before_append = …)]`. Default: `false`.
    const HAS_BEFORE_APPEND: bool = false;
    /// Whether a hook runs after the model's events are written, `#[evented(after_write = …)]`. Default: `false`.
    const HAS_AFTER_WRITE: bool = false;
    /// Whether changes of the model publish domain events, `#[evented(publish(…))]`. Default: `false`.
    const PUBLISHES: bool = false;
    /// Whether a write runs a hook, and so consists of several statements.
    #[doc(hidden)]
    const RUNS_HOOK: bool = Self::HAS_BEFORE_APPEND || Self::HAS_AFTER_WRITE;
    /// Whether the records of other models are deleted before a record is, `#[evented(cascade(…))]`. Default: `false`.
    const HAS_CHILDREN: bool = false;
    /// The names of the key's columns, in the order of [`Evented::KEY_PARTS`]. Empty without a table.
    const KEY_COLUMNS: &'static [&'static str];
    /// The names of all columns, in the order in which [`ModelOn::read`] reads them.
    const COLUMNS: &'static [&'static str];
    /// The column of each recorded field, then the revision column if there is one. [`BindColumns::push_field`] uses
    /// the same order.
    const WRITTEN: &'static [&'static str];

    /// Whether a part of the key that is a UUID is in a column of text, where it has lower-case letters and hyphens.
    /// Default: `false`.
    #[doc(hidden)]
    fn is_uuid_text(part: usize) -> bool {
        let _ = part;
        false
    }
    /// Collects the domain events of a change.
    #[doc(hidden)]
    fn publish_for(change: &Publishing<'_, Self>, out: &mut Publications) {
        let _ = (change, out);
    }
    /// Returns the table of a record's events.
    #[doc(hidden)]
    fn event_table(record: &KeyValue) -> EventTable {
        EventTable::of::<Self::Log>(Self::SCHEMA, record)
    }
    /// Returns the table of the events of all records; for a log with shards, the view over them.
    #[doc(hidden)]
    fn whole_log() -> EventTable {
        EventTable::whole::<Self::Log>(Self::SCHEMA)
    }
}

/// Reads a model's rows from one database and binds them. `#[derive(Evented)]` implements it for every database that
/// has the types of the model's columns.
pub trait ModelOn<DB: SqlTypes>: Model + NamedTable<DB> + BindColumns<DB> {
    /// Reads the columns of a row, starting at column `from`.
    ///
    /// # Errors
    ///
    /// A column whose value cannot be converted to the type of its field.
    fn read<'a>(row: &impl Row<'a, DB>, from: usize) -> deserialize::Result<Self>;
    /// Runs the hook before an event is written, `#[evented(before_append = …)]`. The hook runs in the transaction of
    /// the write and receives the complete history of the record, oldest event first.
    ///
    /// # Errors
    ///
    /// The error that the hook returns. Nothing is written then.
    fn before_append<D: Executor<DB>>(
        draft: &mut PendingEvent<Self>,
        history: &[Event<Self>],
        conn: &mut D,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        let _ = (draft, history, conn);
        std::future::ready(Ok(()))
    }
    /// Runs the hook after an event and its row are written, `#[evented(after_write = …)]`. The hook runs in the
    /// transaction of the write.
    ///
    /// # Errors
    ///
    /// The error that the hook returns. Nothing is written then.
    fn after_write<D: Executor<DB>>(
        written: Written<'_, Self>,
        conn: &mut D,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        let _ = (written, conn);
        std::future::ready(Ok(()))
    }
    /// Deletes the records that refer to records of this model, `#[evented(cascade(…))]`, with an event for each. The
    /// rows of the parents are locked.
    #[doc(hidden)]
    fn delete_children<'a, D: Executor<DB>>(
        conn: &'a mut D,
        parents: &'a [KeyValue],
        cascade: &'a Cascade,
    ) -> DeletingChildren<'a> {
        let _ = (conn, parents, cascade);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A model with live values on a database: `#[evented(live)]`.
pub trait LiveOn<DB: SqlTypes>: LiveModel + ModelOn<DB> + BindOperands<DB> {}

#[diagnostic::do_not_recommend]
impl<DB: SqlTypes, M: LiveModel + ModelOn<DB> + BindOperands<DB>> LiveOn<DB> for M {}

/// A tree whose models all have live values on a database: `#[derive(Tree)]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no tree of models of this database",
    note = "each model of the tree needs `#[evented(live)]`, and a table in this database"
)]
pub trait TreeOn<DB: SqlTypes>: Tree {
    /// Visits the models of the tree. A model may be visited more than once.
    #[doc(hidden)]
    fn visit(visitor: &mut impl ModelVisitor<DB>);
}

/// A record, a row or a tree whose models all have live values on a database.
pub trait ItemOn<DB: SqlTypes>: SyncItem {
    /// Visits the models.
    #[doc(hidden)]
    fn visit_models(visitor: &mut impl ModelVisitor<DB>);
}

impl<DB: SqlTypes, T: TreeOn<DB>> ItemOn<DB> for T {
    fn visit_models(visitor: &mut impl ModelVisitor<DB>) {
        T::visit(visitor);
    }
}

/// Visits the models of a tree.
#[doc(hidden)]
pub trait ModelVisitor<DB: SqlTypes> {
    /// Visits a model.
    fn model<M: LiveOn<DB>>(&mut self);
}

impl<DB: SqlTypes, M: LiveOn<DB>> TreeOn<DB> for live::Row<M> {
    fn visit(visitor: &mut impl ModelVisitor<DB>) {
        visitor.model::<M>();
    }
}

impl<M: Model> FieldNames for M {
    fn field_of(column: &str) -> Option<&'static str> {
        let at = M::WRITTEN.iter().position(|written| *written == column)?;
        M::FIELDS.get(at).copied()
    }
}

/// A model that has a table: every model without `#[evented(log(only))]`. The derive implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no table",
    label = "its state exists only in the log",
    note = "the model has `#[evented(log(only))]`, so there are no rows to compare, to write or to rebuild"
)]
pub trait WithTable: Model {
    /// Shows that the derive implements the trait.
    #[doc(hidden)]
    const DERIVED: Derived;
    /// The model's table in Diesel.
    type Table: diesel::Table;
}

/// A model with the generated `ItemChanges`, whose fields it can take from a copy of the record: for `item.save()`. The
/// derive implements it, unless `update = …` names another type.
#[diagnostic::on_unimplemented(
    message = "the changes of `{Self}` are not made of its fields",
    note = "`#[evented(update = …)]` names a type of your own, so write `item.update(…)` with it"
)]
pub trait Savable: WithTable {
    /// Shows that the derive implements the trait.
    #[doc(hidden)]
    const DERIVED: Derived;
    /// Returns the values of these fields as the input of an update; `None` if an update changes none of them.
    #[doc(hidden)]
    fn changes_of(&self, fields: &[usize]) -> Option<Self::Changes>;
}

/// A condition on the rows of a model, for `Item::update_where(…)` and its siblings: what Diesel's `filter` takes on the
/// model's table, without joins.
#[diagnostic::on_unimplemented(
    message = "this is no condition on the rows of `{M}`",
    note = "write a condition of Diesel's over columns of the model's table: `items::value.lt(10)`"
)]
pub trait RowFilter<M>: sealed::RowFilter<M> {}

#[diagnostic::do_not_recommend]
impl<M: WithTable, F: sealed::RowFilter<M>> RowFilter<M> for F {}

mod sealed {
    use diesel::expression::{AppearsOnTable, ValidGrouping};
    use diesel::sql_types::BoolOrNullableBool;

    use super::WithTable;

    pub trait RowFilter<M> {}

    #[diagnostic::do_not_recommend]
    impl<M: WithTable, F> RowFilter<M> for F
    where
        F: AppearsOnTable<M::Table>
            + ValidGrouping<
                (),
                IsAggregate: diesel::expression::MixedAggregates<diesel::expression::is_aggregate::No>,
            >,
        F::SqlType: BoolOrNullableBool,
    {
    }
}

/// Builds the query for a record's events. The derive implements it.
pub trait EventsOf {
    /// The type of the query.
    type Query;
    /// Returns the query.
    fn events_of(&self) -> Self::Query;
}

/// Reads one column. The derived code calls this function.
///
/// # Errors
///
/// A value that cannot be converted to a `T`.
pub fn column<'a, ST, T, DB>(row: &impl Row<'a, DB>, index: usize) -> deserialize::Result<T>
where
    DB: Backend,
    T: deserialize::FromSql<ST, DB>,
{
    use diesel::row::Field;
    let field = Row::get(row, index).ok_or_else(|| format!("the row has no column {index}"))?;
    T::from_nullable_sql(field.value()).map_err(|error| {
        let name = field.field_name().unwrap_or_default();
        format!("column `{name}`: {error}").into()
    })
}

/// Reads a column of a row, by index, as the type of `#[diesel(deserialize_as = …)]`, like Diesel's own derive, and converts
/// it to the type of the field.
///
/// # Errors
///
/// If the row has no such column, or if the value does not convert.
pub fn converted_column<'a, ST, Stored, T, DB>(row: &impl Row<'a, DB>, index: usize) -> deserialize::Result<T>
where
    DB: Backend,
    Stored:
        deserialize::FromSqlRow<ST, DB> + TryInto<T, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    use diesel::row::Field;
    let stored = Stored::build_from_row(&row.partial_row(index..index + 1));
    stored.and_then(|stored| stored.try_into().map_err(Into::into)).map_err(|error| {
        let field = Row::get(row, index);
        let name = field.as_ref().and_then(|field| field.field_name()).unwrap_or_default();
        format!("column `{name}`: {error}").into()
    })
}
