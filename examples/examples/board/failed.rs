//! The errors of requests.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use evented_diesel::Error;

/// Why a request failed.
#[derive(Debug)]
pub enum Failed {
    /// The record is not on the viewer's board, or does not exist: the response does not tell which.
    NotFound,
    /// The request took too long. A command may still run: the page learns of it as of every change.
    Busy,
    /// The request changes an item, and does not say which revision its page shows.
    NoRevision,
    /// The header `If-Match` is no revision.
    BadRevision,
    /// The library or the database refused the command.
    Refused(Error),
}

impl Failed {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoRevision => StatusCode::PRECONDITION_REQUIRED,
            Self::BadRevision => StatusCode::BAD_REQUEST,
            Self::Refused(error) => match error {
                Error::Conflict { .. } => StatusCode::PRECONDITION_FAILED,
                Error::Invalid { .. } | Error::Unstorable { .. } => StatusCode::UNPROCESSABLE_ENTITY,
                error if error.is_missing() => StatusCode::NOT_FOUND,
                Error::Constraint { .. } => StatusCode::CONFLICT,
                error if error.is_retryable() => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            },
        }
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFound => f.write_str("It is not on your board."),
            Self::Busy => f.write_str("The board is busy. Try again."),
            Self::NoRevision => f.write_str("A change names the revision that it is made to, by If-Match."),
            Self::BadRevision => f.write_str("If-Match is a revision in quotes, as the number in \"3\"."),
            Self::Refused(error) => match error.validation_errors() {
                Some(errors) => errors.fmt(f),
                None => match self.status() {
                    StatusCode::PRECONDITION_FAILED => f.write_str("Somebody else has changed it meanwhile."),
                    StatusCode::NOT_FOUND => Self::NotFound.fmt(f),
                    StatusCode::CONFLICT => f.write_str("It does not fit to what is on the board now."),
                    StatusCode::SERVICE_UNAVAILABLE => Self::Busy.fmt(f),
                    _ => f.write_str("The board cannot do this."),
                },
            },
        }
    }
}

impl std::error::Error for Failed {}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        if self.status() == StatusCode::INTERNAL_SERVER_ERROR {
            // The reason is for the operator.
            eprintln!("board: {self:?}");
        }
        (self.status(), self.to_string()).into_response()
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<diesel::result::Error> for Failed {
    fn from(error: diesel::result::Error) -> Self {
        Self::Refused(error.into())
    }
}
