//! Generates what Diesel needs of the model's tables: the log's `table!`, and how rows are read and bound.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::Names;
use crate::model::{Field, FieldKind, KeyKind, Model};
use crate::names::plain;

/// The key's SQL type in the log. `table!` accepts literal types only, not the type of another column.
pub(super) fn key_sql(kind: KeyKind, private: &TokenStream) -> TokenStream {
    match kind {
        KeyKind::Uuid => quote!(#private::diesel::sql_types::Uuid),
        KeyKind::Id => quote!(#private::sql_types::Uid),
        KeyKind::Text => quote!(#private::diesel::sql_types::Text),
        KeyKind::I32 => quote!(#private::diesel::sql_types::Integer),
        KeyKind::I64 => quote!(#private::diesel::sql_types::BigInt),
    }
}

/// Generates `impl Model`, `ModelOn`, `BindColumns` and `IntoRecordRef`.
pub(super) fn expand(model: &Model, names: &Names) -> TokenStream {
    let Names { private, log, .. } = names;
    let (ident, table) = (&model.ident, &model.table);
    let Some((key, _)) = model.key() else { return TokenStream::new() };
    let (key_column, key_type) = (&key.column, &key.ty);
    let written: Vec<&Field> = model.state().chain(model.of_kind(FieldKind::Revision)).collect();
    let has_hook = model.before_append.is_some().then(|| {
        quote!(
            const HAS_BEFORE_APPEND: bool = true;
        )
    });
    let name = quote!(#private::diesel::Column);
    let columns = if model.log_only.is_some() {
        let names = written.iter().map(|field| plain(&field.column));
        quote! {
            const HAS_TABLE: bool = false;
            const KEY_COLUMN: &'static str = "";
            const COLUMNS: &'static [&'static str] = &[];
            const WRITTEN: &'static [&'static str] = &[#(#names),*];
        }
    } else {
        let columns = model.fields.iter().map(|field| &field.column);
        let written_columns = written.iter().map(|field| &field.column);
        quote! {
            const KEY_COLUMN: &'static str = <#table::#key_column as #name>::NAME;
            const COLUMNS: &'static [&'static str] = &[#(<#table::#columns as #name>::NAME),*];
            const WRITTEN: &'static [&'static str] = &[#(<#table::#written_columns as #name>::NAME),*];
        }
    };
    let joins = joins(model, names);
    let events_of = events_of(model, names, key_type);
    let (events, events_table) = events_table(model, names);
    let rows = if model.log_only.is_some() {
        super::log_only::rows(model, names)
    } else {
        rows(model, names, &written)
    };
    quote! {
        #joins
        #[automatically_derived]
        impl #private::Model for #ident {
            const DERIVED: #private::Derived = #private::Derived::TOKEN;
            type Log = #log;
            type Events = #events;
            #has_hook
            #columns
        }
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

/// Generates the join of the log with the model's table. Diesel's macros accept plain names only, so the user writes
/// the join of a log that was not generated here. Of the errors about a missing table, the one about the import is
/// reported first.
fn joins(model: &Model, Names { private, log, log_table, .. }: &Names) -> TokenStream {
    if model.log_table.is_some() || model.log_only.is_some() {
        return TokenStream::new();
    }
    let path = &model.table;
    let table = syn::Ident::new("__model_table", path.span());
    let import = quote_spanned!(path.span()=> use #path as #table;);
    if model.shared_log.is_none() {
        return quote! {
            #import
            #private::diesel::joinable!(#log_table -> #table (record_id));
            #private::diesel::allow_tables_to_appear_in_same_query!(#log_table, #table);
        };
    }
    // The code that those macros would generate, with the types of the log. It joins events of the same record and of
    // this model only.
    let Some((key, _)) = model.key() else { return TokenStream::new() };
    let (key, schema) = (&key.column, &model.schema.value);
    let dsl = quote!(#private::diesel::dsl);
    let nullable = quote!(#dsl::Nullable);
    let events = quote!(<#log as #private::EventLog>::Table);
    let (record, name) = (
        quote!(<#log as #private::EventLog>::RecordColumn),
        quote!(<#log as #private::SharedLog>::SchemaColumn),
    );
    let on = quote! {
        #dsl::And<
            #dsl::Eq<#nullable<#record>, #nullable<#table::#key>>,
            #dsl::Eq<#nullable<#name>, &'static str>,
        >
    };
    let condition = quote! {{
        use #private::diesel::{BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods};
        let record = ExpressionMethods::eq(
            NullableExpressionMethods::nullable(<#record as ::core::default::Default>::default()),
            NullableExpressionMethods::nullable(#table::#key),
        );
        let name = ExpressionMethods::eq(
            NullableExpressionMethods::nullable(<#name as ::core::default::Default>::default()),
            #schema,
        );
        BoolExpressionMethods::and(record, name)
    }};
    quote! {
        #import
        #[automatically_derived]
        impl #private::diesel::query_source::TableNotEqual<#events> for #table::table {}
        #[automatically_derived]
        impl #private::diesel::query_source::TableNotEqual<#table::table> for #events {}
        #[automatically_derived]
        impl #private::diesel::JoinTo<#table::table> for #events {
            type FromClause = #table::table;
            type OnClause = #on;
            fn join_target(rhs: #table::table) -> (Self::FromClause, Self::OnClause) {
                (rhs, #condition)
            }
        }
        #[automatically_derived]
        impl #private::diesel::JoinTo<#events> for #table::table {
            type FromClause = #events;
            type OnClause = #on;
            fn join_target(rhs: #events) -> (Self::FromClause, Self::OnClause) {
                (rhs, #condition)
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
fn events_of(model: &Model, Names { private, log, .. }: &Names, key: &syn::Type) -> TokenStream {
    let (ident, schema) = (&model.ident, &model.schema.value);
    let dsl = quote!(#private::diesel::dsl);
    let of_log = |part: &str| {
        let part = syn::Ident::new(part, proc_macro2::Span::call_site());
        quote!(<#log as #private::EventLog>::#part)
    };
    let (table, columns) = (of_log("Table"), of_log("Columns"));
    let (record, revision) = (of_log("RecordColumn"), of_log("RevisionColumn"));
    let name = quote!(<#log as #private::SharedLog>::SchemaColumn);
    let mut of_record = quote!(#dsl::Filter<#dsl::Select<#table, #columns>, #dsl::Eq<#record, #key>>);
    let mut narrow = TokenStream::new();
    if model.shared_log.is_some() {
        of_record = quote!(#dsl::Filter<#of_record, #dsl::Eq<#name, &'static str>>);
        narrow = quote! {
            let query = QueryDsl::filter(query, ExpressionMethods::eq(<#name as ::core::default::Default>::default(), #schema));
        };
    }
    quote! {
        #[automatically_derived]
        impl #private::EventsOf for #ident {
            type Query = #dsl::Order<#of_record, #dsl::Asc<#revision>>;
            fn events_of(&self) -> Self::Query {
                use #private::diesel::{ExpressionMethods, QueryDsl};
                let key = ::core::clone::Clone::clone(<Self as #private::Evented>::key(self));
                let query = QueryDsl::select(
                    <#table as ::core::default::Default>::default(),
                    <#log as #private::EventLog>::columns(),
                );
                let query = QueryDsl::filter(query, ExpressionMethods::eq(<#record as ::core::default::Default>::default(), key));
                #narrow
                QueryDsl::order(query, ExpressionMethods::asc(<#revision as ::core::default::Default>::default()))
            }
        }
    }
}

/// Generates how rows are read and bound, on every database that has the types of all columns.
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
    let before_append = before_append(model, private);
    let backend = quote!(#private::diesel::backend::Backend);
    let pass = quote!(#private::diesel::query_builder::AstPass);
    quote! {
        #[automatically_derived]
        impl<__DB> #private::BindColumns<__DB> for #ident
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
        impl<__DB> #private::NamedTable<__DB> for #ident
        where
            __DB: #backend,
            #table::table: #private::diesel::query_builder::QueryFragment<__DB>,
        {
            fn push_table(out: #pass<'_, '_, __DB>) -> #private::diesel::QueryResult<()> {
                #private::diesel::query_builder::QueryFragment::walk_ast(&#table::table, out)
            }
        }
        #[automatically_derived]
        impl<__DB> #private::ModelOn<__DB> for #ident
        where
            __DB: #private::EventedBackend,
            #ident: #private::NamedTable<__DB> + #private::BindColumns<__DB>,
            #(#read_bounds),*
        {
            fn read<'a>(
                row: &impl #private::diesel::row::Row<'a, __DB>,
                from: usize,
            ) -> #private::diesel::deserialize::Result<Self> {
                ::core::result::Result::Ok(Self { #(#reads),* })
            }
            #before_append
        }
    }
}

/// Generates the call of the hook that runs before an event is written.
pub(super) fn before_append(model: &Model, private: &TokenStream) -> Option<TokenStream> {
    model.before_append.as_ref().map(|path| {
        quote! {
            fn before_append<__D: #private::Executor<__DB>>(
                pending: &mut #private::PendingEvent<Self>,
                history: &[#private::Event<Self>],
                conn: &mut __D,
            ) -> impl ::core::future::Future<Output = ::core::result::Result<(), #private::Error>>
            + ::core::marker::Send {
                #path::<__DB, __D>(pending, history, conn)
            }
        }
    })
}
