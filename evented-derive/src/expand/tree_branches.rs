//! Generates the expression that builds a branch of a tree.

use proc_macro2::{Literal, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, Ident};

use crate::model::{BranchKind, Join, Spanned as Marked, Through, TreeBranch};

/// A variable that the user's expressions cannot name.
pub(super) fn local(name: &str, span: Span) -> Ident {
    Ident::new(name, span.resolved_at(Span::mixed_site()))
}

/// A path of the library with the span of what the user wrote, where errors about it are reported then.
pub(super) fn located(path: &TokenStream, span: Span) -> TokenStream {
    let tokens = path.clone().into_iter().map(|mut token| {
        // Only its own span tells which crate `$crate` is.
        let is_crate = token.to_string() == "$crate";
        token.set_span(if is_crate { span.resolved_at(token.span()) } else { span });
        token
    });
    tokens.collect()
}

/// The type of the trees in a branch.
pub(super) fn node(branch: &TreeBranch, private: &TokenStream) -> TokenStream {
    let (ty, span) = (&branch.ty, branch.ty.span());
    let holder = located(&quote!(#private::live::Branch), span);
    quote_spanned!(span=> <#ty as #holder>::Node)
}

/// The foreign keys of a branch.
enum Keys {
    /// That of the children, or of the record itself.
    One(TokenStream),
    /// Those of the records between, a type, and of what they lead to.
    Two(TokenStream, TokenStream, TokenStream),
}

fn keys(branch: &TreeBranch, private: &TokenStream) -> Keys {
    let span = branch.ty.span();
    let node = node(branch, private);
    let tree = located(&quote!(#private::live::Tree), span);
    let own = quote_spanned!(span=> <Self as #tree>::Model);
    let far = quote_spanned!(span=> <#node as #tree>::Model);
    let by = branch.options.by.as_ref().map(|by| &by.value);
    let key = |model: &TokenStream, field: Option<&Ident>, parent: &TokenStream, span: Span| {
        foreign_key(private, model, field, parent, span)
    };
    match (&branch.kind, &branch.options.through) {
        (BranchKind::HasMany | BranchKind::HasOne, None) => Keys::One(key(&far, by, &own, span)),
        (BranchKind::HasMany | BranchKind::HasOne, Some(Marked { value: through, .. })) => {
            let Through { model: via, by: via_by } = through;
            let via = quote!(#via);
            let first = key(&via, via_by.as_ref(), &own, via.span());
            let second = key(&far, by, &via, span);
            Keys::Two(via, first, second)
        }
        (BranchKind::BelongsTo, _) => Keys::One(key(&own, by, &far, span)),
        (BranchKind::ManyToMany(Join { model: link, by, to }), _) => {
            let link = quote!(#link);
            let near = key(&link, by.as_ref(), &own, link.span());
            let far = key(&link, to.as_ref(), &far, link.span());
            Keys::Two(link, near, far)
        }
    }
}

/// Generates the call that builds a branch. Each part of it has the span of what the user wrote for it.
pub(super) fn expand(index: usize, branch: &TreeBranch, private: &TokenStream) -> TokenStream {
    let (ty, span) = (&branch.ty, branch.ty.span());
    let (row, branches) = (local("row", span), local("branches", span));
    let old = old(branch, span);
    let at = at(index, branch, private);
    let related = related(branch, span);
    match (keys(branch, private), &branch.kind) {
        (Keys::One(key), BranchKind::BelongsTo) => {
            quote_spanned!(span=> #branches.belongs_to::<#ty, _, _>(#at, #row, #key, #old))
        }
        (Keys::One(key), _) => {
            quote_spanned!(span=> #branches.has_many::<#ty, _, _>(#at, #row, #key, #related, #old))
        }
        (Keys::Two(link, near, far), BranchKind::ManyToMany(_)) => quote_spanned! {span=>
            #branches.many_to_many::<#ty, #link, _, _, _>(#at, #row, #near, #far, #related, #old)
        },
        (Keys::Two(via, first, second), _) => quote_spanned! {span=>
            #branches.through::<#ty, #via, _, _, _>(#at, #row, #first, #second, #related, #old)
        },
    }
}

/// Generates the call that says by which foreign keys a branch is found.
pub(super) fn relation(branch: &TreeBranch, private: &TokenStream) -> TokenStream {
    let (ty, span) = (&branch.ty, branch.ty.span());
    let relations = local("relations", span);
    match (keys(branch, private), &branch.kind) {
        (Keys::One(key), BranchKind::BelongsTo) => {
            quote_spanned!(span=> #relations.belongs_to::<#ty, _, _>(#key))
        }
        (Keys::One(key), _) => quote_spanned!(span=> #relations.has_many::<#ty, _>(#key)),
        (Keys::Two(link, near, far), BranchKind::ManyToMany(_)) => {
            quote_spanned!(span=> #relations.many_to_many::<#ty, #link, _, _>(#near, #far))
        }
        (Keys::Two(via, first, second), _) => {
            quote_spanned!(span=> #relations.through::<#ty, #via, _, _>(#first, #second))
        }
    }
}

/// What the branch was before a change.
fn old(branch: &TreeBranch, span: Span) -> TokenStream {
    let (name, old) = (&branch.ident, local("old", span));
    quote_spanned!(span=> ::core::option::Option::map(#old, |old| &old.#name))
}

/// The foreign key of a model: a field, or that of Diesel's `belongs_to` for the parent.
fn foreign_key(
    private: &TokenStream,
    model: &TokenStream,
    field: Option<&Ident>,
    parent: &TokenStream,
    span: Span,
) -> TokenStream {
    if let Some(field) = field {
        let span = field.span();
        let live = located(&quote!(#private::live::LiveModel), span);
        return quote_spanned!(span=> <#model as #live>::fields().#field);
    }
    let foreign_key = located(&quote!(#private::live::ForeignKey), span);
    quote_spanned!(span=> <#model as #foreign_key<#parent>>::foreign_key())
}

/// The number of the branch, and how often the tree may contain itself there.
fn at(index: usize, branch: &TreeBranch, private: &TokenStream) -> TokenStream {
    let index = Literal::usize_unsuffixed(index);
    let depth = match &branch.options.depth {
        Some(depth) => {
            let depth = Literal::u32_unsuffixed(depth.value);
            quote!(::core::option::Option::Some(#depth))
        }
        None => quote!(::core::option::Option::None),
    };
    quote!(#private::live::At { branch: #index, depth: #depth })
}

/// The closure that narrows a branch to the filter, and gives it the order and the limit.
fn related(branch: &TreeBranch, span: Span) -> TokenStream {
    let (options, related) = (&branch.options, local("related", span));
    let call = |method: &str, value: &Option<Marked<Expr>>| {
        let value = &value.as_ref()?.value;
        let method = Ident::new(method, value.span());
        Some(quote_spanned!(value.span()=> .#method(#value)))
    };
    let filter = call("filter", &options.filter);
    let order = call("order", &options.order);
    let limit = call("limit", &options.limit);
    quote_spanned!(span=> |#related| #related #filter #order #limit)
}
