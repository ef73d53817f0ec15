//! The difference between "not said" and "said to be nothing".

use serde::{Deserialize, Deserializer};

/// Reads a present value, `null` included, into `Some`: with `#[serde(default)]` a field of type
/// `Option<Option<T>>` then tells a missing key (`None`) from a `null` (`Some(None)`).
///
/// # Errors
///
/// Those of `T`.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}
