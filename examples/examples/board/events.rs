//! Sends changes as server-sent events.

use std::convert::Infallible;

use axum::response::sse::Event;
use evented_diesel::Id;
use evented_feed::{Change, Feed, HubError, Interruption, Position};
use futures_util::Stream;
use serde::Serialize;

use crate::access::Viewer;
use crate::board::{Board, channel};
use crate::model::Item;

/// The data of an event that the server sends to a page.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Told<'a> {
    /// All items: the page replaces everything that it showed before.
    List { items: Vec<Item> },
    /// An item is new, has changed, or was moved here from another board. The page handles all three cases alike.
    Put { item: &'a Item, by: Option<String> },
    /// An item was deleted, or was moved to another board.
    Gone { id: Id<Item>, by: Option<String> },
}

/// A page that shows the board of an organisation, and the state of its event stream.
pub struct Looking {
    board: Board,
    viewer: Viewer,
    org: i32,
    /// `None` if the list must be sent next.
    feed: Option<Feed<Item>>,
}

impl Looking {
    /// Subscribes a page, from the last change that it has seen, or with a new list.
    ///
    /// # Errors
    ///
    /// If the viewer may not see the organisation.
    pub fn new(board: Board, viewer: Viewer, org: i32, seen: Option<Position>) -> Result<Self, HubError> {
        let feed = match seen {
            // The feed rejects a position of another program's stream, and the page gets the list.
            Some(seen) => Some(board.hub.subscribe_from(channel(org, viewer), seen)?),
            // Without a position, the subscription is made together with the list. Check now whether it is allowed.
            None => {
                drop(board.hub.subscribe(channel(org, viewer))?);
                None
            }
        };
        Ok(Self { board, viewer, org, feed })
    }

    /// Returns the events, until the page disconnects.
    pub fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        futures_util::stream::unfold(self, async |mut looking| {
            match looking.next().await {
                Ok(event) => event.map(|event| (Ok(event), looking)),
                // The stream ends, and the browser reconnects.
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
                // A page whose connection breaks right after its list resumes from the start of the feed. It may
                // receive changes again that are already in the list, and shows the same result.
                let event = event(feed.start(), &Told::List { items })?;
                self.feed = Some(feed);
                return Ok(Some(event));
            };
            let Ok(next) = tokio::time::timeout(self.board.quiet, feed.next()).await else {
                // A proxy may close an idle connection, and the server notices a closed page only when it sends. The id
                // also advances the page's position past changes on other boards.
                return Ok(Some(Event::default().id(feed.position().to_string()).comment("quiet")));
            };
            match next {
                Some(Ok(change)) => match delivered(&change) {
                    Some(delivered) => return Ok(Some(event(change.position(), &delivered)?)),
                    None => continue,
                },
                // The page's connection is slow. Nothing is lost: the changes that did not fit into the buffer are
                // delivered now.
                Some(Err(Interruption::Lagged { resume_from })) => {
                    let channel = channel(self.org, self.viewer);
                    self.feed = Some(self.board.hub.subscribe_from(channel, resume_from)?);
                }
                // The database is not the one that the page has seen, or an event cannot be read: send the whole list
                // again.
                Some(Err(_)) => self.feed = None,
                // The hub has stopped.
                None => return Ok(None),
            }
        }
    }
}

/// Returns the data of a change for the page. For an item that left, it contains only the id: the item's new state
/// belongs to another board.
fn delivered(change: &Change<Item>) -> Option<Told<'_>> {
    let by = change.actor();
    Some(match change.after() {
        Some(item) => Told::Put { item, by },
        None => Told::Gone { id: *change.key()?, by },
    })
}

/// Creates an event. The browser sends its id back as `Last-Event-ID`.
fn event(position: Position, delivered: &Told<'_>) -> Result<Event, axum::Error> {
    Event::default().id(position.to_string()).json_data(delivered)
}
