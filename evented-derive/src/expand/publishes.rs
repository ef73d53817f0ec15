//! Generates which domain events a model publishes.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::Names;
use crate::model::{Model, On, PublishOn};

/// Generates the members of `impl Model` for the attribute `publish`; `None` if the model does not have it.
pub(super) fn expand(model: &Model, names: &Names) -> Option<TokenStream> {
    if model.publishes.is_empty() {
        return None;
    }
    let private = &names.private;
    let items = model.publishes.iter().map(|publish| item(publish, names));
    Some(quote! {
        const PUBLISHES: bool = true;

        fn publish_for(change: &#private::Publishing<'_, Self>, out: &mut #private::Publications) {
            #(#items)*
        }
    })
}

fn item(PublishOn { on, event }: &PublishOn, names: &Names) -> TokenStream {
    let private = &names.private;
    let publishing = quote!(#private::Publishing);
    let condition = match on {
        On::Insert => quote!(#publishing::action(change) == "insert"),
        On::Delete => quote!(#publishing::action(change) == "delete"),
        On::Action(action) => quote! {
            #publishing::action(change) == <#action as #private::ActionOf<Self>>::NAME
        },
        // An update and an action have both sides, and so has a savepoint.
        On::Update(fields) if fields.is_empty() => quote! {
            #publishing::before(change).is_some()
                && #publishing::after(change).is_some()
                && #publishing::action(change) != "savepoint"
        },
        On::Update(fields) => {
            let differ =
                fields.iter().map(|field| quote_spanned!(field.span()=> before.#field != after.#field));
            quote! {
                ::core::matches!(
                    (#publishing::before(change), #publishing::after(change)),
                    (::core::option::Option::Some(before), ::core::option::Option::Some(after)) if #(#differ)||*
                )
            }
        }
    };
    // The span shows which event is not made of the model.
    let add = quote_spanned!(event.span()=> #private::Publications::add::<Self, #event>(out, change););
    quote! {
        if #condition {
            #add
        }
    }
}
