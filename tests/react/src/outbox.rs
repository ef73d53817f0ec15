//! Effects that tests can watch: each writes down what it was called for, and does what the comment's text says.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evented_react::{Change, Delivery, Effect, EffectAsync, Failure};

use crate::Comment;

/// What an effect was called for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub comment: i32,
    pub text: String,
    pub attempt: u32,
    pub idempotency_key: String,
}

#[derive(Debug, Default)]
struct State {
    sent: Vec<Sent>,
    running: usize,
    most_running: usize,
    /// The texts whose effects wait.
    held: BTreeSet<String>,
    fails: bool,
}

/// What was sent. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Outbox(Arc<Mutex<State>>);

impl Outbox {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Makes the effects of comments with this text wait.
    pub fn hold(&self, text: &str) {
        self.state().held.insert(text.to_owned());
    }

    pub fn release(&self, text: &str) {
        self.state().held.remove(text);
    }

    /// Makes every effect fail, as when a service cannot be reached.
    pub fn fail(&self, fails: bool) {
        self.state().fails = fails;
    }

    /// Returns what was sent, in its order.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.state().sent.clone()
    }

    /// Returns how many effects ran at the same time at most.
    #[must_use]
    pub fn most_running(&self) -> usize {
        self.state().most_running
    }

    #[must_use]
    pub fn running(&self) -> usize {
        self.state().running
    }

    /// Waits until so much was sent.
    pub async fn sends(&self, count: usize) -> Vec<Sent> {
        for _ in 0..20_000 {
            let sent = self.sent();
            if sent.len() >= count {
                return sent;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{count} effects are expected, not {:?}", self.sent());
    }

    fn begin(&self) {
        let mut state = self.state();
        state.running += 1;
        state.most_running = state.most_running.max(state.running);
    }

    fn is_held(&self, text: &str) -> bool {
        self.state().held.contains(text)
    }

    fn end(&self, change: &Delivery<'_, Change<Comment>>) -> Result<(), Failure> {
        let Some(comment) = change.after().or(change.before()) else {
            return Err(Failure::dead("no record"));
        };
        let mut state = self.state();
        state.running -= 1;
        if state.fails {
            return Err(Failure::retry("the service cannot be reached"));
        }
        state.sent.push(Sent {
            comment: comment.id,
            text: comment.text.clone(),
            attempt: change.attempt(),
            idempotency_key: change.idempotency_key(),
        });
        drop(state);
        match comment.text.as_str() {
            "once" if change.attempt() == 1 => Err(Failure::retry("the first time")),
            "dead" => Err(Failure::dead("it is dead")),
            "discard" => Err(Failure::discard("of no use")),
            "panic" => panic!("the test wants this panic"),
            _ => Ok(()),
        }
    }
}

fn text(change: &Delivery<'_, Change<Comment>>) -> String {
    change.after().or(change.before()).map(|comment| comment.text.clone()).unwrap_or_default()
}

impl Effect<Change<Comment>> for Outbox {
    fn run(&self, change: Delivery<'_, Change<Comment>>) -> Result<(), Failure> {
        self.begin();
        while self.is_held(&text(&change)) {
            std::thread::sleep(Duration::from_millis(2));
        }
        self.end(&change)
    }
}

impl EffectAsync<Change<Comment>> for Outbox {
    async fn run(&self, change: Delivery<'_, Change<Comment>>) -> Result<(), Failure> {
        self.begin();
        while self.is_held(&text(&change)) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.end(&change)
    }
}
