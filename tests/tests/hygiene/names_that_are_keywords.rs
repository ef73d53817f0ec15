//! Keywords may name a table, a column, a field, an action or a scope. The log and the database contain them without
//! `r#`.

use diesel::prelude::*;
use evented_diesel::migrations::Migrations;
use evented_diesel::prelude::*;
use evented_diesel::{Event, Fields, Model};
use serde::{Deserialize, Serialize};

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    #[sql_name = "match"]
    r#match (id) {
        id -> Uid,
        #[sql_name = "type"]
        r#type -> Text,
        #[sql_name = "as"]
        alias -> Nullable<Text>,
        #[sql_name = "the place"]
        place -> Integer,
    }
}

#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = r#match)]
#[evented(actions(Move, r#Match(name = "match")), scopes(r#type = r#type), version = 1)]
struct Match {
    id: Id<Match>,
    #[evented(renamed(from = "kind", version = 1))]
    r#type: String,
    #[diesel(column_name = alias)]
    r#as: Option<String>,
    #[diesel(column_name = "place")]
    r#where: i32,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
struct Move(i32);

impl Action<Match> for Move {
    fn apply(&self, record: &mut Match, _: &Context) {
        record.r#where = self.0;
    }
}

impl Action<Match> for Match {
    fn apply(&self, record: &mut Match, _: &Context) {
        record.r#type.clone_from(&self.r#type);
    }
}

impl Serialize for Match {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.id, &self.r#type).serialize(serializer)
    }
}
impl<'de> Deserialize<'de> for Match {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (id, r#type) = Deserialize::deserialize(deserializer)?;
        Ok(Self { id, r#type, r#as: None, r#where: 0 })
    }
}

#[test]
fn they_are_plain_in_log_and_database() {
    assert_eq!(
        <<Match as evented_diesel::Model>::Log as evented_diesel::EventLog>::NAME.table,
        "match_events"
    );
    assert_eq!(Match::SCHEMA, "match");
    assert_eq!(Match::FIELDS, ["type", "as", "where"]);
    assert_eq!(Match::COLUMNS, ["id", "type", "as", "the place"]);
    assert_eq!(Match::SCOPES, [[("type", "type")]]);

    let tables = r#"CREATE TABLE "match" (id BLOB PRIMARY KEY, "type" TEXT NOT NULL, "as" TEXT,
                    "the place" INTEGER NOT NULL)"#;
    let conn = &mut super::database(tables, &Migrations::new().log::<Match>());
    let new = NewMatch { r#type: "cup".into(), r#as: None, r#where: 3 };
    let made = Match::insert(new).run(conn).unwrap();
    let moved = made.r#move(Move(4)).run(conn).unwrap();
    assert_eq!(moved.r#where, 4);
    let other = Match { r#type: "league".into(), ..moved.clone() };
    let moved = moved.r#match(other).run(conn).unwrap();
    let changes = MatchChanges { r#as: Some(Some("final".into())), ..Default::default() };
    let moved = moved.update(changes).run(conn).unwrap();
    assert_eq!(Match::replay(moved.id).run(conn).unwrap().as_ref(), Some(&moved));

    let log: Vec<Event<Match>> = moved.events().load(conn).unwrap();
    assert_eq!(log.iter().map(Event::action).collect::<Vec<_>>(), ["insert", "move", "match", "update"]);
    let payload: Fields = log[0].payload().unwrap();
    let keys: Vec<_> = payload.iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["as", "type", "where"]);
}
