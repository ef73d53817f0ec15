//! Access control: the viewers, and the records that each may see.

use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use evented_live::{Filter, LiveModel as _, Policy};
use serde::Deserialize;

use crate::model::{Comment, Item, Org, Person, Tag, Tagging};

/// A viewer of a board: a member of one organisation.
#[derive(Clone, Copy, Debug)]
pub struct Viewer {
    /// The name that the log records as the actor.
    pub login: &'static str,
    /// The viewer's record of [`Person`].
    pub person: i32,
    /// The organisation whose records the viewer may see and change.
    pub org: i32,
}

/// All viewers, by their tokens. A real program has sessions instead.
pub const VIEWERS: [(&str, Viewer); 3] = [
    ("red", Viewer { login: "ada", person: 1, org: 1 }),
    ("rose", Viewer { login: "max", person: 2, org: 1 }),
    ("blue", Viewer { login: "ben", person: 3, org: 2 }),
];

/// The rule for every model of a page: a record is seen in its own organisation. The store asks it of each record, independent of
/// mistakes in a query. Viewers of one organisation share their values.
macro_rules! seen_in_its_org {
    ($($model:ident by $org:ident),*) => {$(
        impl Policy<$model> for Viewer {
            fn may_see(&self, record: &$model) -> bool {
                record.$org == self.org
            }

            fn filter(&self) -> Option<Filter<$model>> {
                Some($model::fields().$org.eq(self.org))
            }

            fn key(&self) -> Option<String> {
                Some(self.org.to_string())
            }
        }
    )*};
}
seen_in_its_org!(Org by id, Person by org_id, Item by org_id, Comment by org_id, Tag by org_id, Tagging by org_id);

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
