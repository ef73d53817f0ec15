//! Generates what live queries need: the fields of a model as values, and how their values are bound.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::parse_quote;
use syn::spanned::Spanned;

use super::Names;
use crate::model::{BelongsTo, Field, FieldKind, Model};
use crate::names::{plain, without_self};

/// The fields that a filter or an order may name. An event does not say what the database generates, and a value that is
/// converted before it is bound cannot be compared in memory.
fn comparable(model: &Model) -> Vec<&Field> {
    if model.log_only.is_some() {
        return Vec::new();
    }
    let compares = |field: &&Field| {
        field.kind != FieldKind::Generated && field.serialize_as.is_none() && field.deserialize_as.is_none()
    };
    model.columns().filter(compares).collect()
}

/// Generates `ItemFields`.
pub(super) fn fields(model: &Model, Names { private, .. }: &Names) -> TokenStream {
    if model.live.is_none() {
        return TokenStream::new();
    }
    let (ident, vis) = (&model.ident, &model.vis);
    let name = format_ident!("{ident}Fields");
    let doc = format!("The fields of [`{ident}`], of which filters and orders of live queries are made.");
    let fields = comparable(model).into_iter().map(|field| {
        let Field { ident: name, ty, docs, .. } = field;
        let text = format!("The field `{}`.", plain(name));
        let doc = if docs.is_empty() { quote!(#[doc = #text]) } else { quote!(#(#docs)*) };
        quote!(#doc #vis #name: #private::live::Field<#ident, #ty>)
    });
    quote! {
        #[doc = #doc]
        #[derive(::core::fmt::Debug, ::core::clone::Clone, ::core::marker::Copy)]
        #[allow(dead_code)]
        #vis struct #name { #(#fields),* }
    }
}

/// Generates `impl LiveModel`, `impl BindOperands`, and `impl ForeignKey` for each parent.
pub(super) fn impls(model: &Model, Names { private, .. }: &Names) -> TokenStream {
    if model.live.is_none() {
        return TokenStream::new();
    }
    let (ident, table) = (&model.ident, &model.table);
    let name = format_ident!("{ident}Fields");
    let comparable = comparable(model);
    let sql_type = |field: &Field| {
        let column = &field.column;
        quote!(<#table::#column as #private::diesel::Expression>::SqlType)
    };
    let values = comparable.iter().enumerate().map(|(index, field)| {
        let Field { ident: name, column, .. } = field;
        let (path, text) = (field.path(), plain(name));
        let column = quote!(<#table::#column as #private::diesel::Column>::NAME);
        quote!(#name: #private::live::Field::new(#index, #text, #column, |model| &model.#path))
    });
    let bounds = comparable.iter().map(|field| {
        let (sql, ty) = (sql_type(field), &field.ty);
        quote! {
            __DB: #private::diesel::sql_types::HasSqlType<#sql>,
            #ty: #private::diesel::serialize::ToSql<#sql, __DB>
        }
    });
    let binds = comparable.iter().enumerate().map(|(index, field)| {
        let (sql, ty) = (sql_type(field), &field.ty);
        quote! {
            #index => if let ::core::option::Option::Some(value) = value.downcast_ref::<#ty>() {
                return out.push_bind_param::<#sql, #ty>(value);
            }
        }
    });
    let same = model.fields.iter().map(|field| {
        let path = field.path();
        // The span names the field if its type has no `PartialEq`.
        quote_spanned!(field.ty.span()=> self.#path == other.#path)
    });
    let foreign_keys = foreign_keys(model, &comparable, private);
    let has_generated = model.of_kind(FieldKind::Generated).next().is_some();
    let diesel = quote!(#private::diesel);
    quote! {
        #[automatically_derived]
        impl #private::live::LiveModel for #ident {
            type LiveFields = #name;
            const HAS_GENERATED: bool = #has_generated;
            fn fields() -> #name {
                #name { #(#values),* }
            }
            #[allow(clippy::float_cmp)]
            fn same(&self, other: &Self) -> bool {
                true #(&& #same)*
            }
        }
        #[automatically_derived]
        impl #private::live::SyncItem for #ident {
            type Model = Self;
            fn item_key(&self) -> #private::KeyValue {
                <Self as #private::Evented>::key_value(&#private::Evented::key(self))
            }
            fn record(&self) -> &Self {
                self
            }
            fn synced(
                &self,
                change: &#private::live::AnyChange,
                _: &mut #private::live::Found,
            ) -> ::core::option::Option<(Self, bool)> {
                #private::live::sync_record(self, change)
            }
            fn of_record(
                record: &Self,
                _: &#private::live::AnyChange,
                _: &mut #private::live::Found,
            ) -> ::core::option::Option<Self> {
                ::core::option::Option::Some(#private::Evented::copy(record))
            }
            fn watch(&self, interests: &mut #private::live::Interests) {
                #private::live::watch_record(self, interests);
            }
        }
        #[automatically_derived]
        impl<__DB: #private::SqlTypes> #private::ItemOn<__DB> for #ident
        where
            Self: #private::LiveOn<__DB>,
        {
            fn visit_models(visitor: &mut impl #private::ModelVisitor<__DB>) {
                visitor.model::<Self>();
            }
        }
        #[automatically_derived]
        impl<__DB> #private::BindOperands<__DB> for #ident
        where
            __DB: #diesel::backend::Backend,
            #(#bounds),*
        {
            fn push_operand<'b>(
                field: usize,
                value: &'b (dyn ::core::any::Any + ::core::marker::Send + ::core::marker::Sync),
                mut out: #diesel::query_builder::AstPass<'_, 'b, __DB>,
            ) -> #diesel::QueryResult<()> {
                let _ = (value, &mut out);
                match field {
                    #(#binds,)*
                    _ => {}
                }
                #private::no_such_operand()
            }
        }
        #foreign_keys
    }
}

/// Generates `impl ForeignKey` for each parent, unless no field of a filter has the column.
fn foreign_keys(model: &Model, comparable: &[&Field], private: &TokenStream) -> TokenStream {
    let ident = &model.ident;
    let mut seen = Vec::new();
    let mut impls = TokenStream::new();
    for BelongsTo { parent, column } in &model.parents {
        let parent = without_self(&parse_quote!(#parent), ident);
        if !can_be_named(parent.to_token_stream()) || seen.contains(&parent) {
            continue;
        }
        let of_column = |field: &&&Field| plain(&field.column) == plain(column);
        if let Some(Field { ident: name, ty, .. }) = comparable.iter().find(of_column) {
            impls.extend(quote! {
                #[automatically_derived]
                impl #private::live::ForeignKey<#parent> for #ident {
                    type Value = #ty;
                    fn foreign_key() -> #private::live::Field<Self, Self::Value> {
                        <Self as #private::live::LiveModel>::fields().#name
                    }
                }
            });
        }
        seen.push(parent);
    }
    impls
}

/// Whether an `impl` can name the type as it is written. A lifetime, a reference and `_` need parameters of the `impl`.
fn can_be_named(ty: TokenStream) -> bool {
    ty.into_iter().all(|token| match token {
        TokenTree::Punct(punct) => !matches!(punct.as_char(), '\'' | '&'),
        TokenTree::Ident(ident) => ident != "_",
        TokenTree::Group(group) => can_be_named(group.stream()),
        TokenTree::Literal(_) => true,
    })
}
