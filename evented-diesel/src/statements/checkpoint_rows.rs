//! Builds the statements about checkpoints of a hashed log, and about the tree that they cover.

use chrono::{DateTime, Utc};
use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_core::{EventHash, Leaf, LogOffset, NodeGroup, StoredNode, TreeHash, WIDTH};

use crate::sql::{LogName, SqlTypes, Statement, Value, field};

/// A part of a log in reading order: after one offset, up to another. Offsets are (transaction, position).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) after: (i64, i64),
    pub(crate) to: Option<(i64, i64)>,
    /// Only transactions below this one, which have all ended.
    pub(crate) before_txid: Option<i64>,
    /// Only positions above this one. In a restored database, transaction ids restart but positions continue.
    pub(crate) floor: i64,
}

/// Reads the next events of a part of a log.
pub(crate) fn leaves<'q, DB: SqlTypes>(log: LogName, range: Range, limit: i64) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT e.position, e.txid, e.hash FROM ");
    statement.log(log).sql(" e WHERE (e.txid, e.position) > (").value(range.after.0);
    statement.sql(", ").value(range.after.1).sql(")");
    if let Some((txid, position)) = range.to {
        statement.sql(" AND (e.txid, e.position) <= (").value(txid).sql(", ").value(position).sql(")");
    }
    if let Some(txid) = range.before_txid {
        statement.sql(" AND e.txid < ").value(txid);
    }
    if range.floor > 0 {
        statement.sql(" AND e.position > ").value(range.floor);
    }
    statement.sql(" ORDER BY e.txid, e.position LIMIT ").value(limit);
    statement
}

/// Reads the event at an offset.
pub(crate) fn leaf_at<'q, DB: SqlTypes>(log: LogName, at: LogOffset) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT e.position, e.txid, e.hash FROM ");
    statement.log(log).sql(" e WHERE e.txid = ").value(at.txid).sql(" AND e.position = ").value(at.position);
    statement
}

/// The result of [`leaves`] and [`leaf_at`]. The hash is read as bytes, because other SQL may have replaced it by any
/// value.
#[derive(Debug)]
pub(crate) struct LeafRow {
    pub(crate) leaf: Leaf,
}

impl<DB: SqlTypes> QueryableByName<DB> for LeafRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let hash = field(row, 2, DB::read_bytes)?;
        // A value that is not a hash counts as a hash that differs from the one that was written.
        let hash = EventHash::from_slice(&hash).or_else(|| EventHash::from_slice(&[0; EventHash::LEN]));
        let hash = hash.ok_or("a hash has another length")?;
        let leaf =
            Leaf { position: field(row, 0, DB::read_big_int)?, txid: field(row, 1, DB::read_big_int)?, hash };
        Ok(Self { leaf })
    }
}

/// The columns of a checkpoint in order.
const CHECKPOINT: &str = "number, size, after_txid, after_position, to_txid, to_position, floor, highest, at, root, \
                          frontier, previous, signer, signature";

/// A row of the table of checkpoints. Other SQL may have replaced the hashes by any bytes.
#[derive(Debug, Clone)]
pub(crate) struct CheckpointRow {
    pub(crate) number: i64,
    pub(crate) size: i64,
    pub(crate) after: (i64, i64),
    pub(crate) to: (i64, i64),
    pub(crate) floor: i64,
    pub(crate) highest: i64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) root: TreeHash,
    pub(crate) frontier: Vec<u8>,
    pub(crate) previous: TreeHash,
    pub(crate) signer: String,
    pub(crate) signature: Vec<u8>,
}

impl<DB: SqlTypes> QueryableByName<DB> for CheckpointRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let hash = |index| -> deserialize::Result<TreeHash> {
            let bytes = field(row, index, DB::read_bytes)?;
            let nothing = || TreeHash::from_slice(&[0; TreeHash::LEN]);
            Ok(TreeHash::from_slice(&bytes).or_else(nothing).ok_or("a hash has another length")?)
        };
        let big_int = |index| field(row, index, DB::read_big_int);
        Ok(Self {
            number: big_int(0)?,
            size: big_int(1)?,
            after: (big_int(2)?, big_int(3)?),
            to: (big_int(4)?, big_int(5)?),
            floor: big_int(6)?,
            highest: big_int(7)?,
            at: field(row, 8, DB::read_time)?,
            root: hash(9)?,
            frontier: field(row, 10, DB::read_bytes)?,
            previous: hash(11)?,
            signer: field(row, 12, DB::read_text)?,
            signature: field(row, 13, DB::read_bytes)?,
        })
    }
}

/// Reads the checkpoints of a log, oldest first; only the last one if `last` is set.
pub(crate) fn checkpoints<'q, DB: SqlTypes>(log: LogName, table: &'q str, last: bool) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    statement.sql(CHECKPOINT).sql(" FROM ");
    statement.beside(log, table);
    statement.sql(if last { " ORDER BY number DESC LIMIT 1" } else { " ORDER BY number" });
    statement
}

/// Writes a checkpoint, unless there is one of its number.
pub(crate) fn write_checkpoint<'q, DB: SqlTypes>(
    log: LogName,
    table: &'q str,
    row: &'q CheckpointRow,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("INSERT INTO ");
    statement.beside(log, table);
    statement.sql(" (").sql(CHECKPOINT).sql(") VALUES (").value(row.number);
    for number in [row.size, row.after.0, row.after.1, row.to.0, row.to.1, row.floor, row.highest] {
        statement.sql(", ").value(number);
    }
    statement.sql(", ").value(row.at).sql(", ").value(Value::Bytes(row.root.as_bytes()));
    statement.sql(", ").value(Value::Bytes(&row.frontier));
    statement.sql(", ").value(Value::Bytes(row.previous.as_bytes()));
    statement.sql(", ").value(row.signer.as_str()).sql(", ").value(Value::Bytes(&row.signature));
    statement.sql(") ON CONFLICT DO NOTHING");
    statement
}

/// A node of the tree to store, with the last event below it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NodeRow {
    pub(crate) node: StoredNode,
    /// The floor of the checkpoint that added the last event.
    pub(crate) floor: i64,
    pub(crate) last: (i64, i64),
}

/// Writes nodes of the tree, unless they exist.
pub(crate) fn write_nodes<'q, DB: SqlTypes>(
    log: LogName,
    table: &'q str,
    rows: &'q [NodeRow],
) -> Statement<'q, DB> {
    let mut statement = Statement::new("INSERT INTO ");
    statement.beside(log, table).sql(" (level, number, floor, txid, position, hash) VALUES ");
    for (index, NodeRow { node, floor, last }) in rows.iter().enumerate() {
        statement.sql(if index == 0 { "(" } else { ", (" }).value(i32::from(node.level)).sql(", ");
        statement.value(node.index.cast_signed()).sql(", ").value(*floor).sql(", ").value(last.0);
        statement.sql(", ").value(last.1).sql(", ").value(Value::Bytes(node.hash.as_bytes())).sql(")");
    }
    statement.sql(" ON CONFLICT DO NOTHING");
    statement
}

/// The number of values that a node of [`write_nodes`] binds.
pub(crate) const NODE_BINDS: usize = 6;

/// The place of a stored node in the log, and its hash.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NodeEnd {
    pub(crate) number: i64,
    pub(crate) floor: i64,
    pub(crate) last: (i64, i64),
    pub(crate) hash: TreeHash,
}

impl<DB: SqlTypes> QueryableByName<DB> for NodeEnd {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let hash = field(row, 4, DB::read_bytes)?;
        Ok(Self {
            number: field(row, 0, DB::read_big_int)?,
            floor: field(row, 1, DB::read_big_int)?,
            last: (field(row, 2, DB::read_big_int)?, field(row, 3, DB::read_big_int)?),
            hash: TreeHash::from_slice(&hash).ok_or("a hash has another length")?,
        })
    }
}

fn nodes<'q, DB: SqlTypes>(log: LogName, table: &'q str, level: u8) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT n.number, n.floor, n.txid, n.position, n.hash FROM ");
    statement.beside(log, table).sql(" n WHERE n.level = ").value(i32::from(level));
    statement
}

/// Reads the stored nodes of a group, in order.
pub(crate) fn nodes_of<'q, DB: SqlTypes>(
    log: LogName,
    table: &'q str,
    group: NodeGroup,
) -> Statement<'q, DB> {
    let first = group.index.saturating_mul(WIDTH).cast_signed();
    let mut statement = nodes(log, table, group.level);
    statement.sql(" AND n.number >= ").value(first);
    statement.sql(" AND n.number < ").value(first.saturating_add(WIDTH.cast_signed()));
    statement.sql(" ORDER BY n.number");
    statement
}

/// Reads one stored node over 256 events.
pub(crate) fn block<'q, DB: SqlTypes>(log: LogName, table: &'q str, number: u64) -> Statement<'q, DB> {
    let mut statement = nodes(log, table, 1);
    statement.sql(" AND n.number = ").value(number.cast_signed());
    statement
}

/// Reads the last node over 256 events that ends before an event, among the events above a floor.
pub(crate) fn block_before<'q, DB: SqlTypes>(
    log: LogName,
    table: &'q str,
    floor: i64,
    at: (i64, i64),
) -> Statement<'q, DB> {
    let mut statement = nodes(log, table, 1);
    statement.sql(" AND n.floor = ").value(floor);
    statement.sql(" AND (n.txid, n.position) < (").value(at.0).sql(", ").value(at.1);
    statement.sql(") ORDER BY n.number DESC LIMIT 1");
    statement
}

/// The first transaction that has not begun, as the statement sees it that contains this.
const NEXT_TXID: &str = "txid_snapshot_xmax(txid_current_snapshot())";

/// The numbers of events of a log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventCounts {
    /// All events.
    pub(crate) all: i64,
    /// The events that no checkpoint has taken in yet.
    pub(crate) later: i64,
}

impl<DB: SqlTypes> QueryableByName<DB> for EventCounts {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self { all: field(row, 0, DB::read_big_int)?, later: field(row, 1, DB::read_big_int)? })
    }
}

/// Counts the events of a log, and those that no checkpoint has taken in yet: those after an offset, above a floor, of
/// transactions that have begun. One statement sees one state of the log, whatever is written meanwhile.
pub(crate) fn count_events<'q, DB: SqlTypes>(
    log: LogName,
    after: (i64, i64),
    floor: i64,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT count(*), count(CASE WHEN (e.txid, e.position) > (");
    statement.value(after.0).sql(", ").value(after.1).sql(") AND e.position > ").value(floor);
    if DB::NUMBERS_TRANSACTIONS {
        statement.sql(" AND e.txid < ").sql(NEXT_TXID);
    }
    statement.sql(" THEN 1 END) FROM ").log(log).sql(" e");
    statement
}

/// Reads the events after an offset, above a floor, of transactions that have not begun: their number was chosen by
/// whoever wrote them. Only for databases that number transactions.
pub(crate) fn not_begun<'q, DB: SqlTypes>(
    log: LogName,
    after: (i64, i64),
    floor: i64,
    limit: i64,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT e.position, e.txid, e.hash FROM ");
    statement.log(log).sql(" e WHERE e.txid >= ").sql(NEXT_TXID);
    statement.sql(" AND (e.txid, e.position) > (").value(after.0).sql(", ").value(after.1);
    statement.sql(") AND e.position > ").value(floor);
    statement.sql(" ORDER BY e.txid, e.position LIMIT ").value(limit);
    statement
}
