//! The turns of a conversation by their links: as a tree from its roots, and as a branch from a leaf.

use std::io::Write;

use anyhow::bail;
use diesel::connection::LoadConnection;
use evented_diesel::Dialect;
use evented_diesel::prelude::*;

use crate::model::{Conversation, ConversationEvent, ai_events_answers, ai_events_continues};

type Turn = Event<Conversation>;

/// Prints the turns that follow on one, each below the one it is linked to.
pub fn print<Conn>(conn: &mut Conn, turn: &Turn, depth: usize, out: &mut impl Write) -> anyhow::Result<()>
where
    Conn: LoadConnection<Backend: Dialect> + Send,
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

/// The turns that lead to this one, oldest first: from the leaf to the root by the links, and turned round.
pub fn branch<Conn>(conn: &mut Conn, leaf: &Turn) -> anyhow::Result<Vec<Turn>>
where
    Conn: LoadConnection<Backend: Dialect> + Send,
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

/// What was said in a turn, and by whom.
pub fn line(turn: &Turn) -> anyhow::Result<String> {
    Ok(match turn.decode()? {
        ConversationEvent::Prompt(prompt) => format!("{}: {}", turn.actor().unwrap_or_default(), prompt.text),
        ConversationEvent::Answer(answer) => format!("ai: {}", answer.text),
        other => bail!("no turn: {other:?}"),
    })
}
