//! Generates the names of actions in the log.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::Names;
use crate::model::Model;

pub(super) fn expand(model: &Model, Names { private, changes, .. }: &Names) -> TokenStream {
    let ident = &model.ident;
    let own = model.actions.iter().map(|action| {
        let (ty, name) = (&action.ty, &action.name);
        // A missing `impl Action` is reported at the name in the list of actions.
        quote_spanned! {ty.span()=>
            #[automatically_derived]
            impl #private::ActionOf<#ident> for #ty {
                const NAME: &'static str = #name;
            }
        }
    });
    quote! {
        #[automatically_derived]
        impl #private::ActionOf<#ident> for #changes {
            const NAME: &'static str = #private::names::UPDATE;
        }
        #(#own)*
    }
}
