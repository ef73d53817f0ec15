//! A model may have as many columns as Diesel's `table!` supports. It does not need `Queryable`, so the limit of the
//! tuple's width does not apply.

use evented_diesel::migrations::Migrations;
use evented_diesel::prelude::*;

diesel::table! {
    wides (id) {
        id -> Integer,
        c00 -> Integer,
        c01 -> Nullable<Text>,
        c02 -> Integer,
        c03 -> Nullable<Text>,
        c04 -> Integer,
        c05 -> Nullable<Text>,
        c06 -> Integer,
        c07 -> Nullable<Text>,
        c08 -> Integer,
        c09 -> Nullable<Text>,
        c10 -> Integer,
        c11 -> Nullable<Text>,
        c12 -> Integer,
        c13 -> Nullable<Text>,
        c14 -> Integer,
        c15 -> Nullable<Text>,
        c16 -> Integer,
        c17 -> Nullable<Text>,
        c18 -> Integer,
        c19 -> Nullable<Text>,
        c20 -> Integer,
        c21 -> Nullable<Text>,
        c22 -> Integer,
        c23 -> Nullable<Text>,
    }
}

#[derive(Evented, Clone, Debug, PartialEq)]
#[diesel(table_name = wides)]
struct Wide {
    id: i32,
    c00: i32,
    c01: Option<String>,
    c02: i32,
    c03: Option<String>,
    c04: i32,
    c05: Option<String>,
    c06: i32,
    c07: Option<String>,
    c08: i32,
    c09: Option<String>,
    c10: i32,
    c11: Option<String>,
    c12: i32,
    c13: Option<String>,
    c14: i32,
    c15: Option<String>,
    c16: i32,
    c17: Option<String>,
    c18: i32,
    c19: Option<String>,
    c20: i32,
    c21: Option<String>,
    c22: i32,
    c23: Option<String>,
}

#[test]
fn it_works() {
    let tables = "CREATE TABLE wides (id INTEGER PRIMARY KEY, c00 INTEGER NOT NULL, c01 TEXT, c02 INTEGER NOT NULL, c03 TEXT, c04 INTEGER NOT NULL, c05 TEXT, c06 INTEGER NOT NULL, c07 TEXT, c08 INTEGER NOT NULL, c09 TEXT, c10 INTEGER NOT NULL, c11 TEXT, c12 INTEGER NOT NULL, c13 TEXT, c14 INTEGER NOT NULL, c15 TEXT, c16 INTEGER NOT NULL, c17 TEXT, c18 INTEGER NOT NULL, c19 TEXT, c20 INTEGER NOT NULL, c21 TEXT, c22 INTEGER NOT NULL, c23 TEXT)";
    let conn = &mut super::database(tables, &Migrations::new().log::<Wide>());
    let new = NewWide {
        c00: 0,
        c01: None,
        c02: 2,
        c03: None,
        c04: 4,
        c05: None,
        c06: 6,
        c07: None,
        c08: 8,
        c09: None,
        c10: 10,
        c11: None,
        c12: 12,
        c13: None,
        c14: 14,
        c15: None,
        c16: 16,
        c17: None,
        c18: 18,
        c19: None,
        c20: 20,
        c21: None,
        c22: 22,
        c23: None,
    };
    let wide = Wide::insert(new).run(conn).unwrap();
    assert_eq!((wide.c00, wide.c22, &wide.c23), (0, 22, &None));
    let changes = WideChanges { c22: Some(7), c23: Some(Some("x".into())), ..Default::default() };
    let wide = wide.update(changes).run(conn).unwrap();
    assert_eq!((wide.c20, wide.c22, wide.c23.as_deref()), (20, 7, Some("x")));
    assert_eq!(Wide::replay(wide.id).run(conn).unwrap(), Some(wide));
}
