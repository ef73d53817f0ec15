//! The models: rooms without a table, messages with one, and the log that they share.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use evented_diesel::prelude::*;
use evented_diesel::{Error, Event, EventLog, EventedBackend, Executor, PendingEvent};
use serde::{Deserialize, Serialize};

/// The events of the chat, in one order. An edit links to the event whose text it replaces.
#[derive(EventLog, Debug)]
#[event_log(table = "chat_events", models(Room, Message), links(replaces))]
pub struct Chat;

/// A room. The program reads few rooms at a time, and always by key, so a room needs no table.
#[derive(Evented, Clone, Debug, PartialEq)]
#[evented(log(shared = Chat, only), schema = "rooms", actions(Close))]
pub struct Room {
    /// The key of the record.
    pub id: Id<Room>,
    /// The name of the room.
    pub name: String,
    /// Whether the room accepts no further messages.
    #[evented(skip_insert)]
    pub closed: bool,
}

/// Closes the room: it accepts no further messages.
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

/// A message in a room.
#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = messages)]
#[evented(log(shared = Chat), actions(Edit), check = Message::says_something, before_append = before_writing)]
pub struct Message {
    /// The key of the record.
    pub id: Id<Message>,
    /// The room of the message.
    pub room_id: Id<Room>,
    /// The author of the message.
    pub author: String,
    /// The present text.
    pub text: String,
    /// When the message was posted.
    #[evented(inserted_at)]
    pub posted_at: DateTime<Utc>,
    /// Whether the text was edited.
    #[evented(skip_insert)]
    pub edited: bool,
}

impl Message {
    fn says_something(&self) -> Result<(), ValidationErrors> {
        if self.text.trim().is_empty() { Err(ValidationErrors::field("text", "is empty")) } else { Ok(()) }
    }
}

/// Replaces the text. Only the author may edit.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Edit {
    /// The new text.
    pub text: String,
}

impl Action<Message> for Edit {
    fn check(&self, message: &Message, cx: &Context) -> Result<(), ValidationErrors> {
        if cx.actor.as_deref() == Some(message.author.as_str()) {
            return Ok(());
        }
        Err(ValidationErrors::field(
            "author",
            format!("is {}: nobody else edits the message", message.author),
        ))
    }

    fn apply(&self, message: &mut Message, _: &Context) {
        message.text.clone_from(&self.text);
        message.edited = true;
    }
}

/// Runs before an event of a message is written, in the same transaction. It can read the record's history and the
/// database.
async fn before_writing<DB: EventedBackend, D: Executor<DB>>(
    event: &mut PendingEvent<Message>,
    history: &[Event<Message>],
    conn: &mut D,
) -> Result<(), Error> {
    let message = event.after();
    let refuse = |field: &str, reason: &str| event.refuse(ValidationErrors::field(field, reason));
    // Read another model, on the same connection.
    match conn.run(Room::replay(message.room_id)).await? {
        None => return Err(refuse("room_id", "names no room")),
        Some(room) if room.closed => return Err(refuse("room_id", "names a room that is closed")),
        Some(_) => {}
    }
    // Each edit links to the event that it replaces: the last one that set the text.
    let last_text = history.iter().rev().find(|earlier| matches!(earlier.action(), "insert" | "edit"));
    if event.action() == "edit"
        && let Some(replaced) = last_text
    {
        event.link(chat_events_replaces::table, replaced.id());
    }
    Ok(())
}
