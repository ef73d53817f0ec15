//! Generates logs: their `table!`s, and the implementation of `EventLog`.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, Path};

use super::tables::key_sql;
use super::{Names, typed_function};
use crate::model::{Alias, KeyKind, Log, Model};
use crate::names::{fitted, plain};

/// The log's columns in the order of `Event`.
const LOG_COLUMNS: [&str; 11] = [
    "position",
    "txid",
    "record_id",
    "revision",
    "at",
    "version",
    "action",
    "payload",
    "meta",
    "id",
    "state",
];

/// The properties of a log that several models share.
#[derive(Clone, Copy)]
struct Shared {
    hashed: bool,
}

/// Generates the `table!` of a log's events.
fn events_table(
    private: &TokenStream,
    (schema, name): (Option<&str>, &Ident),
    key: KeyKind,
    shared: Option<Shared>,
    doc: &str,
) -> TokenStream {
    let key = key_sql(key, private);
    let schema = schema.map(|schema| {
        let schema = Ident::new(schema, name.span());
        quote!(#schema.)
    });
    let schema_column = shared.is_some().then(|| {
        quote! {
            /// The model's name in the log.
            schema -> #private::diesel::sql_types::Text,
        }
    });
    let hash = shared.is_some_and(|shared| shared.hashed).then(|| {
        quote! {
            /// The hash of the event. It covers the hash of the previous event of the record.
            hash -> #private::diesel::sql_types::Binary,
        }
    });
    let sql_name = fitted(&plain(name));
    let sql_name = (sql_name != plain(name)).then(|| quote!(#[sql_name = #sql_name]));
    quote! {
        #private::diesel::table! {
            #[doc = #doc]
            #sql_name
            #schema #name (position) {
                /// The event's number in the log.
                position -> #private::diesel::sql_types::BigInt,
                /// The transaction that wrote the event.
                txid -> #private::diesel::sql_types::BigInt,
                /// The record's key.
                record_id -> #key,
                /// The event's number in the record's history, from 1.
                revision -> #private::diesel::sql_types::BigInt,
                /// When the event was made.
                at -> #private::sql_types::UtcTime,
                /// The schema version that the event was written under.
                version -> #private::diesel::sql_types::SmallInt,
                /// Whether the caller chose the event's id, with `.idempotent(id)`.
                given_id -> #private::diesel::sql_types::Bool,
                #schema_column
                /// The action's name in the log.
                action -> #private::diesel::sql_types::Text,
                /// The action in its JSON form.
                payload -> #private::sql_types::JsonText,
                /// Actor, cause, correlation and the caller's own entries; `{}` if there are none.
                meta -> #private::sql_types::JsonText,
                /// The event's id.
                id -> #private::sql_types::Uid,
                /// The digest of the state after the event.
                state -> #private::diesel::sql_types::Binary,
                #hash
            }
        }
    }
}

/// Generates the items of `impl EventLog` that depend on the table.
fn columns_of(table: &TokenStream, span: Span) -> TokenStream {
    let columns = LOG_COLUMNS.map(|column| Ident::new(column, span));
    quote! {
        type Table = #table::table;
        type RecordColumn = #table::record_id;
        type RevisionColumn = #table::revision;
        type Columns = (#(#table::#columns),*);
        fn columns() -> Self::Columns {
            (#(#table::#columns),*)
        }
    }
}

fn log_name(private: &TokenStream, schema: Option<&str>, table: &str) -> TokenStream {
    let schema = match schema {
        Some(schema) => quote!(::core::option::Option::Some(#schema)),
        None => quote!(::core::option::Option::None),
    };
    quote!(#private::LogName { schema: #schema, table: #table })
}

fn kind_of(key: KeyKind) -> Ident {
    let kind = match key {
        KeyKind::Uuid | KeyKind::Id => "Uuid",
        KeyKind::I32 => "Int",
        KeyKind::I64 => "BigInt",
        KeyKind::Text | KeyKind::I16 | KeyKind::Bool | KeyKind::Bytes => "Text",
    };
    Ident::new(kind, Span::call_site())
}

/// The Rust type of a key as Diesel reads it from the log.
fn logged_key(key: KeyKind, private: &TokenStream) -> TokenStream {
    match key {
        KeyKind::Uuid | KeyKind::Id => quote!(#private::Id<()>),
        KeyKind::I32 => quote!(i32),
        KeyKind::I64 => quote!(i64),
        KeyKind::Text | KeyKind::I16 | KeyKind::Bool | KeyKind::Bytes => quote!(::std::string::String),
    }
}

/// Generates the log of a model that does not share one: the table, unless the user has one, and its properties.
pub(super) fn of_ones_own(model: &Model, names: &Names) -> TokenStream {
    let Names { private, log, log_table, log_name: name, .. } = names;
    if model.shared_log.is_some() {
        return TokenStream::new();
    }
    let kind = model.key_in_log();
    let schema = model.db_schema.as_ref().map(|schema| schema.value.as_str());
    let table = model.log_table.is_none().then(|| {
        let doc = format!("The event log of [`{}`].", model.ident);
        events_table(private, (schema, name), kind, None, &doc)
    });
    let columns = columns_of(log_table, name.span());
    // A table of the user's own has the name that the user gave it.
    let table_name = if model.log_table.is_some() { plain(name) } else { fitted(&plain(name)) };
    let sql_name = log_name(private, schema, &table_name);
    let (ident, key, kind) = (&model.ident, logged_key(kind, private), kind_of(kind));
    // A table of the user's own may be in another crate, so a type of this crate stands for the log.
    let marker = model.log_table.is_some().then(|| {
        let doc = format!("The event log of [`{ident}`].");
        let vis = &model.vis;
        quote! {
            #[doc = #doc]
            #[derive(::core::fmt::Debug)]
            #[allow(dead_code)]
            #vis struct #log;
        }
    });
    quote! {
        #table
        #marker
        #[automatically_derived]
        impl #private::EventLog for #log {
            type Key = #key;
            const DERIVED: #private::Derived = #private::Derived::TOKEN;
            #columns
            const NAME: #private::LogName = #sql_name;
            const KEY: #private::KeyKind = #private::KeyKind::#kind;
            const SHARDS: &'static [#private::LogName] = &[#sql_name];
        }
        #[automatically_derived]
        impl #private::HoldsModel<#ident> for #log {
            const DERIVED: #private::Derived = #private::Derived::TOKEN;
        }
    }
}

/// Generates all code of `#[derive(EventLog)]`.
pub(crate) fn expand(log: &Log) -> TokenStream {
    let krate = &log.krate;
    let private = quote!(#krate::__private);
    let (ident, table) = (&log.ident, Ident::new(&log.table.value, log.table.span));
    let schema = log.db_schema.as_ref().map(|schema| schema.value.as_str());
    let doc = format!("The event log [`{ident}`].");
    let events = events_table(&private, (schema, &table), log.key, Some(Shared { hashed: log.hashed }), &doc);
    let columns = columns_of(&quote!(#table), table.span());
    let name = log_name(&private, schema, &log.table.value);
    let shards = match &log.shards {
        Some(shards) => {
            let tables = shards.names.iter().map(|shard| format!("{}_{shard}", log.table.value));
            tables.map(|table| log_name(&private, schema, &table)).collect()
        }
        None => vec![name.clone()],
    };
    let shard = log.shards.as_ref().map(|shards| shard_of(&private, shards.by.as_ref()));
    let (key, kind, hashed) = (logged_key(log.key, &private), kind_of(log.key), log.hashed);
    let links = log.links.iter().map(|link| {
        let (name, typed) = (plain(&link.name), link.data.is_some());
        quote!(#private::LinkShape { name: #name, typed: #typed })
    });
    let aliases = log.aliases.iter().map(|alias| {
        let (action, old) = (&alias.action.value, &alias.old.value);
        quote!((#action, #old))
    });
    let holds = log.models.iter().map(|(model, _)| {
        quote_spanned! {model.span()=>
            #[automatically_derived]
            impl #private::HoldsModel<#model> for #ident {
                const DERIVED: #private::Derived = #private::Derived::TOKEN;
            }
        }
    });
    let promises = promises(log, &private);
    let link_tables = log.links.iter().map(|link| link_table(log, link, &private, schema));
    quote! {
        #events
        #(#link_tables)*
        #[doc(hidden)]
        const _: () = {
            #[automatically_derived]
            impl #private::EventLog for #ident {
                type Key = #key;
                const DERIVED: #private::Derived = #private::Derived::TOKEN;
                #columns
                const NAME: #private::LogName = #name;
                const KEY: #private::KeyKind = #private::KeyKind::#kind;
                const SHARED: bool = true;
                const HASHED: bool = #hashed;
                const SHARDS: &'static [#private::LogName] = &[#(#shards),*];
                const LINKS: &'static [#private::LinkShape] = &[#(#links),*];
                const ALIASES: &'static [(&'static str, &'static str)] = &[#(#aliases),*];
                #shard
            }
            #[automatically_derived]
            impl #private::SharedLog for #ident {
                type SchemaColumn = #table::schema;
            }
            #(#holds)*
            #promises
        };
    }
}

fn shard_of(private: &TokenStream, by: Option<&Path>) -> TokenStream {
    let call = match by {
        Some(path) => {
            let function = typed_function(path, &quote!(fn(&#private::KeyValue) -> usize));
            quote!({ #function function(record) })
        }
        None => quote!(#private::shard_by_key(record)),
    };
    quote! {
        fn shard(record: &#private::KeyValue) -> usize {
            #call
        }
    }
}

/// Generates the table of a link. Code refers to the link by its table.
fn link_table(
    log: &Log,
    link: &crate::model::LogLink,
    private: &TokenStream,
    schema: Option<&str>,
) -> TokenStream {
    let (ident, name, key) = (&log.ident, plain(&link.name), key_sql(log.key, private));
    let table = format_ident!("{}_{}", log.table.value, name, span = link.name.span());
    let schema = schema.map(|schema| {
        let schema = Ident::new(schema, table.span());
        quote!(#schema.)
    });
    let doc = format!("The links `{name}` between events of [`{ident}`].");
    let typed = link.data.is_some();
    let data_type = link.data.as_ref().map_or_else(|| quote!(()), |path| quote!(#path));
    let data = typed.then(|| {
        quote! {
            /// The link's own fields.
            data -> #private::sql_types::JsonText,
        }
    });
    quote! {
        #private::diesel::table! {
            #[doc = #doc]
            #schema #table (event_id, linked_id) {
                /// The event that has the link.
                event_id -> #private::sql_types::Uid,
                /// The earlier event that the link leads to.
                linked_id -> #private::sql_types::Uid,
                /// The record of both events.
                record_id -> #key,
                /// The model's name in the log.
                schema -> #private::diesel::sql_types::Text,
                #data
            }
        }
        #[automatically_derived]
        impl #private::Link for #table::table {
            const DERIVED: #private::Derived = #private::Derived::TOKEN;
            type Log = #ident;
            type Data = #data_type;
            const NAME: &'static str = #name;
            const TYPED: bool = #typed;
        }
    }
}

/// Generates the checks that need the compiled models: their names, their actions and their keys.
fn promises(log: &Log, private: &TokenStream) -> TokenStream {
    let ident = &log.ident;
    let evented = &quote!(#private::Evented);
    let name_of = &|model: &Path| model.segments.last().map(|last| plain(&last.ident)).unwrap_or_default();
    let named = log.models.iter().filter_map(|(model, name)| {
        let name = name.as_ref()?;
        let value = &name.value;
        let message = format!(
            "`{0}` has another name in the log: write `#[evented(schema = \"{value}\")]` on it, or state that name here",
            name_of(model)
        );
        Some(quote_spanned! {name.span=>
            const _: () = ::core::assert!(#private::same(<#model as #evented>::SCHEMA, #value), #message);
        })
    });
    let distinct = log.models.iter().enumerate().flat_map(|(index, (model, _))| {
        log.models[..index].iter().map(move |(earlier, _)| {
            let message = format!(
                "`{}` and `{}` have the same name in the log: give one of them another with `#[evented(schema = \"…\")]`",
                name_of(earlier),
                name_of(model)
            );
            quote_spanned! {model.span()=>
                const _: () = ::core::assert!(
                    !#private::same(<#earlier as #evented>::SCHEMA, <#model as #evented>::SCHEMA),
                    #message
                );
            }
        })
    });
    let models: Vec<_> = log.models.iter().map(|(model, _)| model).collect();
    let aliases = log.aliases.iter().map(|Alias { action, old }| {
        let (new_name, old_name) = (&action.value, &old.value);
        let unknown = format!(
            "no model of the log has an action `{new_name}`: write the action's current name before \
             `(aliases(\"{old_name}\"))`"
        );
        let alive = format!(
            "`{old_name}` is the current name of an action, and an alias is a former name: leave the alias out, or \
             give that action another name"
        );
        let known = quote_spanned! {action.span=>
            const _: () = ::core::assert!(
                false #(|| #private::among(#new_name, <#models as #evented>::ACTIONS))*,
                #unknown
            );
        };
        let dead = quote_spanned! {old.span=>
            const _: () = ::core::assert!(
                true #(&& !#private::among(#old_name, <#models as #evented>::ACTIONS))*,
                #alive
            );
        };
        quote!(#known #dead)
    });
    let keys = log.models.iter().map(|(model, _)| {
        let message = format!(
            "the key of `{}` is not of the log's kind: a log with `key = String` holds keys of every kind, one with \
             `key = Id` (the default) or `key = Uuid` holds UUIDs",
            name_of(model)
        );
        quote_spanned! {model.span()=>
            const _: () = ::core::assert!(
                <#model as #evented>::KEY.is(<#ident as #private::EventLog>::KEY),
                #message
            );
        }
    });
    let members = log.models.iter().map(|(model, _)| {
        quote_spanned! {model.span()=>
            __recorded_here::<#model>();
        }
    });
    quote! {
        #(#named)*
        #(#distinct)*
        #(#aliases)*
        #[allow(dead_code)]
        fn __members() {
            fn __recorded_here<M: #private::RecordedIn<#ident>>() {}
            #(#members)*
        }
        #(#keys)*
    }
}
