//! Tests of which field is the key, and of the type that it is made of.

use syn::{DeriveInput, parse_quote};

use super::{model, read};
use crate::model::{FieldKind, KeyKind};

#[test]
fn kinds() {
    let table: [(DeriveInput, KeyKind); 9] = [
        (
            parse_quote!(
                struct Item {
                    id: ::uuid::Uuid,
                }
            ),
            KeyKind::Uuid,
        ),
        (
            parse_quote!(
                struct Item {
                    id: evented_diesel::Id<Self>,
                }
            ),
            KeyKind::Id,
        ),
        (
            parse_quote!(
                struct Item {
                    id: String,
                }
            ),
            KeyKind::Text,
        ),
        (
            parse_quote!(
                struct Item {
                    id: i32,
                }
            ),
            KeyKind::I32,
        ),
        (
            parse_quote!(
                struct Item {
                    #[evented(id)]
                    number: i64,
                    id: i32,
                }
            ),
            KeyKind::I64,
        ),
        (
            parse_quote!(
                struct Item {
                    #[diesel(column_name = id)]
                    #[evented(id)]
                    uid: i64,
                }
            ),
            KeyKind::I64,
        ),
        (
            parse_quote!(
                #[diesel(primary_key(n))]
                struct Item {
                    #[diesel(column_name = n)]
                    no: i64,
                }
            ),
            KeyKind::I64,
        ),
        (
            parse_quote!(
                struct Item {
                    #[evented(key = uuid::Uuid)]
                    id: ItemId,
                }
            ),
            KeyKind::Uuid,
        ),
        (
            parse_quote!(
                struct Item {
                    #[evented(key = i64)]
                    id: Id,
                }
            ),
            KeyKind::I64,
        ),
    ];
    for (input, kind) in table {
        let keys = model(&input)
            .fields
            .into_iter()
            .filter(|field| matches!(field.kind, FieldKind::Key(_)))
            .map(|field| field.kind);
        assert_eq!(keys.collect::<Vec<_>>(), [FieldKind::Key(kind)]);
    }
}

#[test]
fn validation_errors() {
    let made_of = "this type does not show what the key is made of; \
                   write `#[evented(key = Uuid)]` (or `String`, `i32`, `i64`)";
    let table: [(DeriveInput, &str); 8] = [
        (
            parse_quote!(
                struct Item {
                    id: ItemId,
                }
            ),
            made_of,
        ),
        (
            parse_quote!(
                struct Item {
                    id: Id,
                }
            ),
            made_of,
        ),
        (
            parse_quote!(
                struct Item {
                    id: (i32, i32),
                }
            ),
            made_of,
        ),
        (
            parse_quote!(
                struct Item {
                    id: Option<i32>,
                }
            ),
            "a key is never null; write its type without `Option`, as in `pub id: i32`",
        ),
        (
            parse_quote!(
                struct Item {
                    #[evented(key = u64)]
                    id: ItemId,
                }
            ),
            "a key is made of `Uuid`, `String`, `i32` or `i64`; write `#[evented(key = Uuid)]`",
        ),
        (
            parse_quote!(
                struct Item {
                    #[evented(id)]
                    a: i32,
                    #[evented(id)]
                    b: i32,
                }
            ),
            "the log identifies a record by one value, and the model has another key; \
             write `#[evented(id)]` on one field",
        ),
        (
            parse_quote!(
                struct Item {
                    #[evented(generated)]
                    id: i32,
                }
            ),
            "a field has one role; write `#[evented(id)]` or `#[evented(generated)]`",
        ),
        (
            parse_quote!(
                struct Item {
                    #[evented(skip_insert)]
                    id: i32,
                }
            ),
            "`skip_insert` is for fields without another role; write `#[evented(id)]` alone",
        ),
    ];
    for (input, message) in table {
        assert_eq!(read(&input).1, [message]);
    }
}
