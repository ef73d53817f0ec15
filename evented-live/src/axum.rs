//! Sets of live values as server-sent events, for pages.
//!
//! [`sse`] makes the response of a page: first a `reset` with every [shown](crate::Set::show) label, then a `patch` for each turn,
//! with a JSON patch (RFC 6902) for each label that changed. [`script`] is the module that keeps a page's data equal to them.
//!
//! ```ignore
//! async fn events(last: LastState, State(app): State<App>, viewer: Viewer) -> Result<Response, LiveError> {
//!     let mut page = app.store.set();
//!     page.show("items", Item::live().order(|i| i.name.asc()).limit(50).allowed_by(viewer))?;
//!     Ok(live::axum::sse(page, last))
//! }
//! let app = Router::new().route("/events", get(events)).route("/live.js", get(live::axum::script)).with_state(app);
//! ```
//!
//! ```html
//! <script type="module">
//!   import { live, list } from '/live.js'
//!   live('/events', { items: list(document.querySelector('#items'), (item, old) => card(item, old)) }, state => show(state))
//! </script>
//! ```
//!
//! # The events
//!
//! | event | data |
//! |---|---|
//! | `reset` | an object: each label with its value |
//! | `patch` | an object: each label that changed with a list of operations `add`, `remove`, `replace`, `move` |
//! | `state` | `"live"` or `"stale"`: whether the values are kept up. One comes where nothing else has for 15 seconds |
//!
//! The id of an event names the state of the page. A page that comes back with the id of the present state gets no `reset`; with
//! any other it does. The script says `connecting` until the first event, and `stale` while it has no connection.

use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;

use ::axum::extract::FromRequestParts;
use ::axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use ::axum::http::request::Parts;
use ::axum::http::{HeaderName, HeaderValue, StatusCode};
use ::axum::response::sse::{Event, Sse};
use ::axum::response::{IntoResponse, Response};
use futures_core::Stream;

use crate::error::LiveError;
use crate::reader::Reader;
use crate::set::Set;

/// How often an event is sent at least.
const BEAT: Duration = Duration::from_secs(15);

/// The state that a page has from an earlier connection: from its header `Last-Event-ID`, or the parameter `last` of its URL.
#[derive(Debug, Clone, Default)]
pub struct LastState(Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for LastState {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let header = parts.headers.get("last-event-id").and_then(|value| value.to_str().ok());
        let query = parts.uri.query().unwrap_or_default().split('&');
        let parameter = query.filter_map(|part| part.strip_prefix("last=")).next();
        Ok(Self(header.or(parameter).filter(|state| !state.is_empty()).map(str::to_owned)))
    }
}

/// Sends the shown labels of a set to a page, until the page leaves or the store stops.
///
/// The response has no proxy buffer it, and nothing store it. `store.stop()` ends it: axum's graceful shutdown waits for
/// responses.
pub fn sse<E: Reader>(set: Set<E>, last: LastState) -> Response {
    let page = Page { set, last: last.0, is_stale: false, is_begun: false };
    let mut response = Sse::new(Unfold::Waits(Some(Box::new(page)))).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// Serves the script of live pages: a module with `live` and `list`.
pub async fn script() -> Response {
    static SCRIPT: OnceLock<String> = OnceLock::new();
    let script = SCRIPT.get_or_init(|| {
        let lines = include_str!("live.js").lines().map(str::trim_start);
        lines.filter(|line| !line.starts_with("//")).map(shortened).collect()
    });
    let headers = [(CONTENT_TYPE, "text/javascript"), (CACHE_CONTROL, "no-cache")];
    (headers, script.as_str()).into_response()
}

/// A line of the script without the spaces beside punctuation. No text and no pattern of the script has spaces.
fn shortened(line: &str) -> String {
    let mut short = String::with_capacity(line.len() + 1);
    let is_mark = |char: char| !char.is_alphanumeric() && !"_$'".contains(char);
    let mut rest = line.chars().peekable();
    while let Some(char) = rest.next() {
        let before = short.chars().next_back();
        let beside = before.is_none_or(is_mark) || rest.peek().is_none_or(|next| is_mark(*next));
        if char != ' ' || !beside {
            short.push(char);
        }
    }
    short.push('\n');
    short
}

impl IntoResponse for LiveError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Denied(_) => StatusCode::FORBIDDEN,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, self.to_string()).into_response()
    }
}

/// A page that is connected.
struct Page<E: Reader> {
    set: Set<E>,
    /// The state that the page has.
    last: Option<String>,
    is_stale: bool,
    is_begun: bool,
}

/// What is sent next; `None` at the end.
type Sent = Option<Event>;

impl<E: Reader> Page<E> {
    /// Waits for the next event.
    async fn next(&mut self) -> Sent {
        if !self.is_begun {
            self.is_begun = true;
            return self.begin().await.ok();
        }
        match tokio::time::timeout(BEAT, self.turn()).await {
            Ok(Ok(event)) => Some(event),
            Ok(Err(_)) => None,
            Err(_) => Some(self.state()),
        }
    }

    async fn begin(&mut self) -> Result<Event, LiveError> {
        self.set.ready().await?;
        self.set.core.forget_cancelled();
        let id = self.set.core.state_name();
        if self.last.as_ref() == Some(&id) {
            return Ok(self.state());
        }
        self.last = Some(id.clone());
        Ok(Event::default().event("reset").id(id).data(self.set.core.json()))
    }

    async fn turn(&mut self) -> Result<Event, LiveError> {
        loop {
            let is_stale = matches!(self.set.status(), crate::Status::Stale { .. });
            if is_stale != self.is_stale {
                return Ok(self.state());
            }
            match self.set.changed().await {
                None => return Err(LiveError::Stopped { reason: None }),
                Some(Err(error)) => return Err(error),
                Some(Ok(_)) => {}
            }
            if let Some(patches) = self.set.core.patches() {
                let id = self.set.core.state_name();
                return Ok(Event::default().event("patch").id(id).data(patches));
            }
        }
    }

    fn state(&mut self) -> Event {
        self.is_stale = matches!(self.set.status(), crate::Status::Stale { .. });
        Event::default().event("state").data(if self.is_stale { "\"stale\"" } else { "\"live\"" })
    }
}

/// The events of a page, as a stream.
enum Unfold<E: Reader> {
    Waits(Option<Box<Page<E>>>),
    Next(Next<E>),
}

/// The next event, and the page that waited for it.
type Next<E> = Pin<Box<dyn Future<Output = (Box<Page<E>>, Sent)> + Send>>;

impl<E: Reader> Unpin for Unfold<E> {}

impl<E: Reader> Stream for Unfold<E> {
    type Item = Result<Event, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match &mut *self {
                Self::Waits(page) => {
                    let Some(mut page) = page.take() else { return Poll::Ready(None) };
                    *self = Self::Next(Box::pin(async move {
                        let sent = page.next().await;
                        (page, sent)
                    }));
                }
                Self::Next(next) => {
                    let Poll::Ready((page, sent)) = next.as_mut().poll(cx) else { return Poll::Pending };
                    *self = Self::Waits(sent.is_some().then_some(page));
                    return Poll::Ready(sent.map(Ok));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::axum::script;

    #[test]
    fn the_script_is_small() {
        let response = evented_diesel::spi::ready(script()).map(|response| response.into_body());
        let body = response.map(|body| evented_diesel::spi::ready(::axum::body::to_bytes(body, 1 << 20)));
        let length = body.flatten().and_then(Result::ok).map(|bytes| bytes.len());
        assert!(length.is_some_and(|length| length > 1_000 && length <= 2_048), "{length:?}");
    }
}
