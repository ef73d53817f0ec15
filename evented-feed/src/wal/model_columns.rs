//! Reads rows of the write-ahead log as models.

use std::marker::PhantomData;

use diesel::pg::Pg;
use evented_diesel::ModelOn;
use evented_wal::{ColumnMap, ReadError, Relation, Tuple};

/// Maps the columns of a model to the columns of its table in the log, for a program that reads a
/// [`Tail`](evented_wal::Tail) directly, without a hub.
///
/// The server describes a table before its first row, and again after each change of its columns. Make the map from
/// that description.
///
/// ```no_run
/// # use diesel::prelude::*;
/// # use evented_diesel::{Evented, Id, EventLog};
/// # mod schema { diesel::table! { use evented_diesel::sql_types::Uid; use diesel::sql_types::*; items (id) { id -> Uid, name -> Text } } }
/// # use schema::items;
/// # #[derive(Evented, Queryable, Selectable, Clone, Debug)]
/// # #[diesel(table_name = items)]
/// # struct Item { id: Id<Item>, name: String }
/// use evented_feed::wal::ModelColumns;
/// use evented_wal::{Message, Tail};
///
/// # async fn read(mut tail: Tail) -> Result<(), Box<dyn std::error::Error>> {
/// let mut columns = None;
/// loop {
///     match tail.next().await? {
///         Message::Relation { relation, .. } => columns = Some(ModelColumns::<Item>::of(&relation)?),
///         Message::Insert { relation, new } => {
///             if let Some(columns) = &columns {
///                 println!("{:?}", columns.read(&relation, &new)?);
///             }
///         }
///         Message::Commit { end, .. } => tail.confirm(end),
///         _ => {}
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct ModelColumns<M> {
    map: ColumnMap,
    model: PhantomData<fn() -> M>,
}

impl<M: ModelOn<Pg>> ModelColumns<M> {
    /// Looks up the columns of the model by their names.
    ///
    /// # Errors
    ///
    /// [`ReadError::Missing`] if the table lacks one of them.
    pub fn of(relation: &Relation) -> Result<Self, ReadError> {
        Ok(Self { map: ColumnMap::new(relation, M::COLUMNS)?, model: PhantomData })
    }

    /// Reads a row of the relation that the map was made for.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub fn read(&self, relation: &Relation, tuple: &Tuple) -> Result<M, ReadError> {
        self.map.read(relation, tuple, |row| M::read(row, 0))
    }
}
