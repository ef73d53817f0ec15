//! Generates `impl Evented`: the part of a model that needs no database.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Names, scopes as scope_parts, tables, typed_function};
use crate::model::{Drift, Field, FieldKind, KeyKind, Model};
use crate::names::plain;

pub(super) fn expand(model: &Model, names: &Names) -> TokenStream {
    let Names { private, new, event, .. } = names;
    let ident = &model.ident;
    let (schema, version) = (&model.schema.value, model.version.value.cast_signed());
    let Some((key, kind)) = model.key() else { return TokenStream::new() };
    let (key, key_type) = (&key.ident, &key.ty);
    let (inner, sql) = (key_inner(kind, private), tables::key_sql(kind, private));
    let (kind, to_value, from_value) = key_conversions(kind, private);
    let state: Vec<&Field> = model.state().collect();
    let fields: Vec<String> = state.iter().map(|field| plain(&field.ident)).collect();
    let idents: Vec<_> = state.iter().map(|field| &field.ident).collect();
    // The types are named, so that a type without serde is reported at its field.
    let types: Vec<_> = state.iter().map(|field| &field.ty).collect();
    let digest = state.iter().map(|field| {
        let method = if field.unordered { "unordered_field" } else { "field" };
        syn::Ident::new(method, proc_macro2::Span::call_site())
    });
    let order = by_name(&fields);
    let indices = 0..fields.len();
    let count = fields.len();
    let drift = match model.drift {
        Drift::Adopt => quote!(Adopt),
        Drift::Heal => quote!(Heal),
        Drift::Refuse => quote!(Refuse),
    };
    let scopes = scopes(model);
    let scope = scope_parts::method(model, private);
    let from_fields = from_fields(model, private);
    let generated: Vec<_> = model.of_kind(FieldKind::Generated).map(|field| &field.ident).collect();
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
    let upcast = upcast(model, private);
    let actions = model.actions.iter().map(|action| &action.name);
    let savepoint_every = model.savepoint_every.as_ref().map(|every| {
        let every = i64::from(every.value);
        quote!(const SAVEPOINT_EVERY: ::core::option::Option<i64> = ::core::option::Option::Some(#every);)
    });
    quote! {
        #[automatically_derived]
        impl #private::Keyed<#inner, #sql> for #ident {
            type Key = #key_type;
        }
        #[automatically_derived]
        impl #private::Evented for #ident {
            type Key = #key_type;
            type New = #new;
            type Event = #event;
            const SCHEMA: &'static str = #schema;
            const VERSION: i32 = #version;
            const KEY: #private::KeyKind = #private::KeyKind::#kind;
            const FIELDS: &'static [&'static str] = &[#(#fields),*];
            const DIGEST_ORDER: &'static [usize] = &[#(#order),*];
            const ACTIONS: &'static [&'static str] = &[#(#actions),*];
            #savepoint_every
            const DRIFT: #private::Drift = #private::Drift::#drift;
            const SCOPES: &'static [&'static [(&'static str, &'static str)]] = &[#(#scopes),*];
            #scope
            fn key(&self) -> &Self::Key {
                &self.#key
            }
            fn set_key(&mut self, key: Self::Key) {
                self.#key = key;
            }
            fn key_value(key: &Self::Key) -> #private::KeyValue {
                #to_value
            }
            fn key_from(value: #private::KeyValue) -> ::core::option::Option<Self::Key> {
                #from_value
            }
            fn field(
                &self,
                index: usize,
            ) -> ::core::result::Result<#private::serde_json::Value, #private::FieldError> {
                match index {
                    #(#indices => #private::to_json::<#types>(#fields, &self.#idents),)*
                    _ => ::core::result::Result::Ok(#private::serde_json::Value::Null),
                }
            }
            fn from_fields(
                key: Self::Key,
                fields: &mut #private::Fields,
            ) -> ::core::result::Result<Self, #private::FieldError> {
                let _ = &fields;
                ::core::result::Result::Ok(Self { #(#from_fields),* })
            }
            fn digests(&self) -> ::core::result::Result<#private::FieldDigests, #private::Unstorable> {
                let mut digester = #private::StateDigester::new(#count);
                #(#private::StateDigester::#digest::<#types>(&mut digester, #fields, &self.#idents)?;)*
                ::core::result::Result::Ok(digester.finish())
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

/// The type that a key is made of.
fn key_inner(kind: KeyKind, private: &TokenStream) -> TokenStream {
    match kind {
        KeyKind::Uuid | KeyKind::Id => quote!(#private::Uuid),
        KeyKind::Text => quote!(::std::string::String),
        KeyKind::I32 => quote!(i32),
        KeyKind::I64 => quote!(i64),
    }
}

fn key_conversions(kind: KeyKind, private: &TokenStream) -> (TokenStream, TokenStream, TokenStream) {
    let inner = key_inner(kind, private);
    let kind = match kind {
        KeyKind::Uuid | KeyKind::Id => quote!(Uuid),
        KeyKind::Text => quote!(Text),
        KeyKind::I32 => quote!(Int),
        KeyKind::I64 => quote!(BigInt),
    };
    let to_value = quote! {
        #private::KeyValue::#kind(<#inner as ::core::convert::From<Self::Key>>::from(::core::clone::Clone::clone(key)))
    };
    let from_value = quote! {
        match value {
            #private::KeyValue::#kind(key) => ::core::option::Option::Some(::core::convert::From::from(key)),
            _ => ::core::option::Option::None,
        }
    };
    (kind, to_value, from_value)
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

fn from_fields<'a>(model: &'a Model, private: &'a TokenStream) -> impl Iterator<Item = TokenStream> + 'a {
    model.fields.iter().map(move |field| {
        let (ident, name, ty) = (&field.ident, plain(&field.ident), &field.ty);
        match field.kind {
            FieldKind::Key(_) => quote!(#ident: key),
            FieldKind::Revision | FieldKind::Generated => {
                quote!(#ident: <#ty as ::core::default::Default>::default())
            }
            _ => quote!(#ident: #private::Fields::take::<#ty>(fields, #name)?),
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
fn upcast(model: &Model, private: &TokenStream) -> Option<TokenStream> {
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
        let own = model.upcasts.iter().filter(|(from, _)| from.value == version);
        let own = own.map(|(_, path)| typed_function(path, &quote!(fn(&mut #private::RawPayload))));
        let version = version.cast_signed();
        quote! {
            if #private::RawPayload::version(attrs) <= #version {
                #(#renamed)*
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
