//! Memory and the database agree: on every operator and order, with nulls, on every type.

use std::str::FromStr as _;

use bigdecimal::BigDecimal;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use evented_diesel::batch;
use evented_diesel::prelude::*;
use evented_live::{Filter, LiveDsl, LiveModel, Query};
use evented_live_tests::sample::{NewSample, Sample, State, uid};

use super::{Source, World};

fn empty(id: i32) -> NewSample {
    NewSample {
        id,
        small: None,
        int: None,
        big: None,
        single: None,
        double: None,
        text: None,
        bytes: None,
        flag: None,
        date: None,
        time: None,
        local: None,
        at: None,
        uid: None,
        decimal: None,
        state: None,
    }
}

/// Rows with the values at which comparisons go wrong.
fn samples() -> Vec<NewSample> {
    let mut samples = vec![empty(0)];
    let mut add = |set: &dyn Fn(&mut NewSample)| {
        let mut sample = empty(i32::try_from(samples.len()).unwrap());
        set(&mut sample);
        samples.push(sample);
    };
    for number in [i64::MIN, -1, 0, 1, 300, i64::MAX] {
        add(&|it| {
            it.big = Some(number);
            it.int = Some(i32::try_from(number).unwrap_or(i32::MAX));
            it.small = Some(i16::try_from(number).unwrap_or(i16::MIN));
        });
    }
    for float in [-0.0, 0.0, 1.5, -1.5, 1e300, f64::MIN_POSITIVE, 0.1] {
        add(&|it| {
            it.double = Some(float);
            it.single = Some(if float == 1e300 { 1e30 } else { float as f32 });
        });
    }
    for text in ["", "a", "A", "ab", "b", "Z", "ä", "é", "e\u{301}", "ß", "ſ", "İ", "\u{10FFFF}", "\u{FFFF}", "🦀", " a", "a ", "_", "%", "0", "10", "9", "a\nb", "-"] {
        add(&|it| it.text = Some(text.to_owned()));
    }
    for bytes in [&[][..], &[0], &[0, 0], &[255], &[1, 2, 3], b"text"] {
        add(&|it| it.bytes = Some(bytes.to_vec()));
    }
    for (flag, state) in [(true, State::Open), (false, State::Closed)] {
        add(&|it| (it.flag, it.state) = (Some(flag), Some(state)));
    }
    for (year, micros) in [(1, 0), (1900, 1), (1999, 500_000), (2000, 999_999), (2026, 120), (9999, 0)] {
        let date = NaiveDate::from_ymd_opt(year, 2, 28).unwrap();
        let time = NaiveTime::from_hms_micro_opt(23 - u32::try_from(year % 24).unwrap(), 0, 5, micros).unwrap();
        add(&|it| {
            (it.date, it.time) = (Some(date), Some(time));
            it.local = Some(date.and_time(time));
            it.at = Some(date.and_time(time).and_utc());
        });
    }
    for (first, second) in [(0, 0), (0, 255), (127, 1), (128, 1), (255, 0)] {
        add(&|it| it.uid = Some(uid(first, second)));
    }
    for decimal in ["0", "-1.5", "1.50", "0.1", "12345.678", "1e3"] {
        add(&|it| it.decimal = Some(BigDecimal::from_str(decimal).unwrap()));
    }
    samples
}

/// Opens a query, and compares it with what memory says of all rows. The store itself compares each row that it reads.
async fn agrees(world: &World, all: &[Sample], filter: Filter<Sample>) {
    let query = Sample::live().filter(|_| filter.clone());
    let read = world.store.open(query).await.unwrap_or_else(|error| panic!("{filter:?}: {error}"));
    let read: Vec<i32> = read.get().iter().map(|sample| sample.id).collect();
    let expected: Vec<i32> = all.iter().filter(|sample| filter.has(sample)).map(|sample| sample.id).collect();
    assert_eq!(read, expected, "{filter:?}");
}

/// Both directions of an order; `.after` at every row.
async fn is_ordered(world: &World, order: impl Fn(Query<Sample>) -> Query<Sample>) {
    let all = world.store.open(order(Sample::live())).await.unwrap_or_else(|error| panic!("{error}")).get();
    for (index, row) in all.iter().enumerate().step_by(3) {
        let rest = world.store.open(order(Sample::live()).after(row)).await.unwrap().get();
        assert_eq!(rest.to_vec(), all[index + 1..].to_vec(), "behind {row:?}");
    }
}

/// All operators of a field, with each of the values that are in it.
macro_rules! every_operator {
    ($world:ident, $all:ident: $($field:ident),*) => {$({
        let field = Sample::fields().$field;
        let values: Vec<_> = $all.iter().filter_map(|sample| sample.$field.clone()).collect();
        for value in &values {
            let filters = [
                field.eq(value.clone()), field.ne(value.clone()), field.lt(value.clone()), field.le(value.clone()),
                field.gt(value.clone()), field.ge(value.clone()), field.ge(value.clone()).not(),
                field.eq(value.clone()).or(field.is_null()), field.le(value.clone()).and(field.is_not_null()),
            ];
            for filter in filters {
                agrees(&$world, &$all, filter).await;
            }
        }
        agrees(&$world, &$all, field.is_in(values.iter().step_by(2).cloned())).await;
        agrees(&$world, &$all, field.is_in(values.iter().step_by(2).cloned()).not()).await;
        agrees(&$world, &$all, field.is_in([])).await;
        agrees(&$world, &$all, field.is_null()).await;
        is_ordered(&$world, |query| query.order(|s| s.$field.asc())).await;
        is_ordered(&$world, |query| query.order(|s| s.$field.desc())).await;
    })*};
}

async fn world() -> (World, Vec<Sample>) {
    let mut world = World::with::<Source>(|store| store.linger(std::time::Duration::ZERO)).await;
    let new: Vec<_> = samples().into_iter().map(Sample::insert).collect();
    let mut all = world.db.run(batch(new)).await.unwrap();
    all.sort_by_key(|sample| sample.id);
    (world, all)
}

#[tokio::test(flavor = "multi_thread")]
async fn on_numbers() {
    let (world, all) = world().await;
    every_operator!(world, all: small, int, big, single, double, decimal, flag);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_text_and_bytes() {
    let (world, all) = world().await;
    every_operator!(world, all: text, bytes, uid);
    for prefix in ["", "a", "A", "ä", "%", "_", "🦀", "e", "ab", "a\nb"] {
        agrees(&world, &all, Sample::fields().text.starts_with(prefix)).await;
        agrees(&world, &all, Sample::fields().text.starts_with(prefix).not()).await;
    }
    for state in [State::Open, State::Closed] {
        agrees(&world, &all, Sample::fields().state.eq(state)).await;
        agrees(&world, &all, Sample::fields().state.ne(state)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_times() {
    let (world, all) = world().await;
    every_operator!(world, all: date, time, local, at);
    // More digits than a database keeps.
    let at: DateTime<Utc> = all.iter().find_map(|sample| sample.at).unwrap() + TimeDelta::nanoseconds(999);
    agrees(&world, &all, Sample::fields().at.eq(at)).await;
    agrees(&world, &all, Sample::fields().at.lt(at)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_several_fields() {
    let (world, all) = world().await;
    is_ordered(&world, |query| query.order(|s| (s.flag.desc(), s.text.asc()))).await;
    is_ordered(&world, |query| query.order(|s| (s.date.asc(), s.small.desc(), s.id.desc()))).await;
    let s = Sample::fields();
    agrees(&world, &all, s.small.gt(0).or(s.text.lt("b".to_owned())).not()).await;
    agrees(&world, &all, (s.flag.eq(true) | s.double.le(0.0)) & !s.text.eq("a".to_owned())).await;
    agrees(&world, &all, Filter::everything().and(Filter::nothing().not())).await;
    agrees(&world, &all, Filter::nothing()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_no_record_can_have_is_refused() {
    let (world, _) = world().await;
    let error = world.store.open(Sample::live().filter(|s| s.double.eq(f64::NAN))).await.unwrap_err().to_string();
    assert!(error.contains("no record"), "{error}");
    let error = world.store.open(Sample::live().filter(|s| s.text.eq("a\0b".into()))).await.unwrap_err().to_string();
    assert!(error.contains("no record"), "{error}");
}
