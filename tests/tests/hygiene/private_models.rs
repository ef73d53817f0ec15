//! A private struct in a private module with private fields, and a struct that is visible only to a parent module.
//! Generated items have the visibility of the model, and their fields the visibility of the model's fields.

mod hidden {
    use diesel::prelude::*;
    use evented_diesel::migrations::Migrations;
    use evented_diesel::prelude::*;

    mod schema {
        diesel::table! {
            use diesel::sql_types::*;
            use evented_diesel::sql_types::Uid;
            secrets (id) {
                id -> Uid,
                word -> Text,
                hint -> Nullable<Text>,
            }
        }
    }
    #[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
    #[diesel(table_name = crate::private_models::hidden::schema::secrets)]
    #[evented(actions(Whisper))]
    struct Secret {
        id: Id<Secret>,
        word: String,
        pub(super) hint: Option<String>,
    }

    #[derive(serde::Serialize, serde::Deserialize, Clone, Debug)]
    struct Whisper;

    impl Action<Secret> for Whisper {
        fn apply(&self, secret: &mut Secret, _: &Context) {
            secret.word = secret.word.to_lowercase();
        }
    }

    #[test]
    fn it_works() {
        let tables = "CREATE TABLE secrets (id BLOB PRIMARY KEY, word TEXT NOT NULL, hint TEXT)";
        let conn = &mut crate::database(tables, &Migrations::new().log::<Secret>());
        let new = NewSecret { word: "SESAME".into(), hint: None };
        let secret = Secret::insert(new).run(conn).unwrap().whisper(Whisper).run(conn).unwrap();
        assert_eq!(secret.word, "sesame");
    }

    /// Visible only to the parent.
    pub(super) mod shared {
        use evented_diesel::{Evented, Id};

        diesel::table! {
            use diesel::sql_types::*;
            use evented_diesel::sql_types::Uid;
            hints (id) {
                id -> Uid,
                text -> Text,
            }
        }

        #[derive(Evented, Clone, Debug, PartialEq)]
        #[diesel(table_name = hints)]
        pub(in super::super) struct Hint {
            pub(in super::super) id: Id<Hint>,
            pub(in super::super) text: String,
        }
    }
}

use hidden::shared::{Hint, HintChanges, NewHint};

#[test]
fn the_parent_sees_what_the_model_shows() {
    use evented_diesel::migrations::Migrations;
    use evented_diesel::prelude::*;

    let tables = "CREATE TABLE hints (id BLOB PRIMARY KEY, text TEXT NOT NULL)";
    let conn = &mut super::database(tables, &Migrations::new().log::<Hint>());
    let hint = Hint::insert(NewHint { text: "under the mat".into() }).run(conn).unwrap();
    let hint = hint.update(HintChanges { text: Some("elsewhere".into()) }).run(conn).unwrap();
    assert_eq!(Hint::replay(hint.id).run(conn).unwrap(), Some(hint));
}
