//! The command for operators of an application, for a model with one log: here on SQLite.
//!
//! ```text
//! cargo run -p examples --example migrations -- migrations print --database postgres
//! cargo run -p examples --example migrations -- migrations write migrations --database sqlite
//! cargo run -p examples --example migrations -- migrations check migrations --database sqlite
//! cargo run -p examples --example migrations -- --database-url users.db verify
//! ```

use diesel::prelude::*;
use evented_diesel::cli::Operators;
use evented_diesel::prelude::*;

mod schema {
    diesel::table! {
        use diesel::sql_types::*;
        use evented_diesel::sql_types::Uid;

        users (id) {
            id -> Uid,
            email -> Text,
        }
    }
}
use schema::users;

/// Somebody.
#[derive(Evented, Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = users)]
struct User {
    id: Id<User>,
    email: String,
}

fn main() -> std::process::ExitCode {
    Operators::<SqliteConnection>::new().model::<User>().run(SqliteConnection::establish)
}
