//! Attributes of a log that are unknown, do not go together, or are on something that is no log.

use evented_diesel::EventLog;

#[derive(EventLog)]
#[event_log(table = "private", models(Item))]
struct Private;

#[derive(EventLog)]
#[event_log(table = "events", models(Item), hashd)]
#[event_log(drift = adopt)]
#[event_log(colour = "red")]
pub struct Unknown;

#[derive(EventLog)]
pub struct Bare;

#[derive(EventLog)]
#[event_log(table = "events", models(Item))]
pub struct WithFields {
    id: i32,
}

#[derive(EventLog)]
#[event_log(table = "events", models(Item))]
pub enum AnEnum {
    A,
}

#[derive(EventLog)]
#[event_log(table = "events", models(Item, other::Item, Item))]
pub struct ModelTwice;

#[derive(EventLog)]
#[event_log(table = "events", models(Item), key = i64)]
pub struct MadeByTheDatabase;

#[derive(EventLog)]
#[event_log(table = "events", models(Item), shards(1))]
pub struct OneShard;

#[derive(EventLog)]
#[event_log(table = "events", models(Item), shards("eu", "us"))]
pub struct NamedShards;

#[derive(EventLog)]
#[event_log(table = "events", models(Item), shards("eu", "u s", by = f))]
pub struct OddShards;

#[derive(EventLog)]
#[event_log(table = "events", models(Item), links(ancestors, replies(Reply), ancestors))]
pub struct LinkTwice;

#[derive(EventLog)]
#[event_log(table = "events", models(Item), links(replies(Reply, Tone), checkpoints))]
pub struct OddLinks;

#[derive(EventLog)]
#[event_log(table = "my events", models(Item), actions(insert(aliases("create"))))]
pub struct OddNames;

fn main() {}
