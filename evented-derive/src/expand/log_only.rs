//! Generates a model without a table. Nothing is read from rows or bound to them.

use proc_macro2::TokenStream;
use quote::quote;

use super::Names;
use crate::model::Model;

pub(super) fn rows(model: &Model, Names { private, .. }: &Names) -> TokenStream {
    let ident = &model.ident;
    let before_append = super::rows::before_append(model, private);
    let after_write = super::rows::after_write(model, private);
    let backend = quote!(#private::diesel::backend::Backend);
    let pass = quote!(#private::diesel::query_builder::AstPass);
    quote! {
        #[automatically_derived]
        impl<__DB: #backend> #private::BindColumns<__DB> for #ident {
            fn push_field<'b>(
                &'b self,
                _: usize,
                _: #pass<'_, 'b, __DB>,
            ) -> #private::diesel::QueryResult<()> {
                ::core::result::Result::Ok(())
            }
        }
        #[automatically_derived]
        impl<__DB: #backend> #private::NamedTable<__DB> for #ident {
            fn push_table(_: #pass<'_, '_, __DB>) -> #private::diesel::QueryResult<()> {
                ::core::result::Result::Ok(())
            }
            fn push_key_column(_: usize, _: #pass<'_, '_, __DB>) -> #private::diesel::QueryResult<()> {
                ::core::result::Result::Ok(())
            }
        }
        #[automatically_derived]
        impl<__DB: #private::EventedBackend> #private::ModelOn<__DB> for #ident {
            fn read<'a>(
                _: &impl #private::diesel::row::Row<'a, __DB>,
                _: usize,
            ) -> #private::diesel::deserialize::Result<Self> {
                ::core::result::Result::Err(::core::convert::From::from("the model has no table"))
            }
            #before_append
            #after_write
        }
    }
}
