//! The models: rooms without a table, messages with one, and the log that they share.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use evented_diesel::prelude::*;
use evented_diesel::{Dialect, Draft, Driver, Error, EventLog, RecordName};
use serde::{Deserialize, Serialize};

/// What happened in the chat, in one order. An edit is linked to the event whose text it replaces.
#[derive(EventLog, Debug)]
#[event_log(table = "chat_events", schemas(Room, Message), links(replaces))]
pub struct Chat;

/// A room. Few are ever read at once, and always by key: it needs no table.
#[derive(Evented, Clone, Debug, PartialEq)]
#[evented(log = Chat, log_only, schema = "rooms", actions(Close))]
pub struct Room {
    /// Its key.
    pub id: Id<Room>,
    /// What it is called.
    pub name: String,
    /// Whether nobody may write into it any more.
    #[evented(skip_insert)]
    pub closed: bool,
}

/// Lets nobody write into the room any more.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Close;

impl Action<Room> for Close {
    fn apply(&self, room: &mut Room, _: &Context) {
        room.closed = true;
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::{Uid, UtcTime};

    messages (id) {
        id -> Uid,
        room_id -> Uid,
        author -> Text,
        text -> Text,
        posted_at -> UtcTime,
        edited -> Bool,
    }
}

/// What somebody said.
#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = messages)]
#[evented(log = Chat, actions(Edit), check = Message::says_something, prepare = before_writing)]
pub struct Message {
    /// Its key.
    pub id: Id<Message>,
    /// Where it was said.
    pub room_id: Id<Room>,
    /// By whom.
    pub author: String,
    /// The text as it is now.
    pub text: String,
    /// Since when.
    #[evented(inserted_at)]
    pub posted_at: DateTime<Utc>,
    /// Whether it said something else before.
    #[evented(skip_insert)]
    pub edited: bool,
}

impl Message {
    fn says_something(&self) -> Result<(), Invalid> {
        if self.text.trim().is_empty() { Err(Invalid::field("text", "is empty")) } else { Ok(()) }
    }
}

/// Says it otherwise. Only the author may.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Edit {
    /// The new text.
    pub text: String,
}

impl Action<Message> for Edit {
    fn check(&self, message: &Message, cx: &Context) -> Result<(), Invalid> {
        if cx.actor.as_deref() == Some(message.author.as_str()) {
            return Ok(());
        }
        Err(Invalid::field("author", format!("is {}: nobody else edits the message", message.author)))
    }

    fn apply(&self, message: &mut Message, _: &Context) {
        message.text.clone_from(&self.text);
        message.edited = true;
    }
}

/// Before an event of a message is written, in the same transaction: it may look at the history and at the database.
async fn before_writing<DB: Dialect, D: Driver<DB>>(
    draft: &mut Draft<Message>,
    history: &[Event<Message>],
    conn: &mut D,
) -> Result<(), Error> {
    let message = draft.after();
    let refused = |field: &str, reason: &str| Error::Invalid {
        record: RecordName { schema: Message::SCHEMA, key: Some(Message::key_value(&message.id)) },
        faults: Invalid::field(field, reason),
    };
    // A reading of another model, on the same connection.
    match conn.run(Room::replay(message.room_id)).await? {
        None => return Err(refused("room_id", "names no room")),
        Some(room) if room.closed => return Err(refused("room_id", "names a room that is closed")),
        Some(_) => {}
    }
    // Each edit says what it replaces: the last event that gave the message its text.
    let last_text = history.iter().rev().find(|event| matches!(event.action(), "insert" | "edit"));
    if draft.action() == "edit"
        && let Some(event) = last_text
    {
        draft.link(chat_events_replaces::table, event.id());
    }
    Ok(())
}
