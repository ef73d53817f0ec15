//! Appends many events in one statement. Each column is one array, so the statement's text, and with it its plan, is
//! the same for any number of events.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::AstPass;
use diesel::sql_types::{Array, BigInt, Binary, Integer, Text, Timestamptz, Uuid as PgUuid};
use evented_core::EventHash;
use uuid::Uuid;

use crate::sql::{BindColumns, EventTable, KeyList, Statement};
use crate::sql_types::JsonText;
use crate::statements::{Append, append_columns, push_ordering_txid, push_ordering_txid_after};

/// The columns of some events of one log.
pub(super) struct EventColumns<'a> {
    table: Option<EventTable>,
    ids: Vec<Uuid>,
    /// All are of the kind of the log.
    records: KeyList<'a>,
    revisions: Vec<i64>,
    actions: Vec<&'a str>,
    versions: Vec<i32>,
    payloads: Vec<&'a str>,
    metas: Vec<&'a str>,
    times: Vec<DateTime<Utc>>,
    states: Vec<&'a [u8]>,
    hashes: Vec<&'a [u8]>,
    /// The transactions that order the events before these; empty if one of them is not known.
    txids_before: Vec<i64>,
}

impl<'a> EventColumns<'a> {
    pub(super) fn of(events: &'a [Append<'_>]) -> Self {
        let known: Option<Vec<i64>> = events.iter().map(|event| event.txid_before).collect();
        Self {
            txids_before: known.unwrap_or_default(),
            table: events.first().map(|event| event.table),
            ids: events.iter().map(|event| event.event_id).collect(),
            records: KeyList::of(events.iter().map(|event| event.record)),
            revisions: events.iter().map(|event| event.revision).collect(),
            actions: events.iter().map(|event| event.action).collect(),
            versions: events.iter().map(|event| event.version).collect(),
            payloads: events.iter().map(|event| event.payload.as_str()).collect(),
            metas: events.iter().map(Append::meta_text).collect(),
            times: events.iter().map(|event| event.at).collect(),
            states: events.iter().map(|event| event.state.as_bytes()).collect(),
            hashes: events.iter().filter_map(|event| event.hash.as_ref()).map(EventHash::as_bytes).collect(),
        }
    }

    /// Appends the events in their order: their positions follow the order in which the arrays are read.
    pub(super) fn append(&self) -> Statement<'_, Pg> {
        let mut statement = Statement::new("");
        let Some(table) = self.table else { return statement };
        // If every event is the first of its record, none has an event before it.
        let follow = self.revisions.iter().any(|revision| *revision > 1);
        append_columns(&mut statement, table, false, follow);
        statement.sql(
            "SELECT u.id, u.record_id, u.revision, u.action, u.version, u.payload, u.meta, u.at, u.state",
        );
        if let Some(schema) = table.schema {
            statement.sql(", ").value(schema);
        }
        statement.sql(if table.hashed { ", u.hash" } else { "" }).sql(if follow { ", " } else { "" });
        let follow_known = follow && !self.txids_before.is_empty();
        if follow_known {
            push_ordering_txid_after(&mut statement, |statement| {
                statement.sql("u.before");
            });
        } else if follow {
            push_ordering_txid(&mut statement, table, |statement| {
                statement.sql("p.record_id = u.record_id AND p.revision < u.revision").and_schema("p", table);
            });
        }
        statement.sql(" FROM unnest(");
        for column in 0..COLUMNS {
            statement.sql(if column == 0 { "" } else { ", " }).field(self, column);
        }
        if table.hashed {
            statement.sql(", ").field(self, COLUMNS);
        }
        if follow_known {
            statement.sql(", ").field(self, COLUMNS + 1);
        }
        statement.sql(") u(id, record_id, revision, action, version, payload, meta, at, state");
        statement.sql(if table.hashed { ", hash" } else { "" });
        statement.sql(if follow_known { ", before)" } else { ")" });
        statement
    }
}

impl EventColumns<'_> {
    /// Appends the events that do not exist yet, and returns the keys of their records.
    pub(super) fn append_new(&self) -> Statement<'_, Pg> {
        let mut statement = self.append();
        statement.sql(" ON CONFLICT DO NOTHING RETURNING record_id");
        statement
    }
}

/// The number of columns that are always arrays.
const COLUMNS: usize = 9;

impl BindColumns<Pg> for EventColumns<'_> {
    fn push_field<'b>(&'b self, index: usize, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        match index {
            0 => out.push_bind_param::<Array<PgUuid>, Vec<Uuid>>(&self.ids),
            1 => self.records.push_array(out),
            2 => out.push_bind_param::<Array<BigInt>, Vec<i64>>(&self.revisions),
            3 => out.push_bind_param::<Array<Text>, Vec<&str>>(&self.actions),
            4 => out.push_bind_param::<Array<Integer>, Vec<i32>>(&self.versions),
            5 => out.push_bind_param::<Array<JsonText>, Vec<&str>>(&self.payloads),
            6 => out.push_bind_param::<Array<JsonText>, Vec<&str>>(&self.metas),
            7 => out.push_bind_param::<Array<Timestamptz>, Vec<DateTime<Utc>>>(&self.times),
            8 => out.push_bind_param::<Array<Binary>, Vec<&[u8]>>(&self.states),
            COLUMNS => out.push_bind_param::<Array<Binary>, Vec<&[u8]>>(&self.hashes),
            _ => out.push_bind_param::<Array<BigInt>, Vec<i64>>(&self.txids_before),
        }
    }
}
