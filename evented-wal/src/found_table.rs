//! The tables that a tail requires, as the server resolved their names when the tail was opened.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::error::{Gap, WalError};
use crate::lsn::Lsn;
use crate::mark::state_of;
use crate::message::Message;
use crate::relation::Relation;
use crate::table_name::TableName;
use crate::table_setup::TableSetup;

/// A table that a tail requires. The server resolved its name with the `search_path` of the tail's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoundTable {
    /// The table's oid in the database.
    pub oid: u32,
    /// The schema that the table is in.
    pub schema: String,
    /// The table's name.
    pub table: String,
}

impl std::fmt::Display for FoundTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// The required tables of a tail.
#[derive(Debug, Clone, Default)]
pub(crate) struct FoundTables {
    tables: Vec<Found>,
    /// The commit of the transaction that is being read.
    commit: Lsn,
    /// The state of the server's publications, [`PUBLISHED_STATE`](crate::mark::PUBLISHED_STATE), for which the tables
    /// were checked last.
    state: Bytes,
}

#[derive(Debug, Clone)]
struct Found {
    name: TableName,
    table: FoundTable,
    publication: Option<String>,
    memberships: BTreeSet<String>,
    /// The end of the server's log when the name was resolved.
    at: Lsn,
}

impl FoundTables {
    /// Creates the tables, which are added after that state was read.
    pub(crate) fn new(state: Bytes) -> Self {
        Self { state, ..Self::default() }
    }

    pub(crate) fn add(&mut self, name: TableName, setup: &TableSetup) {
        let TableSetup { oid, schema, table, .. } = setup;
        self.tables.push(Found {
            name,
            table: FoundTable { oid: *oid, schema: schema.clone(), table: table.clone() },
            publication: setup.publication.clone(),
            memberships: setup.memberships.clone(),
            at: setup.at,
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    pub(crate) fn get(&self, name: &TableName) -> Option<&FoundTable> {
        self.tables.iter().find(|found| found.name == *name).map(|found| &found.table)
    }

    /// Checks that the tables, as they were found again, are still the same and were published all the time.
    pub(crate) fn check(&self, now: &Self) -> Result<(), WalError> {
        for known in self.tables.iter().filter(|known| known.publication.is_some()) {
            let table = known.table.to_string();
            let found = now.tables.iter().find(|found| found.name == known.name);
            let Some(found) = found.filter(|found| found.table.oid == known.table.oid) else {
                return Err(must_refetch(Gap::TableReplaced { table }));
            };
            if found.table != known.table {
                return Err(must_refetch(Gap::TableRenamed { table, found: found.table.to_string() }));
            }
            if !known.memberships.is_subset(&found.memberships) {
                let publication = known.publication.clone().unwrap_or_default();
                return Err(must_refetch(Gap::PublicationAltered { publication, table }));
            }
        }
        Ok(())
    }

    /// Whether the message is a mark for whose state the tables were not checked.
    pub(crate) fn needs_check(&self, message: &Message) -> bool {
        !self.is_empty() && state_of(message).is_some_and(|state| *state != self.state)
    }

    /// Records that the tables were checked after the mark was read.
    pub(crate) fn checked_at(&mut self, mark: &Message) {
        // The state of the mark, and not the present one: older marks with the same state may follow.
        if let Some(state) = state_of(mark) {
            self.state = state.clone();
        }
    }

    /// Checks that a description in the log is not of a table that was renamed or replaced.
    pub(crate) fn examine(&mut self, message: &Message) -> Result<(), WalError> {
        match message {
            Message::Begin { commit, .. } => self.commit = *commit,
            Message::Relation { relation, .. } => {
                for found in &self.tables {
                    found.examine(relation, self.commit)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Found {
    fn examine(&self, relation: &Relation, commit: Lsn) -> Result<(), WalError> {
        let table = || self.table.to_string();
        let same_name = relation.schema == self.table.schema && relation.table == self.table.table;
        if same_name && relation.oid != self.table.oid {
            return Err(must_refetch(Gap::TableReplaced { table: table() }));
        }
        // Before its name was resolved, the table may have had another one.
        if relation.oid == self.table.oid && !same_name && commit > self.at {
            return Err(must_refetch(Gap::TableRenamed { table: table(), found: relation.to_string() }));
        }
        Ok(())
    }
}

fn must_refetch(reason: Gap) -> WalError {
    WalError::MustRefetch { reason }
}
