//! Who may see what.

use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use evented_diesel::listen::{Channel, Policy};
use serde::Deserialize;

use crate::model::Item;

/// Somebody who looks at a board: a member of one organisation.
#[derive(Clone, Copy, Debug)]
pub struct Viewer {
    /// The name that goes into the log.
    pub name: &'static str,
    /// The organisation whose items may be seen and changed.
    pub org: i32,
}

/// All there are, by their tokens. A real program has sessions instead.
pub const VIEWERS: [(&str, Viewer); 2] =
    [("red", Viewer { name: "ada", org: 1 }), ("blue", Viewer { name: "ben", org: 2 })];

/// The hub asks it, whatever a handler may have got wrong: a channel of another organisation is refused, and an item of
/// another one is not told.
impl Policy<Item> for Viewer {
    fn may_subscribe(&self, channel: &Channel<Item>) -> bool {
        channel.same_place(&Item::changes().scope(Item::ORG.eq(self.org)))
    }

    fn may_see(&self, item: &Item) -> bool {
        item.org_id == self.org
    }
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

/// The token is in the query, since a page cannot set headers for an `EventSource`. A real program takes a cookie.
impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let Query(Token { token }) = Query::try_from_uri(&parts.uri).map_err(|_| StatusCode::UNAUTHORIZED)?;
        let viewer = VIEWERS.into_iter().find(|(known, _)| *known == token);
        viewer.map(|(_, viewer)| viewer).ok_or(StatusCode::UNAUTHORIZED)
    }
}
