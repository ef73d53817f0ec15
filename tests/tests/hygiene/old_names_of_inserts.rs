//! A renamed field is renamed in all payloads that consist of fields, also if old rows have another name for the
//! action, and in no other payloads.

use evented_diesel::{Evented, Id, RawPayload};
use serde_json::json;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    signs (id) {
        id -> Uid,
        text -> Text,
    }
}

#[derive(Evented, Clone, Debug, PartialEq)]
#[diesel(table_name = signs)]
#[evented(
    version = 1,
    actions(insert(aliases("create", "make")), update(aliases("edit")), delete(aliases("drop")))
)]
struct Sign {
    id: Id<Sign>,
    #[evented(renamed(from = "title", version = 1))]
    text: String,
}

#[test]
fn are_known_to_upcasts() {
    let upcast = |action: &str| {
        let mut attrs = RawPayload::new(action, 0, json!({"title": "Exit"}));
        Sign::upcast(&mut attrs);
        attrs.into_value()
    };
    for action in ["insert", "create", "make", "update", "edit", "savepoint", "external"] {
        assert_eq!(upcast(action), json!({"text": "Exit"}), "{action}");
    }
    for action in ["delete", "drop", "repaint"] {
        assert_eq!(upcast(action), json!({"title": "Exit"}), "{action}");
    }
}
