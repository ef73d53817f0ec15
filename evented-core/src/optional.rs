//! Deserializes optional fields so that a missing key differs from `null`.

use serde::{Deserialize, Deserializer};

/// Deserializes a present value into `Some`, `null` included. With `#[serde(default)]` a missing key is `None`, and a
/// `null` is what `T` decodes from it: `Some(None)` for an `Option<Option<T>>`, `Some(Null)` for a JSON value.
///
/// # Errors
///
/// The errors of `T`.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}
