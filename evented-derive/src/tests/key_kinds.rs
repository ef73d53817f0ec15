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
fn keys_of_several_columns() {
    let parts = |input: &DeriveInput| -> Vec<(String, KeyKind)> {
        model(input).keys().map(|(field, kind)| (field.ident.to_string(), kind)).collect()
    };
    let of_diesel = parts(&parse_quote!(
        #[diesel(primary_key(shop_id, user_id))]
        struct Item {
            user_id: i64,
            #[diesel(column_name = shop_id)]
            shop: Id<Shop>,
            note: String,
        }
    ));
    assert_eq!(of_diesel, [("shop".to_owned(), KeyKind::Id), ("user_id".to_owned(), KeyKind::I64)]);
    let marked = parts(&parse_quote!(
        struct Item {
            #[evented(id)]
            a: i16,
            #[evented(id)]
            b: bool,
            #[evented(id)]
            c: Vec<u8>,
            #[evented(id, key = Uuid)]
            d: Own,
        }
    ));
    let kinds: Vec<_> = marked.into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, [KeyKind::I16, KeyKind::Bool, KeyKind::Bytes, KeyKind::Uuid]);
}

#[test]
fn validation_errors() {
    let made_of = "this type does not show what the key is made of; \
                   name the type of its column, for a newtype the type inside it: `#[evented(key = i32)]` (or `i16`, \
                   `i64`, `String`, `Uuid`, `bool`, `Vec<u8>`)";
    let table: [(DeriveInput, &str); 13] = [
        (
            parse_quote!(
                struct Item {
                    #[evented(key = String)]
                    #[diesel(serialize_as = String)]
                    id: ItemId,
                }
            ),
            "evented converts a key by its own rules; leave out `serialize_as`, and name the type that the column has: \
             `#[evented(key = String)]`",
        ),
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
            "a key is made of `i32`, `i16`, `i64`, `String`, `Uuid`, `bool` or `Vec<u8>`; \
             write `#[evented(key = Uuid)]`",
        ),
        (
            parse_quote!(
                #[diesel(primary_key(a, b))]
                struct Item {
                    #[evented(id)]
                    a: i32,
                    b: i32,
                }
            ),
            "the primary key has the columns `a`, `b`, and this is a part of it; \
             leave out `#[evented(id)]`, or mark all of them",
        ),
        (
            parse_quote!(
                #[diesel(primary_key(a, b, c, d, e))]
                struct Item {
                    a: i32,
                    b: i32,
                    c: i32,
                    d: i32,
                    e: i32,
                }
            ),
            "a key has at most 4 columns; mark those that identify a record by `#[evented(id)]`",
        ),
        (
            parse_quote!(
                struct Item {
                    #[evented(given)]
                    id: String,
                }
            ),
            "the caller always gives a key of this type; leave out `given`",
        ),
        (
            parse_quote!(
                struct Item {
                    #[evented(id, given)]
                    a: i32,
                    #[evented(id)]
                    b: i32,
                }
            ),
            "the caller always gives a key of several columns; leave out `given`",
        ),
        (
            parse_quote!(
                #[evented(insert = Own)]
                struct Item {
                    #[evented(given)]
                    id: i32,
                }
            ),
            "`Create::key` of the type in `insert = …` gives the key; leave out `given`",
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
