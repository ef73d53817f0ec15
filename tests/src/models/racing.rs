//! A model whose action can be held between its read and its write.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use diesel::prelude::*;
use evented_diesel::{Action, Context, Evented, Id, ValidationErrors};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    racers (id) {
        id -> Uid,
        count -> Integer,
        note -> Nullable<Text>,
    }
}

/// A model on which the test can make two writers collide at a chosen point.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = racers)]
#[evented(actions(Advance))]
pub struct Racer {
    pub id: Id<Racer>,
    pub count: i32,
    pub note: Option<String>,
}

/// Adds to the counter, after it has run the function that was set with [`between`].
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Advance(pub i32);

impl Action<Racer> for Advance {
    fn check(&self, racer: &Racer, _: &Context) -> Result<(), ValidationErrors> {
        let meanwhile = MEANWHILE.lock().unwrap_or_else(PoisonError::into_inner).remove(&racer.id.uuid());
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        Ok(())
    }
    fn apply(&self, racer: &mut Racer, _: &Context) {
        racer.count += self.0;
    }
}

type Meanwhile = Box<dyn FnOnce() + Send>;
static MEANWHILE: LazyLock<Mutex<HashMap<Uuid, Meanwhile>>> = LazyLock::new(Mutex::default);

/// Sets a function that runs once, after the next [`Advance`] of this racer has been computed and before it is written.
pub fn between(racer: &Racer, meanwhile: impl FnOnce() + Send + 'static) {
    MEANWHILE.lock().unwrap_or_else(PoisonError::into_inner).insert(racer.id.uuid(), Box::new(meanwhile));
}
