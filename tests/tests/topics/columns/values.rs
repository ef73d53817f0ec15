//! Generates values of each type, with edge cases more often than at random.

use bigdecimal::BigDecimal;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use evented_tests::models::columns::Mood;
use proptest::num;
use proptest::prelude::*;
use serde_json::{Map, Value};
use uuid::Uuid;

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "\\PC{0,12}".boxed(),
        2 => prop::collection::vec(any::<char>(), 0..8)
            .prop_map(|chars| chars.into_iter().filter(|c| *c != '\0').collect::<String>())
            .boxed(),
        1 => prop::sample::select(vec![
            "", " ", "null", "NULL", "\\", "\\x00", "'", "\"", "{}", "{NULL}", "e\u{301}", "é", "🦀", "\u{feff}", "\r\n",
            "1", "1.0", "2026-01-31",
        ])
        .prop_map(str::to_owned)
        .boxed(),
    ]
}

pub(crate) fn double() -> impl Strategy<Value = f64> {
    prop_oneof![
        num::f64::NORMAL | num::f64::SUBNORMAL | num::f64::ZERO | num::f64::NEGATIVE | num::f64::POSITIVE,
        prop::sample::select(vec![
            0.1,
            -0.0,
            0.1 + 0.2,
            1e16,
            1e17,
            9_007_199_254_740_993.0,
            1e30,
            1e31,
            1e300,
            5e-324,
            f64::MAX,
            f64::MIN_POSITIVE,
        ]),
    ]
}

pub(crate) fn single() -> impl Strategy<Value = f32> {
    num::f32::NORMAL | num::f32::SUBNORMAL | num::f32::ZERO | num::f32::NEGATIVE | num::f32::POSITIVE
}

/// Every date that both databases can store: the years 1 to 9999.
pub(crate) fn date() -> impl Strategy<Value = NaiveDate> {
    (1_i32..=3_652_059).prop_map(|days| NaiveDate::from_num_days_from_ce_opt(days).expect("a day"))
}

/// Times with nanoseconds, of which the databases store microseconds.
pub(crate) fn time() -> impl Strategy<Value = NaiveTime> {
    (0_u32..86_400, 0_u32..1_000_000_000).prop_map(|(seconds, nanos)| {
        NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanos).expect("a time")
    })
}

pub(crate) fn moment() -> impl Strategy<Value = NaiveDateTime> {
    (date(), time()).prop_map(|(date, time)| date.and_time(time))
}

pub(crate) fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    moment().prop_map(|moment| moment.and_utc())
}

pub(crate) fn uuid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

pub(crate) fn mood() -> impl Strategy<Value = Mood> {
    prop::sample::select(vec![Mood::Calm, Mood::VeryHappy])
}

/// Numbers with up to 30 digits before and after the decimal point.
pub(crate) fn number() -> impl Strategy<Value = BigDecimal> {
    (any::<i128>(), -10_i64..30).prop_map(|(digits, scale)| BigDecimal::new(digits.into(), scale))
}

pub(crate) fn json() -> impl Strategy<Value = Value> {
    documents(any::<u64>().prop_map(Value::from))
}

/// JSON without integers beyond `i64`, which Diesel writes to SQLite's JSONB and cannot read back.
pub(crate) fn json_of_i64() -> impl Strategy<Value = Value> {
    documents(any::<i64>().prop_map(Value::from))
}

fn documents(integer: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        integer,
        double().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..4)
                .prop_map(|entries| Value::from(Map::from_iter(entries))),
        ]
    })
}
