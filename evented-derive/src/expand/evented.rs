//! Generates `impl Evented`: the part of a model that needs no database.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Names, formats, keys, scopes as scope_parts, typed_function};
use crate::model::{Drift, Field, FieldKind, Model};
use crate::names::plain;

pub(super) fn expand(model: &Model, names: &Names) -> TokenStream {
    let Names { private, new, changes, event, .. } = names;
    let ident = &model.ident;
    let (schema, version) = (&model.schema.value, model.version.value.cast_signed());
    let key_items = keys::items(model, names);
    let state: Vec<&Field> = model.state().collect();
    let fields: Vec<String> = state.iter().map(|field| plain(&field.ident)).collect();
    let idents: Vec<_> = state.iter().map(|field| field.path()).collect();
    let digest = state.iter().map(|field| {
        let method = if field.unordered { "unordered_field" } else { "field" };
        let method = syn::Ident::new(method, proc_macro2::Span::call_site());
        let (name, (ty, value)) = (plain(&field.ident), formats::borrowed(model, field, names));
        quote!(#private::StateDigester::#method::<#ty>(&mut digester, #name, #value)?)
    });
    let to_json = state.iter().enumerate().map(|(index, field)| {
        let (name, (ty, value)) = (plain(&field.ident), formats::borrowed(model, field, names));
        quote!(#index => #private::to_json::<#ty>(#name, #value))
    });
    let order = by_name(&fields);
    let count = fields.len();
    let drift = match model.drift {
        Drift::Adopt => quote!(Adopt),
        Drift::Heal => quote!(Heal),
        Drift::Refuse => quote!(Refuse),
    };
    let scopes = scopes(model);
    let scope = scope_parts::method(model, private);
    let from_fields = from_fields(model, names);
    let beside = model.of_kind(FieldKind::Generated).chain(model.of_kind(FieldKind::Skipped));
    let generated: Vec<_> = beside.map(|field| &field.ident).collect();
    let timestamps = timestamps(model, private);
    let revision = revision(model);
    let check = model.check.as_ref().map(|path| {
        let result = quote!(::core::result::Result<(), #private::ValidationErrors>);
        let function = typed_function(path, &quote!(fn(&#ident) -> #result));
        quote! {
            fn check_state(&self) -> #result {
                #function
                function(self)
            }
        }
    });
    let savepoint = model.savepoint.as_ref().map(|path| {
        let function = typed_function(path, &quote!(fn(&#ident) -> #private::Fields));
        quote! {
            fn savepoint_fields(&self) -> ::core::result::Result<#private::Fields, #private::FieldError> {
                #function
                ::core::result::Result::Ok(function(self))
            }
        }
    });
    let upcast = upcast(model, names);
    let actions = model.actions.iter().map(|action| &action.name);
    let savepoint_every = model.savepoint_every.as_ref().map(|every| {
        let every = i64::from(every.value);
        quote!(const SAVEPOINT_EVERY: ::core::option::Option<i64> = ::core::option::Option::Some(#every);)
    });
    let copied = model.fields_with(|field| {
        let path = field.path();
        quote!(::core::clone::Clone::clone(&self.#path))
    });
    quote! {
        #[automatically_derived]
        impl #private::Evented for #ident {
            type New = #new;
            type Changes = #changes;
            type Event = #event;
            const SCHEMA: &'static str = #schema;
            const VERSION: i32 = #version;
            #key_items
            const FIELDS: &'static [&'static str] = &[#(#fields),*];
            const DIGEST_ORDER: &'static [usize] = &[#(#order),*];
            const ACTIONS: &'static [&'static str] = &[#(#actions),*];
            #savepoint_every
            const DRIFT: #private::Drift = #private::Drift::#drift;
            const SCOPES: &'static [&'static [(&'static str, &'static str)]] = &[#(#scopes),*];
            #scope
            fn field(
                &self,
                index: usize,
            ) -> ::core::result::Result<#private::serde_json::Value, #private::FieldError> {
                match index {
                    #(#to_json,)*
                    _ => ::core::result::Result::Ok(#private::serde_json::Value::Null),
                }
            }
            fn from_fields(
                key: Self::Key,
                fields: &mut #private::Fields,
            ) -> ::core::result::Result<Self, #private::FieldError> {
                let _ = &fields;
                ::core::result::Result::Ok(Self { #from_fields })
            }
            fn digests(&self) -> ::core::result::Result<#private::FieldDigests, #private::Unstorable> {
                let mut digester = #private::StateDigester::new(#count);
                #(#digest;)*
                ::core::result::Result::Ok(digester.finish())
            }
            fn copy(&self) -> Self {
                Self { #copied }
            }
            fn normalize(&mut self) {
                #[allow(unused_imports)]
                use #private::AsStored as _;
                #(#private::Normal(&mut self.#idents).normalize();)*
            }
            fn copy_generated(&mut self, from: &Self) {
                let _ = from;
                #(self.#generated = ::core::clone::Clone::clone(&from.#generated);)*
            }
            #timestamps
            #revision
            #check
            #savepoint
            #upcast
        }
    }
}

/// The indices of the fields, sorted by name.
fn by_name(fields: &[String]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..fields.len()).collect();
    order.sort_by(|a, b| fields[*a].cmp(&fields[*b]));
    order
}

fn scopes(model: &Model) -> impl Iterator<Item = TokenStream> + '_ {
    model.scopes.iter().map(|scope| {
        let parts = scope.iter().map(|(name, field)| {
            let (name, field) = (plain(name), plain(field));
            quote!((#name, #field))
        });
        quote!(&[#(#parts),*])
    })
}

fn from_fields(model: &Model, names: &Names) -> TokenStream {
    let private = &names.private;
    model.fields_with(|field| {
        let (name, ty) = (plain(&field.ident), &field.ty);
        match field.kind {
            FieldKind::Key(_) => {
                let part = model.key_part(&quote!(key), model.part_of(field).unwrap_or_default());
                quote!(#private::KeyType::copy(&#part))
            }
            FieldKind::Revision | FieldKind::Generated | FieldKind::Skipped => {
                quote!(<#ty as ::core::default::Default>::default())
            }
            _ => match formats::owned(model, field, names) {
                Some(formatted) => quote!(#private::Fields::take::<#formatted>(fields, #name)?.into_value()),
                None => quote!(#private::Fields::take::<#ty>(fields, #name)?),
            },
        }
    })
}

fn timestamps(model: &Model, private: &TokenStream) -> TokenStream {
    let inserted = model.of_kind(FieldKind::InsertedAt).map(|field| &field.ident);
    let updated = model.of_kind(FieldKind::UpdatedAt).map(|field| &field.ident);
    quote! {
        fn touch(&mut self, created: bool, at: #private::DateTime<#private::Utc>) {
            let _ = (created, at);
            #(if created { self.#inserted = #private::FromTime::from_time(at); })*
            #(self.#updated = #private::FromTime::from_time(at);)*
        }
    }
}

fn revision(model: &Model) -> TokenStream {
    let Some(field) = model.of_kind(FieldKind::Revision).next() else {
        return quote! {
            fn revision(&self) -> ::core::option::Option<i64> {
                ::core::option::Option::None
            }
            fn set_revision(&mut self, _: i64) {}
        };
    };
    let ident = &field.ident;
    quote! {
        fn revision(&self) -> ::core::option::Option<i64> {
            ::core::option::Option::Some(::core::convert::From::from(self.#ident))
        }
        fn set_revision(&mut self, revision: i64) {
            self.#ident = ::core::convert::TryFrom::try_from(revision).unwrap_or(self.#ident);
        }
    }
}

/// Generates the upcast, step by step: in each step first the renamed fields, then the user's function, which thus
/// sees the names of the new version.
fn upcast(model: &Model, names: &Names) -> Option<TokenStream> {
    let private = &names.private;
    if model.version.value == 0 {
        return None;
    }
    // Old rows may have other names for an insert or an update.
    let old_names =
        model.aliases.iter().filter(|alias| ["insert", "update"].contains(&alias.action.value.as_str()));
    let old_names: Vec<_> = old_names.map(|alias| alias.old.value.as_str()).collect();
    let old_names = old_names.as_slice();
    let steps = (0..model.version.value).map(|version| {
        let renamed = model.fields.iter().flat_map(|field| {
            let to = plain(&field.ident);
            let of_step = field.renamed.iter().filter(move |renamed| renamed.version == version + 1);
            of_step.map(move |renamed| {
                let from = &renamed.from;
                let aliased = (!old_names.is_empty()).then(|| {
                    quote! {
                        if ::core::matches!(#private::RawPayload::action(attrs), #(#old_names)|*) {
                            #private::RawPayload::rename(attrs, #from, #to);
                        }
                    }
                });
                quote!(#private::RawPayload::rename_field(attrs, #from, #to); #aliased)
            })
        });
        let added = model.fields.iter().filter_map(|field| {
            let added = field.added.as_ref().filter(|added| added.version == version + 1)?;
            let (name, ty) = (plain(&field.ident), &field.ty);
            let default = match &added.default {
                Some(path) => {
                    let function = typed_function(path, &quote!(fn() -> #ty));
                    quote!({ #function function() })
                }
                None => quote!(<#ty as ::core::default::Default>::default()),
            };
            let aliased: Vec<_> = model
                .aliases
                .iter()
                .filter(|alias| alias.action.value == "insert")
                .map(|alias| alias.old.value.as_str())
                .collect();
            let (ty, default) = match formats::owned(model, field, names) {
                Some(formatted) => (
                    quote!(#formatted),
                    quote!(#private::Formatted::new({ let default: #ty = #default; default })),
                ),
                None => (quote!(#ty), default),
            };
            Some(quote! {
                #private::add_field::<#ty>(attrs, #name, &[#(#aliased),*], || #default);
            })
        });
        let own = model.upcasts.iter().filter(|(from, _)| from.value == version);
        let own = own.map(|(_, path)| typed_function(path, &quote!(fn(&mut #private::RawPayload))));
        let version = version.cast_signed();
        quote! {
            if #private::RawPayload::version(attrs) <= #version {
                #(#renamed)*
                #(#added)*
                #(#own function(attrs);)*
            }
        }
    });
    Some(quote! {
        fn upcast(attrs: &mut #private::RawPayload) {
            #(#steps)*
        }
    })
}
