//! An update to a value whose JSON form is `null` counts as an update, whatever the name of the type.

use diesel::prelude::*;
use evented_diesel::migrations::Migrations;
use evented_diesel::prelude::*;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::{JsonText, Uid};
    forms (id) {
        id -> Uid,
        answers -> JsonText,
        remark -> Nullable<Text>,
    }
}

type Maybe<T> = Option<T>;

#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = forms)]
struct Form {
    id: Id<Form>,
    answers: serde_json::Value,
    remark: Maybe<String>,
}

#[test]
fn replay_gives_the_null() {
    let tables = "CREATE TABLE forms (id BLOB PRIMARY KEY, answers TEXT NOT NULL, remark TEXT)";
    let conn = &mut super::database(tables, &Migrations::new().log::<Form>());
    let new = NewForm { answers: serde_json::json!({"a": 1}), remark: Some("first".into()) };
    let form = Form::insert(new).run(conn).unwrap();
    let changes = FormChanges { answers: Some(serde_json::Value::Null), remark: Some(None) };
    let form = form.update(changes).run(conn).unwrap();
    assert_eq!((&form.answers, &form.remark), (&serde_json::Value::Null, &None));
    assert_eq!(Form::replay(form.id).run(conn).unwrap(), Some(form));
}
