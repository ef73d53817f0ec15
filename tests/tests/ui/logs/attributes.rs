//! Attributes of a log that are unknown, do not go together, or are on something that is no log.

use evented_diesel::EventLog;

#[derive(EventLog)]
#[event_log(table = "events", schemas(Item), hashd)]
#[event_log(drift = adopt)]
#[event_log(colour = "red")]
struct Unknown;

#[derive(EventLog)]
struct Bare;

#[derive(EventLog)]
#[event_log(table = "events", schemas(Item))]
struct WithFields {
    id: i32,
}

#[derive(EventLog)]
#[event_log(table = "events", schemas(Item))]
enum AnEnum {
    A,
}

#[derive(EventLog)]
#[event_log(table = "events", schemas(Item, other::Item, Item))]
struct ModelTwice;

#[derive(EventLog)]
#[event_log(table = "events", schemas(Item), key = i64)]
struct MadeByTheDatabase;

#[derive(EventLog)]
#[event_log(table = "events", schemas(Item), shards(1))]
struct OneShard;

#[derive(EventLog)]
#[event_log(table = "events", schemas(Item), shards("eu", "us"))]
struct NamedShards;

#[derive(EventLog)]
#[event_log(table = "events", schemas(Item), shards("eu", "u s", by = f))]
struct OddShards;

#[derive(EventLog)]
#[event_log(table = "events", schemas(Item), links(ancestors, replies(Reply), ancestors))]
struct LinkTwice;

#[derive(EventLog)]
#[event_log(table = "events", schemas(Item), links(replies(Reply, Tone), checkpoints))]
struct OddLinks;

#[derive(EventLog)]
#[event_log(table = "my events", schemas(Item), aliases(insert = "create"))]
struct OddNames;

fn main() {}
