//! Tests of the whole message of each error of a tree.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, parse_quote};

use super::trees::read;

/// Checks that each tree, which has these fields beside a row, has this one error.
fn assert_faults<const N: usize>(table: [(TokenStream, &str); N]) {
    for (fields, message) in table {
        let input = parse_quote!(struct Card { #[tree(row)] item: Row<Item>, #fields });
        assert_eq!(read(&input).1, [message], "{fields}");
    }
}

#[test]
fn what_is_no_tree() {
    let table: [(DeriveInput, &str); 4] = [
        (
            parse_quote!(
                enum Card {
                    A,
                }
            ),
            "an enum cannot be a tree",
        ),
        (parse_quote!(union Card { a: u8 }), "a union cannot be a tree"),
        (
            parse_quote!(
                struct Card(Row<Item>);
            ),
            "a tuple struct has no names for its associations",
        ),
        (
            parse_quote!(
                struct Card;
            ),
            "a struct without fields has no record",
        ),
    ];
    for (input, reason) in table {
        let (tree, found) = read(&input);
        assert!(tree.is_none());
        assert_eq!(found, [format!("{reason}; write `struct Card {{ #[tree(row)] item: Row<Item>, … }}`")]);
    }
    let generic = parse_quote!(
        struct Card<'a, T> {
            #[tree(row)]
            item: Row<Item>,
        }
    );
    let message = "a tree is of one model, so it has no generic parameters; write `struct Card { … }`";
    assert_eq!(read(&generic).1, [message]);
}

#[test]
fn the_row() {
    let none =
        "the tree has no record at its root; write `#[tree(row)]` on its field, as in `item: Row<Item>`";
    let table: [(DeriveInput, &str); 2] = [
        (
            parse_quote!(
                struct Card {}
            ),
            none,
        ),
        (
            parse_quote!(
                struct Card {
                    #[tree(has_many)]
                    parts: List<Row<Part>>,
                }
            ),
            none,
        ),
    ];
    for (input, message) in table {
        assert_eq!(read(&input).1, [message]);
    }
    assert_faults([(
        quote!(#[tree(row)] other: Row<Item>),
        "a tree has one record at its root; write `#[tree(row)]` on one field",
    )]);
    let list = parse_quote!(
        struct Card {
            #[tree(row)]
            items: List<Row<Item>>,
        }
    );
    assert_eq!(read(&list).1, ["each tree has one record at its root; write `items: Row<Model>`"]);
    let options = parse_quote!(
        struct Card {
            #[tree(row, limit = 3, by = id)]
            item: Row<Item>,
        }
    );
    let reason = |option| format!("`{option}` is for associations, and this is the record at the root");
    assert_eq!(
        read(&options).1,
        ["by", "limit"].map(|it| format!("{}; write `#[tree(row)]` alone", reason(it)))
    );
}

#[test]
fn each_field_is_the_row_or_one_association() {
    assert_faults([
        (
            quote!(parts: List<Row<Part>>),
            "`parts` is neither the record nor an association; write one of `#[tree(has_many)]`, \
             `#[tree(has_one)]`, `#[tree(belongs_to)]`, `#[tree(many_to_many(Link))]`, `#[tree(row)]`",
        ),
        (
            quote!(#[tree(limit = 3)] r#type: List<Row<Part>>),
            "`type` is neither the record nor an association; write one of `#[tree(has_many)]`, \
             `#[tree(has_one)]`, `#[tree(belongs_to)]`, `#[tree(many_to_many(Link))]`, `#[tree(row)]`",
        ),
        (
            quote!(#[tree(has_many, belongs_to)] parts: List<Row<Part>>),
            "a field is one of these; write `#[tree(has_many)]` or `#[tree(belongs_to)]`",
        ),
        (
            quote!(#[tree(many_to_many(A))] #[tree(has_many)] parts: List<Row<Part>>),
            "a field is one of these; write `#[tree(many_to_many(Link))]` or `#[tree(has_many)]`",
        ),
    ]);
}

#[test]
fn names_of_attributes() {
    assert_faults([
        (
            quote!(#[tree(has_mnay)] parts: List<Row<Part>>),
            "unknown attribute `has_mnay`; did you mean `has_many`? write `#[tree(has_many)]`",
        ),
        (
            quote!(#[tree(has_many, sorted)] parts: List<Row<Part>>),
            "unknown attribute `sorted`; known here are `has_many`, `has_one`, `belongs_to`, `many_to_many`, `row`, \
             `by`, `order`, `filter`, `limit`, `through`, `depth`; write for example `#[tree(has_many)]`",
        ),
        (
            quote!(#[tree(has_many, crate = a)] parts: List<Row<Part>>),
            "`crate` goes on the struct; write `#[tree(crate = path::to::evented_diesel)]` there",
        ),
        (
            quote!(#[tree(has_many, limit = 1, limit = 2)] parts: List<Row<Part>>),
            "`limit` is given twice; write `#[tree(has_many, limit = 20)]` once",
        ),
        (
            quote!(#[tree(has_many)] #[tree(has_many)] parts: List<Row<Part>>),
            "`has_many` is given twice; write `#[tree(has_many)]` once",
        ),
        (
            quote!(#[tree(has_many, through(A, to = b))] parts: List<Row<Part>>),
            "unknown option `to`; known here are `by`; write for example `#[tree(has_many, through(Post, by = blog_id))]`",
        ),
        (
            quote!(#[tree(many_to_many(A, by = b, by = c))] parts: List<Row<Part>>),
            "`by` is given twice; write `#[tree(many_to_many(Link, by = item_id))]` once",
        ),
    ]);
    let table: [(DeriveInput, &str); 3] = [
        (
            parse_quote!(
                #[tree(has_many)]
                struct Card {
                    #[tree(row)]
                    item: Row<Item>,
                }
            ),
            "`has_many` goes on a field; write `#[tree(has_many)]` there",
        ),
        (
            parse_quote!(
                #[tree(krate = a)]
                struct Card {
                    #[tree(row)]
                    item: Row<Item>,
                }
            ),
            "unknown attribute `krate`; did you mean `crate`? write `#[tree(crate = path::to::evented_diesel)]`",
        ),
        (
            parse_quote!(
                #[tree(crate = "a")]
                struct Card {
                    #[tree(row)]
                    item: Row<Item>,
                }
            ),
            "expected identifier; write `#[tree(crate = path::to::evented_diesel)]`",
        ),
    ];
    for (input, message) in table {
        assert_eq!(read(&input).1, [message]);
    }
}

#[test]
fn values() {
    assert_faults([
        (quote!(#[tree(has_many = 1)] parts: List<Row<Part>>), "expected `,`; write `#[tree(has_many)]`"),
        (
            quote!(#[tree(many_to_many)] parts: List<Row<Part>>),
            "unexpected end of input, expected parentheses; write `#[tree(many_to_many(Link))]`",
        ),
        (
            quote!(#[tree(many_to_many())] parts: List<Row<Part>>),
            "an empty list has no effect; write `#[tree(many_to_many(Link))]`",
        ),
        (
            quote!(#[tree(many_to_many("a", by = b))] parts: List<Row<Part>>),
            "expected identifier; write `#[tree(many_to_many(Link))]`",
        ),
        (
            quote!(#[tree(many_to_many(by = b))] parts: List<Row<Part>>),
            "expected `,`; write `#[tree(many_to_many(Link))]`",
        ),
        (
            quote!(#[tree(many_to_many(A, to = "b"))] parts: List<Row<Part>>),
            "expected identifier; write `#[tree(many_to_many(Link, to = tag_id))]`",
        ),
        (
            quote!(#[tree(has_many, through = A)] parts: List<Row<Part>>),
            "expected parentheses; write `#[tree(has_many, through(Post))]`",
        ),
        (
            quote!(#[tree(has_many, by = "item_id")] parts: List<Row<Part>>),
            "expected identifier; write `#[tree(has_many, by = item_id)]`",
        ),
        (
            quote!(#[tree(has_many, order)] parts: List<Row<Part>>),
            "expected `=`; write `#[tree(has_many, order = |c| c.at.desc())]`",
        ),
        (
            quote!(#[tree(has_many, filter = |p| p.open filter)] parts: List<Row<Part>>),
            "expected `,`; write `#[tree(has_many, filter = |c| c.hidden.eq(false))]`",
        ),
        (
            quote!(#[tree(has_many, depth = MOST)] below: List<Card>),
            "expected integer literal; write `#[tree(has_many, depth = 3)]`",
        ),
    ]);
}

#[test]
fn options_without_effect() {
    assert_faults([
        (
            quote!(#[tree(has_one, limit = 1)] part: Option<Row<Part>>),
            "`has_one` has one record at most, so `limit` has no effect; leave out `limit`",
        ),
        (
            quote!(#[tree(belongs_to, order = |p| p.id.asc())] part: Option<Row<Part>>),
            "a foreign key names one record, so `order` has no effect; leave out `order`",
        ),
        (
            quote!(#[tree(belongs_to, filter = |p| p.id.eq(1))] part: Option<Row<Part>>),
            "a foreign key names one record, so `filter` has no effect; leave out `filter`",
        ),
        (
            quote!(#[tree(belongs_to, limit = 1)] part: Option<Row<Part>>),
            "a foreign key names one record, so `limit` has no effect; leave out `limit`",
        ),
        (
            quote!(#[tree(belongs_to, through(A))] part: Option<Row<Part>>),
            "the record itself has the foreign key, so `through` has no effect; leave out `through`",
        ),
        (
            quote!(#[tree(many_to_many(A), through(B))] parts: List<Row<Part>>),
            "the records of the link lead to the others, so `through` has no effect; leave out `through`",
        ),
        (
            quote!(#[tree(many_to_many(A), by = b)] parts: List<Row<Part>>),
            "the records of the link have the foreign keys, so `by` has no effect; write \
             `#[tree(many_to_many(Link, by = item_id))]`",
        ),
    ]);
}

#[test]
fn holders() {
    assert_faults([
        (
            quote!(#[tree(has_many)] parts: Option<Row<Part>>),
            "`has_many` has any number of records; write `parts: List<…>`",
        ),
        (
            quote!(#[tree(many_to_many(A))] parts: std::option::Option<Row<Part>>),
            "`many_to_many` has any number of records; write `parts: List<…>`",
        ),
        (
            quote!(#[tree(has_one)] part: List<Row<Part>>),
            "`has_one` has one record at most; write `part: Option<…>`",
        ),
        (
            quote!(#[tree(belongs_to)] part: live::List<Row<Part>>),
            "`belongs_to` has one record at most; write `part: Option<…>`",
        ),
    ]);
    // A name may stand for any type.
    let alias = parse_quote! {
        struct Card { #[tree(row)] item: ItemRow, #[tree(has_many)] parts: Parts, #[tree(belongs_to)] shop: Maybe<Shop> }
    };
    assert_eq!(read(&alias).1, Vec::<String>::new());
}

#[test]
fn depths() {
    assert_faults([
        (
            quote!(#[tree(has_many)] below: List<Card>),
            "a tree that contains itself needs a depth: `#[tree(has_many, depth = 3)]`",
        ),
        (
            quote!(#[tree(many_to_many(A))] below: List<Self>),
            "a tree that contains itself needs a depth: `#[tree(many_to_many(Link), depth = 3)]`",
        ),
        (
            quote!(#[tree(belongs_to)] above: Option<Shared<path::Card>>),
            "a tree that contains itself needs a depth: `#[tree(belongs_to, depth = 3)]`",
        ),
        (
            quote!(#[tree(has_many, depth = 3)] parts: List<Row<Part>>),
            "the type of the field does not contain `Card`, so `depth` has no effect; leave out `depth`",
        ),
        (
            quote!(#[tree(has_many, depth = 0)] below: List<Card>),
            "a depth is from 1 to 32; write `#[tree(has_many, depth = 3)]`",
        ),
        (
            quote!(#[tree(has_many, depth = 33)] below: List<Card>),
            "a depth is from 1 to 32; write `#[tree(has_many, depth = 3)]`",
        ),
    ]);
}

#[test]
fn all_faults_of_a_tree_are_reported() {
    let (_, found) = read(&parse_quote! {
        #[tree(krate = a)]
        struct Card<T> {
            #[tree(rwo)]
            item: Row<Item>,
            #[tree(has_many, order = , limit = 3, filter = |c| , depth = 2)]
            parts: Option<Row<Part>>,
            #[tree(belongs_to, limit = 1, many_to_many(A, b))]
            shop: List<Card<T>>,
            none: (),
        }
    });
    let starts = [
        "unknown attribute `krate`",
        "a tree is of one model",
        "unknown attribute `rwo`",
        "expected an expression; write `#[tree(has_many, order",
        "expected an expression; write `#[tree(has_many, filter",
        "unknown option `b`; did you mean `by`?",
        "a field is one of these",
        "`none` is neither the record",
        "`has_many` has any number",
        "the type of the field does not contain `Card`",
        "a foreign key names one record, so `limit`",
        "`belongs_to` has one record at most",
        "a tree that contains itself needs a depth",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (message, start) in found.iter().zip(starts) {
        assert!(message.starts_with(start), "`{message}` does not start with `{start}`");
    }
}
