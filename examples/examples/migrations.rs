//! The command that looks after an application's logs, for a model with one.
//!
//! ```text
//! cargo run -p examples --example migrations -- migrations print --database postgres
//! cargo run -p examples --example migrations -- migrations write migrations --database sqlite
//! cargo run -p examples --example migrations -- migrations check migrations --database sqlite
//! ```

use diesel::prelude::*;
use evented_diesel::migrations::Migrations;
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
    evented_diesel::cli::run(Migrations::new().log::<User>())
}
