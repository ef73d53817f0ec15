//! Applications that have the names already: types, methods of models, and methods of traits.

use diesel::prelude::*;
use evented_adoption_schema::memos;
use evented_diesel::{Action, Context, Evented, Never};
use serde::{Deserialize, Serialize};

/// The application's own types with the names that the derive would take.
#[derive(Debug)]
pub struct NewMemo;
#[derive(Debug)]
pub struct MemoChanges;
#[derive(Debug)]
pub struct MemoEvent;
#[derive(Debug)]
pub struct Event;

#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = memos)]
#[evented(
    names(insert = MemoInput, update = MemoPatch, event = _),
    actions(Touch(method = stamp), Clear(method = _))
)]
pub struct Memo {
    id: i32,
    text: String,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Touch;
impl Action<Memo> for Touch {
    fn apply(&self, it: &mut Memo, _: &Context) {
        it.text = "…".into();
    }
}

#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Clear;
impl Action<Memo> for Clear {
    fn apply(&self, it: &mut Memo, _: &Context) {
        it.text.clear();
    }
}

/// The application's own methods.
impl Memo {
    pub fn delete(&self) -> &'static str {
        "the application's own"
    }
    pub fn text(&self) -> &str {
        &self.text
    }
    pub fn id(&self) -> i32 {
        self.id
    }
}

/// A trait of the application, which many of its modules call.
pub trait Crud {
    fn update(id: i32, form: &str) -> String {
        format!("{id}: {form}")
    }
}
impl Crud for Memo {}

/// A model whose fields change by actions alone.
pub mod fixed {
    use super::*;

    #[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
    #[diesel(table_name = memos)]
    #[evented(update = Never, actions(Rewrite))]
    pub struct Fixed {
        pub id: i32,
        pub text: String,
    }

    #[derive(Serialize, Deserialize, Clone, Debug)]
    pub struct Rewrite(pub String);
    impl Action<Fixed> for Rewrite {
        fn apply(&self, it: &mut Fixed, _: &Context) {
            it.text.clone_from(&self.0);
        }
    }
}
