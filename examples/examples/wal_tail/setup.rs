//! Sets up the server, and restores it afterwards.

use std::io::Write;

use anyhow::bail;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::prelude::*;
use evented_feed::wal::{self, Problem};
use evented_wal::{Identity, TableName};
use uuid::Uuid;

/// The changes to the server that must be undone.
pub struct Setup {
    publication: String,
    /// The tables that now log whole old rows, with their former replica identities.
    identities: Vec<(TableName, Identity)>,
}

impl Setup {
    /// Publishes the tables, under a unique name.
    ///
    /// # Errors
    ///
    /// The problems that prevent a reader from working. After an error, nothing is left behind.
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
        // Check before anything is published: PostgreSQL refuses to update a table without a key as soon as it is
        // published.
        let check = wal::check(&self.publication);
        let check = tables.iter().fold(check, |check, table| check.table(table.clone()));
        for problem in check.run(conn)? {
            match problem {
                // The publication is created below.
                Problem::MissingPublication { .. } | Problem::NotPublished { .. } => {}
                // An index identity is excluded: the program does not know which index to restore.
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

    /// Returns the name of the publication.
    pub fn publication(&self) -> &str {
        &self.publication
    }

    /// Restores the former state of the server.
    pub fn undo(self, conn: &mut PgConnection) -> anyhow::Result<()> {
        // First drop the publication: a published table needs an identity.
        wal::drop_publication(self.publication).run(conn)?;
        for (table, identity) in self.identities {
            conn.batch_execute(&format!("ALTER TABLE {table} REPLICA IDENTITY {identity}"))?;
        }
        Ok(())
    }
}

/// Parses a table name: `items`, or `shop.items`.
fn named(table: &str) -> TableName {
    match table.split_once('.') {
        Some(parts) => parts.into(),
        None => table.into(),
    }
}
