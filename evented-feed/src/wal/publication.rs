//! Creates, extends and removes publications.

use diesel::pg::Pg;
use evented_diesel::spi::{Executor, Operation, Statement, Transaction, sealed};
use evented_diesel::{Error, Subject};
use evented_wal::{TableName, quoted};

use crate::wal::texts::{first, run, subject, texts};

/// Creates a publication of tables, or adds the missing tables to an existing one, and returns the tables that it
/// added. Other tables stay in the publication. A program can run it at each start: if no table is missing, it does
/// nothing.
///
/// Create the publication before the slot. A slot that holds changes from before its publication cannot be read; since
/// version 18, PostgreSQL silently skips those changes. The publication contains only the named tables.
/// (`FOR ALL TABLES` would make PostgreSQL refuse updates of every table that has no key.)
///
/// A partitioned table is published as one table: the changes of its partitions appear as changes of the named table.
///
/// ```no_run
/// use evented_diesel::prelude::*;
/// use evented_feed::wal;
///
/// # fn set_up(conn: &mut diesel::PgConnection) -> Result<(), evented_diesel::Error> {
/// wal::create_publication("shop", ["items", "orders"]).run(conn)?;
/// wal::create_slot("shop").run(conn)?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// The errors of the database. The role must own the tables and have `CREATE` on the database.
pub fn create_publication<T: Into<TableName>>(
    name: impl Into<String>,
    tables: impl IntoIterator<Item = T>,
) -> CreatePublication {
    CreatePublication { name: name.into(), tables: tables.into_iter().map(Into::into).collect() }
}

/// Creates or extends a publication. Returned by [`create_publication`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct CreatePublication {
    name: String,
    tables: Vec<TableName>,
}

impl sealed::Operation for CreatePublication {}

impl Operation<Pg> for CreatePublication {
    type Output = Vec<TableName>;

    async fn perform<D: Executor<Pg>>(self, executor: &mut D) -> Result<Vec<TableName>, Error> {
        let name = subject("publication", &self.name);
        let transaction = Transaction::open(executor, &name).await?;
        let result = self.create(executor, &name).await;
        transaction.close(executor, &name, result).await
    }
}

impl CreatePublication {
    async fn create<D: Executor<Pg>>(
        self,
        executor: &mut D,
        name: &Subject,
    ) -> Result<Vec<TableName>, Error> {
        // Several programs may start at the same time.
        let mut lock = Statement::new("SELECT pg_advisory_xact_lock(hashtext(");
        lock.value(self.name.as_str()).sql("))::text");
        texts(executor, name, lock).await?;
        let mut known = Statement::new("SELECT puballtables::text FROM pg_publication WHERE pubname = ");
        known.value(self.name.as_str());
        let known = texts(executor, name, known).await?;
        let sql_name = quoted(&self.name);
        if known.is_empty() {
            let tables = if self.tables.is_empty() {
                String::new()
            } else {
                format!(" FOR TABLE {}", list(&self.tables))
            };
            let sql =
                format!("CREATE PUBLICATION {sql_name}{tables} WITH (publish_via_partition_root = true)");
            run(executor, name, &sql).await?;
            return Ok(self.tables);
        }
        let mut missing = Vec::new();
        if first(&known, 0) != Some("true") {
            for table in self.tables {
                if !is_published(executor, name, &self.name, &table).await? {
                    missing.push(table);
                }
            }
        }
        if !missing.is_empty() {
            let sql = format!("ALTER PUBLICATION {sql_name} ADD TABLE {}", list(&missing));
            run(executor, name, &sql).await?;
        }
        Ok(missing)
    }
}

fn list(tables: &[TableName]) -> String {
    tables.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Whether a publication names a table.
async fn is_published<D: Executor<Pg>>(
    executor: &mut D,
    name: &Subject,
    publication: &str,
    table: &TableName,
) -> Result<bool, Error> {
    let mut query = Statement::new(
        "SELECT 1::text FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid WHERE p.pubname = ",
    );
    query.value(publication).sql(" AND r.prrelid = to_regclass(").value(table.as_sql()).sql(")");
    Ok(!texts(executor, name, query).await?.is_empty())
}

/// Removes a publication, and returns whether it existed. Afterwards a slot that still holds changes can no longer be
/// read.
pub fn drop_publication(name: impl Into<String>) -> DropPublication {
    DropPublication(name.into())
}

/// Removes a publication. Returned by [`drop_publication`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct DropPublication(String);

impl sealed::Operation for DropPublication {}

impl Operation<Pg> for DropPublication {
    type Output = bool;

    async fn perform<D: Executor<Pg>>(self, executor: &mut D) -> Result<bool, Error> {
        let name = subject("publication", &self.0);
        let mut known = Statement::new("SELECT 1::text FROM pg_publication WHERE pubname = ");
        known.value(self.0.as_str());
        let known = !texts(executor, &name, known).await?.is_empty();
        if known {
            run(executor, &name, &format!("DROP PUBLICATION IF EXISTS {}", quoted(&self.0))).await?;
        }
        Ok(known)
    }
}
