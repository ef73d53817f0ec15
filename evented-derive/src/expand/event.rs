//! Generates the typed events of a model: an enum, the decoding of a stored event into a variant, and the effect of
//! each variant.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Names, typed_function};
use crate::model::{ActionDef, Model};

fn variant(action: &ActionDef) -> Option<&syn::Ident> {
    action.ty.segments.last().map(|segment| &segment.ident)
}

/// Generates the enum.
pub(super) fn expand(model: &Model, Names { private, new, changes, event, .. }: &Names) -> TokenStream {
    let (vis, ident) = (&model.vis, &model.ident);
    let doc = format!("Every event of [`{ident}`].");
    let own = model.actions.iter().map(|action| {
        let (name, ty) = (variant(action), &action.ty);
        let doc = format!("Action `{}`.", action.name);
        quote!(#[doc = #doc] #name(#ty))
    });
    quote! {
        #[doc = #doc]
        #[derive(::core::fmt::Debug, ::core::clone::Clone)]
        #[allow(dead_code, clippy::large_enum_variant)]
        #vis enum #event {
            /// The record was created.
            Insert(#new),
            /// Some fields of the record changed.
            Update(#changes),
            #(#own,)*
            /// The record was deleted.
            Delete,
            /// The row was changed without an event.
            External(#private::External),
            /// The whole state. Replay may start from it.
            Savepoint(#private::Fields),
            /// An action that the model no longer has.
            Retired(#private::Retired<#ident>),
        }
    }
}

/// Generates the decoding of a stored event into a variant, and the effect of each variant.
pub(super) fn body(model: &Model, Names { private, event, log, .. }: &Names) -> TokenStream {
    let ident = &model.ident;
    // An alias is an old name of an action. Rows with the old name decode into the action with the current name.
    let named = |name: &str| {
        let old = model.aliases.iter().filter(move |alias| alias.action.value == name);
        let names = std::iter::once(name.to_owned()).chain(old.map(|alias| alias.old.value.clone()));
        names.collect::<Vec<_>>()
    };
    let (insert, update, delete) = (named("insert"), named("update"), named("delete"));
    let own = model.actions.iter().map(|action| {
        let (variant, names) = (variant(action), named(&action.name));
        quote!(#(#names)|* => Self::#variant(#private::read_action::<#ident, _>(payload)?))
    });
    let retired = model.retired.iter().map(|(name, apply)| {
        let name = &name.value;
        let typed = quote!(fn(&#private::RawPayload, &mut #ident, &#private::Context));
        let function = typed_function(apply, &typed);
        quote!(#name => Self::Retired(payload.retired({ #function function })?))
    });
    let steps = model.actions.iter().map(variant);
    let today = model
        .shared_log
        .is_some()
        .then(|| quote!(let action = #private::name_today(<#log as #private::EventLog>::ALIASES, action);));
    quote! {
        #[automatically_derived]
        impl #private::EventBody<#ident> for #event {
            fn decode(
                action: &str,
                payload: #private::Payload<'_>,
            ) -> ::core::result::Result<Self, #private::PayloadError> {
                #today
                ::core::result::Result::Ok(match action {
                    #(#insert)|* => Self::Insert(#private::read_new::<#ident>(payload)?),
                    #(#update)|* => Self::Update(#private::read_action::<#ident, _>(payload)?),
                    #(#delete)|* => Self::Delete,
                    #private::names::EXTERNAL => Self::External(payload.external()?),
                    #private::names::SAVEPOINT => Self::Savepoint(payload.read()?),
                    #(#own,)*
                    #(#retired,)*
                    _ => return ::core::result::Result::Err(#private::PayloadError::UnknownAction),
                })
            }
            fn step(&self) -> #private::Step<'_, #ident> {
                match self {
                    Self::Insert(new) => #private::create(new),
                    Self::Update(action) => #private::change(action),
                    #(Self::#steps(action) => #private::change(action),)*
                    Self::Delete => #private::Step::Delete,
                    Self::External(external) => #private::Step::External(external),
                    Self::Savepoint(fields) => #private::Step::Savepoint(fields),
                    Self::Retired(retired) => #private::Step::Retired(retired),
                }
            }
        }
    }
}
