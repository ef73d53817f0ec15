//! A field has one role, a role has one field, and each field a column of its own.

use evented_diesel::Evented;

#[derive(Evented)]
struct TwoRoles {
    #[evented(generated)]
    id: i32,
    #[evented(generated, revision)]
    a: i32,
    #[evented(generated, skip_insert)]
    b: i32,
    #[evented(skip_insert, updated_at)]
    c: chrono::NaiveDateTime,
}

#[derive(Evented)]
struct TwoFields {
    id: i32,
    #[evented(revision)]
    a: i32,
    #[evented(revision)]
    b: i32,
    #[evented(inserted_at)]
    c: chrono::NaiveDateTime,
    #[evented(inserted_at)]
    d: chrono::NaiveDateTime,
    #[evented(updated_at)]
    e: chrono::NaiveDateTime,
    #[evented(updated_at)]
    f: chrono::NaiveDateTime,
}

#[derive(Evented)]
struct OneColumn {
    id: i32,
    a: i32,
    #[diesel(column_name = a)]
    b: i32,
}

fn main() {}
