//! Generates scopes: a record's lookup key in each, a constant for each name, and the combinations.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Ident, Type};

use super::Names;
use crate::model::Model;
use crate::names::plain;

/// A name of the model's scopes. It occurs once, however many combinations have it.
struct Part<'a> {
    name: &'a Ident,
    field: &'a Ident,
    ty: &'a Type,
}

/// The names in the order in which they first appear.
fn parts(model: &Model) -> Vec<Part<'_>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    for (name, field) in model.scopes.iter().flatten() {
        if parts.iter().any(|part| part.name == name) {
            continue;
        }
        let found = model.fields.iter().find(|it| plain(&it.ident) == plain(field));
        if let Some(found) = found {
            parts.push(Part { name, field: &found.ident, ty: &found.ty });
        }
    }
    parts
}

/// Generates the method of `Evented` that returns a record's lookup key in a scope.
pub(super) fn method(model: &Model, private: &TokenStream) -> Option<TokenStream> {
    if model.scopes.is_empty() {
        return None;
    }
    let combinations = model.scopes.iter().enumerate().map(|(index, scope)| {
        let values = scope.iter().map(|(_, field)| {
            let name = plain(field);
            quote!(#private::ScopeValue::of(#name, &self.#field).ok()?)
        });
        quote!(#index => #private::ScopeKey::of(&[#(#values),*]),)
    });
    Some(quote! {
        fn scope(&self, combination: usize) -> ::core::option::Option<#private::ScopeKey> {
            match combination {
                #(#combinations)*
                _ => ::core::option::Option::None,
            }
        }
    })
}

/// Generates the constants for the names, and the combinations.
pub(super) fn expand(model: &Model, Names { private, .. }: &Names) -> TokenStream {
    let (ident, vis) = (&model.ident, &model.vis);
    let parts = parts(model);
    if parts.is_empty() {
        return TokenStream::new();
    }
    let names = parts.iter().enumerate().map(|(number, Part { name, field, ty })| {
        let (word, column) = (plain(name), plain(field));
        let constant = format_ident!("{}", word.to_uppercase(), span = name.span());
        let doc = format!("The scopes by `{word}`: `{ident}::changes().scope({ident}::{constant}.eq(…))`.");
        quote! {
            #[doc = #doc]
            #vis const #constant: #private::ScopeName<#ident, #ty, #number> =
                #private::ScopeName::new(#word, #column);
        }
    });
    let number = |name: &Ident| parts.iter().position(|part| part.name == name).unwrap_or_default();
    let combinations = model.scopes.iter().enumerate().flat_map(|(index, scope)| {
        let numbers: Vec<usize> = scope.iter().map(|(name, _)| number(name)).collect();
        orders(numbers.len())
            .into_iter()
            .map(move |order| combination(model, private, index, &numbers, &order))
    });
    quote! {
        /// The names of the model's scopes.
        #[automatically_derived]
        #[allow(dead_code)]
        impl #ident {
            #(#names)*
        }
        #(#combinations)*
    }
}

/// Generates one combination, with its names in one order.
fn combination(
    model: &Model,
    private: &TokenStream,
    index: usize,
    numbers: &[usize],
    order: &[usize],
) -> TokenStream {
    let ident = &model.ident;
    let types = order.iter().filter_map(|index| numbers.get(*index));
    let types = types.map(|number| quote!(#private::ScopePart<#ident, #number>));
    let given: Vec<Ident> = order.iter().map(|index| format_ident!("part_{index}")).collect();
    let declared = (0..numbers.len()).map(|index| format_ident!("part_{index}"));
    let (ty, pattern) = if numbers.len() == 1 {
        (quote!(#(#types)*), quote!(#(#given)*))
    } else {
        (quote!((#(#types),*)), quote!((#(#given),*)))
    };
    quote! {
        #[automatically_derived]
        impl #private::IntoScope<#ident> for #ty {
            fn into_scope(self) -> ::core::result::Result<#private::Scope<#ident>, #private::Unstorable> {
                let #pattern = self;
                #private::Scope::declared(#index, [#(#private::ScopePart::into_declared(#declared)),*])
            }
        }
    }
}

/// All orders of this many parts.
fn orders(parts: usize) -> Vec<Vec<usize>> {
    let mut orders = vec![Vec::new()];
    for part in 0..parts {
        let longer = |order: Vec<usize>| {
            (0..=order.len()).map(move |at| {
                let mut order = order.clone();
                order.insert(at, part);
                order
            })
        };
        orders = orders.into_iter().flat_map(longer).collect();
    }
    orders
}
