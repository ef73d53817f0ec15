//! Tests of errors in the attributes of fields.

use quote::quote;
use syn::parse_quote;

use super::{assert_field_faults, model, read};

#[test]
fn attributes() {
    assert_field_faults([
        (
            quote!(#[evented(generatd)] a: i32),
            "unknown attribute `generatd`; did you mean `generated`? write `#[evented(generated)]`",
        ),
        (
            quote!(#[evented(foreign)] a: i32),
            "unknown attribute `foreign`; known here are `id`, `key`, `given`, `inserted_at`, `updated_at`, `revision`, \
             `renamed`, `added`, `embed`, `skip`, `skip_insert`, `skip_update`, `default`, `unordered`, `generated`, `with`; write for example `#[evented(id)]`",
        ),
        (
            quote!(#[evented(version = 1)] a: i32),
            "`version` goes on the struct; write `#[evented(version = 1)]` there",
        ),
        (
            quote!(#[evented(generated, generated)] a: i32),
            "`generated` is given twice; write `#[evented(generated)]` once",
        ),
        (quote!(#[evented(with)] a: i32), "expected `=`; write `#[evented(with = path::to::module)]`"),
        (
            quote!(#[evented(with = "form")] a: i32),
            "expected identifier; write `#[evented(with = path::to::module)]`",
        ),
        (quote!(#[evented(generated = true)] a: i32), "expected `,`; write `#[evented(generated)]`"),
    ]);
}

#[test]
fn renamed() {
    let form = "write `#[evented(renamed(from = \"title\", version = 1))]`";
    let missing = format!("`renamed` needs `from` and `version`; {form}");
    let unknown = format!("unknown option `form`; did you mean `from`? {form}");
    let twice = format!("`from` is given twice; {form} once");
    let empty = format!("an empty list has no effect; {form}");
    let no_text = format!("expected string literal; {form}");
    assert_field_faults([
        (quote!(#[evented(renamed(from = "title"))] a: i32), missing.as_str()),
        (quote!(#[evented(renamed())] a: i32), empty.as_str()),
        (quote!(#[evented(renamed(form = "title", version = 1))] a: i32), unknown.as_str()),
        (quote!(#[evented(renamed(from = title, version = 1))] a: i32), no_text.as_str()),
    ]);
    let input = parse_quote! {
        #[evented(version = 1)]
        struct Item { id: i32, #[evented(renamed(from = "a", from = "b", version = 1))] name: String }
    };
    assert_eq!(read(&input).1, [twice]);
}

#[test]
fn roles() {
    assert_field_faults([
        (
            quote!(#[evented(generated, revision)] a: i32),
            "a field has one role; write `#[evented(generated)]` or `#[evented(revision)]`",
        ),
        (
            quote!(#[evented(generated, skip_insert)] a: i32),
            "`skip_insert` is for fields without another role; write `#[evented(generated)]` alone",
        ),
        (
            quote!(#[evented(default, skip_insert)] a: i32),
            "a field with `skip_insert` always has the default of its type; write `#[evented(default)]` alone",
        ),
        (
            quote!(#[evented(generated, default)] a: i32),
            "`default` is for fields without another role; write `#[evented(generated)]` alone",
        ),
        (
            quote!(#[evented(skip_insert, updated_at)] a: NaiveDateTime),
            "`skip_insert` is for fields without another role; write `#[evented(updated_at)]` alone",
        ),
        (
            quote!(#[evented(generated, unordered)] a: Vec<String>),
            "`unordered` is for fields without another role; write `#[evented(generated)]` alone",
        ),
        (
            quote!(#[evented(generated, with = form)] a: Rank),
            "`with` is for fields without another role; write `#[evented(generated)]` alone",
        ),
        (
            quote!(#[evented(key = Uuid)] a: OrgId),
            "`key` states what the key is made of, and this field is not the key; \
             write `#[evented(id, key = Uuid)]` on the key",
        ),
    ]);
}

#[test]
fn diesel() {
    assert_field_faults([
        (
            quote!(#[diesel(embed)] a: A),
            "evented must know each column by name, and an embedded struct hides them; write \
             `#[evented(embed(street: String, city: String))]` with the struct's fields",
        ),
        (
            quote!(#[diesel(skip_insertion)] a: i32),
            "the database would set a value that the log does not contain; add `#[evented(generated)]`",
        ),
        (
            quote!(#[evented(inserted_at)] #[diesel(skip_insertion)] a: NaiveDateTime),
            "evented sets this field on insert; leave out `skip_insertion`",
        ),
        (
            quote!(#[diesel(select_expression = items::a.is_not_null())] a: bool),
            "an expression is no column, and evented reads and writes columns; add `#[evented(skip)]`",
        ),
        (
            quote!(#[diesel(select_expression_type = dsl::Eq<A, embed>)] a: bool),
            "an expression is no column, and evented reads and writes columns; add `#[evented(skip)]`",
        ),
        (
            quote!(#[diesel(column_name = "first name's")] a: i32),
            "not an identifier: a column is an identifier in Diesel's `table!`, where `#[sql_name]` gives it any \
             other name; write `#[diesel(column_name = title)]`",
        ),
        (quote!(#[diesel(column_name)] a: i32), "expected `=`; write `#[diesel(column_name = title)]`"),
        (
            quote!(#[diesel(serialize_as = 7)] a: i32),
            "expected one of: `for`, parentheses, `fn`, `unsafe`, `extern`, identifier, `::`, `<`, `dyn`, \
             square brackets, `*`, `&`, `!`, `impl`, `_`, lifetime; write `#[diesel(serialize_as = Stored)]`",
        ),
        (
            quote!(#[diesel(deserialize_as = 7)] a: i32),
            "expected one of: `for`, parentheses, `fn`, `unsafe`, `extern`, identifier, `::`, `<`, `dyn`, \
             square brackets, `*`, `&`, `!`, `impl`, `_`, lifetime; write `#[diesel(deserialize_as = Stored)]`",
        ),
    ]);
    model(&parse_quote! {
        struct Item {
            #[diesel(skip_insertion)]
            id: i32,
            #[evented(generated)]
            #[diesel(skip_insertion, select_expression = items::a.is_null(), select_expression_type = T<A, B>)]
            a: bool,
            #[diesel(skip_update, treat_none_as_null = true, treat_none_as_default_value = false)]
            #[diesel(column_name = c)]
            b: Option<i32>,
        }
    });
}

/// The attributes of serde concern the model's own serde form, and not the log.
#[test]
fn serde() {
    model(&parse_quote! {
        struct Item {
            #[serde(rename(serialize = "x"), alias = "y", default = "f", 7)] id: i32,
            #[evented(generated)] #[serde(skip, with = "m")] a: i32,
            #[serde(skip)] b: i32,
            #[diesel(serialize_as = i64, deserialize_as = i64)] e: Cents,
            #[serde(with = "m", flatten)] c: i32,
            #[evented(skip)] #[diesel(select_expression = f(), embed)] d: i32,
        }
    });
}
