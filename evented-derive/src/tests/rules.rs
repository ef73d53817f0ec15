//! Tests of models whose parts are inconsistent.

use quote::quote;
use syn::{DeriveInput, parse_quote};

use super::{assert_field_faults, assert_struct_faults, model, read};

#[test]
fn versions() {
    assert_struct_faults([
        (
            quote!(#[evented(version = 2, upcast(0 = f))]),
            "no step from version 1 to 2: write `upcast(1 = your_fn)`, or mark the field: \
             `#[evented(added(version = 2))]`, `#[evented(renamed(from = \"…\", version = 2))]`",
        ),
        (
            quote!(#[evented(upcast(0 = f))]),
            "no step starts at version 0: the model's version is 0; \
             write `#[evented(version = 1)]` if the step is intended",
        ),
        (
            quote!(#[evented(version = 1, upcast(0 = f, 0 = g))]),
            "version 0 has a step already; write `upcast(0 = your_fn)` once",
        ),
    ]);
    let mistyped = parse_quote!(
        #[evented(version = 4000000000)]
        struct Item {
            id: i32,
        }
    );
    let faults = read(&mistyped).1;
    assert_eq!(faults.len(), 11);
    assert_eq!(faults[0], "the largest version is 32767; write `#[evented(version = 1)]`");
}

#[test]
fn renames() {
    assert_field_faults([
        (
            quote!(#[evented(renamed(from = "a", version = 0))] b: i32),
            "no version precedes version 0; write `#[evented(renamed(from = \"a\", version = 1))]`",
        ),
        (
            quote!(#[evented(renamed(from = "a", version = 3))] b: i32),
            "version 3 does not exist: the model's version is 0; write `#[evented(version = 3)]` on the struct",
        ),
    ]);
    let by_hand = "write the step as `upcast(0 = your_fn)`";
    let table: [(DeriveInput, String); 4] = [
        (
            parse_quote! {
                #[evented(version = 1)]
                struct Item { id: i32, a: i32, #[evented(renamed(from = "a", version = 1))] b: i32 }
            },
            format!("the current field `a` conflicts with this rename; {by_hand}"),
        ),
        (
            parse_quote! {
                #[evented(version = 1)]
                struct Item {
                    id: i32,
                    #[evented(renamed(from = "z", version = 1))] a: i32,
                    #[evented(renamed(from = "a", version = 1))] b: i32,
                }
            },
            format!("the current field `a` conflicts with this rename; {by_hand}"),
        ),
        (
            parse_quote! {
                #[evented(version = 1)]
                struct Item {
                    id: i32,
                    #[evented(renamed(from = "z", version = 1))] a: i32,
                    #[evented(renamed(from = "z", version = 1))] b: i32,
                }
            },
            format!("two fields are renamed from `z` at version 1; {by_hand}"),
        ),
        (
            parse_quote! {
                #[evented(version = 1)]
                struct Item {
                    id: i32,
                    #[evented(renamed(from = "y", version = 1), renamed(from = "z", version = 1))] a: i32,
                }
            },
            "`a` is renamed twice at version 1; write `#[evented(renamed(from = \"z\", version = 1))]` once"
                .into(),
        ),
    ];
    for (input, message) in table {
        assert_eq!(read(&input).1, [message]);
    }
    // A name may move from one field to another if no field has it in between.
    model(&parse_quote! {
        #[evented(version = 2)]
        struct Item {
            id: i32,
            #[evented(renamed(from = "z", version = 2))] a: i32,
            #[evented(renamed(from = "a", version = 1))] b: i32,
        }
    });
}

#[test]
fn methods() {
    assert_struct_faults([
        (
            quote!(#[evented(actions(path::Filter))]),
            "every model has a method `filter`; rename the method, `actions(Filter(method = filter_it))`, or the type: \
             write for example `actions(FilterItem(name = \"filter\"))`",
        ),
        (
            quote!(#[evented(actions(Insert))]),
            "every model has a method `insert`; rename the method, `actions(Insert(method = insert_it))`, or the type: write for example `actions(InsertItem)`",
        ),
        (
            quote!(#[evented(actions(a::Close, b::Close(name = "shut")))]),
            "two actions would generate the method `close`; rename the method, `actions(Close(method = shut_it))`, or the type: \
             write for example `actions(CloseItem(name = \"shut\"))`",
        ),
        (
            quote!(#[evented(actions(a::Close, b::Close))]),
            "two actions would generate the method `close`; rename the method, `actions(Close(method = close_it))`, or the type: write for example `actions(CloseItem)`",
        ),
    ]);
}

#[test]
fn log_names() {
    assert_struct_faults([
        (
            quote!(#[evented(actions(External))]),
            "`external` is already a name that the log itself uses; \
             write `actions(External(name = \"another_name\"))` with another name",
        ),
        (
            quote!(#[evented(actions(Close, Shut(name = "close")))]),
            "`close` is already the name of an action; \
             write `actions(Shut(name = \"another_name\"))` with another name",
        ),
        (
            quote!(#[evented(actions(Close), retired("close" = f))]),
            "`close` is already the name of an action; \
             write `retired(\"old_name\" = path::to::f)` with another name",
        ),
        (
            quote!(#[evented(retired("close" = f, "close" = g))]),
            "`close` is already the name of a retired action; \
             write `retired(\"old_name\" = path::to::f)` with another name",
        ),
        (
            quote!(#[evented(actions(Close(aliases("shut")), Shut))]),
            "`shut` is already the name of an action; write `aliases(\"old_name\")` with another name",
        ),
        (
            quote!(#[evented(actions(update(aliases("change")), insert(aliases("change"))))]),
            "`change` is already the old name of an action; \
             write `aliases(\"old_name\")` with another name",
        ),
    ]);
}

#[test]
fn lengths_of_names() {
    let (long, fits) = ("ä".repeat(32), "a".repeat(63));
    assert_struct_faults([
        (quote!(#[evented(schema = "")]), "this is an empty name; write `#[evented(schema = \"items\")]`"),
        (
            quote!(#[evented(schema = "a\0b")]),
            "this is a name with a NUL character, which the database cannot store; \
             write `#[evented(schema = \"items\")]`",
        ),
        (
            quote!(#[evented(log(db_schema = #long))]),
            "this is a name of 64 bytes, and the limit is 63; write `#[evented(log(db_schema = \"audit\"))]`",
        ),
        (
            quote!(#[evented(log(db_schema = "my audit"))]),
            "`my audit` is not an identifier, and Diesel's `table!` accepts no other schema; \
             write `#[evented(log(db_schema = \"audit\"))]`",
        ),
        (
            quote!(#[evented(log(db_schema = "type"))]),
            "`type` is not an identifier, and Diesel's `table!` accepts no other schema; \
             write `#[evented(log(db_schema = \"audit\"))]`",
        ),
        (
            quote!(#[evented(actions(Close(name = "")))]),
            "this is an empty name; write `actions(Close(name = \"close\"))`",
        ),
        (
            quote!(#[evented(retired("" = f))]),
            "this is an empty name; write `retired(\"shut\" = path::to::f)`",
        ),
        (
            quote!(#[evented(actions(update(aliases(""))))]),
            "this is an empty name; write `aliases(\"shut\")`",
        ),
    ]);
    model(&parse_quote!(
        #[evented(schema = #fits)]
        struct Item {
            id: i32,
        }
    ));
}

#[test]
fn scopes() {
    assert_struct_faults([
        (
            quote!(#[evented(scopes(org = ogr_id))]),
            "no field `ogr_id`; did you mean `org_id`? write `scopes(org = org_id)`",
        ),
        (quote!(#[evented(scopes(org = tenant))]), "no field `tenant`; write `scopes(org = a_field)`"),
        (
            quote!(#[evented(scopes((org = org_id, org = name)))]),
            "the scope has `org` twice; write `(org = org_id, post = post_id)`",
        ),
        (
            quote!(#[evented(scopes((a = org_id, b = name), (b = name, a = org_id)))]),
            "another scope already combines `a` and `b`; \
             write each combination once, as in `scopes(org = org_id)`",
        ),
        (
            quote!(#[evented(scopes(org = org_id, org = name))]),
            "another scope already combines `org`; write each combination once, as in `scopes(org = org_id)`",
        ),
        (
            quote!(#[evented(scopes(org = org_id, (org = name, id = id)))]),
            "`org` stands for `org_id` in another scope; write `org = org_id`, or another name",
        ),
        (
            quote!(#[evented(scopes((a = id, b = id, c = id, d = id, e = id)))]),
            "a scope has at most 4 parts; write `scopes((org = org_id, post = post_id))`",
        ),
    ]);
    let input = parse_quote! {
        #[evented(scopes(rank = rank))]
        struct Item { id: i32, #[evented(with = form)] rank: Rank }
    };
    let fault = "the field `rank` has `with`, and values of scopes have the form of their type; \
                 write `scopes(…)` with another field";
    assert_eq!(read(&input).1, [fault]);
}

#[test]
fn fields() {
    let time = "the type of a time is written `DateTime<Utc>`, `NaiveDateTime`, `OffsetDateTime` or `PrimitiveDateTime`, or `Option` of one; write `a: DateTime<Utc>`";
    assert_field_faults([
        (
            quote!(#[evented(revision)] a: i32, #[evented(revision)] b: i64),
            "the model has another field for `revision`; write `#[evented(revision)]` on one field",
        ),
        (
            quote!(#[evented(inserted_at)] a: NaiveDateTime, #[evented(inserted_at)] b: NaiveDateTime),
            "the model has another field for `inserted_at`; write `#[evented(inserted_at)]` on one field",
        ),
        (
            quote!(#[evented(revision)] a: Option<i32>),
            "the type of a revision is written `i32` or `i64`; write `a: i64`",
        ),
        (quote!(#[evented(inserted_at)] a: DateTime<Local>), time),
        (quote!(#[evented(updated_at)] a: Option<DateTime<Local>>), time),
        (quote!(#[evented(updated_at)] a: DateTime), time),
        (
            quote!(a: i32, #[diesel(column_name = "a")] b: i32),
            "another field has the column `a`; write `#[diesel(column_name = another_column)]`",
        ),
    ]);
}
