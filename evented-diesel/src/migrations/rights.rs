//! Builds the SQL that gives a role the rights on logs that a program needs, and no more.

use std::fmt::Write as _;

use crate::domain::delayed_table;
use crate::migrations::LogShape;
use crate::migrations::log_sql::{FORMATS_TABLE, beside, qualified, quoted};
use crate::model::{checkpoints_table, link_table, tree_table};

/// The rights of a role on the logs of a PostgreSQL database. See [`Migrations::rights`](super::Migrations::rights).
#[derive(Debug, Clone)]
#[must_use]
pub struct Rights {
    pub(super) logs: Vec<LogShape>,
    pub(super) buses: Vec<&'static str>,
    pub(super) role: String,
    pub(super) checkpoints: bool,
}

impl Rights {
    /// Also lets the role make checkpoints of the hashed logs. Default: it may only read them.
    pub fn with_checkpoints(mut self) -> Self {
        self.checkpoints = true;
        self
    }

    /// Returns the SQL, for the owner of the tables to run.
    #[must_use]
    pub fn sql(&self) -> String {
        let role = quoted(&self.role);
        let mut sql = String::new();
        let mut schemas = Vec::new();
        for log in &self.logs {
            if !schemas.contains(&log.name.schema) {
                schemas.push(log.name.schema);
                if let Some(schema) = log.name.schema {
                    line(&mut sql, format_args!("GRANT USAGE ON SCHEMA {} TO {role};", quoted(schema)));
                }
                let formats = qualified(log.name.schema, FORMATS_TABLE);
                line(&mut sql, format_args!("GRANT SELECT ON {formats} TO {role};"));
            }
            self.log(&mut sql, log, &role);
        }
        for bus in &self.buses {
            // The database assigns position and transaction.
            let columns = "id, record_id, action, version, payload, meta, at, unique_key";
            line(&mut sql, format_args!("GRANT SELECT, INSERT ({columns}) ON {} TO {role};", quoted(bus)));
            let delayed = quoted(&delayed_table(bus));
            line(
                &mut sql,
                format_args!("GRANT SELECT, INSERT, DELETE, UPDATE (due) ON {delayed} TO {role};"),
            );
        }
        sql
    }

    fn log(&self, sql: &mut String, log: &LogShape, role: &str) {
        let schema = log.name.schema;
        // The database assigns `position`. A writer that chose it could hide an event from readers of the log.
        let mut columns =
            "txid, record_id, revision, at, version, given_id, action, payload, meta, id, state".to_owned();
        columns.push_str(if log.shared { ", schema" } else { "" });
        columns.push_str(if log.hashed { ", hash" } else { "" });
        for shard in log.shards {
            let table = qualified(shard.schema, shard.table);
            line(sql, format_args!("GRANT SELECT, INSERT ({columns}) ON {table} TO {role};"));
            // The transaction is the writer's own, or one that began before it and may have changed the record.
            let policy = |purpose: &str| quoted(&beside(shard.table, purpose));
            line(
                sql,
                format_args!(
                    "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;\n\
                     CREATE POLICY {} ON {table} FOR SELECT TO {role} USING (true);\n\
                     CREATE POLICY {} ON {table} FOR INSERT TO {role} WITH CHECK (txid = txid_current()\n    \
                     OR (txid > txid_current() AND txid < txid_snapshot_xmax(txid_current_snapshot())));",
                    policy(&format!("{}_reads", self.role)),
                    policy(&format!("{}_appends", self.role)),
                ),
            );
            for link in log.links {
                let table = qualified(shard.schema, &link_table(*shard, link.name));
                line(sql, format_args!("GRANT SELECT, INSERT ON {table} TO {role};"));
            }
        }
        if log.shards.len() > 1 {
            let sequence = qualified(schema, &beside(log.name.table, "position"));
            line(sql, format_args!("GRANT USAGE ON SEQUENCE {sequence} TO {role};"));
            line(sql, format_args!("GRANT SELECT ON {} TO {role};", qualified(schema, log.name.table)));
            for link in log.links {
                let view = qualified(schema, &link_table(log.name, link.name));
                line(sql, format_args!("GRANT SELECT ON {view} TO {role};"));
            }
        }
        if log.hashed {
            let rights = if self.checkpoints { "SELECT, INSERT" } else { "SELECT" };
            for table in [checkpoints_table(log.name), tree_table(log.name)] {
                line(sql, format_args!("GRANT {rights} ON {} TO {role};", qualified(schema, &table)));
            }
        }
    }
}

fn line(sql: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(sql, "{line}").unwrap_or_default();
}
