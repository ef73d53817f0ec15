//! Generates the inputs of insert and update: `NewItem` and `ItemChanges`.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Names, formats};
use crate::model::{Field, FieldKind, KeySource, Model};
use crate::names::plain;

/// The fields that the caller gives on insert.
fn given(model: &Model) -> impl Iterator<Item = &Field> {
    model.fields.iter().filter(|field| match field.kind {
        FieldKind::Key(_) => model.key_source() == KeySource::Caller,
        FieldKind::Plain => !field.skip_insert,
        _ => false,
    })
}

/// The fields that an update may change.
fn changeable(model: &Model) -> impl Iterator<Item = &Field> {
    model.of_kind(FieldKind::Plain).filter(|field| !field.skip_update)
}

/// Generates the types, unless the user named types of their own.
pub(super) fn expand(model: &Model, names: &Names) -> TokenStream {
    let new = model.insert.is_none().then(|| new_type(model, names));
    let changes = model.update.is_none().then(|| changes_type(model, names));
    quote!(#new #changes)
}

fn derives(private: &TokenStream) -> TokenStream {
    let serde = quote!(#private::serde).to_string().replace(' ', "");
    quote! {
        #[derive(::core::fmt::Debug, ::core::clone::Clone, #private::serde::Serialize, #private::serde::Deserialize)]
        #[serde(crate = #serde)]
    }
}

fn new_type(model: &Model, names: &Names) -> TokenStream {
    let Names { private, new, .. } = names;
    let vis = &model.vis;
    let derives = derives(private);
    let doc = format!("What a new [`{}`] is made of.", model.ident);
    let present = quote!(#private::present).to_string().replace(' ', "");
    // The fields are as visible as the type: `..` in an expression needs all of them, and forms are filled in elsewhere.
    let fields = given(model).map(|field| {
        let Field { ident, ty, docs, with, .. } = field;
        let doc = documented(docs, ident);
        if field.default.is_some() {
            let form = formats::of_change(model, field, names)
                .unwrap_or_else(|| quote!(#[serde(deserialize_with = #present)]));
            return quote! {
                #doc
                #form
                #[serde(default, skip_serializing_if = "::core::option::Option::is_none")]
                #vis #ident: ::core::option::Option<#ty>
            };
        }
        let with = with.as_ref().map(|with| {
            let with = quote!(#with).to_string().replace(' ', "");
            quote!(#[serde(with = #with)])
        });
        quote!(#doc #with #vis #ident: #ty)
    });
    quote! {
        #[doc = #doc]
        #derives
        #[allow(dead_code, clippy::option_option)]
        #vis struct #new { #(#fields),* }
    }
}

fn changes_type(model: &Model, names: &Names) -> TokenStream {
    let Names { private, changes, .. } = names;
    let vis = &model.vis;
    let derives = derives(private);
    let doc = format!("What to change in [`{}`]; what is `None` stays.", model.ident);
    let present = quote!(#private::present).to_string().replace(' ', "");
    let fields = changeable(model).map(|field| {
        let Field { ident, ty, docs, .. } = field;
        let doc = documented(docs, ident);
        let form = formats::of_change(model, field, names)
            .unwrap_or_else(|| quote!(#[serde(deserialize_with = #present)]));
        quote! {
            #doc
            #form
            #[serde(default, skip_serializing_if = "::core::option::Option::is_none")]
            #vis #ident: ::core::option::Option<#ty>
        }
    });
    quote! {
        #[doc = #doc]
        #derives
        #[derive(::core::default::Default)]
        #[allow(dead_code, clippy::option_option)]
        #vis struct #changes { #(#fields),* }
    }
}

/// Generates how these types create and change a record.
pub(super) fn impls(model: &Model, names: &Names) -> TokenStream {
    let create = model.insert.is_none().then(|| create(model, names));
    let action = model.update.is_none().then(|| action(model, names));
    let savable = (model.update.is_none() && model.log_only.is_none()).then(|| savable(model, names));
    quote!(#create #action #savable)
}

/// Generates how an update is made from a copy of the record. The fields are numbered as in the state.
fn savable(model: &Model, Names { private, changes, .. }: &Names) -> TokenStream {
    let ident = &model.ident;
    let fields: Vec<_> = changeable(model).collect();
    let idents = fields.iter().map(|field| &field.ident);
    let paths = fields.iter().map(|field| field.path());
    let number =
        |field: &&Field| model.state().position(|other| other.ident == field.ident).unwrap_or_default();
    let numbers: Vec<usize> = fields.iter().map(number).collect();
    quote! {
        #[automatically_derived]
        impl #private::Savable for #ident {
            const DERIVED: #private::Derived = #private::Derived::TOKEN;
            fn changes_of(&self, fields: &[usize]) -> ::core::option::Option<#changes> {
                let known: &[usize] = &[#(#numbers),*];
                if !fields.iter().any(|field| known.contains(field)) {
                    return ::core::option::Option::None;
                }
                ::core::option::Option::Some(#changes {
                    #(#idents: fields.contains(&#numbers).then(|| ::core::clone::Clone::clone(&self.#paths)),)*
                })
            }
        }
    }
}

fn create(model: &Model, Names { private, new, .. }: &Names) -> TokenStream {
    let ident = &model.ident;
    let given_key = (model.key_source() == KeySource::Caller).then(|| {
        let parts = model.keys().map(|(field, _)| {
            let key = &field.ident;
            quote!(#private::KeyType::copy(&self.#key))
        });
        let key = match model.key.len() {
            1 => quote!(#(#parts)*),
            _ => quote!((#(#parts),*)),
        };
        quote! {
            fn key(&self) -> ::core::option::Option<<#ident as #private::Evented>::Key> {
                ::core::option::Option::Some(#key)
            }
        }
    });
    let fields = model.fields_with(|field| {
        let name = &field.ident;
        match field.kind {
            FieldKind::Key(_) => {
                let part = model.key_part(&quote!(key), model.part_of(field).unwrap_or_default());
                quote!(#private::KeyType::copy(&#part))
            }
            FieldKind::InsertedAt | FieldKind::UpdatedAt => quote!(#private::FromTime::from_time(cx.at)),
            FieldKind::Plain if field.default.is_some() => {
                let value = omitted(field);
                quote! {
                    match &self.#name {
                        ::core::option::Option::Some(value) => ::core::clone::Clone::clone(value),
                        ::core::option::Option::None => #value,
                    }
                }
            }
            FieldKind::Plain if !field.skip_insert => quote!(::core::clone::Clone::clone(&self.#name)),
            FieldKind::Plain | FieldKind::Revision | FieldKind::Generated | FieldKind::Skipped => {
                let ty = &field.ty;
                quote!(<#ty as ::core::default::Default>::default())
            }
        }
    });
    let defaults = defaults(model);
    quote! {
        #[automatically_derived]
        impl #private::Create<#ident> for #new {
            #given_key
            #defaults
            fn create(&self, key: <#ident as #private::Evented>::Key, cx: &#private::Context) -> #ident {
                let _ = cx;
                #ident { #fields }
            }
        }
    }
}

/// The value of a field that the caller left out. What the database has is not known before the row is inserted.
fn omitted(field: &Field) -> TokenStream {
    let ty = &field.ty;
    match field.default.as_ref().and_then(|default| default.value.as_ref()) {
        Some(value) => quote!(#value),
        None => quote!(<#ty as ::core::default::Default>::default()),
    }
}

/// Generates what happens to fields that the caller left out.
fn defaults(model: &Model) -> Option<TokenStream> {
    let ident = &model.ident;
    let (by_program, by_database): (Vec<&Field>, Vec<&Field>) = given(model)
        .filter(|field| field.default.is_some())
        .partition(|field| field.default.as_ref().is_some_and(|default| default.value.is_some()));
    if by_program.is_empty() && by_database.is_empty() {
        return None;
    }
    let left: Vec<_> = by_database.iter().map(|field| &field.ident).collect();
    let rows = by_database.iter().map(|field| field.path());
    let numbers = by_database
        .iter()
        .map(|field| model.state().position(|other| other.ident == field.ident).unwrap_or_default());
    let known: Vec<_> = by_program.iter().map(|field| &field.ident).collect();
    let values = by_program.iter().map(|field| omitted(field));
    let left_to_database = (!left.is_empty()).then(|| {
        quote! {
            fn left_to_database(&self) -> ::std::vec::Vec<usize> {
                let mut left = ::std::vec::Vec::new();
                #(if self.#left.is_none() {
                    left.push(#numbers);
                })*
                left
            }
        }
    });
    Some(quote! {
        #left_to_database
        fn completed(&self, row: ::core::option::Option<&#ident>) -> ::core::option::Option<Self> {
            let known = [#(self.#known.is_none()),*].contains(&true);
            let found = row.is_some() && [#(self.#left.is_none()),*].contains(&true);
            if !(known || found) {
                return ::core::option::Option::None;
            }
            let mut __new = ::core::clone::Clone::clone(self);
            #(if __new.#known.is_none() {
                __new.#known = ::core::option::Option::Some(#values);
            })*
            if let ::core::option::Option::Some(row) = row {
                let _ = &row;
                #(if __new.#left.is_none() {
                    __new.#left = ::core::option::Option::Some(::core::clone::Clone::clone(&row.#rows));
                })*
            }
            ::core::option::Option::Some(__new)
        }
    })
}

fn action(model: &Model, Names { private, changes, .. }: &Names) -> TokenStream {
    let ident = &model.ident;
    let fields: Vec<_> = changeable(model).map(|field| &field.ident).collect();
    let paths: Vec<_> = changeable(model).map(Field::path).collect();
    quote! {
        #[automatically_derived]
        impl #private::Action<#ident> for #changes {
            fn apply(&self, record: &mut #ident, _: &#private::Context) {
                let _ = &record;
                #(if let ::core::option::Option::Some(value) = &self.#fields {
                    record.#paths = ::core::clone::Clone::clone(value);
                })*
            }
        }
    }
}

fn documented(docs: &[syn::Attribute], ident: &syn::Ident) -> TokenStream {
    if docs.is_empty() {
        let doc = format!("The field `{}`.", plain(ident));
        return quote!(#[doc = #doc]);
    }
    quote!(#(#docs)*)
}
