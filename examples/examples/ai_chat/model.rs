//! The conversation: a model without a table, its two actions, and the log with two kinds of links.

use evented_diesel::EventLog;
use evented_diesel::prelude::*;
use serde::{Deserialize, Serialize};

/// The events of all conversations.
///
/// A prompt `continues` an answer; an answer `answers` a prompt, and that link has fields of its own.
#[derive(EventLog, Debug)]
#[event_log(table = "ai_events", schemas(Conversation), hashed, links(continues, answers(Generated)))]
pub struct AiEvents;

/// A conversation: what is true of it as a whole. Its turns are its events.
#[derive(Evented, Clone, Debug, PartialEq)]
#[evented(log = AiEvents, log_only, schema = "conversations", actions(Prompt, Answer), savepoint(every = 6))]
pub struct Conversation {
    /// Its key.
    pub id: Id<Conversation>,
    /// What it is about.
    pub title: String,
    /// How often somebody asked.
    #[evented(skip_insert)]
    pub prompts: u32,
    /// How often it was answered, on all branches.
    #[evented(skip_insert)]
    pub answers: u32,
}

/// Somebody asks.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Prompt {
    /// What.
    pub text: String,
}

impl Action<Conversation> for Prompt {
    fn check(&self, _: &Conversation, _: &Context) -> Result<(), Invalid> {
        if self.text.is_empty() { Err(Invalid::field("text", "is empty")) } else { Ok(()) }
    }

    fn apply(&self, conversation: &mut Conversation, _: &Context) {
        conversation.prompts += 1;
    }
}

/// A model answers.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Answer {
    /// What.
    pub text: String,
}

impl Action<Conversation> for Answer {
    fn apply(&self, conversation: &mut Conversation, _: &Context) {
        conversation.answers += 1;
    }
}

/// The fields of a link from an answer to its prompt: how it came about.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Generated {
    /// By which model.
    pub model: String,
    /// How many tokens it wrote.
    pub tokens: u32,
}
