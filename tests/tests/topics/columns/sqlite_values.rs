//! Generates values for the models of SQLite.

use evented_tests::models::columns::sqlite::{
    KindsChanges, NewKinds, NewNullableKinds, NullableKindsChanges,
};
use proptest::prelude::*;

use super::values::*;

proptest::prop_compose! {
    /// A value of each type.
    pub(crate) fn new()(
        (flag, small, int, big, single, double, text, bytes) in (any::<bool>(), any::<i16>(), any::<i32>(), any::<i64>(), single(), double(), text(), prop::collection::vec(any::<u8>(), 0..20)),
        (date, time, moment, instant, json, jsonb, mood, own_uuid) in (date(), time(), moment(), instant(), json(), json_of_i64(), mood(), uuid()),
        (own_time, own_json) in (instant(), json()),
    ) -> NewKinds {
        NewKinds { flag, small, int, big, single, double, text, bytes, date, time, moment, instant, json, jsonb, mood, own_uuid, own_time, own_json }
    }
}

/// Returns a change of every column.
pub(crate) fn changes(new: &NewKinds) -> KindsChanges {
    let new = new.clone();
    KindsChanges {
        flag: Some(new.flag),
        small: Some(new.small),
        int: Some(new.int),
        big: Some(new.big),
        single: Some(new.single),
        double: Some(new.double),
        text: Some(new.text),
        bytes: Some(new.bytes),
        date: Some(new.date),
        time: Some(new.time),
        moment: Some(new.moment),
        instant: Some(new.instant),
        json: Some(new.json),
        jsonb: Some(new.jsonb),
        mood: Some(new.mood),
        own_uuid: Some(new.own_uuid),
        own_time: Some(new.own_time),
        own_json: Some(new.own_json),
    }
}

/// Returns a value of each type, or null.
pub(crate) fn nullable(new: &NewKinds, present: &[bool]) -> NewNullableKinds {
    let new = new.clone();
    let mut present = present.iter().copied().cycle();
    let mut there = || present.next().unwrap_or_default();
    NewNullableKinds {
        flag: there().then_some(new.flag),
        small: there().then_some(new.small),
        int: there().then_some(new.int),
        big: there().then_some(new.big),
        single: there().then_some(new.single),
        double: there().then_some(new.double),
        text: there().then_some(new.text),
        bytes: there().then_some(new.bytes),
        date: there().then_some(new.date),
        time: there().then_some(new.time),
        moment: there().then_some(new.moment),
        instant: there().then_some(new.instant),
        json: there().then_some(new.json),
        jsonb: there().then_some(new.jsonb),
        mood: there().then_some(new.mood),
        own_uuid: there().then_some(new.own_uuid),
        own_time: there().then_some(new.own_time),
        own_json: there().then_some(new.own_json),
    }
}

/// Returns a change of every column, to a value or to null.
pub(crate) fn nullable_changes(new: &NewNullableKinds) -> NullableKindsChanges {
    let new = new.clone();
    NullableKindsChanges {
        flag: Some(new.flag),
        small: Some(new.small),
        int: Some(new.int),
        big: Some(new.big),
        single: Some(new.single),
        double: Some(new.double),
        text: Some(new.text),
        bytes: Some(new.bytes),
        date: Some(new.date),
        time: Some(new.time),
        moment: Some(new.moment),
        instant: Some(new.instant),
        json: Some(new.json),
        jsonb: Some(new.jsonb),
        mood: Some(new.mood),
        own_uuid: Some(new.own_uuid),
        own_time: Some(new.own_time),
        own_json: Some(new.own_json),
    }
}

/// Returns one change for each column.
pub(crate) fn one_by_one(new: &NewKinds) -> Vec<KindsChanges> {
    let new = new.clone();
    vec![
        KindsChanges { flag: Some(new.flag), ..Default::default() },
        KindsChanges { small: Some(new.small), ..Default::default() },
        KindsChanges { int: Some(new.int), ..Default::default() },
        KindsChanges { big: Some(new.big), ..Default::default() },
        KindsChanges { single: Some(new.single), ..Default::default() },
        KindsChanges { double: Some(new.double), ..Default::default() },
        KindsChanges { text: Some(new.text), ..Default::default() },
        KindsChanges { bytes: Some(new.bytes), ..Default::default() },
        KindsChanges { date: Some(new.date), ..Default::default() },
        KindsChanges { time: Some(new.time), ..Default::default() },
        KindsChanges { moment: Some(new.moment), ..Default::default() },
        KindsChanges { instant: Some(new.instant), ..Default::default() },
        KindsChanges { json: Some(new.json), ..Default::default() },
        KindsChanges { jsonb: Some(new.jsonb), ..Default::default() },
        KindsChanges { mood: Some(new.mood), ..Default::default() },
        KindsChanges { own_uuid: Some(new.own_uuid), ..Default::default() },
        KindsChanges { own_time: Some(new.own_time), ..Default::default() },
        KindsChanges { own_json: Some(new.own_json), ..Default::default() },
    ]
}

/// Returns one change to null for each column.
pub(crate) fn none_by_one() -> Vec<NullableKindsChanges> {
    vec![
        NullableKindsChanges { flag: Some(None), ..Default::default() },
        NullableKindsChanges { small: Some(None), ..Default::default() },
        NullableKindsChanges { int: Some(None), ..Default::default() },
        NullableKindsChanges { big: Some(None), ..Default::default() },
        NullableKindsChanges { single: Some(None), ..Default::default() },
        NullableKindsChanges { double: Some(None), ..Default::default() },
        NullableKindsChanges { text: Some(None), ..Default::default() },
        NullableKindsChanges { bytes: Some(None), ..Default::default() },
        NullableKindsChanges { date: Some(None), ..Default::default() },
        NullableKindsChanges { time: Some(None), ..Default::default() },
        NullableKindsChanges { moment: Some(None), ..Default::default() },
        NullableKindsChanges { instant: Some(None), ..Default::default() },
        NullableKindsChanges { json: Some(None), ..Default::default() },
        NullableKindsChanges { jsonb: Some(None), ..Default::default() },
        NullableKindsChanges { mood: Some(None), ..Default::default() },
        NullableKindsChanges { own_uuid: Some(None), ..Default::default() },
        NullableKindsChanges { own_time: Some(None), ..Default::default() },
        NullableKindsChanges { own_json: Some(None), ..Default::default() },
    ]
}
