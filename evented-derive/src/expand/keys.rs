//! Generates what the library needs to know of a model's key: its parts, its form in the log, and the conversions.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::Names;
use crate::model::{KeyKind, KeySource, Model};

/// Generates the items of `impl Evented` about the key.
pub(super) fn items(model: &Model, names: &Names) -> TokenStream {
    let private = &names.private;
    let key_type = model.key_type();
    let kinds = model.keys().map(|(_, kind)| part_kind(kind));
    let source = match model.key_source() {
        KeySource::Library => quote!(Library),
        KeySource::Caller => quote!(Caller),
        KeySource::Database => quote!(Database),
    };
    let form = match &model.shared_log {
        Some(log) => quote!(<#log as #private::EventLog>::KEY.holding(Self::KEY_PARTS)),
        None => quote!(#private::KeyKind::of(Self::KEY_PARTS)),
    };
    let fields: Vec<_> = model.keys().map(|(field, _)| &field.ident).collect();
    let copies = fields.iter().map(|field| quote!(#private::KeyType::copy(&self.#field)));
    let key = match model.key.len() {
        1 => quote!(#(#copies)*),
        _ => quote!((#(#copies),*)),
    };
    let sets = fields.iter().enumerate().map(|(part, field)| {
        let part = model.key_part(&quote!(key), part);
        quote!(self.#field = #part;)
    });
    let made = made(model, private);
    let (to_value, from_value) = (to_value(model, private), from_value(model, private));
    quote! {
        type Key = #key_type;
        const KEY_PARTS: &'static [#private::KeyPartKind] = &[#(#private::KeyPartKind::#kinds),*];
        const KEY: #private::KeyKind = #form;
        const KEY_SOURCE: #private::KeySource = #private::KeySource::#source;
        fn key(&self) -> Self::Key {
            #key
        }
        fn make_key(event_id: #private::Uuid) -> ::core::option::Option<Self::Key> {
            let _ = event_id;
            #made
        }
        fn set_key(&mut self, key: Self::Key) {
            #(#sets)*
        }
        fn key_value(key: &Self::Key) -> #private::KeyValue {
            #to_value
        }
        fn key_from(value: #private::KeyValue) -> ::core::option::Option<Self::Key> {
            #from_value
        }
    }
}

/// The key of a new record for which the caller gives none.
fn made(model: &Model, private: &TokenStream) -> TokenStream {
    let Some((_, kind)) = model.keys().next() else { return TokenStream::new() };
    match model.key_source() {
        KeySource::Caller => quote!(::core::option::Option::None),
        KeySource::Library => {
            quote!(Self::key_from(#private::KeyValue::of(Self::KEY, [#private::KeyPart::Uuid(event_id)])))
        }
        KeySource::Database => {
            let kind = part_kind(kind);
            quote!(Self::key_from(#private::KeyValue::of(Self::KEY, [#private::KeyPart::#kind(0)])))
        }
    }
}

fn to_value(model: &Model, private: &TokenStream) -> TokenStream {
    let parts = model.keys().enumerate().map(|(part, (field, kind))| {
        let (ty, inner) = (&field.ty, inner(kind, private));
        let key = if model.key.len() == 1 {
            quote!(key)
        } else {
            let part = syn::Index::from(part);
            quote!(&key.#part)
        };
        // The span names the field if the type has no conversion.
        quote_spanned! {field.ty.span()=>
            (&&&&#private::OutOfKey::<#ty, #inner>::new(#key)).part()
        }
    });
    quote! {
        #[allow(unused_imports)]
        use #private::out_of_key::*;
        #private::KeyValue::of(Self::KEY, [#(#parts),*])
    }
}

fn from_value(model: &Model, private: &TokenStream) -> TokenStream {
    let conversion = |field: &crate::model::Field, kind: KeyKind, part: TokenStream| {
        let (ty, inner) = (&field.ty, inner(kind, private));
        quote_spanned! {field.ty.span()=>
            (&&&&#private::IntoKey::<#ty, #inner>::new(#part)).key()?
        }
    };
    let imports = quote! {
        #[allow(unused_imports)]
        use #private::into_key::*;
    };
    let keys: Vec<_> = model.keys().collect();
    if let [(field, kind)] = keys.as_slice() {
        let part_kind = part_kind(*kind);
        let part = quote!(#private::KeyValue::part(&value, #private::KeyPartKind::#part_kind)?);
        let key = conversion(field, *kind, part);
        return quote! {
            #imports
            ::core::option::Option::Some(#key)
        };
    }
    let parts = keys
        .iter()
        .map(|(field, kind)| conversion(field, *kind, quote!(::core::iter::Iterator::next(&mut parts)?)));
    quote! {
        #imports
        let parts = #private::KeyValue::parts(&value, Self::KEY_PARTS)?;
        let mut parts = ::core::iter::IntoIterator::into_iter(parts);
        ::core::option::Option::Some((#(#parts),*))
    }
}

/// Checks that each column of the key has the type that the key is made of.
pub(super) fn columns_fit(model: &Model, names: &Names) -> TokenStream {
    let (private, table) = (&names.private, &model.table);
    let checks = model.keys().map(|(field, kind)| {
        let (column, inner) = (&field.column, inner(kind, private));
        // The span names the field if its column has another type.
        quote_spanned! {field.ty.span()=>
            const _: () = #private::column_holds_key::<
                <#table::#column as #private::diesel::Expression>::SqlType,
                #inner,
            >();
        }
    });
    quote!(#(#checks)*)
}

/// The type that a part of a key is made of.
fn inner(kind: KeyKind, private: &TokenStream) -> TokenStream {
    match kind {
        KeyKind::Uuid | KeyKind::Id => quote!(#private::Uuid),
        KeyKind::Text => quote!(::std::string::String),
        KeyKind::I16 => quote!(i16),
        KeyKind::I32 => quote!(i32),
        KeyKind::I64 => quote!(i64),
        KeyKind::Bool => quote!(bool),
        KeyKind::Bytes => quote!(::std::vec::Vec<u8>),
    }
}

/// The variant of `KeyPartKind` and `KeyPart`.
fn part_kind(kind: KeyKind) -> TokenStream {
    match kind {
        KeyKind::Uuid | KeyKind::Id => quote!(Uuid),
        KeyKind::Text => quote!(Text),
        KeyKind::I16 => quote!(SmallInt),
        KeyKind::I32 => quote!(Int),
        KeyKind::I64 => quote!(BigInt),
        KeyKind::Bool => quote!(Bool),
        KeyKind::Bytes => quote!(Bytes),
    }
}
