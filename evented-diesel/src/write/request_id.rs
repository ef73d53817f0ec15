//! Makes ids of idempotent commands from what a request is.

use uuid::Uuid;

/// Makes an id for [`Command::idempotent`](crate::Command::idempotent) from the parts that a request is known by: the
/// tenant, the user, and the id that the client chose. The same parts always give the same id, and other parts another
/// one: a client cannot reach the commands of somebody else.
///
/// ```
/// use evented_diesel::request_id;
///
/// let id = request_id(["tenant 7", "ada", "0199aaaa-…"]);
/// assert_eq!(id, request_id(["tenant 7", "ada", "0199aaaa-…"]));
/// assert_ne!(id, request_id(["tenant 8", "ada", "0199aaaa-…"]));
/// assert_ne!(id, request_id(["tenant 7", "ad", "a0199aaaa-…"]));
/// ```
///
/// The id is a UUID of version 8. Its bits begin the SHA-256 of the parts, so it does not sort by time.
#[must_use]
pub fn request_id<'p>(parts: impl IntoIterator<Item = &'p str>) -> Uuid {
    uuid::Builder::from_custom_bytes(evented_core::hash_of_parts(parts)).into_uuid()
}
