//! Which tables are published.

use diesel::pg::Pg;

use super::{TableName, first, named, run, texts};
use crate::error::{Error, RecordName};
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::statement::Statement;
use crate::steps::transaction::Transaction;
use crate::wal::sql::quoted;

/// Publishes tables under a name: makes the publication, or adds to it the tables that it lacks. What it has besides
/// stays. Run at each start of a program, it does nothing where nothing is missing.
///
/// Make it before the slot: a slot that holds changes from before its publication cannot be read, and since version 18 of
/// PostgreSQL those changes are passed over in silence. Only tables that are
/// named are published. (`FOR ALL TABLES` would make PostgreSQL refuse to update every table that has no key.)
///
/// A partitioned table is published as one: its changes come as changes of the table that was named.
///
/// It gives the tables that it added.
///
/// ```no_run
/// use evented_diesel::{prelude::*, wal};
///
/// # fn set_up(conn: &mut diesel::PgConnection) -> Result<(), evented_diesel::Error> {
/// wal::create_publication("shop", ["items", "orders"]).run(conn)?;
/// wal::create_slot("shop").run(conn)?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// Those of the database: the role must own the tables, and may create in the database.
pub fn create_publication<T: Into<TableName>>(
    name: impl Into<String>,
    tables: impl IntoIterator<Item = T>,
) -> CreatePublication {
    CreatePublication { name: name.into(), tables: tables.into_iter().map(Into::into).collect() }
}

/// Publishes tables: [`create_publication`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct CreatePublication {
    name: String,
    tables: Vec<TableName>,
}

impl Operation<Pg> for CreatePublication {
    type Output = Vec<TableName>;

    async fn perform<D: Driver<Pg>>(self, driver: &mut D) -> Result<Vec<TableName>, Error> {
        let name = named("publication", &self.name);
        let transaction = Transaction::open(driver, &name).await?;
        let result = self.create(driver, &name).await;
        transaction.close(driver, &name, result).await
    }
}

impl CreatePublication {
    async fn create<D: Driver<Pg>>(self, driver: &mut D, name: &RecordName) -> Result<Vec<TableName>, Error> {
        // Several programs may start at once.
        let mut lock = Statement::new("SELECT pg_advisory_xact_lock(hashtext(");
        lock.value(self.name.as_str()).sql("))::text");
        texts(driver, name, lock).await?;
        let mut known = Statement::new("SELECT puballtables::text FROM pg_publication WHERE pubname = ");
        known.value(self.name.as_str());
        let known = texts(driver, name, known).await?;
        let sql_name = quoted(&self.name);
        if known.is_empty() {
            let tables = if self.tables.is_empty() {
                String::new()
            } else {
                format!(" FOR TABLE {}", list(&self.tables))
            };
            let sql =
                format!("CREATE PUBLICATION {sql_name}{tables} WITH (publish_via_partition_root = true)");
            run(driver, name, &sql).await?;
            return Ok(self.tables);
        }
        let mut missing = Vec::new();
        if first(&known, 0) != Some("true") {
            for table in self.tables {
                if !is_published(driver, name, &self.name, &table).await? {
                    missing.push(table);
                }
            }
        }
        if !missing.is_empty() {
            let sql = format!("ALTER PUBLICATION {sql_name} ADD TABLE {}", list(&missing));
            run(driver, name, &sql).await?;
        }
        Ok(missing)
    }
}

fn list(tables: &[TableName]) -> String {
    tables.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Whether a table is among those that are named in a publication.
pub(super) async fn is_published<D: Driver<Pg>>(
    driver: &mut D,
    name: &RecordName,
    publication: &str,
    table: &TableName,
) -> Result<bool, Error> {
    let mut query = Statement::new(
        "SELECT 1::text FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid WHERE p.pubname = ",
    );
    query.value(publication).sql(" AND r.prrelid = to_regclass(").value(table.0.as_str()).sql(")");
    Ok(!texts(driver, name, query).await?.is_empty())
}

/// Removes a publication; says whether there was one. A slot that still holds changes cannot be read any more.
pub fn drop_publication(name: impl Into<String>) -> DropPublication {
    DropPublication(name.into())
}

/// Removes a publication: [`drop_publication`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct DropPublication(String);

impl Operation<Pg> for DropPublication {
    type Output = bool;

    async fn perform<D: Driver<Pg>>(self, driver: &mut D) -> Result<bool, Error> {
        let name = named("publication", &self.0);
        let mut known = Statement::new("SELECT 1::text FROM pg_publication WHERE pubname = ");
        known.value(self.0.as_str());
        let known = !texts(driver, &name, known).await?.is_empty();
        if known {
            run(driver, &name, &format!("DROP PUBLICATION IF EXISTS {}", quoted(&self.0))).await?;
        }
        Ok(known)
    }
}
