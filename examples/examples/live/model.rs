//! The models: organisations and their tickets.

use diesel::prelude::*;
use evented_diesel::prelude::*;
use serde::Serialize;

diesel::table! { orgs (id) { id -> Integer, name -> Text } }

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    tickets (id) {
        id -> Uid,
        org_id -> Integer,
        title -> Text,
        urgency -> SmallInt,
        closed -> Bool,
    }
}

/// An organisation.
#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq, Serialize)]
#[diesel(table_name = orgs)]
#[evented(live)]
pub struct Org {
    #[evented(given)]
    pub id: i32,
    pub name: String,
}

/// A ticket.
#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq, Serialize)]
#[diesel(table_name = tickets)]
#[evented(live, scopes(org = org_id))]
pub struct Ticket {
    pub id: Id<Ticket>,
    pub org_id: i32,
    pub title: String,
    pub urgency: i16,
    pub closed: bool,
}

/// What a page shows of a ticket.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Card {
    pub id: Id<Ticket>,
    pub title: String,
    pub urgency: i16,
}

impl From<&Ticket> for Card {
    fn from(ticket: &Ticket) -> Self {
        Self { id: ticket.id, title: ticket.title.clone(), urgency: ticket.urgency }
    }
}
