//! Rows, as the log has them: one cell for each column.

use std::fmt;

use bytes::Bytes;

use crate::relation::Relation;

/// The value of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Null.
    Null,
    /// A large value that the update did not touch, and that the log therefore does not have. With
    /// [`Identity::Full`](super::Identity::Full) the tail takes it from the old row instead.
    Unchanged,
    /// A value in PostgreSQL's text format.
    Text(Bytes),
    /// A value in PostgreSQL's binary format.
    Binary(Bytes),
}

impl Cell {
    /// The value as text; `None` if it is not in the text format.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }
}

/// Displays the cell for people: text quoted as in SQL, bytes as hexadecimal digits.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Unchanged => f.write_str("(unchanged)"),
            Self::Text(text) => {
                let text = String::from_utf8_lossy(text);
                write!(f, "'{}'", text.replace('\'', "''"))
            }
            Self::Binary(bytes) => write!(f, "\\x{bytes:x}"),
        }
    }
}

/// A row: one cell for each column of its [`Relation`], in the same order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuple(Vec<Cell>);

impl Tuple {
    /// Creates a row from its cells.
    #[must_use]
    pub fn new(cells: Vec<Cell>) -> Self {
        Self(cells)
    }

    /// All cells, in the order of the columns.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.0
    }

    /// The cell with this index; `None` if there is none.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Cell> {
        self.0.get(index)
    }

    /// The cell of the column with this name; `None` if there is no such column.
    #[must_use]
    pub fn column(&self, relation: &Relation, name: &str) -> Option<&Cell> {
        self.get(relation.index(name)?)
    }

    /// Displays the row for people: `id: '7', name: 'Lamp'`.
    #[must_use]
    pub fn show<'a>(&'a self, relation: &'a Relation) -> impl fmt::Display + 'a {
        Shown { relation, tuple: self }
    }

    /// Fills in large values that an update did not touch, from the row before the update.
    pub(crate) fn fill(&mut self, old: &Self) {
        for (cell, old) in self.0.iter_mut().zip(&old.0) {
            if *cell == Cell::Unchanged {
                *cell = old.clone();
            }
        }
    }
}

/// The part of a row before its change that the log has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Old {
    /// The whole row.
    Full(Tuple),
    /// The columns of the table's [`Identity`](super::Identity). All other cells are null, whatever their value was.
    Key(Tuple),
}

impl Old {
    /// The cells of the row.
    #[must_use]
    pub fn tuple(&self) -> &Tuple {
        match self {
            Self::Full(tuple) | Self::Key(tuple) => tuple,
        }
    }

    /// The row, if it is complete; `None` if only its key is known.
    #[must_use]
    pub fn full(&self) -> Option<&Tuple> {
        match self {
            Self::Full(tuple) => Some(tuple),
            Self::Key(_) => None,
        }
    }
}

struct Shown<'a> {
    relation: &'a Relation,
    tuple: &'a Tuple,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (column, cell)) in self.relation.columns.iter().zip(&self.tuple.0).enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{}: {cell}", column.name)?;
        }
        Ok(())
    }
}
