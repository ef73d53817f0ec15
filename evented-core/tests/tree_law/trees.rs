//! The trees of the test, without a derive.

use evented_core::Evented as _;
use evented_core::live::{At, Branches, List, LiveModel as _, Relations, Row, Tree};

use crate::model::Item;

const fn at(branch: u16) -> At {
    At { branch, depth: None }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mid {
    pub(crate) item: Row<Item>,
    pub(crate) to: Option<Row<Item>>,
    pub(crate) first: Option<Row<Item>>,
}

impl Tree for Mid {
    type Model = Item;
    fn row(&self) -> &Row<Item> {
        &self.item
    }
    fn relate(relations: &mut Relations<'_>) {
        relations.belongs_to::<Option<Row<Item>>, _, _>(Item::fields().to);
        relations.has_many::<Option<Row<Item>>, _>(Item::fields().up);
    }
    fn grow(row: &Row<Item>, old: Option<&Self>, branches: &mut Branches<'_, '_>) -> Option<Self> {
        let to = branches.belongs_to::<Option<Row<Item>>, _, _>(
            at(0),
            row,
            Item::fields().to,
            old.map(|old| &old.to),
        );
        let first = branches.has_many::<Option<Row<Item>>, _, _>(
            at(1),
            row,
            Item::fields().up,
            |it| it.order(|i| (i.rank.desc(), i.name.asc())),
            old.map(|old| &old.first),
        );
        Some(Self { item: row.clone(), to: to?, first: first? })
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Card {
    pub(crate) item: Row<Item>,
    pub(crate) mids: List<Mid>,
    pub(crate) up: Option<Mid>,
    pub(crate) linked: List<Row<Item>>,
    pub(crate) grand: List<Row<Item>>,
}

impl Tree for Card {
    type Model = Item;
    fn row(&self) -> &Row<Item> {
        &self.item
    }
    fn relate(relations: &mut Relations<'_>) {
        let fields = Item::fields();
        relations.has_many::<List<Mid>, _>(fields.up);
        relations.belongs_to::<Option<Mid>, _, _>(fields.up);
        relations.many_to_many::<List<Row<Item>>, Item, _, _>(fields.up, fields.to);
        relations.through::<List<Row<Item>>, Item, _, _>(fields.up, fields.up);
    }
    fn grow(row: &Row<Item>, old: Option<&Self>, branches: &mut Branches<'_, '_>) -> Option<Self> {
        let fields = Item::fields();
        let mids = branches.has_many::<List<Mid>, _, _>(
            at(0),
            row,
            fields.up,
            |it| it.filter(|i| i.rank.ge(1)).order(|i| i.rank.asc()).limit(2),
            old.map(|old| &old.mids),
        );
        let up = branches.belongs_to::<Option<Mid>, _, _>(at(1), row, fields.up, old.map(|old| &old.up));
        let linked = branches.many_to_many::<List<Row<Item>>, Item, _, _, _>(
            at(2),
            row,
            fields.up,
            fields.to,
            |it| it.filter(|i| i.org.is_not_null()).order(|i| i.name.asc()),
            old.map(|old| &old.linked),
        );
        let grand = branches.through::<List<Row<Item>>, Item, _, _, _>(
            at(3),
            row,
            fields.up,
            fields.up,
            |it| it.order(|i| i.rank.desc()).limit(3),
            old.map(|old| &old.grand),
        );
        Some(Self { item: row.clone(), mids: mids?, up: up?, linked: linked?, grand: grand? })
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Nest {
    pub(crate) item: Row<Item>,
    pub(crate) below: List<Nest>,
}

impl Tree for Nest {
    type Model = Item;
    fn row(&self) -> &Row<Item> {
        &self.item
    }
    fn relate(relations: &mut Relations<'_>) {
        relations.has_many::<List<Self>, _>(Item::fields().up);
    }
    fn grow(row: &Row<Item>, old: Option<&Self>, branches: &mut Branches<'_, '_>) -> Option<Self> {
        let below = branches.has_many(
            At { branch: 0, depth: Some(2) },
            row,
            Item::fields().up,
            |it| it,
            old.map(|old| &old.below),
        );
        Some(Self { item: row.clone(), below: below? })
    }
}

/// What links lead to, narrowed in each way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Links {
    pub(crate) item: Row<Item>,
    pub(crate) all: List<Row<Item>>,
    pub(crate) some: List<Row<Item>>,
    pub(crate) two: List<Row<Item>>,
    pub(crate) top: Option<Row<Item>>,
}

impl Tree for Links {
    type Model = Item;
    fn row(&self) -> &Row<Item> {
        &self.item
    }
    fn relate(relations: &mut Relations<'_>) {
        relations.many_to_many::<List<Row<Item>>, Item, _, _>(Item::fields().up, Item::fields().to);
    }
    fn grow(row: &Row<Item>, old: Option<&Self>, branches: &mut Branches<'_, '_>) -> Option<Self> {
        let (up, to) = (Item::fields().up, Item::fields().to);
        let all = branches.many_to_many::<List<Row<Item>>, Item, _, _, _>(
            at(0),
            row,
            up,
            to,
            |it| it,
            old.map(|old| &old.all),
        );
        let some = branches.many_to_many::<List<Row<Item>>, Item, _, _, _>(
            at(1),
            row,
            up,
            to,
            |it| it.filter(|i| i.org.is_not_null()).order(|i| i.name.asc()),
            old.map(|old| &old.some),
        );
        let two = branches.many_to_many::<List<Row<Item>>, Item, _, _, _>(
            at(2),
            row,
            up,
            to,
            |it| it.order(|i| i.rank.asc()).limit(2),
            old.map(|old| &old.two),
        );
        let top = branches.many_to_many::<Option<Row<Item>>, Item, _, _, _>(
            at(3),
            row,
            up,
            to,
            |it| it.order(|i| i.rank.desc()),
            old.map(|old| &old.top),
        );
        Some(Self { item: row.clone(), all: all?, some: some?, two: two?, top: top? })
    }
}

/// A tree with the key of its root.
pub(crate) trait Rooted: Tree<Model = Item> + std::fmt::Debug {
    fn key(&self) -> i64;
}
macro_rules! rooted {
    ($($tree:ty),*) => {$(
        impl Rooted for $tree {
            fn key(&self) -> i64 {
                Item::key(&self.item)
            }
        }
    )*};
}
rooted!(Links, Card, Nest);
