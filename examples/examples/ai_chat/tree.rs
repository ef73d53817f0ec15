//! Reads the turns of a conversation by their links: as a tree from its roots, and as a branch from a leaf.

use std::io::Write;

use anyhow::bail;
use diesel::connection::LoadConnection;
use evented_diesel::prelude::*;
use evented_diesel::{Event, EventedBackend};

use crate::model::{Conversation, ConversationEvent, ai_events_answers, ai_events_continues};

type Turn = Event<Conversation>;

/// Prints the turns that follow a turn, each below the turn that it links to.
pub fn print<Conn>(conn: &mut Conn, turn: &Turn, depth: usize, out: &mut impl Write) -> anyhow::Result<()>
where
    Conn: LoadConnection<Backend: EventedBackend> + Send,
{
    let how = turn.linked(ai_events_answers::table).run(conn)?;
    let how = how.first().map(|prompt| format!("  [{}, {} tokens]", prompt.data.model, prompt.data.tokens));
    writeln!(out, "  {}{}{}", "   ".repeat(depth), line(turn)?, how.unwrap_or_default())?;
    let answers = turn.linked_from(ai_events_answers::table).run(conn)?.into_iter().map(|it| it.event);
    let prompts = turn.linked_from(ai_events_continues::table).run(conn)?.into_iter().map(|it| it.event);
    for next in answers.chain(prompts) {
        print(conn, &next, depth + 1, out)?;
    }
    Ok(())
}

/// Returns the turns that lead to `leaf`, oldest first. It follows the links from the leaf to the root, and reverses
/// the result.
pub fn branch<Conn>(conn: &mut Conn, leaf: &Turn) -> anyhow::Result<Vec<Turn>>
where
    Conn: LoadConnection<Backend: EventedBackend> + Send,
{
    let mut turns = vec![leaf.clone()];
    while let Some(last) = turns.last() {
        let prompt = last.linked(ai_events_answers::table).run(conn)?.pop().map(|it| it.event);
        let answer = last.linked(ai_events_continues::table).run(conn)?.pop().map(|it| it.event);
        match prompt.or(answer) {
            Some(earlier) => turns.push(earlier),
            None => break,
        }
    }
    turns.reverse();
    Ok(turns)
}

/// Formats the speaker and the text of a turn.
pub fn line(turn: &Turn) -> anyhow::Result<String> {
    Ok(match turn.decode()? {
        ConversationEvent::Prompt(prompt) => format!("{}: {}", turn.actor().unwrap_or_default(), prompt.text),
        ConversationEvent::Answer(answer) => format!("ai: {}", answer.text),
        other => bail!("no turn: {other:?}"),
    })
}
