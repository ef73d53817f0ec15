//! The script of the example, the same on every database.

use std::io::Write;

use anyhow::{Context as _, bail, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::connection::LoadConnection;
use evented_diesel::prelude::*;
use evented_diesel::{Error, EventedBackend, ModelOn};

use crate::database::Queries;
use crate::model::{Close, Edit, Message, MessageEvent, NewMessage, NewRoom, Room, chat_events_replaces};
use crate::show;

/// Runs the script, and prints each step to `out`.
pub fn tell<Conn>(conn: &mut Conn, queries: Queries<Conn>, out: &mut impl Write) -> anyhow::Result<()>
where
    Conn: LoadConnection<Backend: EventedBackend> + Send,
    Message: ModelOn<Conn::Backend>,
{
    let at = clock()?;

    show::heading(out, "Ada opens a room. Ben asks, Ada answers.")?;
    let room = Room::insert(NewRoom { name: "kitchen".into() }).by("ada").at(at(0)).run(conn)?;
    let say = |author: &str, text: &str| {
        Message::insert(NewMessage { room_id: room.id, author: author.into(), text: text.into() }).by(author)
    };
    let question = say("ben", "Lunch at 12?").at(at(1)).run(conn)?;
    say("ada", "Yes!").at(at(2)).run(conn)?;

    show::heading(out, "Ben edits his question, twice. The rows say what is said now.")?;
    let edit = |text: &str| question.edit(Edit { text: text.into() });
    edit("Lunch at 13?").by("ben").at(at(5)).run(conn)?;
    edit("Lunch at 13, in the garden?").by("ben").at(at(7)).run(conn)?;
    for message in (queries.messages)(conn, room.id)? {
        show::message(out, &message)?;
    }

    show::heading(
        out,
        "What the question said before, who changed it and when. Each edit knows what it replaced.",
    )?;
    for entry in Message::history(question.id).run(conn)? {
        let event = &entry.event;
        let text = match event.decode()? {
            MessageEvent::Insert(new) => new.text,
            MessageEvent::Edit(edit) => edit.text,
            other => bail!("nobody did that: {other:?}"),
        };
        let replaced = event.linked(chat_events_replaces::table).run(conn)?;
        let replaced: Vec<String> = replaced
            .iter()
            .map(|linked| format!(", replaces revision {}", linked.event.revision()))
            .collect();
        writeln!(
            out,
            "  {}  {}  {:<6}  {text}{}",
            event.at().format("%H:%M"),
            event.actor().unwrap_or_else(|| "?".to_owned()),
            event.action(),
            replaced.concat()
        )?;
    }

    show::heading(out, "What Ada said yes to: the question as it was at that minute.")?;
    let then = Message::replay(question.id).as_of(at(2)).run(conn)?.context("the log lost the question")?;
    show::message(out, &then)?;

    show::heading(out, "Ada may not put words into Ben's mouth:")?;
    match edit("I pay!").by("ada").at(at(8)).run(conn) {
        Err(error) if error.validation_errors().is_some() => writeln!(out, "  {}", fault(&error))?,
        other => bail!("a refusal was due, and there was {other:?}"),
    }

    show::heading(out, "The room is closed. The hook of the messages reads that in the same transaction:")?;
    room.close(Close).by("ada").at(at(9)).run(conn)?;
    match say("ben", "Anybody there?").at(at(10)).run(conn) {
        Err(error) if error.validation_errors().is_some() => writeln!(out, "  {}", fault(&error))?,
        other => bail!("a refusal was due, and there was {other:?}"),
    }

    show::heading(out, "The log of both models, in the order in which it all happened.")?;
    for (schema, revision, action) in (queries.log)(conn)? {
        writeln!(out, "  {schema:<8}  {revision}  {action}")?;
    }

    ensure!(Message::verify_table().run(conn)?.is_empty(), "row and log do not agree");
    Ok(())
}

/// Returns a clock with fixed times, so that the output is the same each time.
fn clock() -> anyhow::Result<impl Fn(i64) -> DateTime<Utc>> {
    let start = "2026-02-02T11:30:00Z".parse::<DateTime<Utc>>()?;
    Ok(move |minute| start + TimeDelta::minutes(minute))
}

fn fault(error: &Error) -> String {
    error.validation_errors().map(ToString::to_string).unwrap_or_default()
}
