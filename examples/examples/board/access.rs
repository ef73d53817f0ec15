//! Access control: the viewers, and the items that each may see.

use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use evented_diesel::EventedDsl as _;
use evented_feed::{Channel, Policy};
use serde::Deserialize;

use crate::model::Item;

/// A viewer of a board: a member of one organisation.
#[derive(Clone, Copy, Debug)]
pub struct Viewer {
    /// The name that the log records as the actor.
    pub name: &'static str,
    /// The organisation whose items the viewer may see and change.
    pub org: i32,
}

/// All viewers, by their tokens. A real program has sessions instead.
pub const VIEWERS: [(&str, Viewer); 2] =
    [("red", Viewer { name: "ada", org: 1 }), ("blue", Viewer { name: "ben", org: 2 })];

/// The hub checks this policy, independent of mistakes in a handler: it refuses a channel of another organisation, and
/// does not deliver items of another organisation.
impl Policy<Item> for Viewer {
    fn may_subscribe(&self, channel: &Channel<Item>) -> bool {
        channel.same_target(&Item::changes().scope(Item::ORG.eq(self.org)))
    }

    fn may_see(&self, item: &Item) -> bool {
        item.org_id == self.org
    }
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

/// The token is in the query, because a page cannot set headers for an `EventSource`. A real program uses a cookie.
impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let Query(Token { token }) = Query::try_from_uri(&parts.uri).map_err(|_| StatusCode::UNAUTHORIZED)?;
        let viewer = VIEWERS.into_iter().find(|(known, _)| *known == token);
        viewer.map(|(_, viewer)| viewer).ok_or(StatusCode::UNAUTHORIZED)
    }
}
