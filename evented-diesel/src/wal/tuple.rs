//! Rows, as the log holds them: one cell for each column.

use std::fmt;

use bytes::Bytes;

use super::Relation;

/// The value of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Null.
    Null,
    /// A large value that the update did not touch, and that the log therefore does not hold. With
    /// [`Identity::Full`](super::Identity::Full) it stands in the old row, and is filled in from there.
    Unchanged,
    /// As PostgreSQL writes it.
    Text(Bytes),
    /// As PostgreSQL sends it to programs.
    Binary(Bytes),
}

impl Cell {
    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }
}

/// For people: a text as SQL would quote it, bytes in hexadecimal digits.
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

/// A row: a cell for each column of its [`Relation`], in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuple(Vec<Cell>);

impl Tuple {
    /// A row of these cells.
    #[must_use]
    pub fn new(cells: Vec<Cell>) -> Self {
        Self(cells)
    }

    /// All cells.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.0
    }

    /// The cell at a place.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Cell> {
        self.0.get(index)
    }

    /// The cell of a column.
    #[must_use]
    pub fn column(&self, relation: &Relation, name: &str) -> Option<&Cell> {
        self.get(relation.index(name)?)
    }

    /// The row for people: `id: '7', name: 'Lamp'`.
    #[must_use]
    pub fn show<'a>(&'a self, relation: &'a Relation) -> impl fmt::Display + 'a {
        Shown { relation, tuple: self }
    }

    /// Takes large values that an update did not touch from the row before it.
    pub(super) fn fill(&mut self, old: &Self) {
        for (cell, old) in self.0.iter_mut().zip(&old.0) {
            if *cell == Cell::Unchanged {
                *cell = old.clone();
            }
        }
    }
}

/// What is known of a row before its change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Old {
    /// The whole row.
    Full(Tuple),
    /// The columns of its [`Identity`](super::Identity). The other cells are null, whatever they were.
    Key(Tuple),
}

impl Old {
    /// Its cells.
    #[must_use]
    pub fn tuple(&self) -> &Tuple {
        match self {
            Self::Full(tuple) | Self::Key(tuple) => tuple,
        }
    }

    /// The row, if it is whole.
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
