//! A model without a derive.

use chrono::{DateTime, Utc};
use evented_core::live::{
    AnyChange, Field, Found, Interests, LiveModel, SyncItem, sync_record, watch_record,
};
use evented_core::{
    Action, ActionOf, Context, Drift, EventBody, Evented, FieldDigests, FieldError, Fields, KeyKind,
    KeyPartKind, KeySource, KeyValue, Never, Payload, PayloadError, StateDigester, Step, Unstorable,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    pub(crate) id: i64,
    pub(crate) org: Option<i32>,
    pub(crate) rank: i16,
    pub(crate) name: String,
    /// The parent.
    pub(crate) up: Option<i64>,
    /// What it links its parent to.
    pub(crate) to: Option<i64>,
}

#[derive(Clone, Copy)]
#[allow(dead_code, reason = "another test uses all of them")]
pub(crate) struct ItemFields {
    pub(crate) org: Field<Item, Option<i32>>,
    pub(crate) rank: Field<Item, i16>,
    pub(crate) name: Field<Item, String>,
    pub(crate) up: Field<Item, Option<i64>>,
    pub(crate) to: Field<Item, Option<i64>>,
}

impl LiveModel for Item {
    type LiveFields = ItemFields;
    const HAS_GENERATED: bool = false;
    fn fields() -> ItemFields {
        ItemFields {
            org: Field::new(0, "org", "org", |item| &item.org),
            rank: Field::new(1, "rank", "rank", |item| &item.rank),
            name: Field::new(2, "name", "name", |item| &item.name),
            up: Field::new(3, "up", "up", |item| &item.up),
            to: Field::new(4, "to", "to", |item| &item.to),
        }
    }
    fn same(&self, other: &Self) -> bool {
        self == other
    }
}

impl SyncItem for Item {
    type Model = Self;
    fn item_key(&self) -> KeyValue {
        Self::key_value(&self.id)
    }
    fn record(&self) -> &Self {
        self
    }
    fn synced(&self, change: &AnyChange, _: &mut Found) -> Option<(Self, bool)> {
        sync_record(self, change)
    }
    fn of_record(record: &Self, _: &AnyChange, _: &mut Found) -> Option<Self> {
        Some(record.clone())
    }
    fn watch(&self, interests: &mut Interests) {
        watch_record(self, interests);
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NoChanges;
impl Action<Item> for NoChanges {
    fn apply(&self, _: &mut Item, _: &Context) {}
}
impl ActionOf<Item> for NoChanges {
    const NAME: &'static str = "update";
}

#[derive(Debug, Clone)]
pub(crate) struct NoEvent;
impl EventBody<Item> for NoEvent {
    fn decode(_: &str, _: Payload<'_>) -> Result<Self, PayloadError> {
        Ok(Self)
    }
    fn step(&self) -> Step<'_, Item> {
        Step::Delete
    }
}

impl Evented for Item {
    type Key = i64;
    type New = Never;
    type Changes = NoChanges;
    type Event = NoEvent;
    const SCHEMA: &'static str = "items";
    const VERSION: i32 = 0;
    const KEY: KeyKind = KeyKind::BigInt;
    const KEY_PARTS: &'static [KeyPartKind] = &[KeyPartKind::BigInt];
    const KEY_SOURCE: KeySource = KeySource::Caller;
    const FIELDS: &'static [&'static str] = &["org", "rank", "name"];
    const DIGEST_ORDER: &'static [usize] = &[2, 0, 1];
    const DRIFT: Drift = Drift::Adopt;

    fn copy(&self) -> Self {
        self.clone()
    }
    fn key(&self) -> i64 {
        self.id
    }
    fn make_key(_: Uuid) -> Option<i64> {
        None
    }
    fn set_key(&mut self, key: i64) {
        self.id = key;
    }
    fn key_value(key: &i64) -> KeyValue {
        KeyValue::BigInt(*key)
    }
    fn key_from(value: KeyValue) -> Option<i64> {
        if let KeyValue::BigInt(key) = value { Some(key) } else { None }
    }
    fn field(&self, _: usize) -> Result<Value, FieldError> {
        Ok(Value::Null)
    }
    fn from_fields(id: i64, _: &mut Fields) -> Result<Self, FieldError> {
        Ok(Self { id, org: None, rank: 0, name: String::new(), up: None, to: None })
    }
    fn digests(&self) -> Result<FieldDigests, Unstorable> {
        Ok(StateDigester::new(3).finish())
    }
    fn normalize(&mut self) {}
    fn touch(&mut self, _: bool, _: DateTime<Utc>) {}
    fn revision(&self) -> Option<i64> {
        None
    }
    fn set_revision(&mut self, _: i64) {}
}
