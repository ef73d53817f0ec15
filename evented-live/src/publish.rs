//! Publishes the rows of a query in its cell.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use evented_core::KeyValue;
use evented_core::live::{Held, ItemOf, List, LiveModel, Row};

use crate::cell::Cell;
use crate::cut::Cut;
use crate::error::LiveError;
use crate::status::Status;

/// Changes what is published, while no viewer reads it.
pub(crate) type Flip = Box<dyn FnOnce() + Send>;

/// A cell, with the type of its items erased.
pub(crate) trait Publish<M: LiveModel>: Send {
    /// Prepares what [`Flip`] publishes.
    fn prepare(&mut self, rows: &[Held<M>], status: Status, stood: Option<Cut>) -> Flip;
    /// Prepares that the value does not stand any more. `cut` is the last at which it stood.
    fn leave(&self, cut: &Cut) -> Flip;
    /// Prepares that the value could not be read.
    fn fail(&self, error: LiveError, cut: &Cut) -> Flip;
    fn end(&self, error: &LiveError);
    fn is_watched(&self) -> bool;
    fn is_read(&self) -> bool;
    fn cell(&self) -> Arc<dyn Any + Send + Sync>;
}

/// A cell, and how rows become its items.
pub(crate) struct Published<M: LiveModel, I> {
    item: ItemOf<M, I>,
    cell: Arc<Cell<I>>,
    /// The items of views, so that a row that stays is converted once.
    views: HashMap<KeyValue, (Row<M>, I)>,
}

impl<M: LiveModel, I: Clone> Published<M, I> {
    pub(crate) fn new(item: ItemOf<M, I>, cell: Arc<Cell<I>>) -> Self {
        Self { item, cell, views: HashMap::new() }
    }

    fn items(&mut self, rows: &[Held<M>]) -> Vec<I> {
        if !self.item.is_view() {
            return rows.iter().map(|held| (self.item.convert)(&held.row)).collect();
        }
        let mut before = std::mem::take(&mut self.views);
        let items = rows.iter().map(|Held { row, key }| {
            let view = before.remove(key).filter(|(old, _)| old.is(row));
            let item = view.map_or_else(|| (self.item.convert)(row), |(_, item)| item);
            self.views.insert(key.clone(), (row.clone(), item.clone()));
            item
        });
        items.collect()
    }
}

impl<M: LiveModel, I: Clone + PartialEq + Send + Sync + 'static> Publish<M> for Published<M, I> {
    fn prepare(&mut self, rows: &[Held<M>], status: Status, stood: Option<Cut>) -> Flip {
        let items = self.items(rows);
        let keys = rows.iter().map(|held| held.key.clone()).collect();
        let (cell, list) = (Arc::clone(&self.cell), List::new(items, keys));
        Box::new(move || {
            if cell.publish(list, status, stood) {
                cell.notify();
            }
        })
    }

    fn leave(&self, cut: &Cut) -> Flip {
        let (cell, cut) = (Arc::clone(&self.cell), cut.clone());
        Box::new(move || cell.leave(&cut))
    }

    fn fail(&self, error: LiveError, cut: &Cut) -> Flip {
        let (cell, cut) = (Arc::clone(&self.cell), cut.clone());
        Box::new(move || {
            cell.fail(error, &cut);
            cell.notify();
        })
    }

    fn end(&self, error: &LiveError) {
        self.cell.end(error);
        self.cell.notify();
    }

    fn is_watched(&self) -> bool {
        self.cell.is_watched()
    }

    fn is_read(&self) -> bool {
        self.cell.is_read()
    }

    fn cell(&self) -> Arc<dyn Any + Send + Sync> {
        Arc::clone(&self.cell) as Arc<dyn Any + Send + Sync>
    }
}
