//! With `#[evented(crate = path)]`, generated code finds the library at that path and nowhere else.
//!
//! A test of the derive, over the tokens of every expansion, checks that no other path is generated.

use diesel::prelude::*;
use evented_diesel::Event;
use evented_diesel::migrations::Migrations;

/// The paths of an application with its own facade crate.
mod facade {
    pub(super) mod events {
        pub(crate) use ::evented_diesel::*;
    }
}
use facade::events::prelude::*;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::{Uid, UtcTime};
    parcels (id) {
        id -> Uid,
        label -> Text,
        note -> Nullable<Text>,
        sent_at -> UtcTime,
    }
}

#[derive(facade::events::Evented, Clone, Debug, PartialEq)]
#[diesel(table_name = parcels)]
#[evented(crate = crate::a_crate_of_another_name::facade::events, actions(Relabel))]
struct Parcel {
    id: Id<Parcel>,
    label: String,
    note: Option<String>,
    #[evented(inserted_at)]
    sent_at: facade::events::__private::DateTime<facade::events::__private::Utc>,
}

#[derive(serde::Serialize, serde::Deserialize, Clone, Debug)]
struct Relabel(String);

impl Action<Parcel> for Relabel {
    fn apply(&self, parcel: &mut Parcel, _: &Context) {
        parcel.label.clone_from(&self.0);
    }
}

#[test]
fn it_works() {
    let tables =
        "CREATE TABLE parcels (id BLOB PRIMARY KEY, label TEXT NOT NULL, note TEXT, sent_at TEXT NOT NULL)";
    let conn = &mut super::database(tables, &Migrations::new().log::<Parcel>());
    let parcel = Parcel::insert(NewParcel { label: "a".into(), note: None }).run(conn).unwrap();
    let parcel = parcel.relabel(Relabel("b".into())).run(conn).unwrap();
    assert_eq!(parcel.label, "b");
    let events: Vec<Event<Parcel>> = parcel.events().load(conn).unwrap();
    assert!(matches!(events[1].decode().unwrap(), ParcelEvent::Relabel(Relabel(to)) if to == "b"));
}
