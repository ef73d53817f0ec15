//! The difference between "not said" and "said to be nothing".

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::UnitDeserializer;
use serde::de::{IntoDeserializer, Visitor};
use serde::{Deserialize, Deserializer};

/// Reads a present value into `Some`, `null` included, where `T` has a form for it: an `Option`, however it is spelled,
/// or a JSON value. With `#[serde(default)]` a missing key (`None`) is then told from a `null` (`Some` of it).
///
/// # Errors
///
/// Those of `T`.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_option(Present(PhantomData))
}

struct Present<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Present<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Option<T>, E> {
        let null: UnitDeserializer<E> = ().into_deserializer();
        Ok(T::deserialize(null).ok())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Option<T>, E> {
        self.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        T::deserialize(deserializer).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[derive(Deserialize, Debug, PartialEq)]
    struct Changes {
        #[serde(default, deserialize_with = "present")]
        note: Option<Option<String>>,
        #[serde(default, deserialize_with = "present")]
        json: Option<Value>,
        #[serde(default, deserialize_with = "present")]
        count: Option<i32>,
    }

    #[test]
    fn null_is_something_where_the_type_says_so() {
        let read = |json: Value| serde_json::from_value::<Changes>(json).expect("changes");
        assert_eq!(read(json!({})), Changes { note: None, json: None, count: None });
        let nulls = read(json!({"note": null, "json": null, "count": null}));
        assert_eq!(nulls, Changes { note: Some(None), json: Some(Value::Null), count: None });
        let values = read(json!({"note": "a", "json": [1], "count": 2}));
        assert_eq!(values, Changes { note: Some(Some("a".into())), json: Some(json!([1])), count: Some(2) });
        assert!(serde_json::from_value::<Changes>(json!({"count": "two"})).is_err());
    }
}
