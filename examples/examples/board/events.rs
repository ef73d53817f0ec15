//! Changes as server-sent events.

use std::convert::Infallible;

use axum::response::sse::Event;
use evented_diesel::Id;
use evented_diesel::listen::{Change, Feed, HubError, Interruption, Position};
use futures_util::Stream;
use serde::Serialize;

use crate::access::Viewer;
use crate::board::{Board, channel};
use crate::model::Item;

/// What a page is sent.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Told<'a> {
    /// All items: what the page showed before counts no more.
    List { items: Vec<Item> },
    /// An item is new, or changed, or has come from another board. The page need not tell these apart.
    Put { item: &'a Item, by: Option<String> },
    /// An item was deleted, or is on another board.
    Gone { id: Id<Item>, by: Option<String> },
}

/// Somebody who is looking at the board of an organisation.
pub struct Looking {
    board: Board,
    viewer: Viewer,
    org: i32,
    /// `None`: the list is due.
    feed: Option<Feed<Item>>,
}

impl Looking {
    /// Subscribes: from the last change that the page has seen on, or from a list on.
    ///
    /// # Errors
    ///
    /// If the viewer may not.
    pub fn new(board: Board, viewer: Viewer, org: i32, seen: Option<Position>) -> Result<Self, HubError> {
        let feed = match seen {
            // A place that another program gave out is refused by the feed, and the list comes.
            Some(seen) => Some(board.hub.subscribe_from(channel(org, viewer), seen)?),
            // Without a place the subscription is made with the list. Whether it is allowed is asked now.
            None => {
                drop(board.hub.subscribe(channel(org, viewer))?);
                None
            }
        };
        Ok(Self { board, viewer, org, feed })
    }

    /// The events, until the page goes away.
    pub fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        futures_util::stream::unfold(self, async |mut looking| {
            match looking.next().await {
                Ok(event) => event.map(|event| (Ok(event), looking)),
                // The stream ends, and the browser connects again.
                Err(error) => {
                    eprintln!("the board of {}: {error:#}", looking.org);
                    None
                }
            }
        })
    }

    async fn next(&mut self) -> anyhow::Result<Option<Event>> {
        loop {
            let Some(feed) = &mut self.feed else {
                let (items, feed) = self.board.list_and_feed(self.org, self.viewer).await?;
                // A page that is cut off right after its list goes on from where the feed began: it may be told again of
                // what is in the list already, and comes to the same.
                let event = event(feed.start(), &Told::List { items })?;
                self.feed = Some(feed);
                return Ok(Some(event));
            };
            let Ok(next) = tokio::time::timeout(self.board.quiet, feed.next()).await else {
                // A proxy may close a connection on which nothing comes, and a page that is gone is noticed when something
                // is sent. With its place the page has also seen what others did meanwhile, on their boards.
                return Ok(Some(Event::default().id(feed.position().to_string()).comment("quiet")));
            };
            match next {
                Some(Ok(change)) => match told(&change) {
                    Some(told) => return Ok(Some(event(change.position(), &told)?)),
                    None => continue,
                },
                // The page's connection is slow. Nothing is lost: what did not fit into the buffer comes now.
                Some(Err(Interruption::Lagged { resume_from })) => {
                    let channel = channel(self.org, self.viewer);
                    self.feed = Some(self.board.hub.subscribe_from(channel, resume_from)?);
                }
                // The database is another one than the page has seen, or an event cannot be read: the page is told all
                // there is, anew.
                Some(Err(_)) => self.feed = None,
                // The hub was stopped.
                None => return Ok(None),
            }
        }
    }
}

/// What the page is told of a change. An item that left is named, and no more: what it is now is another board's.
fn told(change: &Change<Item>) -> Option<Told<'_>> {
    let by = change.actor();
    Some(match change.after() {
        Some(item) => Told::Put { item, by },
        None => Told::Gone { id: *change.key()?, by },
    })
}

/// Its id is what a browser sends back as `Last-Event-ID`.
fn event(position: Position, told: &Told<'_>) -> Result<Event, axum::Error> {
    Event::default().id(position.to_string()).json_data(told)
}
