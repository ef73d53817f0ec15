//! `insert = Type` and `update = Type` accept types without any derive of the library, and the derive generates none.

use diesel::prelude::*;
use evented_diesel::migrations::Migrations;
use evented_diesel::prelude::*;
use serde::{Deserialize, Serialize};

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    tickets (id) {
        id -> Uid,
        subject -> Text,
        urgent -> Bool,
    }
}

#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = tickets)]
#[evented(insert = input::Open, update = input::Edit)]
struct Ticket {
    id: Id<Ticket>,
    subject: String,
    urgent: bool,
}

/// The derive would generate these names by default, so they must be free.
struct NewTicket;
struct TicketChanges;

mod input {
    use super::*;

    #[derive(Serialize, Deserialize, Clone, Debug)]
    pub(super) struct Open {
        pub(super) subject: String,
    }

    #[derive(Serialize, Deserialize, Clone, Debug)]
    pub(super) enum Edit {
        Subject(String),
        Urgent(bool),
    }
}

impl Create<Ticket> for input::Open {
    fn check(&self, _: &Context) -> Result<(), ValidationErrors> {
        if self.subject.is_empty() { Err(ValidationErrors::field("subject", "is empty")) } else { Ok(()) }
    }
    fn create(&self, id: Id<Ticket>, _: &Context) -> Ticket {
        Ticket { id, subject: self.subject.clone(), urgent: self.subject.ends_with('!') }
    }
}

impl Action<Ticket> for input::Edit {
    fn apply(&self, ticket: &mut Ticket, _: &Context) {
        match self {
            Self::Subject(subject) => ticket.subject.clone_from(subject),
            Self::Urgent(urgent) => ticket.urgent = *urgent,
        }
    }
}

#[test]
fn it_works() {
    let _ = (NewTicket, TicketChanges);
    let tables = "CREATE TABLE tickets (id BLOB PRIMARY KEY, subject TEXT NOT NULL, urgent BOOLEAN NOT NULL)";
    let conn = &mut super::database(tables, &Migrations::new().log::<Ticket>());
    assert!(Ticket::insert(input::Open { subject: String::new() }).run(conn).is_err());
    let ticket = Ticket::insert(input::Open { subject: "Help!".into() }).run(conn).unwrap();
    assert!(ticket.urgent);
    let ticket = ticket.update(input::Edit::Urgent(false)).run(conn).unwrap();
    let ticket = ticket.update(input::Edit::Subject("Later".into())).run(conn).unwrap();
    assert_eq!(Ticket::replay(ticket.id).run(conn).unwrap(), Some(ticket));
}
