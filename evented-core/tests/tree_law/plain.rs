//! Changes applied to trees that a program holds: after each change they equal a naive evaluation, but for what is said to be
//! missing.

use std::collections::BTreeMap;
use std::sync::Arc;

use evented_core::live::{AnyChange, List, Outcome, Syncable, Synced, TreeQuery, sync};
use evented_core::{ChangeKind, Evented as _, Position, RawChange, RecordState, StreamId, Transaction};

use crate::model::Item;
use crate::naive::Naive;
use crate::random::Random;
use crate::trees::{Card, Links, Nest, Rooted};

type Rows = BTreeMap<i64, Item>;

fn item(random: &mut Random, id: i64) -> Item {
    let some = |random: &mut Random| i64::try_from(1 + random.below(10)).unwrap();
    Item {
        id,
        org: (!random.one_in(4)).then(|| i32::try_from(random.below(2)).unwrap()),
        rank: i16::try_from(random.below(6)).unwrap(),
        name: random.choose(&["a", "b", ""]).unwrap().to_string(),
        up: (!random.one_in(3)).then(|| some(random)),
        to: (!random.one_in(3)).then(|| some(random)),
    }
}

/// Changes a row at random.
fn change(random: &mut Random, rows: &mut Rows) -> AnyChange {
    let id = i64::try_from(1 + random.below(14)).unwrap();
    let before = rows.get(&id).cloned();
    let after = match &before {
        Some(_) if random.one_in(4) => None,
        // Most changes are of one field.
        Some(before) if !random.one_in(3) => {
            let new = item(random, id);
            let mut after = before.clone();
            match random.below(5) {
                0 => after.rank = new.rank,
                1 => after.up = new.up,
                2 => after.to = new.to,
                3 => after.org = new.org,
                _ => after.name = new.name,
            }
            Some(after)
        }
        _ => Some(item(random, id)),
    };
    match &after {
        Some(item) => drop(rows.insert(id, item.clone())),
        None => drop(rows.remove(&id)),
    }
    let state = |item: Option<Item>| item.map(|item| Arc::new(RecordState::new(item)));
    let change = RawChange {
        key: Some(id),
        before: state(before),
        after: state(after),
        table: None,
        position: Position::new(StreamId::named("log"), 0, 1),
        transaction: Transaction { id: 0, commit: 0, index: 0, last: false },
        event: None,
    };
    match Arc::new(change).seen(true, true) {
        Some(change) => change.into(),
        // The record was not there, and is not.
        None => self::change(random, rows),
    }
}

/// The roots of a query, evaluated naively.
type Roots = fn(&Rows) -> Vec<Item>;

fn naive<T: Naive>(roots: Roots, rows: &Rows) -> List<T> {
    let roots = roots(rows);
    let keys = roots.iter().map(|root| Item::key_value(&root.id)).collect();
    List::new(roots.iter().map(|root| T::naive(root, rows)).collect(), keys)
}

/// Reads what is missing, as a store does.
fn fill<T: Rooted + Naive>(list: &mut List<T>, synced: &Synced, rows: &Rows) {
    let mut keys = Vec::new();
    let trees: Vec<T> = list
        .iter()
        .filter_map(|tree| {
            let key = Item::key_value(&tree.key());
            keys.push(key.clone());
            if synced.misses(&key) {
                rows.get(&tree.key()).map(|item| T::naive(item, rows))
            } else {
                Some(tree.clone())
            }
        })
        .collect();
    *list = List::new(trees, keys);
}

/// Whether a record is new to which there are links already: a reference does not allow it.
fn is_new_and_linked(change: &AnyChange, rows: &Rows) -> bool {
    let new = change.of::<Item>().filter(|it| it.kind() == ChangeKind::Insert);
    new.is_some_and(|new| rows.values().any(|link| link.to.as_ref() == new.key()))
}

fn run<T: Rooted + Naive>(
    mut random: Random,
    apply: impl Fn(&mut List<T>, &AnyChange) -> Synced,
    roots: Roots,
    finds_linked: bool,
    counts: &mut (usize, usize),
) {
    let mut rows: Rows = (1..12).map(|id| (id, item(&mut random, id))).collect();
    let mut list: List<T> = naive(roots, &rows);
    for _ in 0..40 {
        let before = list.clone();
        let change = change(&mut random, &mut rows);
        let synced = apply(&mut list, &change);
        assert_eq!(synced.has_changed(), list != before, "{change:?}");
        let expected: List<T> = naive(roots, &rows);
        let is_short = list.len() < expected.len()
            || list.iter().zip(&expected).any(|(one, other)| one.key() != other.key());
        if !finds_linked && is_new_and_linked(&change, &rows) {
            list = expected.clone();
        }
        if is_short {
            // A window has lost a record, or one that moved may have left it.
            assert!(!synced.is_whole(), "{change:?}: the roots");
            list = expected.clone();
        }
        counts.0 += 1;
        counts.1 += usize::from(synced.is_whole());
        fill(&mut list, &synced, &rows);
        for (one, other) in list.iter().zip(&expected) {
            let was = before.iter().find(|tree| tree.key() == one.key());
            assert_eq!(one, other, "after {:?}\n  was: {was:?}", change.of::<Item>());
        }
        assert_eq!(list.len(), expected.len());
    }
}

#[test]
fn trees_that_a_program_holds_follow_each_change() {
    let mut counts = (0, 0);
    for seed in 0..400 {
        let all = TreeQuery::<Card>::all();
        let every: Roots = |rows| rows.values().cloned().collect();
        run(Random::new(seed << 8), |list, change| all.sync(list, change), every, true, &mut counts);
        let few = TreeQuery::<Card>::all().filter(|i| i.org.eq(1)).order(|i| i.rank.asc()).limit(3);
        let of_few: Roots = |rows| {
            let mut roots: Vec<Item> = rows.values().filter(|item| item.org == Some(1)).cloned().collect();
            roots.sort_by_key(|item| (item.rank, item.id));
            roots.truncate(3);
            roots
        };
        run(Random::new(seed << 8 | 1), |list, change| few.sync(list, change), of_few, true, &mut counts);
        let nests = TreeQuery::<Nest>::all();
        run(Random::new(seed << 8 | 2), |list, change| nests.sync(list, change), every, true, &mut counts);
        let links = TreeQuery::<Links>::all();
        run(Random::new(seed << 8 | 3), |list, change| links.sync(list, change), every, false, &mut counts);
    }
    let (steps, whole) = counts;
    assert!(whole > steps / 4 && whole < steps, "{whole} of {steps} were whole");
}

#[test]
fn plain_values_follow_changes() {
    let mut random = Random::new(9);
    let mut rows = Rows::new();
    let changed = |rows: &mut Rows, random: &mut Random, id: i64, item: Option<Item>| loop {
        let mut next = rows.clone();
        let made = change(random, &mut next);
        if made.of::<Item>().is_some_and(|it| it.key() == Some(&id) && it.after().is_some() == item.is_some())
        {
            *rows = next;
            return made;
        }
    };
    let some = || Some(item(&mut Random::new(1), 1));
    let one = changed(&mut rows, &mut random, 1, some());
    // A list gains what it lacks, once, also by an update.
    let mut list: Vec<Item> = Vec::new();
    assert_eq!(sync(&mut list, &one).outcome(), Outcome::Changed);
    assert_eq!(sync(&mut list, &one).outcome(), Outcome::Unchanged);
    let two = changed(&mut rows, &mut random, 2, some());
    let mut alone = list[0].clone();
    assert_eq!(sync(&mut alone, &two).outcome(), Outcome::Unchanged);
    sync(&mut list, &two);
    assert_eq!(list.iter().map(|item| item.id).collect::<Vec<_>>(), [1, 2]);
    let update = changed(&mut rows, &mut random, 2, some());
    let mut of_one: Vec<Item> = vec![list[0].clone()];
    sync(&mut of_one, &update);
    assert_eq!(of_one.len(), 2, "an update of a record that is not there");
    assert_eq!(of_one[1], rows[&2]);
    // An option becomes `None`, and a record alone stays.
    let mut option = Some(rows[&1].clone());
    let gone = changed(&mut rows, &mut random, 1, None);
    assert_eq!(sync(&mut alone, &gone).outcome(), Outcome::Gone);
    assert_eq!((sync(&mut option, &gone).outcome(), &option), (Outcome::Changed, &None));
    sync(&mut list, &gone);
    assert_eq!(list.len(), 1);
    fn is_syncable<T: Syncable>() {}
    is_syncable::<Option<Card>>();
    is_syncable::<Vec<Card>>();
}
