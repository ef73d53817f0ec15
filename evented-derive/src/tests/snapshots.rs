//! Snapshots of the generated code: all of it for the smallest model and for the model of the design, and the
//! difference that each attribute makes. `INSTA_UPDATE=always cargo test -p evented-derive` records them again.

use std::fmt::Write;

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use similar::TextDiff;
use syn::{DeriveInput, Item, TraitItem, parse_quote};

use super::model;
use crate::check;

/// The generated code for an input without errors, formatted.
fn expansion(input: &DeriveInput) -> String {
    let file = syn::parse2(crate::expand::expand(&model(input))).expect("what is generated are items");
    prettyplease::unparse(&file)
}

pub(super) fn assert_snapshot(name: &str, text: &str) {
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, text);
    });
}

fn the_smallest() -> DeriveInput {
    parse_quote! {
        struct Item {
            id: i32,
        }
    }
}

fn of_the_design() -> DeriveInput {
    parse_quote! {
        #[diesel(table_name = items)]
        #[evented(schema = "items", version = 1, actions(Archive, Restore), scopes(org = org_id))]
        #[evented(check = Item::valid)]
        pub struct Item {
            pub id: Id<Item>,
            pub org_id: Id<Org>,
            /// What is written on it.
            #[evented(renamed(from = "title", version = 1))]
            pub name: String,
            pub value: i32,
            pub archived_at: Option<DateTime<Utc>>,
            #[evented(inserted_at)]
            pub inserted_at: DateTime<Utc>,
            #[evented(updated_at)]
            pub updated_at: DateTime<Utc>,
        }
    }
}

#[test]
fn whole_models() {
    assert_snapshot("the_smallest", &expansion(&the_smallest()));
    assert_snapshot("of_the_design", &expansion(&of_the_design()));
}

/// Each attribute with its target: the struct, or the field `name`.
fn each_attribute() -> Vec<(&'static str, DeriveInput)> {
    let on_struct = |attribute: TokenStream| parse_quote!(#attribute struct Item { id: i32, name: String });
    let on_field = |attribute: TokenStream| parse_quote!(struct Item { id: i32, #attribute name: String });
    vec![
        ("schema", on_struct(quote!(#[evented(schema = "things")]))),
        ("upcast", on_struct(quote!(#[evented(version = 2, upcast(0 = f, 1 = g))]))),
        ("actions", on_struct(quote!(#[evented(actions(Archive, path::To::Close(name = "shut")))]))),
        ("retired", on_struct(quote!(#[evented(retired("lost" = f))]))),
        ("aliases", on_struct(quote!(#[evented(actions(insert(aliases("create", "make"))))]))),
        ("scopes", on_struct(quote!(#[evented(scopes(name = name, (name = name, id = id)))]))),
        (
            "log",
            parse_quote! {
                #[evented(log(shared = path::to::Events))]
                struct Item { id: Id<Item>, name: String }
            },
        ),
        (
            "log_only",
            parse_quote! {
                #[evented(log(only))]
                struct Item { id: Id<Item>, name: String }
            },
        ),
        ("before_append", on_struct(quote!(#[evented(before_append = path::to::f)]))),
        ("after_write", on_struct(quote!(#[evented(after_write = path::to::f)]))),
        (
            "publish",
            on_struct(quote! {
                #[evented(
                    actions(Archive),
                    publish(on(insert) = Made, on(update) = Changed, on(update(name)) = path::To::Renamed,
                        on(Archive) = Archived, on(delete) = Gone)
                )]
            }),
        ),
        (
            "cascade",
            on_struct(
                quote!(#[evented(cascade(Comment, path::To::Reply = replies::item_id, Item = items::parent))]),
            ),
        ),
        ("view", on_struct(quote!(#[evented(view)]))),
        ("live", on_struct(quote!(#[evented(live)]))),
        ("log_table", on_struct(quote!(#[evented(log(table = schema::item_log))]))),
        ("log_db_schema", on_struct(quote!(#[evented(log(db_schema = "audit"))]))),
        ("insert", on_struct(quote!(#[evented(insert = path::To::MyNew)]))),
        ("update", on_struct(quote!(#[evented(update = path::To::MyChanges)]))),
        ("names", on_struct(quote!(#[evented(names(insert = ItemInput, update = ItemPatch, event = _))]))),
        ("method", on_struct(quote!(#[evented(actions(Archive(method = put_away), Close(method = _)))]))),
        ("check", on_struct(quote!(#[evented(check = Item::valid)]))),
        ("savepoint", on_struct(quote!(#[evented(savepoint(with = Item::short))]))),
        ("savepoint_every", on_struct(quote!(#[evented(savepoint(every = 200, with = Item::short))]))),
        ("drift", on_struct(quote!(#[evented(drift = refuse)]))),
        ("table_name", on_struct(quote!(#[diesel(table_name = crate::schema::things)]))),
        ("primary_key", on_struct(quote!(#[diesel(primary_key(name))]))),
        ("id", on_field(quote!(#[evented(id)]))),
        (
            "key",
            parse_quote!(
                struct Item {
                    #[evented(key = Uuid)]
                    id: ItemId,
                    name: String,
                }
            ),
        ),
        (
            "inserted_at",
            parse_quote!(
                struct Item {
                    id: i32,
                    #[evented(inserted_at)]
                    name: DateTime<Utc>,
                }
            ),
        ),
        (
            "updated_at",
            parse_quote!(
                struct Item {
                    id: i32,
                    #[evented(updated_at)]
                    name: NaiveDateTime,
                }
            ),
        ),
        (
            "revision",
            parse_quote!(
                struct Item {
                    id: i32,
                    #[evented(revision)]
                    name: i64,
                }
            ),
        ),
        (
            "renamed",
            parse_quote! {
                #[evented(version = 1)]
                struct Item { id: i32, #[evented(renamed(from = "title", version = 1))] name: String }
            },
        ),
        (
            "primary_key_of_two",
            parse_quote! {
                #[diesel(primary_key(id, name))]
                struct Item { id: i32, name: String }
            },
        ),
        (
            "given",
            parse_quote! {
                struct Item { #[evented(given)] id: i32, name: String }
            },
        ),
        (
            "added",
            parse_quote! {
                #[evented(version = 2)]
                struct Item {
                    id: i32,
                    #[evented(added(version = 1, default = path::to::f))] name: String,
                    #[evented(added(version = 2))] value: i32,
                }
            },
        ),
        (
            "embed",
            parse_quote! {
                struct Item {
                    id: i32,
                    #[diesel(embed)]
                    #[evented(embed(street: String, city: String))]
                    name: Address,
                }
            },
        ),
        ("skip", on_field(quote!(#[evented(skip)]))),
        ("skip_update", on_field(quote!(#[evented(skip_update)]))),
        ("skip_insert", on_field(quote!(#[evented(skip_insert)]))),
        ("default", on_field(quote!(#[evented(default)]))),
        ("default_of_the_program", on_field(quote!(#[evented(default = "new".to_owned())]))),
        ("unordered", on_field(quote!(#[evented(unordered)]))),
        ("with", on_field(quote!(#[evented(with = path::form)]))),
        ("generated", on_field(quote!(#[evented(generated)]))),
        ("column_name", on_field(quote!(#[diesel(column_name = "type")]))),
        ("deserialize_as", on_field(quote!(#[diesel(deserialize_as = Stored)]))),
        ("serialize_as", on_field(quote!(#[diesel(serialize_as = Stored)]))),
        ("doc", on_field(quote!(#[doc = " What is written on it."]))),
        (
            "vis",
            parse_quote!(
                pub(crate) struct Item {
                    id: i32,
                    pub name: String,
                }
            ),
        ),
    ]
}

#[test]
fn effects_of_attributes() {
    let without = expansion(&parse_quote!(
        struct Item {
            id: i32,
            name: String,
        }
    ));
    for (name, input) in each_attribute() {
        let with = expansion(&input);
        let diff = TextDiff::from_lines(&without, &with);
        assert_snapshot(&format!("effect_of_{name}"), &diff.unified_diff().context_radius(1).to_string());
    }
}

#[test]
fn every_attribute_has_its_effect_recorded() {
    let shown: Vec<_> = each_attribute().into_iter().map(|(name, _)| name).collect();
    // `version` is tested with its steps, and `crate` has its own test.
    let elsewhere = ["version", "crate"];
    for (name, _) in crate::parse::struct_forms().iter().chain(crate::parse::field_forms()) {
        assert!(
            shown.contains(name) || elsewhere.contains(name),
            "`{name}` is not among the attributes shown"
        );
    }
}

#[test]
fn lines_of_code() {
    let lines = |fields: TokenStream, actions: TokenStream| {
        let attribute = (!actions.is_empty()).then(|| quote!(#[evented(actions(#actions))]));
        let input = parse_quote!(#attribute struct Item { id: i32, #fields });
        expansion(&input).lines().count()
    };
    let base = lines(quote!(), quote!());
    let one = lines(quote!(a: i32), quote!());
    let two = lines(quote!(a: i32, b: i32), quote!());
    let three = lines(quote!(a: i32, b: i32, c: i32), quote!());
    let acts = lines(quote!(), quote!(A));
    let acts_twice = lines(quote!(), quote!(A, B));
    let design = expansion(&of_the_design()).lines().count();
    let mut text = String::new();
    let _ = writeln!(text, "a key alone: {base}");
    let _ = writeln!(
        text,
        "the first field: {}, the second: {}, the third: {}",
        one - base,
        two - one,
        three - two
    );
    let _ = writeln!(text, "the first action: {}, the second: {}", acts - base, acts_twice - acts);
    let _ = writeln!(text, "the model of the design (7 fields, 2 actions): {design}");
    println!("{text}");
    assert_snapshot("lines_of_code", &text);
}

/// Every identifier, with whether a `::` is before it.
fn idents(tokens: TokenStream, found: &mut Vec<(String, bool)>) {
    let mut colons = 0;
    for token in tokens {
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == ':' => {
                colons += 1;
                continue;
            }
            TokenTree::Ident(ident) => found.push((ident.to_string(), colons == 2)),
            TokenTree::Group(group) => idents(group.stream(), found),
            _ => {}
        }
        colons = 0;
    }
}

#[test]
fn names_of_std_have_their_whole_path() {
    let prelude = [
        "Option",
        "Some",
        "None",
        "Result",
        "Ok",
        "Err",
        "String",
        "Vec",
        "Box",
        "ToString",
        "ToOwned",
        "Clone",
        "Default",
        "From",
        "Into",
        "TryFrom",
        "TryInto",
        "AsRef",
        "Iterator",
        "IntoIterator",
        "Extend",
        "Drop",
        "Fn",
        "FnMut",
        "FnOnce",
        "Send",
        "Sync",
        "Sized",
        "Debug",
        "PartialEq",
        "Eq",
        "Hash",
        "Uuid",
        "Fields",
    ];
    for (name, input) in each_attribute() {
        let mut found = Vec::new();
        idents(crate::expand::expand(&model(&input)), &mut found);
        // Identifiers from the user's input may have no path.
        let bare = found.iter().filter(|(ident, has_path)| !has_path && prelude.contains(&ident.as_str()));
        let bare: Vec<_> = bare.filter(|(ident, _)| ident != "String").collect();
        assert!(bare.is_empty(), "{name}: {bare:?}");
    }
}

#[test]
fn only_the_given_crate_is_named() {
    let mut input = of_the_design();
    input.attrs.push(parse_quote!(#[evented(crate = other::path)]));
    let tokens = |input| crate::expand::expand(&model(input)).to_string();
    let (given, default) = (tokens(&input), tokens(&of_the_design()));
    assert!(!given.contains("evented_diesel"), "{given}");
    // In string literals for serde, paths are written without spaces.
    let given =
        given.replace("other :: path", ":: evented_diesel").replace("other::path", "::evented_diesel");
    assert_eq!(given, default);
}

#[test]
fn every_method_of_models_is_reserved() {
    let file = syn::parse_file(include_str!("../../../evented-diesel/src/dsl.rs")).expect("a file");
    let methods = file.items.iter().filter_map(|item| match item {
        Item::Trait(item) => Some(&item.items),
        _ => None,
    });
    let mut count = 0;
    for item in methods.flatten() {
        let TraitItem::Fn(method) = item else { continue };
        let name = method.sig.ident.to_string();
        assert!(check::METHODS.contains(&name.as_str()), "an action may not make a second method `{name}`");
        count += 1;
    }
    assert!(count > 10);
}
