//! `impl Evented`: what a model says about itself without a database.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Names, plain};
use crate::model::{Drift, Field, FieldKind, KeyKind, Model};

pub(super) fn expand(model: &Model, names: &Names) -> TokenStream {
    let Names { private, new, event, .. } = names;
    let ident = &model.ident;
    let (schema, version) = (&model.schema.value, model.version.value.cast_signed());
    let Some((key, kind)) = model.key() else { return TokenStream::new() };
    let (key, key_type) = (&key.ident, &key.ty);
    let (kind, to_value, from_value) = key_conversions(kind, private);
    let state: Vec<&Field> = model.state().collect();
    let fields: Vec<String> = state.iter().map(|field| plain(&field.ident)).collect();
    let idents: Vec<_> = state.iter().map(|field| &field.ident).collect();
    let order = by_name(&fields);
    let indices = 0..fields.len();
    let count = fields.len();
    let drift = match model.drift {
        Drift::Adopt => quote!(Adopt),
        Drift::Heal => quote!(Heal),
        Drift::Refuse => quote!(Refuse),
    };
    let scopes = scopes(model);
    let from_fields = from_fields(model);
    let external: Vec<_> = model.of_kind(FieldKind::External).map(|field| &field.ident).collect();
    let timestamps = timestamps(model, private);
    let revision = revision(model);
    let check = model.check.as_ref().map(|path| {
        quote! {
            fn check_state(&self) -> ::core::result::Result<(), #private::Invalid> {
                #path(self)
            }
        }
    });
    let savepoint = model.savepoint.as_ref().map(|path| {
        quote! {
            fn savepoint_fields(&self) -> ::core::result::Result<#private::Fields, #private::FieldError> {
                ::core::result::Result::Ok(#path(self))
            }
        }
    });
    let upcast = upcast(model, private);
    quote! {
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
            const DRIFT: #private::Drift = #private::Drift::#drift;
            const SCOPES: &'static [&'static [(&'static str, &'static str)]] = &[#(#scopes),*];
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
                    #(#indices => #private::to_json(#fields, &self.#idents),)*
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
                #(digester.field(#fields, &self.#idents)?;)*
                ::core::result::Result::Ok(digester.finish())
            }
            fn normalize(&mut self) {
                #[allow(unused_imports)]
                use #private::AsStored as _;
                #(#private::Normal(&mut self.#idents).normalize();)*
            }
            fn copy_external(&mut self, from: &Self) {
                let _ = from;
                #(self.#external = ::core::clone::Clone::clone(&from.#external);)*
            }
            #timestamps
            #revision
            #check
            #savepoint
            #upcast
        }
    }
}

/// The indices of the fields in the order of their names.
fn by_name(fields: &[String]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..fields.len()).collect();
    order.sort_by(|a, b| fields[*a].cmp(&fields[*b]));
    order
}

fn key_conversions(kind: KeyKind, private: &TokenStream) -> (TokenStream, TokenStream, TokenStream) {
    let (kind, inner) = match kind {
        KeyKind::Uuid | KeyKind::Id => (quote!(Uuid), quote!(#private::Uuid)),
        KeyKind::Text => (quote!(Text), quote!(::std::string::String)),
        KeyKind::I32 => (quote!(Int), quote!(i32)),
        KeyKind::I64 => (quote!(BigInt), quote!(i64)),
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

fn from_fields(model: &Model) -> impl Iterator<Item = TokenStream> + '_ {
    model.fields.iter().map(|field| {
        let (ident, name) = (&field.ident, plain(&field.ident));
        match field.kind {
            FieldKind::Key(_) => quote!(#ident: key),
            FieldKind::Revision | FieldKind::External => quote!(#ident: ::core::default::Default::default()),
            _ => quote!(#ident: fields.take(#name)?),
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

/// Step by step: first the renamed fields, then the user's function, so that it sees the names of the new version.
fn upcast(model: &Model, private: &TokenStream) -> Option<TokenStream> {
    if model.version.value == 0 {
        return None;
    }
    let steps = (0..model.version.value).map(|version| {
        let renamed = model.fields.iter().flat_map(|field| {
            let to = plain(&field.ident);
            let of_step = field.renamed.iter().filter(move |renamed| renamed.version == version + 1);
            of_step.map(move |renamed| {
                let from = &renamed.from;
                quote!(attrs.rename_field(#from, #to);)
            })
        });
        let own = model.upcasts.iter().filter(|(from, _)| from.value == version).map(|(_, path)| path);
        let version = version.cast_signed();
        quote! {
            if attrs.version() <= #version {
                #(#renamed)*
                #(#own(attrs);)*
            }
        }
    });
    Some(quote! {
        fn upcast(attrs: &mut #private::Attrs) {
            #(#steps)*
        }
    })
}
