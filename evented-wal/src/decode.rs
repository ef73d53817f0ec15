//! Decodes the messages of `pgoutput`, protocol 1.
//!
//! The bytes may come from a broken server, or from a program that is not a server: each read is checked, and nothing
//! panics.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::lsn::Lsn;
use crate::relation::{Column, Identity, Relation};
use crate::tuple::{Cell, Old, Tuple};

mod reader;

pub(crate) use reader::POSTGRES_EPOCH;
use reader::Reader;

/// A message as it was received: relations are given by oid, and unchanged values are not filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Raw {
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
    /// The names of types, or the origin of a transaction. Both are unused.
    Other,
}

/// Why bytes are not a message of `pgoutput`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A message ends too early.
    #[error("a message of kind `{kind}` ends after {length} bytes, within {what}")]
    Short {
        /// The message's kind: its first byte.
        kind: char,
        /// The message's length in bytes.
        length: usize,
        /// The part that is cut off.
        what: &'static str,
    },
    /// A message continues after its end.
    #[error("a message of kind `{kind}` has {rest} bytes too many")]
    Long {
        /// The message's kind.
        kind: char,
        /// The number of bytes after the end.
        rest: usize,
    },
    /// A value that the protocol does not define.
    #[error("a message of kind `{kind}` has {found} for {what}")]
    Value {
        /// The message's kind.
        kind: char,
        /// The field that has the value.
        what: &'static str,
        /// The value.
        found: i64,
    },
    /// A text that is not UTF-8.
    #[error("a message of kind `{kind}` has {what} that is not UTF-8")]
    Text {
        /// The message's kind.
        kind: char,
        /// The field that has the text.
        what: &'static str,
    },
    /// A kind of message that protocol 1 does not have.
    #[error("there is no message of kind `{kind}`")]
    Kind {
        /// The message's kind.
        kind: char,
    },
    /// A change of a table that the server has not described.
    #[error("a change of table {oid}, for which no relation message arrived")]
    Relation {
        /// The table's oid.
        oid: u32,
    },
    /// A row whose number of cells differs from the table's number of columns.
    #[error("a row of `{relation}` has {found} cells, and the table {columns} columns")]
    Width {
        /// The table's name.
        relation: String,
        /// The number of the table's columns.
        columns: usize,
        /// The number of the row's cells.
        found: usize,
    },
    /// Messages in an impossible order.
    #[error("{0}")]
    Order(&'static str),
}

/// Whether a message must be decoded even if its transaction is skipped. The server describes each table once.
pub(crate) fn concerns_all(data: &[u8]) -> bool {
    matches!(data.first(), Some(b'R' | b'B' | b'C') | None)
}

/// Decodes a message.
pub(crate) fn decode(data: Bytes) -> Result<Raw, DecodeError> {
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
        // The rest of the message is skipped.
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
        // An empty name stands for the schema `pg_catalog`.
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
    // At most what the message can hold: each cell takes at least one byte.
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
mod decode_tests;
