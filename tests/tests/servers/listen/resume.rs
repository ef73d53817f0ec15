//! A subscriber that leaves at any time and resumes from its position.

use evented_diesel::Model;
use evented_feed::{Change, Channel, Feed, Hub, Interruption, Position, RecvError, TransactionFeed};

enum Any<M: Model> {
    Feed(Feed<M>),
    Whole(TransactionFeed<M>),
}

/// A subscriber to single changes, with a small buffer, or to whole transactions.
pub(crate) struct Reader<M: Model> {
    feed: Option<Any<M>>,
    channel: Channel<M>,
    whole: bool,
    from: Position,
    /// All changes that it has received.
    pub(crate) received: Vec<Change<M>>,
    /// The changes by transaction, if it subscribes to whole transactions.
    pub(crate) groups: Vec<Vec<Change<M>>>,
}

impl<M: Model> Reader<M> {
    pub(crate) fn new(channel: Channel<M>, whole: bool, from: Position) -> Self {
        Self { feed: None, channel, whole, from, received: Vec::new(), groups: Vec::new() }
    }

    pub(crate) fn is_away(&self) -> bool {
        self.feed.is_none()
    }

    pub(crate) fn resume(&mut self, hub: &Hub, buffer: usize) {
        // The position is stored as a text.
        let from: Position = self.from.to_string().parse().unwrap();
        let buffer = if self.whole { 5_000 } else { buffer };
        let it = hub.subscribe_builder(self.channel.clone()).resume(from).buffer(buffer);
        self.feed = Some(if self.whole {
            Any::Whole(it.transaction_feed().unwrap())
        } else {
            Any::Feed(it.feed().unwrap())
        });
    }

    /// Takes at most `most` items.
    pub(crate) fn take(&mut self, most: u64) {
        for _ in 0..most {
            match self.feed.as_mut().unwrap() {
                Any::Feed(feed) => match feed.try_recv() {
                    Ok(change) => self.received.push(change),
                    Err(RecvError::Interrupted(Interruption::Lagged { resume_from })) => {
                        self.from = resume_from;
                        self.feed = None;
                        return;
                    }
                    Err(RecvError::Interrupted(error)) => panic!("{error}"),
                    Err(_) => return,
                },
                Any::Whole(feed) => match feed.try_recv() {
                    Ok(changes) => {
                        self.received.extend(changes.iter().cloned());
                        self.groups.push(changes);
                    }
                    Err(RecvError::Interrupted(error)) => panic!("{error}"),
                    Err(_) => return,
                },
            }
        }
    }

    pub(crate) fn leave(&mut self) {
        match self.feed.take() {
            Some(Any::Feed(feed)) => self.from = feed.position(),
            Some(Any::Whole(feed)) => self.from = feed.position(),
            None => {}
        }
    }
}
