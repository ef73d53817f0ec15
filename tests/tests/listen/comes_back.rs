//! A subscriber that leaves and comes back from its position, whenever it likes.

use evented_diesel::Model;
use evented_diesel::listen::{Change, Channel, Feed, Hub, Interruption, Position, WholeFeed};

enum Any<M: Model> {
    Feed(Feed<M>),
    Whole(WholeFeed<M>),
}

/// One that wants changes, with a small buffer, or whole transactions.
pub(crate) struct Reader<M: Model> {
    feed: Option<Any<M>>,
    channel: Channel<M>,
    whole: bool,
    from: Position,
    /// All that it was told.
    pub(crate) heard: Vec<Change<M>>,
    /// By transaction, as they came, if it wants whole ones.
    pub(crate) groups: Vec<Vec<Change<M>>>,
}

impl<M: Model> Reader<M> {
    pub(crate) fn new(channel: Channel<M>, whole: bool, from: Position) -> Self {
        Self { feed: None, channel, whole, from, heard: Vec::new(), groups: Vec::new() }
    }

    pub(crate) fn is_away(&self) -> bool {
        self.feed.is_none()
    }

    pub(crate) fn resume(&mut self, hub: &Hub, buffer: usize) {
        // A position is kept as a text.
        let from: Position = self.from.to_string().parse().unwrap();
        let buffer = if self.whole { 5_000 } else { buffer };
        let it = hub.subscribing(self.channel.clone()).from(from).buffer(buffer);
        self.feed = Some(if self.whole {
            Any::Whole(it.whole_feed().unwrap())
        } else {
            Any::Feed(it.feed().unwrap())
        });
    }

    /// Takes at most so many.
    pub(crate) fn take(&mut self, most: u64) {
        for _ in 0..most {
            match self.feed.as_mut().unwrap() {
                Any::Feed(feed) => match feed.try_recv() {
                    Ok(Ok(change)) => self.heard.push(change),
                    Ok(Err(Interruption::Lagged { resume_from })) => {
                        self.from = resume_from;
                        self.feed = None;
                        return;
                    }
                    Ok(Err(error)) => panic!("{error}"),
                    Err(_) => return,
                },
                Any::Whole(feed) => match feed.try_recv() {
                    Ok(Ok(changes)) => {
                        self.heard.extend(changes.iter().cloned());
                        self.groups.push(changes);
                    }
                    Ok(Err(error)) => panic!("{error}"),
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
