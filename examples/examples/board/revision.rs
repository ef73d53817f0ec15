//! The revision that a change is made to, and the one that it made.

use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use crate::failed::Failed;

/// The revision that the page of a request shows, from its header `If-Match`. A change of an item requires it: nobody overwrites
/// what they have not seen.
#[derive(Clone, Copy, Debug)]
pub struct Shown(pub i64);

impl<S: Sync> FromRequestParts<S> for Shown {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failed> {
        let header = parts.headers.get(IF_MATCH).ok_or(Failed::NoRevision)?;
        let text = header.to_str().map_err(|_| Failed::BadRevision)?;
        let number = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        number.and_then(|number| number.parse().ok()).map(Self).ok_or(Failed::BadRevision)
    }
}

/// The response to a change: the revision that it made, as `ETag`.
pub struct Made(pub i64);

impl IntoResponse for Made {
    fn into_response(self) -> Response {
        ([(ETAG, format!("\"{}\"", self.0))], axum::http::StatusCode::NO_CONTENT).into_response()
    }
}
