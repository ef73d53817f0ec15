//! Generates how the rows of a model's table are read and bound.

use proc_macro2::TokenStream;
use quote::quote;

use super::Names;
use crate::model::{Field, Model};

/// Generates how rows are read and bound, on every database that has the types of all columns.
pub(super) fn rows(model: &Model, Names { private, .. }: &Names, written: &[&Field]) -> TokenStream {
    let (ident, table) = (&model.ident, &model.table);
    let sql_type = |field: &Field| {
        let column = &field.column;
        quote!(<#table::#column as #private::diesel::Expression>::SqlType)
    };
    let read_type = |field: &Field| {
        let ty = field.deserialize_as.as_ref().unwrap_or(&field.ty);
        quote!(#ty)
    };
    let read_bounds = model.columns().map(|field| {
        let (sql, ty) = (sql_type(field), read_type(field));
        // What Diesel's own derive requires of `deserialize_as`: a type may implement `Queryable` alone.
        let from = if field.deserialize_as.is_some() { quote!(FromSqlRow) } else { quote!(FromSql) };
        quote!(#ty: #private::diesel::deserialize::#from<#sql, __DB>)
    });
    let bind_bounds = written.iter().map(|field| {
        let (sql, ty) = (sql_type(field), field.serialize_as.as_ref().unwrap_or(&field.ty));
        quote! {
            __DB: #private::diesel::sql_types::HasSqlType<#sql>,
            #ty: #private::diesel::serialize::ToSql<#sql, __DB>
        }
    });
    let indices: Vec<&syn::Ident> = model.columns().map(|field| &field.ident).collect();
    let reads = model.fields_with(|field| {
        let Some(index) = indices.iter().position(|ident| **ident == field.ident) else {
            return quote!(::core::default::Default::default());
        };
        let (sql, ty) = (sql_type(field), read_type(field));
        if field.deserialize_as.is_none() {
            return quote!(#private::column::<#sql, #ty, __DB>(row, from + #index)?);
        }
        let field_type = &field.ty;
        quote!(#private::converted_column::<#sql, #ty, #field_type, __DB>(row, from + #index)?)
    });
    let binds =
        written.iter().enumerate().filter(|(_, field)| field.serialize_as.is_none()).map(|(index, field)| {
            let (name, sql, ty) = (field.path(), sql_type(field), &field.ty);
            quote!(#index => out.push_bind_param::<#sql, #ty>(&self.#name))
        });
    let converted = converted_fields(written, private, &sql_type);
    let key_columns: Vec<_> = model.keys().map(|(field, _)| &field.column).collect();
    let parts = 0..key_columns.len();
    let before_append = before_append(model, private);
    let after_write = after_write(model, private);
    let delete_children = delete_children(model, private);
    // A model may be its own child.
    let children = model
        .cascade
        .iter()
        .map(|child| &child.model)
        .filter(|child| !child.is_ident(ident) && !child.is_ident("Self"));
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
            #converted
        }
        #[automatically_derived]
        impl<__DB> #private::NamedTable<__DB> for #ident
        where
            __DB: #backend,
            #table::table: #private::diesel::query_builder::QueryFragment<__DB>,
            #(#table::#key_columns: #private::diesel::query_builder::QueryFragment<__DB>,)*
        {
            fn push_table(out: #pass<'_, '_, __DB>) -> #private::diesel::QueryResult<()> {
                #private::diesel::query_builder::QueryFragment::walk_ast(&#table::table, out)
            }
            fn push_key_column(
                index: usize,
                out: #pass<'_, '_, __DB>,
            ) -> #private::diesel::QueryResult<()> {
                match index {
                    #(#parts => #private::diesel::query_builder::QueryFragment::walk_ast(&#table::#key_columns, out),)*
                    _ => ::core::result::Result::Ok(()),
                }
            }
        }
        #[automatically_derived]
        impl<__DB> #private::ModelOn<__DB> for #ident
        where
            __DB: #private::EventedBackend,
            #ident: #private::NamedTable<__DB> + #private::BindColumns<__DB>,
            #(#children: #private::ModelOn<__DB>,)*
            #(#read_bounds),*
        {
            fn read<'a>(
                row: &impl #private::diesel::row::Row<'a, __DB>,
                from: usize,
            ) -> #private::diesel::deserialize::Result<Self> {
                ::core::result::Result::Ok(Self { #reads })
            }
            #before_append
            #after_write
            #delete_children
        }
    }
}

/// Generates the delete of the records that refer to records of this model.
fn delete_children(model: &Model, private: &TokenStream) -> Option<TokenStream> {
    if model.cascade.is_empty() {
        return None;
    }
    let ident = &model.ident;
    let deletes = model.cascade.iter().map(|child| {
        let ty = &child.model;
        let of_relation = quote! {
            <#ty as #private::diesel::associations::BelongsTo<#ident>>::ForeignKeyColumn
        };
        let columns: Vec<_> = match child.columns.as_slice() {
            [] => vec![of_relation],
            columns => columns.iter().map(|column| quote!(#column)).collect(),
        };
        quote! {
            #private::delete_children::<__DB, #ident, #ty, __D>(
                conn,
                parents,
                &[#(#private::column_of_child::<#ty, #columns>()),*],
                cascade,
            ).await?;
        }
    });
    Some(quote! {
        fn delete_children<'a, __D: #private::Executor<__DB>>(
            conn: &'a mut __D,
            parents: &'a [#private::KeyValue],
            cascade: &'a #private::Cascade,
        ) -> #private::DeletingChildren<'a> {
            ::std::boxed::Box::pin(async move {
                #(#deletes)*
                ::core::result::Result::Ok(())
            })
        }
    })
}

/// Generates the conversion of the fields with `#[diesel(serialize_as = …)]`, if there are any.
fn converted_fields(
    written: &[&Field],
    private: &TokenStream,
    sql_type: &impl Fn(&Field) -> TokenStream,
) -> Option<TokenStream> {
    let arms: Vec<TokenStream> = written
        .iter()
        .enumerate()
        .filter_map(|(index, field)| {
            let (name, sql, field_type) = (field.path(), sql_type(field), &field.ty);
            let ty = field.serialize_as.as_ref()?;
            let value = quote! {
                <#field_type as ::core::convert::Into<#ty>>::into(::core::clone::Clone::clone(&self.#name))
            };
            Some(quote!(#index => #private::ConvertedField::new::<#sql, #ty>(#value)))
        })
        .collect();
    (!arms.is_empty()).then(|| {
        quote! {
            fn converted_field(
                &self,
                index: usize,
            ) -> ::core::option::Option<#private::ConvertedField<__DB>> {
                ::core::option::Option::Some(match index {
                    #(#arms,)*
                    _ => return ::core::option::Option::None,
                })
            }
        }
    })
}

/// Generates the call of the hook that runs after an event is written.
pub(super) fn after_write(model: &Model, private: &TokenStream) -> Option<TokenStream> {
    model.after_write.as_ref().map(|path| {
        quote! {
            fn after_write<__D: #private::Executor<__DB>>(
                written: #private::Written<'_, Self>,
                conn: &mut __D,
            ) -> impl ::core::future::Future<Output = ::core::result::Result<(), #private::Error>>
            + ::core::marker::Send {
                #path::<__DB, __D>(written, conn)
            }
        }
    })
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
