//! The script of the example, the same on every database.

use std::io::Write;

use anyhow::{Context as _, bail, ensure};
use diesel::connection::LoadConnection;
use evented_diesel::prelude::*;
use evented_diesel::{Command, Error, EventedBackend};
use uuid::Uuid;

use crate::model::{
    AiEvents, Answer, Conversation, Generated, NewConversation, Prompt, ai_events_answers,
    ai_events_continues,
};
use crate::tree;

/// Runs the script, and prints each step to `out`.
pub fn tell<Conn>(conn: &mut Conn, out: &mut impl Write) -> anyhow::Result<()>
where
    Conn: LoadConnection<Backend: EventedBackend> + Send,
{
    let talk = Conversation::insert(NewConversation { title: "Rivers".into() }).by("ada").run(conn)?;

    writeln!(out, "\nAda asks and the small model answers; she asks on.")?;
    let river = ask(&talk, "Name a river.").recorded().run(conn)?.event_id;
    let danube = answer(&talk, river, "small", "The Danube.").recorded().run(conn)?.event_id;
    let how_long = ask(&talk, "How long is it?");
    let how_long = how_long.link(ai_events_continues::table, danube).recorded().run(conn)?.event_id;
    answer(&talk, how_long, "small", "2,850 km.").run(conn)?;
    let before_the_branch = Conversation::history(talk.id).run(conn)?.len();
    print_tree(conn, &talk, out)?;

    writeln!(
        out,
        "\nShe has the large model answer her first prompt as well: a branch. The first one stays."
    )?;
    let rhine = answer(&talk, river, "large", "The Rhine, from the Alps to the sea.").recorded().run(conn)?;
    let how_long = ask(&talk, "And how long is it?");
    let how_long = how_long.link(ai_events_continues::table, rhine.event_id).recorded().run(conn)?.event_id;
    let leaf = answer(&talk, how_long, "large", "1,233 km.").recorded().run(conn)?;
    print_tree(conn, &talk, out)?;

    writeln!(out, "\nFrom the last leaf to the root by the links, and back: what the model was shown.")?;
    let history = Conversation::history(talk.id).run(conn)?;
    let find = |id: Uuid| history.iter().map(|entry| &entry.event).find(|event| event.id() == id);
    let leaf = find(leaf.event_id).context("the log lost the last answer")?;
    for turn in tree::branch(conn, leaf)? {
        writeln!(out, "  {}", tree::line(&turn)?)?;
    }

    writeln!(
        out,
        "\nThe conversation before the branch, and now: replayed from the log, which is all there is."
    )?;
    let then = Conversation::replay(talk.id).at_revision(i64::try_from(before_the_branch)?).run(conn)?;
    for talk in [then, Conversation::replay(talk.id).run(conn)?] {
        let talk = talk.context("the log lost the conversation")?;
        writeln!(out, "  {}: {} prompts, {} answers", talk.title, talk.prompts, talk.answers)?;
    }

    writeln!(
        out,
        "\nA turn is linked to turns of its own conversation only. The database would refuse another."
    )?;
    let other = Conversation::insert(NewConversation { title: "Hills".into() }).by("ben").run(conn)?;
    match ask(&other, "Go on!").link(ai_events_continues::table, rhine.event_id).run(conn) {
        Err(Error::Link { link, .. }) => writeln!(out, "  refused: `{link}` leads out of the conversation")?,
        other => bail!("a refusal was due, and there was {other:?}"),
    }
    ensure!(Conversation::history(other.id).run(conn)?.len() == 1, "something was written all the same");

    let recent = Conversation::recent_events(talk.id).run(conn)?;
    let events: Vec<&str> = recent.iter().map(|entry| entry.event.action()).collect();
    writeln!(
        out,
        "\nEach write replays a conversation. A savepoint every six events keeps that short; read now:"
    )?;
    writeln!(out, "  {}", events.join(", "))?;

    writeln!(out, "\nEvery event against its hash, every state against today's code:")?;
    let (chain, replay) = (AiEvents::verify_chain().run(conn)?, Conversation::verify_replay().run(conn)?);
    writeln!(out, "  {} and {} findings", chain.len(), replay.len())?;
    Ok(())
}

fn ask(talk: &Conversation, text: &str) -> Command<Conversation> {
    talk.prompt(Prompt { text: text.into() }).by("ada")
}

/// Records an answer. A real program would send the branch to the model here, and record the model's answer.
fn answer(talk: &Conversation, prompt: Uuid, model: &str, text: &str) -> Command<Conversation> {
    let tokens = u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX);
    let generated = Generated { model: model.into(), tokens };
    talk.answer(Answer { text: text.into() }).link_with(ai_events_answers::table, prompt, &generated)
}

/// Prints all turns as trees. A prompt that continues no answer is a root.
fn print_tree<Conn>(conn: &mut Conn, talk: &Conversation, out: &mut impl Write) -> anyhow::Result<()>
where
    Conn: LoadConnection<Backend: EventedBackend> + Send,
{
    for entry in Conversation::history(talk.id).run(conn)? {
        let turn = entry.event;
        if turn.action() == "prompt" && turn.linked(ai_events_continues::table).run(conn)?.is_empty() {
            tree::print(conn, &turn, 0, out)?;
        }
    }
    Ok(())
}
