//! PostgreSQL's write-ahead log as a source: every change of a model's rows, whoever made it and however.

mod model_table;
mod transaction_events;
mod wal_source;

pub(crate) use model_table::{ModelTable, TableConsumer};
pub(crate) use wal_source::WalSource;
