//! What the server is asked for, and given back.

use std::io::Write;

use anyhow::bail;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::prelude::*;
use evented_diesel::wal::{self, Identity, Problem, TableName};
use uuid::Uuid;

/// What was made, and is to be undone.
pub struct Setup {
    publication: String,
    /// Tables that write whole rows now, and what they wrote before.
    identities: Vec<(TableName, Identity)>,
}

impl Setup {
    /// Publishes the tables, under a name that nobody else has.
    ///
    /// # Errors
    ///
    /// What is in the way. Nothing is left behind then.
    pub fn make(
        conn: &mut PgConnection,
        tables: &[String],
        whole: bool,
        out: &mut impl Write,
    ) -> anyhow::Result<Self> {
        let publication = format!("evented_wal_tail_{}", Uuid::now_v7().simple());
        let mut setup = Self { publication, identities: Vec::new() };
        let tables: Vec<TableName> = tables.iter().map(|table| named(table)).collect();
        if let Err(error) = setup.make_all(conn, &tables, whole, out) {
            setup.undo(conn)?;
            return Err(error);
        }
        Ok(setup)
    }

    fn make_all(
        &mut self,
        conn: &mut PgConnection,
        tables: &[TableName],
        whole: bool,
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        // Looked at before anything is published: PostgreSQL refuses to update a table without a key as soon as it is.
        let check = wal::check(&self.publication);
        let check = tables.iter().fold(check, |check, table| check.table(table.clone()));
        for problem in check.run(conn)? {
            match problem {
                // Those come now.
                Problem::MissingPublication { .. } | Problem::NotPublished { .. } => {}
                // Which index it was could not be put back from what is known here.
                Problem::Identity { table, found, .. } if whole && found != Identity::Index => {
                    conn.batch_execute(&format!("ALTER TABLE {table} REPLICA IDENTITY FULL"))?;
                    self.identities.push((table, found));
                }
                Problem::Identity { keyless: false, .. } => writeln!(out, "Note: {problem}")?,
                problem => bail!("{problem}"),
            }
        }
        wal::create_publication(&self.publication, tables.iter().cloned()).run(conn)?;
        Ok(())
    }

    /// The publication's name.
    pub fn publication(&self) -> &str {
        &self.publication
    }

    /// Leaves the server as it was.
    pub fn undo(self, conn: &mut PgConnection) -> anyhow::Result<()> {
        // First the publication: as long as a table is published, it needs an identity.
        wal::drop_publication(self.publication).run(conn)?;
        for (table, identity) in self.identities {
            conn.batch_execute(&format!("ALTER TABLE {table} REPLICA IDENTITY {identity}"))?;
        }
        Ok(())
    }
}

/// `items`, or `shop.items`.
fn named(table: &str) -> TableName {
    match table.split_once('.') {
        Some(parts) => parts.into(),
        None => table.into(),
    }
}
