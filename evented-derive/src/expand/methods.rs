//! Generates a method for each action of a model. The other methods are those of `EventedDsl`.

use proc_macro2::TokenStream;
use quote::quote;

use super::Names;
use crate::model::Model;

pub(super) fn expand(model: &Model, Names { private, .. }: &Names) -> TokenStream {
    if model.actions.is_empty() {
        return TokenStream::new();
    }
    let (ident, vis) = (&model.ident, &model.vis);
    let own = model.actions.iter().filter_map(|action| {
        let (method, ty) = (action.method.as_ref()?, &action.ty);
        let link = quote!(#ty).to_string().replace(' ', "");
        let doc = format!("Action `{}`: [`{link}`] says what it does.", action.name);
        Some(quote! {
            #[doc = #doc]
            #vis fn #method(&self, action: #ty) -> #private::Command<Self> {
                #private::Command::change(self, action)
            }
        })
    });
    quote! {
        /// The commands of the model's own actions.
        #[automatically_derived]
        #[allow(dead_code)]
        impl #ident {
            #(#own)*
        }
    }
}
