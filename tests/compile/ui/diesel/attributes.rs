//! Attributes of Diesel with which a column cannot be recorded.

use evented_diesel::Evented;

#[derive(Evented)]
#[diesel(table_name = items, table_name = others)]
struct Item {
    id: i32,
    #[diesel(embed)]
    a: Place,
    #[diesel(serialize_as = 7)]
    b: i32,
    #[diesel(skip_insertion)]
    c: i32,
    #[evented(inserted_at)]
    #[diesel(skip_insertion)]
    d: chrono::NaiveDateTime,
    #[diesel(select_expression = items::e.is_not_null())]
    e: bool,
    #[diesel(select_expression_type = dsl::IsNotNull<items::f>)]
    f: bool,
    #[diesel(column_name = "first name's")]
    g: i32,
    #[diesel(column_name)]
    h: i32,
    #[diesel(deserialize_as = 7)]
    i: i32,
}

fn main() {}
