//! Reads event logs as a source: by polling, over one connection, in commit order.

mod delay_watch;
mod log_cursor;
mod log_source;
mod model_consumer;

pub(crate) use log_cursor::EVENTS_PER_PAGE;
pub(crate) use log_source::{LogSource, PlannedLog};
pub(crate) use model_consumer::{LogModel, ModelConsumer};
