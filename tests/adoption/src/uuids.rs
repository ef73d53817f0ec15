//! `Id<Model>` over the columns that `diesel print-schema` prints for UUIDs.

use diesel::prelude::*;
use evented_diesel::{Evented, Id};

/// On PostgreSQL: `Uuid`.
pub mod pg {
    use super::*;
    use evented_adoption_schema::pg::persons;

    #[derive(
        Evented, Queryable, Selectable, Identifiable, Insertable, AsChangeset, Clone, Debug, PartialEq,
    )]
    #[diesel(table_name = persons)]
    pub struct Person {
        pub id: Id<Person>,
        pub name: String,
        pub boss_id: Option<Id<Person>>,
    }
}

/// The log's table, too, is in the crate of the schema.
pub mod logged {
    use super::*;
    use evented_adoption_schema::logged::{pinned, pinned_log};

    #[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
    #[diesel(table_name = pinned)]
    #[evented(log(table = pinned_log))]
    pub struct Pinned {
        pub id: i32,
        pub name: String,
    }
}

/// On SQLite: `Binary`, or `Text`.
pub mod sqlite {
    use super::*;
    use evented_adoption_schema::sqlite::{persons, texts};

    #[derive(
        Evented, Queryable, Selectable, Identifiable, Insertable, AsChangeset, Clone, Debug, PartialEq,
    )]
    #[diesel(table_name = persons)]
    pub struct Person {
        pub id: Id<Person>,
        pub name: String,
        pub boss_id: Option<Id<Person>>,
    }

    #[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
    #[diesel(table_name = texts)]
    pub struct TextPerson {
        #[evented(given)]
        pub id: Id<TextPerson>,
        pub name: String,
    }
}
