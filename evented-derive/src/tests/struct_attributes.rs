//! Tests of errors in `#[evented(…)]` and `#[diesel(…)]` on the struct.

use quote::quote;

use super::{assert_struct_faults, model};
use crate::errors::Errors;

#[test]
fn names_of_attributes() {
    assert_struct_faults([
        (
            quote!(#[evented(versoin = 1)]),
            "unknown attribute `versoin`; did you mean `version`? write `#[evented(version = 1)]`",
        ),
        (
            quote!(#[evented(broadcast(on(insert) = ItemAdded), schema = "i")]),
            "unknown attribute `broadcast`; known here are `schema`, `version`, `actions`, `retired`, `scopes`, \
             `log`, `insert`, `update`, `names`, `check`, `savepoint`, `before_append`, `after_write`, `publish`, `cascade`, `view`, `live`, `upcast`, `drift`, `crate`; write for example `#[evented(schema = \"items\")]`",
        ),
        (quote!(#[evented(revision)]), "`revision` goes on a field; write `#[evented(revision)]` there"),
        (
            quote!(#[evented(schema = "a")] #[evented(schema = "b")]),
            "`schema` is given twice; write `#[evented(schema = \"items\")]` once",
        ),
        (
            quote!(#[evented]),
            "expected attribute arguments in parentheses: #[evented(...)]; \
             write `#[evented(schema = \"items\")]`",
        ),
        (quote!(#[evented("items")]), "expected a name; write `#[evented(schema = \"items\")]`"),
    ]);
}

#[test]
fn values_of_attributes() {
    assert_struct_faults([
        (
            quote!(#[evented(schema = items)]),
            "expected string literal; write `#[evented(schema = \"items\")]`",
        ),
        (quote!(#[evented(schema("items"))]), "expected `=`; write `#[evented(schema = \"items\")]`"),
        (quote!(#[evented(version = "1")]), "expected integer literal; write `#[evented(version = 1)]`"),
        (quote!(#[evented(version = -1)]), "invalid digit found in string; write `#[evented(version = 1)]`"),
        (quote!(#[evented(schema = "a" "b")]), "expected `,`; write `#[evented(schema = \"items\")]`"),
        (
            quote!(#[evented(actions = Archive)]),
            "expected parentheses; write `#[evented(actions(Archive, Close(name = \"close\")))]`",
        ),
        (
            quote!(#[evented(actions(Archive, Close = "close"))]),
            "expected `,`; write `#[evented(actions(Archive, Close(name = \"close\")))]`",
        ),
        (
            quote!(#[evented(actions(Archive("sold")))]),
            "expected a name; write `actions(Close(name = \"close\"))`",
        ),
        (
            quote!(#[evented(actions(Archive(nmae = "sold")))]),
            "unknown option `nmae`; did you mean `name`? write `actions(Close(name = \"close\"))`",
        ),
        (
            quote!(#[evented(actions(Archive(name = "a", name = "b")))]),
            "`name` is given twice; write `actions(Close(name = \"close\"))` once",
        ),
        (
            quote!(#[evented(actions(update))]),
            "`update` is listed without its old names, which has no effect; \
             write `actions(update(aliases(\"old_name\")))`",
        ),
        (
            quote!(#[evented(actions(update(name = "edit")))]),
            "unknown option `name`; known here are `aliases`; write for example `actions(update(aliases(\"edit\")))`",
        ),
        (quote!(#[evented(log = Events)]), "expected parentheses; write `#[evented(log(shared = Events))]`"),
        (
            quote!(#[evented(log(shard = Events))]),
            "unknown option `shard`; did you mean `shared`? write `#[evented(log(shared = Events))]`",
        ),
        (
            quote!(#[evented(savepoint = f)]),
            "expected parentheses; write `#[evented(savepoint(every = 200, with = path::to::f))]`",
        ),
        (
            quote!(#[evented(retired(shut = f))]),
            "expected string literal; write `#[evented(retired(\"shut\" = path::to::f))]`",
        ),
        (
            quote!(#[evented(actions(update(aliases(shut))))]),
            "expected string literal; write `actions(update(aliases(\"edit\")))`",
        ),
        (
            quote!(#[evented(scopes(org))]),
            "expected `=`; write `#[evented(scopes(org = org_id, (org = org_id, post = post_id)))]`",
        ),
        (
            quote!(#[evented(scopes(org = org_id, ()))]),
            "an empty list has no effect; write `#[evented(scopes(org = org_id, (org = org_id, post = post_id)))]`",
        ),
        (quote!(#[evented(check = valid(Item))]), "expected `,`; write `#[evented(check = Item::valid)]`"),
        (quote!(#[evented(insert = "New")]), "expected identifier; write `#[evented(insert = NewItem)]`"),
        (quote!(#[evented(upcast(f))]), "expected integer literal; write `#[evented(upcast(0 = f, 1 = g))]`"),
        (
            quote!(#[evented(drift = adpot)]),
            "no drift policy `adpot`: there are `adopt`, `heal` and `refuse`; did you mean `adopt`? \
             write `#[evented(drift = adopt)]`",
        ),
        (
            quote!(#[evented(drift = ignore)]),
            "no drift policy `ignore`: there are `adopt`, `heal` and `refuse`; \
             write `#[evented(drift = adopt)]`",
        ),
    ]);
}

#[test]
fn diesel() {
    assert_struct_faults([
        (
            quote!(#[diesel(table_name = items)] #[diesel(table_name = things)]),
            "a model has one table; write `#[diesel(table_name = items)]` once",
        ),
        (
            quote!(#[diesel(table_name = "items")]),
            "expected identifier; write `#[diesel(table_name = items)]`",
        ),
        (
            quote!(#[diesel(primary_key(uid))]),
            "no field has the column `uid` of the primary key; add the field, \
             or mark the key with `#[evented(id)]`",
        ),
    ]);
}

/// Diesel's own derives report errors in these attributes.
#[test]
fn what_is_left_to_diesel() {
    model(&syn::parse_quote! {
        #[diesel(treat_none_as_null = true, sql_type = Text, mysql_type(name = "x"), unheard_of = a < b, 7)]
        #[diesel(base_query = items::table.order(items::id), base_query_type = dsl::Eq<A, table_name>)]
        #[diesel]
        struct Item { id: i32 }
    });
}

/// A list without items would be a setting without effect.
#[test]
fn empty_lists() {
    let lists = ["actions", "retired", "scopes", "log", "savepoint", "upcast"];
    for name in lists {
        let input = format!("#[evented({name}())] struct Item {{ id: Uuid }}");
        let found = super::read(&syn::parse_str(&input).expect("an item")).1;
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert!(found[0].starts_with("an empty list has no effect; write `#[evented("), "{found:?}");
    }
}

/// Each form in a message must be accepted as input, or it would not help.
#[test]
fn the_forms_are_right() {
    let forms = crate::parse::struct_forms();
    let attributes = forms.iter().map(|(_, form)| *form).collect::<String>();
    let input = format!("{attributes} struct Item {{ id: Uuid, org_id: Uuid, post_id: Uuid }}");
    let input = syn::parse_str(&input).expect("an item");
    let mut errors = Errors::new();
    let model = crate::parse::model(&input, &mut errors).expect("a model");
    assert_eq!(errors.finish().map_err(|error| error.to_string()), Ok(()));
    assert_eq!((model.schema.value.as_str(), model.scopes.len(), model.upcasts.len()), ("items", 2, 2));
    assert!(model.shared_log.is_some() && model.insert.is_some() && model.savepoint.is_some());
}
