//! Generates the implementations of a tree: how it is built, whose policies it obeys, and which models it has.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use super::tree_branches::{self, local, located};
use crate::model::Tree;

/// Generates all code of the derive.
pub(crate) fn expand(tree: &Tree) -> TokenStream {
    let krate = &tree.krate;
    let private = quote!(#krate::__private);
    let inherent = inherent(tree, &private);
    let grow = grow(tree, &private);
    let allowed = allowed(tree, &private);
    let visited = visited(tree, &private);
    quote!(#inherent #grow #allowed #visited)
}

/// Generates `ItemCard::live()`.
fn inherent(tree: &Tree, private: &TokenStream) -> TokenStream {
    let Tree { ident, vis, .. } = tree;
    quote! {
        #[allow(dead_code)]
        impl #ident {
            /// The list of the trees of all records, in the order of their keys: the beginning of every live query.
            #vis fn live() -> #private::live::TreeQuery<Self> {
                #private::live::TreeQuery::all()
            }
        }
    }
}

/// Generates `impl Tree`. Each branch is built before the first one that is not known yet ends the function, so that all
/// that is missing is read at once.
fn grow(tree: &Tree, private: &TokenStream) -> TokenStream {
    let Tree { ident, row, .. } = tree;
    let (row_name, row_ty, at_row) = (&row.ident, &row.ty, row.ty.span());
    let (row, branches) = (local("row", Span::call_site()), local("branches", Span::call_site()));
    let old = local("old", Span::call_site());
    let built = |index: usize| format_ident!("branch_{index}", span = Span::mixed_site());
    let statements = tree.branches.iter().enumerate().map(|(index, branch)| {
        let (local, value) = (built(index), tree_branches::expand(index, branch, private));
        quote!(let #local = #value;)
    });
    let values = tree.branches.iter().enumerate().map(|(index, branch)| {
        let (name, local) = (&branch.ident, built(index));
        quote!(#name: #local?)
    });
    // The spans name the field if its type is not that of a row.
    let tree_of_row = located(&quote!(#private::live::Tree), at_row);
    let model = quote_spanned!(at_row=> <#row_ty as #tree_of_row>::Model);
    let record = local("row", at_row);
    let copy = quote_spanned!(at_row=> ::core::clone::Clone::clone(#record));
    let unused = tree.branches.is_empty().then(|| quote!(let _ = (#old, #branches);));
    let relate = relate(tree, private);
    quote! {
        #[automatically_derived]
        impl #private::live::Tree for #ident {
            type Model = #model;
            fn grow(
                #row: &#private::live::Row<Self::Model>,
                #old: ::core::option::Option<&Self>,
                #branches: &mut #private::live::Branches<'_, '_>,
            ) -> ::core::option::Option<Self> {
                #unused
                #(#statements)*
                ::core::option::Option::Some(Self {
                    #row_name: #copy,
                    #(#values,)*
                })
            }
            fn row(&self) -> &#private::live::Row<Self::Model> {
                &self.#row_name
            }
            #relate
        }
    }
}

/// Generates `Tree::relate`.
fn relate(tree: &Tree, private: &TokenStream) -> TokenStream {
    let relations = local("relations", Span::call_site());
    let unused = tree.branches.is_empty().then(|| quote!(let _ = #relations;));
    let relations_of = tree.branches.iter().map(|branch| tree_branches::relation(branch, private));
    quote! {
        fn relate(#relations: &mut #private::live::Relations<'_>) {
            #unused
            #(#relations_of;)*
        }
    }
}

/// Generates `impl AllowedBy`.
fn allowed(tree: &Tree, private: &TokenStream) -> TokenStream {
    let ident = &tree.ident;
    let (policy, policies) = (local("policy", Span::call_site()), local("policies", Span::call_site()));
    let (bounds, calls) = for_each_part(
        tree,
        private,
        &quote!(#private::live::AllowedBy<__P>),
        |part| quote!(#part::allow(#policy, #policies);),
    );
    quote! {
        #[automatically_derived]
        impl<__P> #private::live::AllowedBy<__P> for #ident
        where
            #bounds
        {
            fn allow(#policy: &::std::sync::Arc<__P>, #policies: &mut #private::live::Policies) {
                #calls
            }
        }
    }
}

/// Generates `impl TreeOn`.
fn visited(tree: &Tree, private: &TokenStream) -> TokenStream {
    let ident = &tree.ident;
    let visitor = local("visitor", Span::call_site());
    let (bounds, calls) =
        for_each_part(tree, private, &quote!(#private::TreeOn<__DB>), |part| quote!(#part::visit(#visitor);));
    quote! {
        #[automatically_derived]
        impl<__DB: #private::SqlTypes> #private::TreeOn<__DB> for #ident
        where
            #bounds
        {
            fn visit(#visitor: &mut impl #private::ModelVisitor<__DB>) {
                #calls
            }
        }
    }
}

/// The bounds by which each part of a tree has a trait, and the calls for each part.
fn for_each_part(
    tree: &Tree,
    private: &TokenStream,
    required: &TokenStream,
    call: impl Fn(TokenStream) -> TokenStream,
) -> (TokenStream, TokenStream) {
    let (mut bounds, mut calls) = (TokenStream::new(), TokenStream::new());
    for (span, part) in parts(tree, private) {
        let required = located(required, span);
        bounds.extend(quote_spanned!(span=> #part: #required,));
        calls.extend(call(quote_spanned!(span=> <#part as #required>)));
    }
    (bounds, calls)
}

/// The trees that a tree consists of, and the rows that lead to them, each with the span to report it at. The tree itself
/// is not among them, because a bound on it would be a cycle.
fn parts(tree: &Tree, private: &TokenStream) -> Vec<(Span, TokenStream)> {
    let row = &tree.row.ty;
    let mut parts = vec![(row.span(), quote!(#row))];
    for branch in &tree.branches {
        if let Some(model) = branch.between() {
            let span = model.span();
            let row = located(&quote!(#private::live::Row), span);
            parts.push((span, quote_spanned!(span=> #row<#model>)));
        }
        if !branch.contains(tree) {
            parts.push((branch.ty.span(), tree_branches::node(branch, private)));
        }
    }
    parts
}
