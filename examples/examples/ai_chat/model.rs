//! The conversation: a model without a table, its two actions, and the log with two kinds of links.

use evented_diesel::EventLog;
use evented_diesel::prelude::*;
use serde::{Deserialize, Serialize};

/// The events of all conversations.
///
/// A prompt `continues` an answer. An answer `answers` a prompt, and that link has its own fields.
#[derive(EventLog, Debug)]
#[event_log(table = "ai_events", models(Conversation), hashed, links(continues, answers(Generated)))]
pub struct AiEvents;

/// The state of a conversation as a whole. Its turns are its events.
#[derive(Evented, Clone, Debug, PartialEq)]
#[evented(log(shared = AiEvents, only), schema = "conversations", actions(Prompt, Answer), savepoint(every = 6))]
pub struct Conversation {
    /// The key of the conversation.
    pub id: Id<Conversation>,
    /// The topic of the conversation.
    pub title: String,
    /// The number of prompts.
    #[evented(skip_insert)]
    pub prompts: u32,
    /// The number of answers, on all branches.
    #[evented(skip_insert)]
    pub answers: u32,
}

/// The action of a user who asks.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Prompt {
    /// The text of the turn.
    pub text: String,
}

impl Action<Conversation> for Prompt {
    fn check(&self, _: &Conversation, _: &Context) -> Result<(), ValidationErrors> {
        if self.text.is_empty() { Err(ValidationErrors::field("text", "is empty")) } else { Ok(()) }
    }

    fn apply(&self, conversation: &mut Conversation, _: &Context) {
        conversation.prompts += 1;
    }
}

/// The action of a model that answers.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Answer {
    /// The text of the turn.
    pub text: String,
}

impl Action<Conversation> for Answer {
    fn apply(&self, conversation: &mut Conversation, _: &Context) {
        conversation.answers += 1;
    }
}

/// The fields of a link from an answer to its prompt: how the answer was generated.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Generated {
    /// The name of the model.
    pub model: String,
    /// The number of tokens in the answer.
    pub tokens: u32,
}
