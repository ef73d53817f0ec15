//! The messages of `pgoutput`, protocol 1: bytes to values.
//!
//! The bytes come from a server that may be broken, or none at all: each reading is checked, and nothing panics.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::{Cell, Column, Identity, Lsn, Old, Relation, Tuple};

mod reader;

pub(super) use reader::EPOCH;
use reader::Reader;

/// A message as it came: relations by number, nothing filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Raw {
    Begin {
        commit: Lsn,
        at: DateTime<Utc>,
        xid: u32,
    },
    Commit {
        commit: Lsn,
        end: Lsn,
    },
    Relation(Relation),
    Insert {
        relation: u32,
        new: Tuple,
    },
    Update {
        relation: u32,
        old: Option<Old>,
        new: Tuple,
    },
    Delete {
        relation: u32,
        old: Old,
    },
    Truncate {
        relations: Vec<u32>,
        cascade: bool,
        restart_identity: bool,
    },
    Logical {
        prefix: String,
        content: Bytes,
        transactional: bool,
        at: Lsn,
    },
    /// Names of types, and where a transaction was first written: of no use here.
    Other,
}

/// Bytes that are no message of `pgoutput`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A message ends too early.
    #[error("a message of kind `{kind}` ends after {length} bytes, within {what}")]
    Short {
        /// The message's kind: its first byte.
        kind: char,
        /// How long it is.
        length: usize,
        /// What is cut off.
        what: &'static str,
    },
    /// A message goes on after its end.
    #[error("a message of kind `{kind}` has {rest} bytes too many")]
    Long {
        /// The message's kind.
        kind: char,
        /// How many.
        rest: usize,
    },
    /// A value that is none of those that there are.
    #[error("a message of kind `{kind}` has {found} for {what}")]
    Value {
        /// The message's kind.
        kind: char,
        /// What it stands for.
        what: &'static str,
        /// The value.
        found: i64,
    },
    /// A text that is not UTF-8.
    #[error("a message of kind `{kind}` has {what} that is not UTF-8")]
    Text {
        /// The message's kind.
        kind: char,
        /// What the text is.
        what: &'static str,
    },
    /// A kind of message that protocol 1 does not have.
    #[error("there is no message of kind `{kind}`")]
    Kind {
        /// The message's kind.
        kind: char,
    },
    /// A change of a table that was not described before.
    #[error("a change of table {oid}, which was not described before")]
    Relation {
        /// The table's number.
        oid: u32,
    },
    /// A row with another number of cells than the table has columns.
    #[error("a row of `{relation}` has {found} cells, and the table {columns} columns")]
    Width {
        /// The table.
        relation: String,
        /// Its columns.
        columns: usize,
        /// The row's cells.
        found: usize,
    },
    /// Messages in an order that cannot be.
    #[error("{0}")]
    Order(&'static str),
}

/// Whether a message must be read even if its transaction is passed over: tables are described once.
pub(super) fn concerns_all(data: &[u8]) -> bool {
    matches!(data.first(), Some(b'R' | b'B' | b'C') | None)
}

/// Reads a message.
pub(super) fn decode(data: Bytes) -> Result<Raw, DecodeError> {
    let mut reader = Reader::new(data);
    let raw = match reader.kind() {
        'B' => Raw::Begin {
            commit: reader.lsn("the position of its commit")?,
            at: reader.time("its time")?,
            xid: reader.u32("its number")?,
        },
        'C' => {
            reader.u8("its flags")?;
            let raw = Raw::Commit { commit: reader.lsn("its position")?, end: reader.lsn("its end")? };
            reader.time("its time")?;
            raw
        }
        'R' => Raw::Relation(relation(&mut reader)?),
        'I' => {
            let relation = reader.u32("its table")?;
            match reader.u8("the kind of its row")? {
                b'N' => Raw::Insert { relation, new: tuple(&mut reader)? },
                other => return Err(reader.value("the kind of its row", other)),
            }
        }
        'U' => update(&mut reader)?,
        'D' => {
            let relation = reader.u32("its table")?;
            let old = match reader.u8("the kind of its row")? {
                b'O' => Old::Full(tuple(&mut reader)?),
                b'K' => Old::Key(tuple(&mut reader)?),
                other => return Err(reader.value("the kind of its row", other)),
            };
            Raw::Delete { relation, old }
        }
        'T' => {
            let count = reader.u32("the number of tables")?;
            let flags = reader.u8("its flags")?;
            let mut relations = Vec::new();
            for _ in 0..count {
                relations.push(reader.u32("a table")?);
            }
            Raw::Truncate { relations, cascade: flags & 1 != 0, restart_identity: flags & 2 != 0 }
        }
        'M' => {
            let transactional = reader.u8("its flags")? & 1 != 0;
            let at = reader.lsn("its position")?;
            let prefix = reader.name("its prefix")?;
            let length = reader.u32("the length of its content")?;
            Raw::Logical { transactional, at, prefix, content: reader.bytes(length, "its content")? }
        }
        // The rest of them is passed over, not read.
        'O' | 'Y' => return Ok(Raw::Other),
        kind => return Err(DecodeError::Kind { kind }),
    };
    reader.end()?;
    Ok(raw)
}

fn update(reader: &mut Reader) -> Result<Raw, DecodeError> {
    let relation = reader.u32("its table")?;
    let mut kind = reader.u8("the kind of its row")?;
    let old = match kind {
        b'O' => Some(Old::Full(tuple(reader)?)),
        b'K' => Some(Old::Key(tuple(reader)?)),
        _ => None,
    };
    if old.is_some() {
        kind = reader.u8("the kind of its row")?;
    }
    if kind != b'N' {
        return Err(reader.value("the kind of its row", kind));
    }
    let mut new = tuple(reader)?;
    if let Some(Old::Full(old)) = &old {
        new.fill(old);
    }
    Ok(Raw::Update { relation, old, new })
}

fn relation(reader: &mut Reader) -> Result<Relation, DecodeError> {
    let oid = reader.u32("its number")?;
    let schema = match reader.name("its schema")? {
        // So the schema `pg_catalog` is written.
        empty if empty.is_empty() => "pg_catalog".to_owned(),
        schema => schema,
    };
    let table = reader.name("its name")?;
    let identity = match reader.u8("its identity")? {
        b'n' => Identity::Nothing,
        b'd' => Identity::Default,
        b'i' => Identity::Index,
        b'f' => Identity::Full,
        other => return Err(reader.value("its identity", other)),
    };
    let count = reader.u16("the number of columns")?;
    let mut columns = Vec::new();
    for _ in 0..count {
        columns.push(Column {
            key: reader.u8("the flags of a column")? & 1 != 0,
            name: reader.name("the name of a column")?,
            type_oid: reader.u32("the type of a column")?,
            type_modifier: reader.i32("the type of a column")?,
        });
    }
    Ok(Relation { oid, schema, table, identity, columns })
}

fn tuple(reader: &mut Reader) -> Result<Tuple, DecodeError> {
    let count = reader.u16("the number of cells")?;
    // No more than the message can hold: each cell takes a byte at least.
    let mut cells = Vec::with_capacity(usize::from(count).min(reader.rest()));
    for _ in 0..count {
        cells.push(match reader.u8("the kind of a cell")? {
            b'n' => Cell::Null,
            b'u' => Cell::Unchanged,
            b't' => Cell::Text(reader.sized("a cell")?),
            b'b' => Cell::Binary(reader.sized("a cell")?),
            other => return Err(reader.value("the kind of a cell", other)),
        });
    }
    Ok(Tuple::new(cells))
}

#[cfg(test)]
mod tests;
