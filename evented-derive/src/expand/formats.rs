//! Generates the form in the log of fields with `#[evented(with = module)]`.

use proc_macro2::TokenStream;
use quote::quote;

use super::Names;
use crate::model::{Field, Model};

/// Generates the implementations that call the modules.
pub(super) fn expand(model: &Model, Names { private, .. }: &Names) -> TokenStream {
    let ident = &model.ident;
    let formats = model.state().filter_map(|field| {
        let (with, ty, number) = (field.with.as_ref()?, &field.ty, number(model, field));
        let serde = quote!(#private::serde);
        Some(quote! {
            #[automatically_derived]
            impl #private::FieldFormat<#number> for #ident {
                type Value = #ty;
                fn serialize<__S: #serde::Serializer>(
                    value: &#ty,
                    serializer: __S,
                ) -> ::core::result::Result<__S::Ok, __S::Error> {
                    #with::serialize(value, serializer)
                }
                fn deserialize<'de, __D: #serde::Deserializer<'de>>(
                    deserializer: __D,
                ) -> ::core::result::Result<#ty, __D::Error> {
                    #with::deserialize(deserializer)
                }
            }
        })
    });
    quote!(#(#formats)*)
}

/// The type that serde writes a field of `self` as, and its reference.
///
/// The type is named, so that a type without serde is reported at its field.
pub(super) fn borrowed(
    model: &Model,
    field: &Field,
    Names { private, .. }: &Names,
) -> (TokenStream, TokenStream) {
    let (ident, ty, path, number) = (&model.ident, &field.ty, field.path(), number(model, field));
    if field.with.is_none() {
        return (quote!(#ty), quote!(&self.#path));
    }
    (quote!(#private::Formatted<&#ty, #ident, #number>), quote!(&#private::Formatted::new(&self.#path)))
}

/// The type that serde reads and writes the value of a field as, if it is not the field's own.
pub(super) fn owned(model: &Model, field: &Field, Names { private, .. }: &Names) -> Option<TokenStream> {
    let (ident, ty, number) = (&model.ident, &field.ty, number(model, field));
    field.with.as_ref().map(|_| quote!(#private::Formatted<#ty, #ident, #number>))
}

/// The attribute of a field of the generated update.
pub(super) fn of_change(model: &Model, field: &Field, Names { private, .. }: &Names) -> Option<TokenStream> {
    field.with.as_ref()?;
    let (ident, number) = (&model.ident, number(model, field));
    let [write, read] = ["serialize_changed", "deserialize_changed"].map(|function| {
        let function = syn::Ident::new(function, proc_macro2::Span::call_site());
        quote!(#private::#function::<#ident, #number, _>).to_string().replace(' ', "")
    });
    Some(quote!(#[serde(serialize_with = #write, deserialize_with = #read)]))
}

/// The number of a field among those of the state.
fn number(model: &Model, field: &Field) -> usize {
    model.state().position(|other| other.ident == field.ident).unwrap_or_default()
}
