//! Names the tables of evented models, for publications.

use diesel::pg::{Pg, PgQueryBuilder};
use diesel::query_builder::{QueryBuilder, QueryFragment};
use evented_diesel::spi::{LogName, ModelVisitor, Statement};
use evented_diesel::{EventLog, ItemOn, LiveOn, Model, ModelOn};
use evented_wal::{RequiredTable, TableName};

/// Returns the table of an evented model.
#[must_use]
pub fn table_of<M: ModelOn<Pg>>() -> TableName {
    let mut name = Statement::<Pg>::new("");
    name.table::<M>();
    let mut sql = PgQueryBuilder::new();
    // A table name has no binds, and nothing else can fail.
    let _ = name.to_sql(&mut sql, &Pg);
    TableName::from_sql(sql.finish())
}

/// Returns the tables of a model's log: one table, or its shards.
pub fn log_tables_of<M: Model>() -> impl Iterator<Item = TableName> {
    M::Log::SHARDS.iter().map(|log| match log {
        LogName { schema: Some(schema), table } => TableName::from((*schema, *table)),
        LogName { schema: None, table } => TableName::from(*table),
    })
}

/// Returns the tables to publish for a model: its own table and the tables of its log, so that changes carry their
/// actions and authors. For [`create_publication`](super::create_publication).
#[must_use]
pub fn tables_of<M: ModelOn<Pg>>() -> Vec<TableName> {
    std::iter::once(table_of::<M>()).chain(log_tables_of::<M>()).collect()
}

/// Returns the tables to publish for a record, a row or a tree: those of all its models, each once.
#[must_use]
pub fn tables_of_all<T: ItemOn<Pg>>() -> Vec<TableName> {
    let mut tables = Tables(Vec::new());
    T::visit_models(&mut tables);
    tables.0
}

/// The tables of the models that it visits.
struct Tables(Vec<TableName>);

impl ModelVisitor<Pg> for Tables {
    fn model<M: LiveOn<Pg>>(&mut self) {
        for table in tables_of::<M>() {
            if !self.0.contains(&table) {
                self.0.push(table);
            }
        }
    }
}

/// Returns the table of a model with what a hub requires of it: every column of the model, and whole rows before their
/// change. For [`Check::require`](super::Check::require).
pub fn required_table_of<M: ModelOn<Pg>>() -> RequiredTable {
    RequiredTable::new(table_of::<M>()).columns(M::COLUMNS.iter().copied()).whole_old_rows()
}

/// Returns the tables of a model's log with the columns that a hub requires of them. For
/// [`Check::require`](super::Check::require).
pub fn required_logs_of<M: Model>() -> impl Iterator<Item = RequiredTable> {
    let shared = M::Log::SHARED.then_some("schema");
    log_tables_of::<M>().map(move |log| RequiredTable::new(log).columns(EVENT_COLUMNS).columns(shared))
}

/// The columns that a hub reads of every event.
const EVENT_COLUMNS: [&str; 7] = ["id", "record_id", "revision", "action", "at", "meta", "state"];
