//! Tests of `#[diesel(belongs_to(…))]`: the foreign keys of a model with live values.

use proc_macro2::TokenStream;
use quote::quote;
use similar::TextDiff;
use syn::{DeriveInput, parse_quote};

use super::snapshots::assert_snapshot;
use super::{model, text};

fn expansion(input: &DeriveInput) -> TokenStream {
    crate::expand::expand(&model(input))
}

fn formatted(input: &DeriveInput) -> String {
    let file = syn::parse2(expansion(input)).expect("what is generated are items");
    prettyplease::unparse(&file)
}

fn comment(attributes: &TokenStream) -> DeriveInput {
    parse_quote! {
        #attributes
        pub struct Comment {
            pub id: Id<Comment>,
            pub item_id: Id<Item>,
            #[diesel(column_name = writer)]
            pub author: Option<i32>,
            pub comment_id: Option<Id<Self>>,
            #[evented(generated)]
            pub rank_id: i32,
        }
    }
}

/// The parents and the fields of the implementations.
fn keys(attributes: &TokenStream) -> Vec<String> {
    let text = text(expansion(&comment(attributes)));
    let each = text.split("::evented_diesel::__private::live::ForeignKey<").skip(1).map(|key| {
        let (parent, rest) = key.split_once(">forComment{typeValue=").expect("an implementation");
        let (ty, rest) = rest.split_once(";fn").expect("a type");
        let (_, rest) = rest.split_once("LiveModel>::fields().").expect("a field");
        let (field, _) = rest.split_once('}').expect("the end");
        format!("{parent} {field} {ty}")
    });
    each.collect()
}

#[test]
fn each_parent_has_its_foreign_key() {
    let with = quote! {
        #[diesel(belongs_to(path::to::Item), belongs_to(User, foreign_key = writer))]
        #[evented(live)]
    };
    let without = formatted(&comment(&quote!(#[evented(live)])));
    let diff = TextDiff::from_lines(&without, &formatted(&comment(&with))).unified_diff().to_string();
    assert_snapshot("effect_of_belongs_to", &diff);
}

#[test]
fn the_forms_of_diesel() {
    let table = [
        (quote!(#[diesel(belongs_to(Item))]), vec!["Item item_id Id<Item>"]),
        (
            quote!(#[diesel(table_name = t, belongs_to(a::Item,), primary_key(id))]),
            vec!["a::Item item_id Id<Item>"],
        ),
        (
            quote!(#[diesel(belongs_to(User, foreign_key = writer,))] #[diesel(belongs_to(Item))]),
            vec!["User author Option<i32>", "Item item_id Id<Item>"],
        ),
        (quote!(#[diesel(belongs_to(Tree<i32>, foreign_key = item_id))]), vec!["Tree<i32> item_id Id<Item>"]),
        // The model itself, by both of its names.
        (
            quote!(#[diesel(belongs_to(Self, foreign_key = comment_id), belongs_to(Comment))]),
            vec!["Comment comment_id Option<Id<Comment>>"],
        ),
        // The first of two.
        (
            quote!(#[diesel(belongs_to(Item, foreign_key = writer), belongs_to(Item))]),
            vec!["Item author Option<i32>"],
        ),
    ];
    for (attributes, expected) in table {
        assert_eq!(keys(&quote!(#attributes #[evented(live)])), expected, "{attributes}");
    }
}

#[test]
fn what_gives_no_foreign_key() {
    let table = [
        // No field has the column, or the field cannot be compared.
        quote!(#[diesel(belongs_to(Shop))]),
        quote!(#[diesel(belongs_to(User, foreign_key = author))]),
        quote!(#[diesel(belongs_to(Rank))]),
        // An implementation cannot name these parents.
        quote!(#[diesel(belongs_to(Item<'_>))]),
        quote!(#[diesel(belongs_to(Item<'a>))]),
        quote!(#[diesel(belongs_to(Item<&u8>))]),
        quote!(#[diesel(belongs_to(Item<_>))]),
        // Diesel reports what is wrong here.
        quote!(#[diesel(belongs_to)]),
        quote!(#[diesel(belongs_to = Item)]),
        quote!(#[diesel(belongs_to())]),
        quote!(#[diesel(belongs_to("Item"))]),
        quote!(#[diesel(belongs_to(Item, Item))]),
        quote!(#[diesel(belongs_to(Item foreign_key = item_id))]),
        quote!(#[diesel(belongs_to(Item, foreign_key = "item_id"))]),
        quote!(#[diesel(belongs_to(Item, key = item_id))]),
    ];
    for attributes in table {
        assert_eq!(keys(&quote!(#attributes #[evented(live)])), Vec::<String>::new(), "{attributes}");
    }
    assert_eq!(keys(&quote!(#[diesel(belongs_to(Item))])), Vec::<String>::new());
    let without_a_table = parse_quote! {
        #[diesel(belongs_to(Item))]
        #[evented(live, log(only))]
        struct Comment { id: Id<Comment>, item_id: Id<Item> }
    };
    assert!(!expansion(&without_a_table).to_string().contains("ForeignKey"));
}
