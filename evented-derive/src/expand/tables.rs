//! Generates what Diesel needs of the model's tables: the log's `table!`, and the joins with it.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::{Names, publishes};
use crate::model::{Field, FieldKind, KeyKind, Model};
use crate::names::plain;

/// The key's SQL type in the log. `table!` accepts literal types only, not the type of another column.
pub(super) fn key_sql(kind: KeyKind, private: &TokenStream) -> TokenStream {
    match kind {
        KeyKind::Uuid => quote!(#private::LogUuid),
        KeyKind::Id => quote!(#private::sql_types::Uid),
        KeyKind::Text | KeyKind::I16 | KeyKind::Bool | KeyKind::Bytes => {
            quote!(#private::diesel::sql_types::Text)
        }
        KeyKind::I32 => quote!(#private::diesel::sql_types::Integer),
        KeyKind::I64 => quote!(#private::diesel::sql_types::BigInt),
    }
}

/// Generates `impl Model`, `ModelOn`, `BindColumns` and `IntoRecordRef`.
pub(super) fn expand(model: &Model, names: &Names) -> TokenStream {
    let Names { private, log, .. } = names;
    let (ident, table) = (&model.ident, &model.table);
    let key_type = model.key_type();
    let written: Vec<&Field> = model.state().chain(model.of_kind(FieldKind::Revision)).collect();
    let has_hook = model.before_append.is_some().then(|| {
        quote!(
            const HAS_BEFORE_APPEND: bool = true;
        )
    });
    let runs_after = model.after_write.is_some().then(|| {
        quote!(
            const HAS_AFTER_WRITE: bool = true;
        )
    });
    let publishes = publishes::expand(model, names);
    let is_view = model.view.is_some().then(|| {
        quote!(
            const IS_VIEW: bool = true;
        )
    });
    let has_children = (!model.cascade.is_empty()).then(|| {
        quote!(
            const HAS_CHILDREN: bool = true;
        )
    });
    let name = quote!(#private::diesel::Column);
    let columns = if model.log_only.is_some() {
        let names = written.iter().map(|field| plain(&field.column));
        quote! {
            const HAS_TABLE: bool = false;
            const KEY_COLUMNS: &'static [&'static str] = &[];
            const COLUMNS: &'static [&'static str] = &[];
            const WRITTEN: &'static [&'static str] = &[#(#names),*];
        }
    } else {
        let columns = model.columns().map(|field| &field.column);
        let key_columns = model.keys().map(|(field, _)| &field.column);
        let uuid_text = uuid_text(model, private);
        let written_columns = written.iter().map(|field| &field.column);
        quote! {
            const KEY_COLUMNS: &'static [&'static str] = &[#(<#table::#key_columns as #name>::NAME),*];
            const COLUMNS: &'static [&'static str] = &[#(<#table::#columns as #name>::NAME),*];
            const WRITTEN: &'static [&'static str] = &[#(<#table::#written_columns as #name>::NAME),*];
            #uuid_text
        }
    };
    let with_table = model.log_only.is_none().then(|| {
        quote! {
            #[automatically_derived]
            impl #private::WithTable for #ident {
                const DERIVED: #private::Derived = #private::Derived::TOKEN;
                type Table = #table::table;
            }
        }
    });
    let joins = joins(model, names);
    let key_columns_fit = model.log_only.is_none().then(|| super::keys::columns_fit(model, names));
    let events_of = events_of(model, names);
    let (events, events_table) = events_table(model, names);
    let rows = if model.log_only.is_some() {
        super::log_only::rows(model, names)
    } else {
        super::rows::rows(model, names, &written)
    };
    quote! {
        #joins
        #key_columns_fit
        #[automatically_derived]
        impl #private::Model for #ident {
            const DERIVED: #private::Derived = #private::Derived::TOKEN;
            type Log = #log;
            type Events = #events;
            #has_hook
            #runs_after
            #publishes
            #has_children
            #is_view
            #columns
        }
        #with_table
        #[automatically_derived]
        impl #private::RecordedIn<#log> for #ident {
            const DERIVED: #private::Derived = #private::Derived::TOKEN;
        }
        #events_of
        #events_table
        #rows
        #[automatically_derived]
        impl #private::IntoRecordRef<#ident> for &#ident {
            fn into_record_ref(self) -> #private::RecordRef<#ident> {
                #private::RecordRef::record(self)
            }
        }
        #[automatically_derived]
        impl #private::IntoRecordRef<#ident> for #key_type {
            fn into_record_ref(self) -> #private::RecordRef<#ident> {
                #private::RecordRef::by_key(self)
            }
        }
    }
}

/// Generates `is_uuid_text`: which UUIDs of the key are in columns of text.
fn uuid_text(model: &Model, private: &TokenStream) -> Option<TokenStream> {
    let table = &model.table;
    let uuids: Vec<_> = model
        .keys()
        .enumerate()
        .filter(|(_, (_, kind))| matches!(kind, KeyKind::Uuid | KeyKind::Id))
        .map(|(part, (field, _))| {
            let column = &field.column;
            let sql = quote!(<#table::#column as #private::diesel::Expression>::SqlType);
            quote!(#part => #private::is_text::<#sql>())
        })
        .collect();
    (!uuids.is_empty()).then(|| {
        quote! {
            fn is_uuid_text(part: usize) -> bool {
                match part {
                    #(#uuids,)*
                    _ => false,
                }
            }
        }
    })
}

/// Generates the join of the log with the model's table, and checks that the key is the whole key of the table. Diesel's
/// macros would also implement its traits for types of its own, which fails if the table is in another crate. Of the
/// errors about a missing table, the one about the import is reported first.
fn joins(model: &Model, Names { private, log, .. }: &Names) -> TokenStream {
    if model.log_only.is_some() {
        return TokenStream::new();
    }
    let path = &model.table;
    let table = syn::Ident::new("__model_table", path.span());
    let import = quote_spanned!(path.span()=> use #path as #table;);
    let whole = model.keys().next().filter(|_| model.key.len() == 1).map(|(field, _)| {
        quote_spanned! {field.ident.span()=>
            #[allow(dead_code)]
            fn __whole_key() {
                fn __one_column<K: #private::OneColumn>() {}
                __one_column::<<#table::table as #private::diesel::Table>::PrimaryKey>();
            }
        }
    });
    if model.log_table.is_some() {
        // The user declares the joins of the log's table, next to it.
        return quote!(#import #whole);
    }
    let (ident, diesel) = (&model.ident, quote!(#private::diesel));
    let events = quote!(<#log as #private::EventLog>::Table);
    quote! {
        #import
        #whole
        /// Stands for the model, which may be private where its tables are not.
        #[derive(::core::fmt::Debug)]
        pub struct __Join;
        #[automatically_derived]
        impl<__DB> #private::JoinOf<__DB> for __Join
        where
            __DB: #private::EventedBackend,
            #ident: #private::ModelOn<__DB>,
        {
            fn push_condition(
                out: #diesel::query_builder::AstPass<'_, '_, __DB>,
            ) -> #diesel::QueryResult<()> {
                #private::push_is_row::<__DB, #ident>(out)
            }
        }
        #[automatically_derived]
        impl #diesel::query_source::TableNotEqual<#events> for #table::table {}
        #[automatically_derived]
        impl #diesel::query_source::TableNotEqual<#table::table> for #events {}
        #[automatically_derived]
        impl #diesel::JoinTo<#table::table> for #events {
            type FromClause = #table::table;
            type OnClause = #private::IsRow<__Join>;
            fn join_target(rhs: #table::table) -> (Self::FromClause, Self::OnClause) {
                (rhs, ::core::default::Default::default())
            }
        }
        #[automatically_derived]
        impl #diesel::JoinTo<#events> for #table::table {
            type FromClause = #events;
            type OnClause = #private::IsRow<__Join>;
            fn join_target(rhs: #events) -> (Self::FromClause, Self::OnClause) {
                (rhs, ::core::default::Default::default())
            }
        }
    }
}

/// The table that `Event::belonging_to` starts with. Diesel joins by the key alone, but in a shared log other models
/// may have records with the same keys. So the generated type stands for a table, but is a query that selects the
/// model's events.
fn events_table(model: &Model, Names { private, log, .. }: &Names) -> (TokenStream, TokenStream) {
    let table = quote!(<#log as #private::EventLog>::Table);
    if model.shared_log.is_none() {
        return (table, TokenStream::new());
    }
    let (diesel, schema) = (quote!(#private::diesel), &model.schema.value);
    let name = quote!(<#log as #private::SharedLog>::SchemaColumn);
    // Diesel requires columns of a table, but no code selects any from this type.
    let no_column = quote!(#diesel::dsl::AsExprOf<bool, #diesel::sql_types::Bool>);
    let nothing = quote!(#diesel::IntoSql::into_sql::<#diesel::sql_types::Bool>(true));
    let code = quote! {
        #[derive(::core::fmt::Debug, ::core::default::Default)]
        pub struct __Events;
        #[automatically_derived]
        impl #diesel::QuerySource for __Events {
            type FromClause = <#table as #diesel::QuerySource>::FromClause;
            type DefaultSelection = #no_column;
            fn from_clause(&self) -> Self::FromClause {
                #diesel::QuerySource::from_clause(&<#table as ::core::default::Default>::default())
            }
            fn default_selection(&self) -> Self::DefaultSelection {
                #nothing
            }
        }
        #[automatically_derived]
        impl #diesel::query_builder::AsQuery for __Events {
            type SqlType = <#table as #diesel::query_builder::AsQuery>::SqlType;
            type Query = #diesel::dsl::Filter<#table, #diesel::dsl::Eq<#name, &'static str>>;
            fn as_query(self) -> Self::Query {
                #diesel::QueryDsl::filter(
                    <#table as ::core::default::Default>::default(),
                    #diesel::ExpressionMethods::eq(<#name as ::core::default::Default>::default(), #schema),
                )
            }
        }
        #[automatically_derived]
        impl #diesel::Table for __Events {
            type PrimaryKey = #no_column;
            type AllColumns = #no_column;
            fn primary_key(&self) -> Self::PrimaryKey {
                #nothing
            }
            fn all_columns() -> Self::AllColumns {
                #nothing
            }
        }
    };
    (quote!(__Events), code)
}

/// Generates the query behind `item.events()`.
fn events_of(model: &Model, Names { private, log, .. }: &Names) -> TokenStream {
    let ident = &model.ident;
    let dsl = quote!(#private::diesel::dsl);
    let of_log = |part: &str| {
        let part = syn::Ident::new(part, proc_macro2::Span::call_site());
        quote!(<#log as #private::EventLog>::#part)
    };
    let (table, columns, revision) = (of_log("Table"), of_log("Columns"), of_log("RevisionColumn"));
    let of_record = quote!(#dsl::Filter<#dsl::Select<#table, #columns>, #private::IsRecord<#ident>>);
    quote! {
        #[automatically_derived]
        impl #private::EventsOf for #ident {
            type Query = #dsl::Order<#of_record, #dsl::Asc<#revision>>;
            fn events_of(&self) -> Self::Query {
                use #private::diesel::{ExpressionMethods, QueryDsl};
                let key = <Self as #private::Evented>::key(self);
                let query = QueryDsl::select(
                    <#table as ::core::default::Default>::default(),
                    <#log as #private::EventLog>::columns(),
                );
                let query = QueryDsl::filter(query, #private::IsRecord::<#ident>::new(key));
                QueryDsl::order(query, ExpressionMethods::asc(<#revision as ::core::default::Default>::default()))
            }
        }
    }
}
