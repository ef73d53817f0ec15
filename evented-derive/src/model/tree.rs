//! The content of the attributes of `#[derive(Tree)]`.

use proc_macro2::Span;
use syn::{Expr, Ident, Path, Type, Visibility};

use super::Spanned;
use crate::names;

/// A struct with `#[derive(Tree)]`.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    /// The path of the library.
    pub(crate) krate: Path,
    /// `#[tree(row)]`: the record at the root.
    pub(crate) row: TreeRow,
    /// The associations, in order of declaration.
    pub(crate) branches: Vec<TreeBranch>,
}

/// The field of the record at the root.
#[derive(Debug)]
pub(crate) struct TreeRow {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    /// Options that the field has, although a row has none.
    pub(crate) options: BranchOptions,
}

/// A field that holds associated records.
#[derive(Debug)]
pub(crate) struct TreeBranch {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) kind: BranchKind,
    pub(crate) options: BranchOptions,
}

/// The kind of an association.
#[derive(Debug)]
pub(crate) enum BranchKind {
    HasMany,
    HasOne,
    BelongsTo,
    ManyToMany(Join),
}

/// `many_to_many(Link, by = item_id, to = tag_id)`: the model whose records link two others.
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) model: Path,
    /// The foreign key that refers to the root. Default: that of Diesel's `belongs_to`.
    pub(crate) by: Option<Ident>,
    /// The foreign key that refers to the associated record. Default: that of Diesel's `belongs_to`.
    pub(crate) to: Option<Ident>,
}

/// `through(Via, by = item_id)`: the model between a record and the children of its children.
#[derive(Debug)]
pub(crate) struct Through {
    pub(crate) model: Path,
    /// The foreign key that refers to the root. Default: that of Diesel's `belongs_to`.
    pub(crate) by: Option<Ident>,
}

/// The options of an association, each with the span of its name.
#[derive(Debug, Default)]
pub(crate) struct BranchOptions {
    /// `by = field`: the foreign key. Default: that of Diesel's `belongs_to`.
    pub(crate) by: Option<Spanned<Ident>>,
    pub(crate) order: Option<Spanned<Expr>>,
    pub(crate) filter: Option<Spanned<Expr>>,
    pub(crate) limit: Option<Spanned<Expr>>,
    pub(crate) through: Option<Spanned<Through>>,
    /// `depth = 3`: how often the tree contains itself.
    pub(crate) depth: Option<Spanned<u32>>,
}

impl BranchOptions {
    /// The names of the options that are given, with their spans.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&'static str, Span)> {
        let spans = [
            ("by", self.by.as_ref().map(|it| it.span)),
            ("order", self.order.as_ref().map(|it| it.span)),
            ("filter", self.filter.as_ref().map(|it| it.span)),
            ("limit", self.limit.as_ref().map(|it| it.span)),
            ("through", self.through.as_ref().map(|it| it.span)),
            ("depth", self.depth.as_ref().map(|it| it.span)),
        ];
        spans.into_iter().filter_map(|(name, span)| Some((name, span?)))
    }
}

impl BranchKind {
    /// The attribute without options.
    pub(crate) fn attribute(&self) -> &'static str {
        match self {
            Self::HasMany => "has_many",
            Self::HasOne => "has_one",
            Self::BelongsTo => "belongs_to",
            Self::ManyToMany(_) => "many_to_many(Link)",
        }
    }

    /// Whether there is one associated record at most.
    pub(crate) fn is_single(&self) -> bool {
        matches!(self, Self::HasOne | Self::BelongsTo)
    }
}

impl TreeBranch {
    /// Whether the type of the field names the tree itself. In a [`TreeBranch`], the tree's name stands for `Self`.
    pub(crate) fn contains(&self, tree: &Tree) -> bool {
        names::mentions(&self.ty, &names::plain(&tree.ident))
    }

    /// The models whose records lead to the associated ones: the link, or the model between.
    pub(crate) fn between(&self) -> Option<&Path> {
        match &self.kind {
            BranchKind::ManyToMany(join) => Some(&join.model),
            _ => self.options.through.as_ref().map(|through| &through.value.model),
        }
    }
}
