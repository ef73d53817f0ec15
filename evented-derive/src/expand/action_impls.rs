//! Generates the names of actions in the log.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::Names;
use crate::model::Model;

pub(super) fn expand(model: &Model, Names { private, changes, .. }: &Names) -> TokenStream {
    let ident = &model.ident;
    let aliases = |name: &str| {
        let old = model.aliases.iter().filter(|alias| alias.action.value == name);
        let old: Vec<_> = old.map(|alias| alias.old.value.clone()).collect();
        (!old.is_empty()).then(|| quote!(const ALIASES: &'static [&'static str] = &[#(#old),*];))
    };
    let of_update = aliases("update");
    let own = model.actions.iter().map(|action| {
        let (ty, name) = (&action.ty, &action.name);
        let aliases = aliases(name);
        // A missing `impl Action` is reported at the name in the list of actions.
        quote_spanned! {ty.span()=>
            #[automatically_derived]
            impl #private::ActionOf<#ident> for #ty {
                const NAME: &'static str = #name;
                #aliases
            }
        }
    });
    quote! {
        #[automatically_derived]
        impl #private::ActionOf<#ident> for #changes {
            const NAME: &'static str = #private::names::UPDATE;
            #of_update
        }
        #(#own)*
    }
}
