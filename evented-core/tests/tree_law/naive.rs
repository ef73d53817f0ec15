//! The same trees, evaluated without what is tested.

use std::collections::BTreeMap;

use evented_core::live::{List, Row};
use evented_core::{Evented as _, KeyValue};

use crate::model::Item;
use crate::trees::{Card, Mid, Nest};

type Rows = BTreeMap<i64, Item>;

/// What evaluates a tree.
pub(crate) trait Naive {
    fn naive(item: &Item, rows: &Rows) -> Self;
}

fn row(item: &Item) -> Row<Item> {
    Row::new(item.clone())
}

fn list<T>(items: impl IntoIterator<Item = (i64, T)>) -> List<T> {
    let (keys, items): (Vec<KeyValue>, Vec<T>) =
        items.into_iter().map(|(key, item)| (Item::key_value(&key), item)).unzip();
    List::new(items, keys)
}

fn children(item: &Item, rows: &Rows) -> Vec<Item> {
    rows.values().filter(|child| child.up == Some(item.id)).cloned().collect()
}

impl Naive for Mid {
    fn naive(item: &Item, rows: &Rows) -> Self {
        let mut below = children(item, rows);
        below.sort_by_key(|child| (std::cmp::Reverse(child.rank), child.name.clone(), child.id));
        Self {
            item: row(item),
            to: item.to.and_then(|to| rows.get(&to)).map(row),
            first: below.first().map(row),
        }
    }
}

impl Naive for Card {
    fn naive(item: &Item, rows: &Rows) -> Self {
        let mut mids: Vec<Item> = children(item, rows).into_iter().filter(|child| child.rank >= 1).collect();
        mids.sort_by_key(|child| (child.rank, child.id));
        mids.truncate(2);
        let mut linked: Vec<Item> = children(item, rows)
            .into_iter()
            .filter_map(|link| rows.get(&link.to?).cloned())
            .filter(|far| far.org.is_some())
            .collect();
        linked.sort_by_key(|far| (far.name.clone(), far.id));
        linked.dedup();
        let mut grand: Vec<Item> =
            children(item, rows).into_iter().flat_map(|child| children(&child, rows)).collect();
        grand.sort_by_key(|far| (std::cmp::Reverse(far.rank), far.id));
        grand.truncate(3);
        Self {
            item: row(item),
            mids: list(mids.iter().map(|mid| (mid.id, Mid::naive(mid, rows)))),
            up: item.up.and_then(|up| rows.get(&up)).map(|up| Mid::naive(up, rows)),
            linked: list(linked.iter().map(|far| (far.id, row(far)))),
            grand: list(grand.iter().map(|far| (far.id, row(far)))),
        }
    }
}

fn nest(item: &Item, rows: &Rows, depth: u32) -> Nest {
    let below = if depth == 0 { Vec::new() } else { children(item, rows) };
    Nest { item: row(item), below: list(below.iter().map(|child| (child.id, nest(child, rows, depth - 1)))) }
}

impl Naive for Nest {
    fn naive(item: &Item, rows: &Rows) -> Self {
        nest(item, rows, 2)
    }
}
