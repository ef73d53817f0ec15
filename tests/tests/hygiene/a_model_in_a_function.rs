//! A model may be declared within a function.

use diesel::prelude::*;
use evented_diesel::Event;
use evented_diesel::migrations::Migrations;
use evented_diesel::prelude::*;

#[test]
fn it_works() {
    diesel::table! {
        use diesel::sql_types::*;
        use evented_diesel::sql_types::Uid;
        tools (id) {
            id -> Uid,
            name -> Text,
        }
    }

    #[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
    #[diesel(table_name = tools)]
    #[evented(actions(Sharpen), check = valid)]
    struct Tool {
        id: Id<Tool>,
        name: String,
    }

    #[derive(serde::Serialize, serde::Deserialize, Clone, Debug)]
    struct Sharpen;

    impl Action<Tool> for Sharpen {
        fn apply(&self, tool: &mut Tool, _: &Context) {
            tool.name.insert_str(0, "sharp ");
        }
    }

    fn valid(_: &Tool) -> Result<(), ValidationErrors> {
        Ok(())
    }

    let tables = "CREATE TABLE tools (id BLOB PRIMARY KEY, name TEXT NOT NULL)";
    let conn = &mut super::database(tables, &Migrations::new().log::<Tool>());
    let tool = Tool::insert(NewTool { name: "knife".into() }).run(conn).unwrap();
    let tool = tool.sharpen(Sharpen).run(conn).unwrap();
    assert_eq!(tool.name, "sharp knife");
    assert_eq!(tool.events().load::<Event<Tool>>(conn).unwrap().len(), 2);
}
