//! Generates the implementations of domain events and buses.

use proc_macro2::TokenStream;
use quote::quote;

use super::typed_function;
use crate::model::{Bus, DomainEvent};

/// Generates the implementation of `DomainEvent`.
pub(crate) fn expand_event(event: &DomainEvent) -> TokenStream {
    let DomainEvent { ident, krate, .. } = event;
    let private = quote!(#krate::__private);
    let bus = event.bus.as_ref().map_or_else(|| quote!(#krate::DomainEvents), |bus| quote!(#bus));
    let name = &event.name.value;
    let aliases = event.aliases.iter().map(|alias| &alias.value);
    let version = event.version.value.cast_signed();
    let key = match &event.key {
        Some(key) => quote!(#krate::IntoKey::into_key(&self.#key)),
        None => quote!(::core::option::Option::None),
    };
    let mut steps: Vec<_> = event.upcasts.iter().collect();
    steps.sort_by_key(|(from, _)| from.value);
    let steps = steps.into_iter().map(|(from, path)| {
        let function = typed_function(path, &quote!(fn(&mut #private::RawPayload)));
        let from = from.value.cast_signed();
        quote! {
            if #private::RawPayload::version(payload) <= #from {
                #function
                function(payload);
            }
        }
    });
    quote! {
        impl #krate::DomainEvent for #ident {
            type Bus = #bus;
            const NAME: &'static str = #name;
            const ALIASES: &'static [&'static str] = &[#(#aliases),*];
            const VERSION: i32 = #version;

            fn key(&self) -> ::core::option::Option<#private::KeyValue> {
                #key
            }

            #[allow(unused_variables)]
            fn upcast(payload: &mut #private::RawPayload) {
                #(#steps)*
            }
        }
    }
}

/// Generates the implementation of `Bus`.
pub(crate) fn expand_bus(bus: &Bus) -> TokenStream {
    let Bus { ident, krate, .. } = bus;
    let table = &bus.table.value;
    quote! {
        impl #krate::Bus for #ident {
            const TABLE: &'static str = #table;
        }
    }
}
