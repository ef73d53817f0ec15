//! The same trees, evaluated without what is tested.

use std::collections::BTreeMap;

use evented_core::live::{List, Row};
use evented_core::{Evented as _, KeyValue};

use crate::model::Item;
use crate::trees::{Card, Links, Mid, Nest};

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

/// What the links of an item lead to, each once, in the order of the keys.
fn linked(item: &Item, rows: &Rows) -> Vec<Item> {
    let mut linked: Vec<Item> =
        children(item, rows).into_iter().filter_map(|link| rows.get(&link.to?).cloned()).collect();
    linked.sort_by_key(|far| far.id);
    linked.dedup();
    linked
}

fn with_org(mut items: Vec<Item>) -> Vec<Item> {
    items.retain(|far| far.org.is_some());
    items.sort_by_key(|far| (far.name.clone(), far.id));
    items
}

impl Naive for Links {
    fn naive(item: &Item, rows: &Rows) -> Self {
        let all = linked(item, rows);
        let (mut two, mut top) = (all.clone(), all.clone());
        two.sort_by_key(|far| (far.rank, far.id));
        two.truncate(2);
        top.sort_by_key(|far| (std::cmp::Reverse(far.rank), far.id));
        let rows_of = |items: &[Item]| list(items.iter().map(|far| (far.id, row(far))));
        Self {
            item: row(item),
            some: rows_of(&with_org(all.clone())),
            all: rows_of(&all),
            two: rows_of(&two),
            top: top.first().map(row),
        }
    }
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
        let linked = with_org(linked(item, rows));
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
