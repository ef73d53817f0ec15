//! The model's tables as Diesel knows them: the log's `table!`, and how rows are read and bound.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::Names;
use crate::model::{Field, FieldKind, KeyKind, Model};
use crate::names::plain;

/// The log's table, unless the user has one.
pub(super) fn log_table(model: &Model, Names { private, log_name, .. }: &Names) -> TokenStream {
    if model.log_table.is_some() {
        return TokenStream::new();
    }
    let Some((_, kind)) = model.key() else { return TokenStream::new() };
    let key = key_sql(kind, private);
    let schema = model.log_schema.as_ref().map(|schema| {
        let schema = syn::Ident::new(&schema.value, schema.span);
        quote!(#schema.)
    });
    let doc = format!("The event log of [`{}`].", model.ident);
    quote! {
        #private::diesel::table! {
            #[doc = #doc]
            #schema #log_name (position) {
                /// Order in the log.
                position -> #private::diesel::sql_types::BigInt,
                /// The writing transaction.
                txid -> #private::diesel::sql_types::BigInt,
                /// The record's key.
                record_id -> #key,
                /// Order in the record.
                revision -> #private::diesel::sql_types::BigInt,
                /// When.
                at -> #private::sql_types::UtcTime,
                /// The schema version.
                version -> #private::diesel::sql_types::Integer,
                /// The model's name.
                schema -> #private::diesel::sql_types::Text,
                /// The action's name.
                action -> #private::diesel::sql_types::Text,
                /// The action's own form.
                payload -> #private::sql_types::JsonText,
                /// Actor, cause, correlation and the caller's own entries.
                meta -> #private::diesel::sql_types::Nullable<#private::sql_types::JsonText>,
                /// The event's id.
                id -> #private::sql_types::Uid,
                /// The digest of the state.
                state -> #private::diesel::sql_types::Binary,
            }
        }
    }
}

/// The key's SQL type in the log: `table!` takes literal types only, not that of another column.
pub(super) fn key_sql(kind: KeyKind, private: &TokenStream) -> TokenStream {
    match kind {
        KeyKind::Uuid => quote!(#private::diesel::sql_types::Uuid),
        KeyKind::Id => quote!(#private::sql_types::Uid),
        KeyKind::Text => quote!(#private::diesel::sql_types::Text),
        KeyKind::I32 => quote!(#private::diesel::sql_types::Integer),
        KeyKind::I64 => quote!(#private::diesel::sql_types::BigInt),
    }
}

/// The log's columns in the order of `Event`.
const LOG_COLUMNS: [&str; 12] = [
    "position",
    "txid",
    "record_id",
    "revision",
    "at",
    "version",
    "schema",
    "action",
    "payload",
    "meta",
    "id",
    "state",
];

/// `impl Model`, `Rows`, `Bind` and `IntoTarget`.
pub(super) fn expand(model: &Model, names: &Names) -> TokenStream {
    let Names { private, log, log_name, .. } = names;
    let (ident, table) = (&model.ident, &model.table);
    let Some((key, _)) = model.key() else { return TokenStream::new() };
    let (key_column, key_type) = (&key.column, &key.ty);
    let written: Vec<&Field> = model.state().chain(model.of_kind(FieldKind::Revision)).collect();
    let columns = model.fields.iter().map(|field| &field.column);
    let written_columns = written.iter().map(|field| &field.column);
    let name = quote!(#private::diesel::Column);
    let log_text = plain(log_name);
    let log_schema = match &model.log_schema {
        Some(schema) => {
            let schema = &schema.value;
            quote!(::core::option::Option::Some(#schema))
        }
        None => quote!(::core::option::Option::None),
    };
    let log_columns = LOG_COLUMNS.map(|column| syn::Ident::new(column, log_name.span()));
    let joins = model.log_table.is_none().then(|| joins(model, names));
    let events_of = events_of(ident, names, &log_columns, key_type);
    let rows = rows(model, names, &written);
    quote! {
        #joins
        #[automatically_derived]
        impl #private::Model for #ident {
            type LogTable = #log::table;
            type RecordColumn = #log::record_id;
            type LogColumns = (#(#log::#log_columns),*);
            fn log_columns() -> Self::LogColumns {
                (#(#log::#log_columns),*)
            }
            const LOG: #private::LogName = #private::LogName { schema: #log_schema, table: #log_text };
            const KEY_COLUMN: &'static str = <#table::#key_column as #name>::NAME;
            const COLUMNS: &'static [&'static str] = &[#(<#table::#columns as #name>::NAME),*];
            const WRITTEN: &'static [&'static str] = &[#(<#table::#written_columns as #name>::NAME),*];
        }
        #events_of
        #rows
        #[automatically_derived]
        impl #private::IntoTarget<#ident> for &#ident {
            fn into_target(self) -> #private::Target<#ident> {
                #private::Target::record(self)
            }
        }
        #[automatically_derived]
        impl #private::IntoTarget<#ident> for #key_type {
            fn into_target(self) -> #private::Target<#ident> {
                #private::Target::by_key(self)
            }
        }
    }
}

/// How a generated log joins with its model's table. Diesel's macros take plain names only; and of the errors about a
/// table that does not exist, the one about the import comes first.
fn joins(model: &Model, Names { private, log, .. }: &Names) -> TokenStream {
    let path = &model.table;
    let table = syn::Ident::new("__model_table", path.span());
    let import = quote_spanned!(path.span()=> use #path as #table;);
    quote! {
        #import
        #private::diesel::joinable!(#log -> #table (record_id));
        #private::diesel::allow_tables_to_appear_in_same_query!(#log, #table);
    }
}

/// The query behind `item.events()`.
///
/// Its type says the columns once more: to name them by the model would make a private model part of a public type.
fn events_of(
    ident: &syn::Ident,
    Names { private, log, .. }: &Names,
    columns: &[syn::Ident],
    key: &syn::Type,
) -> TokenStream {
    let dsl = quote!(#private::diesel::dsl);
    quote! {
        #[automatically_derived]
        impl #private::EventsOf<#key> for #log::table {
            type Query = #dsl::Order<
                #dsl::Filter<
                    #dsl::Select<#log::table, (#(#log::#columns),*)>,
                    #dsl::Eq<#log::record_id, #key>,
                >,
                #dsl::Asc<#log::revision>,
            >;
            fn events_of(key: #key) -> Self::Query {
                use #private::diesel::{ExpressionMethods, QueryDsl};
                let all = QueryDsl::select(#log::table, <#ident as #private::Model>::log_columns());
                let of_record = QueryDsl::filter(all, ExpressionMethods::eq(#log::record_id, key));
                QueryDsl::order(of_record, ExpressionMethods::asc(#log::revision))
            }
        }
    }
}

/// How rows are read and bound, on every database that has the types of all columns.
fn rows(model: &Model, Names { private, .. }: &Names, written: &[&Field]) -> TokenStream {
    let (ident, table) = (&model.ident, &model.table);
    let sql_type = |field: &Field| {
        let column = &field.column;
        quote!(<#table::#column as #private::diesel::Expression>::SqlType)
    };
    let read_type = |field: &Field| {
        let ty = field.deserialize_as.as_ref().unwrap_or(&field.ty);
        quote!(#ty)
    };
    let read_bounds = model.fields.iter().map(|field| {
        let (sql, ty) = (sql_type(field), read_type(field));
        quote!(#ty: #private::diesel::deserialize::FromSql<#sql, __DB>)
    });
    let bind_bounds = written.iter().map(|field| {
        let (sql, ty) = (sql_type(field), &field.ty);
        quote! {
            __DB: #private::diesel::sql_types::HasSqlType<#sql>,
            #ty: #private::diesel::serialize::ToSql<#sql, __DB>
        }
    });
    let reads = model.fields.iter().enumerate().map(|(index, field)| {
        let (name, sql, ty) = (&field.ident, sql_type(field), read_type(field));
        let read = quote!(#private::column::<#sql, #ty, __DB>(row, from + #index)?);
        if field.deserialize_as.is_some() {
            quote!(#name: ::core::convert::TryInto::try_into(#read)?)
        } else {
            quote!(#name: #read)
        }
    });
    let binds = written.iter().enumerate().map(|(index, field)| {
        let (name, sql, ty) = (&field.ident, sql_type(field), &field.ty);
        quote!(#index => out.push_bind_param::<#sql, #ty>(&self.#name))
    });
    let backend = quote!(#private::diesel::backend::Backend);
    let pass = quote!(#private::diesel::query_builder::AstPass);
    quote! {
        #[automatically_derived]
        impl<__DB> #private::Bind<__DB> for #ident
        where
            __DB: #backend,
            #(#bind_bounds),*
        {
            fn push_field<'b>(
                &'b self,
                index: usize,
                mut out: #pass<'_, 'b, __DB>,
            ) -> #private::diesel::QueryResult<()> {
                match index {
                    #(#binds,)*
                    _ => ::core::result::Result::Ok(()),
                }
            }
        }
        #[automatically_derived]
        impl<__DB> #private::Rows<__DB> for #ident
        where
            __DB: #backend,
            #table::table: #private::diesel::query_builder::QueryFragment<__DB>,
            #ident: #private::Bind<__DB>,
            #(#read_bounds),*
        {
            fn push_table(out: #pass<'_, '_, __DB>) -> #private::diesel::QueryResult<()> {
                #private::diesel::query_builder::QueryFragment::walk_ast(&#table::table, out)
            }
            fn read<'a>(
                row: &impl #private::diesel::row::Row<'a, __DB>,
                from: usize,
            ) -> #private::diesel::deserialize::Result<Self> {
                ::core::result::Result::Ok(Self { #(#reads),* })
            }
        }
    }
}
