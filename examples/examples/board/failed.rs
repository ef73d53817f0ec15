//! The errors of requests.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use evented_diesel::Error;
use evented_feed::HubError;

/// The error response.
#[derive(Debug)]
pub struct Failed(StatusCode, String);

impl Failed {
    /// The item is not on the viewer's board, or does not exist: the response does not tell which.
    pub fn not_found() -> Self {
        Self(StatusCode::NOT_FOUND, "it is not on your board".to_owned())
    }

    /// The request took too long. A command may still run: the page learns of it through its feed.
    pub fn busy() -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, "the board is busy; try again".to_owned())
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.1)
    }
}

impl std::error::Error for Failed {}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

impl From<HubError> for Failed {
    fn from(error: HubError) -> Self {
        let status = match error {
            HubError::Denied(_) => StatusCode::FORBIDDEN,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self(status, error.to_string())
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let status = match error {
            Error::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Error::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

impl From<diesel::result::Error> for Failed {
    fn from(error: diesel::result::Error) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}
