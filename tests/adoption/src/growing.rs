//! A model before and after a migration that adds columns to its table.

/// The program before the migration.
pub mod before {
    use diesel::prelude::*;
    use evented_diesel::Evented;

    diesel::table! {
        articles (id) {
            id -> Integer,
            title -> Text,
        }
    }

    #[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
    #[diesel(table_name = articles)]
    pub struct Article {
        pub id: i32,
        pub title: String,
    }
}

/// The table after the migration.
pub mod schema {
    diesel::table! {
        articles (id) {
            id -> Integer,
            title -> Text,
            lang -> Text,
            words -> Nullable<Integer>,
        }
    }
}

/// The program after the migration.
pub mod after {
    use super::schema::articles;
    use diesel::prelude::*;
    use evented_diesel::Evented;

    #[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
    #[diesel(table_name = articles)]
    #[evented(version = 1)]
    pub struct Article {
        pub id: i32,
        pub title: String,
        #[evented(added(version = 1, default = english))]
        pub lang: String,
        #[evented(added(version = 1))]
        pub words: Option<i32>,
    }

    fn english() -> String {
        "en".to_owned()
    }
}

/// A program that does not say that `lang` was added, though another field makes the version complete.
pub mod forgotten {
    use super::schema::articles;
    use diesel::prelude::*;
    use evented_diesel::Evented;

    #[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
    #[diesel(table_name = articles)]
    #[evented(version = 1)]
    pub struct Article {
        pub id: i32,
        pub title: String,
        pub lang: String,
        #[evented(added(version = 1))]
        pub words: Option<i32>,
    }
}
