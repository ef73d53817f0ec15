//! The common interface of the models of shared logs.

use super::*;

/// A model with a name and a value.
pub trait Thing: Model + PartialEq + Debug {
    /// Returns the input of a new record. `key` is used only if the caller provides the keys of the model.
    fn new(key: &str, name: &str) -> Self::New;
    /// Returns an update of the name.
    fn named(name: &str) -> Self::Changes;
    /// Returns the name.
    fn name(&self) -> &str;
    /// Returns the value.
    fn value(&self) -> i32;
}

/// Adds to the value, which must not fall below zero.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Add(pub i32);

macro_rules! is_a_thing {
    ($model:ident, $new:ident, $changes:ident $(, $given:ident)?) => {
        impl Action<$model> for Add {
            fn check(&self, it: &$model, _: &Context) -> Result<(), ValidationErrors> {
                if it.value + self.0 < 0 { Err(ValidationErrors::field("value", "is negative")) } else { Ok(()) }
            }
            fn apply(&self, it: &mut $model, _: &Context) {
                it.value += self.0;
            }
        }
        impl Thing for $model {
            fn new(key: &str, name: &str) -> $new {
                let _ = key;
                $new { $($given: key.into(),)? name: name.into() }
            }
            fn named(name: &str) -> $changes {
                $changes { name: Some(name.into()), ..Default::default() }
            }
            fn name(&self) -> &str {
                &self.name
            }
            fn value(&self) -> i32 {
                self.value
            }
        }
    };
}
pub(super) use is_a_thing;
