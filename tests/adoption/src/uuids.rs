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
