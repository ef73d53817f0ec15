//! What the models of shared logs have in common.

use super::*;
use evented_core::ActionOf;

/// A model with a name and a value.
pub trait Thing: Model + PartialEq + Debug {
    /// The input of its update.
    type Changes: ActionOf<Self>;
    /// A new one; the key counts where the caller gives it.
    fn new(key: &str, name: &str) -> Self::New;
    /// Another name for it.
    fn named(name: &str) -> Self::Changes;
    /// Its name.
    fn name(&self) -> &str;
    /// Its value.
    fn value(&self) -> i32;
}

/// Adds to the value, which must not fall below zero.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Add(pub i32);

macro_rules! is_a_thing {
    ($model:ident, $new:ident, $changes:ident $(, $given:ident)?) => {
        impl Action<$model> for Add {
            fn check(&self, it: &$model, _: &Context) -> Result<(), Invalid> {
                if it.value + self.0 < 0 { Err(Invalid::field("value", "is negative")) } else { Ok(()) }
            }
            fn apply(&self, it: &mut $model, _: &Context) {
                it.value += self.0;
            }
        }
        impl Thing for $model {
            type Changes = $changes;
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
