//! The number of the database that a subscriber runs in.

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_diesel::Error;
use evented_diesel::spi::{
    Database, EventedBackend, Executor, LogName, SqlTypes, Statement, database_id, stable_hash,
};

use crate::store::{self, SubscriberRow, load, text, write};

/// Reads a number that a copy of the database does not have; 0 if there is none, as in memory.
pub(crate) async fn home<DB: EventedBackend, E: Executor<DB>>(executor: &mut E) -> Result<i64, Error> {
    if DB::DATABASE == Database::Postgres {
        let table = LogName { schema: None, table: "evented_subscribers" };
        return Ok(database_id(executor, table).await?.cast_signed());
    }
    let file = Statement::new("SELECT file FROM pragma_database_list WHERE name = 'main'");
    let files = load::<File, _, _>(executor, file).await?;
    let file = files.into_iter().next().map(|file| file.0).filter(|file| !file.is_empty());
    Ok(file.map_or(0, |file| stable_hash(file.as_bytes()).cast_signed()))
}

/// Returns whether this is the database that a subscriber runs in. If none was stored for it, this one is from now on.
pub(crate) async fn is_at_home<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    row: &SubscriberRow,
) -> Result<bool, Error> {
    let home = home(executor).await?;
    if row.home == 0 && home != 0 {
        write(executor, store::set_home(&row.name, home)).await?;
    }
    Ok(row.home == 0 || row.home == home)
}

struct File(String);

impl<DB: SqlTypes> QueryableByName<DB> for File {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        text(row, 0).map(Self)
    }
}
