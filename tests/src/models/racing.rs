//! A model whose action can be held between reading and writing.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use diesel::prelude::*;
use evented_diesel::{Action, Context, Evented, Id, Invalid};
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

/// Two writers of it meet where the test wants them to.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = racers)]
#[evented(actions(Advance))]
pub struct Racer {
    pub id: Id<Racer>,
    pub count: i32,
    pub note: Option<String>,
}

/// Counts on, after whatever [`between`] was told to do.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Advance(pub i32);

impl Action<Racer> for Advance {
    fn check(&self, racer: &Racer, _: &Context) -> Result<(), Invalid> {
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

/// What is to happen after the next [`Advance`] of this racer has been decided on, and before it is written: once.
pub fn between(racer: &Racer, meanwhile: impl FnOnce() + Send + 'static) {
    MEANWHILE.lock().unwrap_or_else(PoisonError::into_inner).insert(racer.id.uuid(), Box::new(meanwhile));
}
