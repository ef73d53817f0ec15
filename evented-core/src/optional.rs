//! The difference between "not said" and "said to be nothing".

use serde::{Deserialize, Deserializer};

/// Reads a present value into `Some`, `null` included: with `#[serde(default)]` a missing key is `None`, and a `null`
/// is what the type makes of it: `Some(None)` for an `Option<Option<T>>`, `Some(Null)` for a JSON value.
///
/// # Errors
///
/// Those of `T`.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}
