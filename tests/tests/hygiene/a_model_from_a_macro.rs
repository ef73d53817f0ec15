//! A macro may generate a model. The macro's variables reach the derive within invisible groups.

use diesel::prelude::*;
use evented_diesel::migrations::Migrations;
use evented_diesel::prelude::*;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::UtcTime;
    leaves (id) {
        id -> BigInt,
        colour -> Nullable<Text>,
        fallen_at -> UtcTime,
        revision -> Integer,
    }
}

macro_rules! model {
    ($name:ident, action $action:path, in $table:path, version $version:literal, key $key:ty, at $at:ty, $($field:ident: $type:ty),*) => {
        #[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
        #[diesel(table_name = $table)]
        #[evented(version = $version, check = $name::any, actions($action(name = "same")), upcast(0 = Leaf::same))]
        struct Leaf {
            id: $key,
            $($field: $type,)*
            #[evented(updated_at)]
            fallen_at: $at,
            #[evented(revision)]
            revision: i32,
        }
    };
}

#[derive(serde::Serialize, serde::Deserialize, Clone, Debug)]
struct Turn;

impl Turn {
    fn any(_: &Leaf) -> Result<(), ValidationErrors> {
        Ok(())
    }
}

impl Action<Leaf> for Turn {
    fn apply(&self, leaf: &mut Leaf, _: &Context) {
        leaf.colour = Some("red".into());
    }
}

impl Leaf {
    fn same(_: &mut evented_diesel::RawPayload) {}
}

model!(Turn, action Turn, in leaves, version 1, key i64, at chrono::DateTime<chrono::Utc>, colour: Option<String>);

#[test]
fn it_works() {
    let tables = "CREATE TABLE leaves (id INTEGER PRIMARY KEY, colour TEXT, fallen_at TEXT NOT NULL, \
                  revision INTEGER NOT NULL)";
    let conn = &mut super::database(tables, &Migrations::new().log::<Leaf>());
    let leaf = Leaf::insert(NewLeaf { colour: None }).run(conn).unwrap();
    let leaf = leaf.turn(Turn).run(conn).unwrap();
    assert_eq!((leaf.colour.as_deref(), leaf.revision), (Some("red"), 2));
    let changes = LeafChanges { colour: Some(None) };
    assert_eq!(leaf.update(changes).run(conn).unwrap().colour, None);
    assert_eq!(Leaf::replay(leaf.id).run(conn).unwrap().unwrap().colour, None);
}
