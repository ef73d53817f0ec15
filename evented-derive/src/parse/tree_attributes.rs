//! Parses `#[tree(…)]` on the struct and on its fields.

use proc_macro2::Span;
use syn::parse::ParseStream;
use syn::{Attribute, Data, DeriveInput, Fields, FieldsNamed, Ident, Path};

use super::items::{self, Form};
use crate::errors::Errors;
use crate::model::{BranchKind, BranchOptions, Join, Spanned, Through, Tree, TreeBranch, TreeRow};
use crate::names;

/// Each attribute of a field with its form. The first is the example for a name that resembles no attribute.
pub(super) const FIELD: &[Form] = &[
    ("has_many", "#[tree(has_many)]"),
    ("has_one", "#[tree(has_one)]"),
    ("belongs_to", "#[tree(belongs_to)]"),
    ("many_to_many", MANY_TO_MANY),
    ("row", ROW),
    ("by", "#[tree(has_many, by = item_id)]"),
    ("order", "#[tree(has_many, order = |c| c.at.desc())]"),
    ("filter", "#[tree(has_many, filter = |c| c.hidden.eq(false))]"),
    ("limit", "#[tree(has_many, limit = 20)]"),
    ("through", "#[tree(has_many, through(Post))]"),
    ("depth", "#[tree(has_many, depth = 3)]"),
];

/// The number of attributes, from the first, that say what a field is.
const PARTS: usize = 5;

const ROW: &str = "#[tree(row)]";

const MANY_TO_MANY: &str = "#[tree(many_to_many(Link))]";

/// The options of `many_to_many(…)`.
pub(super) const JOIN: &[Form] = &[
    ("by", "#[tree(many_to_many(Link, by = item_id))]"),
    ("to", "#[tree(many_to_many(Link, to = tag_id))]"),
];

/// The option of `through(…)`.
pub(super) const THROUGH: &[Form] = &[("by", "#[tree(has_many, through(Post, by = blog_id))]")];

/// The attribute of the struct.
pub(super) const STRUCT: &[Form] = &[("crate", "#[tree(crate = path::to::evented_diesel)]")];

/// What a field is.
enum Part {
    Row,
    Branch(BranchKind),
}

/// The attributes of a field as written.
#[derive(Default)]
struct Draft {
    /// The parts that the field is said to be, each with its name.
    parts: Vec<(&'static str, Part, Span)>,
    options: BranchOptions,
}

/// The tree; `None` if the input cannot be one.
pub(crate) fn tree(input: &DeriveInput, errors: &mut Errors) -> Option<Tree> {
    let krate = read_crate(&input.attrs, errors);
    let ident = &input.ident;
    if !input.generics.params.is_empty() {
        let reason = "a tree is of one model, so it has no generic parameters";
        errors.push_on(&input.generics.params, format!("{reason}; write `struct {ident} {{ … }}`"));
    }
    let fields = named_fields(input, errors)?;
    let (mut rows, mut branches, mut is_clear) = (Vec::new(), Vec::new(), true);
    for field in &fields.named {
        let Some(name) = field.ident.clone() else { continue };
        let ty = names::without_self(names::ungrouped(&field.ty), ident);
        let Some((part, options)) = part(&name, &field.attrs, errors) else {
            is_clear = false;
            continue;
        };
        match part {
            Part::Row => rows.push(TreeRow { ident: name, ty, options }),
            Part::Branch(kind) => branches.push(TreeBranch { ident: name, ty, kind, options }),
        }
    }
    for second in rows.iter().skip(1) {
        let reason = "a tree has one record at its root";
        errors.push(second.ident.span(), format!("{reason}; write `{ROW}` on one field"));
    }
    // The record may be in a field whose attribute has an error.
    if rows.is_empty() && is_clear {
        let reason = "the tree has no record at its root";
        errors.push(ident.span(), format!("{reason}; write `{ROW}` on its field, as in `item: Row<Item>`"));
    }
    // Any row is valid here, because no code is generated after an error.
    let placeholder =
        || TreeRow { ident: ident.clone(), ty: syn::parse_quote!(()), options: BranchOptions::default() };
    Some(Tree {
        ident: ident.clone(),
        vis: input.vis.clone(),
        krate: krate.unwrap_or_else(|| syn::parse_quote!(::evented_diesel)),
        row: rows.into_iter().next().unwrap_or_else(placeholder),
        branches,
    })
}

fn read_crate(attributes: &[Attribute], errors: &mut Errors) -> Option<Path> {
    let (mut krate, mut seen) = (None, Vec::new());
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("tree")) {
        items::each_of(attribute, STRUCT[0].1, errors, |input, errors| {
            let unknown = |name: &Ident| items::unknown(name, STRUCT, FIELD, "a field");
            items::named(input, STRUCT, unknown, &mut seen, errors, |_, _, input, _| {
                krate = Some(items::equals(input)?);
                Ok(())
            })
        });
    }
    krate
}

/// The fields of the struct, each of which is the record or an association.
fn named_fields<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Option<&'a FieldsNamed> {
    let what = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return Some(fields),
            Fields::Unnamed(_) => "a tuple struct has no names for its associations",
            Fields::Unit => "a struct without fields has no record",
        },
        Data::Enum(_) => "an enum cannot be a tree",
        Data::Union(_) => "a union cannot be a tree",
    };
    let name = &input.ident;
    errors.push(name.span(), format!("{what}; write `struct {name} {{ {ROW} item: Row<Item>, … }}`"));
    None
}

/// What a field is, with its options. Returns `None` if the attributes do not say it, which is reported.
fn part(name: &Ident, attributes: &[Attribute], errors: &mut Errors) -> Option<(Part, BranchOptions)> {
    let before = errors.count();
    let Draft { parts, options } = Draft::read(attributes, errors);
    let mut parts = parts.into_iter();
    let Some((first, part, _)) = parts.next() else {
        if errors.count() == before {
            let reason = format!("`{}` is neither the record nor an association", names::plain(name));
            let forms: Vec<String> = FIELD[..PARTS].iter().map(|(_, form)| format!("`{form}`")).collect();
            errors.push(name.span(), format!("{reason}; write one of {}", forms.join(", ")));
        }
        return None;
    };
    // An attribute that is given twice is reported as that.
    for (other, _, span) in parts.filter(|(other, _, _)| *other != first) {
        let message = format!("a field is one of these; write `#[tree({first})]` or `#[tree({other})]`");
        errors.push(span, message);
    }
    Some((part, options))
}

impl Draft {
    fn read(attributes: &[Attribute], errors: &mut Errors) -> Draft {
        let mut draft = Draft::default();
        let mut seen = Vec::new();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("tree")) {
            items::each_of(attribute, FIELD[0].1, errors, |input, errors| {
                let unknown = |name: &Ident| items::unknown(name, FIELD, STRUCT, "the struct");
                items::named(input, FIELD, unknown, &mut seen, errors, |form, span, input, errors| {
                    draft.value(form.0, span, input, errors)
                })
            });
        }
        draft
    }

    fn value(
        &mut self,
        name: &'static str,
        span: Span,
        input: ParseStream<'_>,
        errors: &mut Errors,
    ) -> syn::Result<()> {
        let options = &mut self.options;
        match name {
            "by" => options.by = Some(Spanned { value: items::equals(input)?, span }),
            "order" => options.order = Some(Spanned { value: items::equals(input)?, span }),
            "filter" => options.filter = Some(Spanned { value: items::equals(input)?, span }),
            "limit" => options.limit = Some(Spanned { value: items::equals(input)?, span }),
            "through" => options.through = Some(Spanned { value: through(input, errors)?, span }),
            "depth" => {
                // If the value is wrong, the depth is not reported as missing as well.
                options.depth = Some(Spanned { value: 1, span });
                options.depth = Some(Spanned { span, ..items::equals(input)? });
            }
            "row" => self.parts.push((name, Part::Row, span)),
            "has_many" => self.parts.push((name, Part::Branch(BranchKind::HasMany), span)),
            "has_one" => self.parts.push((name, Part::Branch(BranchKind::HasOne), span)),
            "belongs_to" => self.parts.push((name, Part::Branch(BranchKind::BelongsTo), span)),
            "many_to_many" => {
                let kind = BranchKind::ManyToMany(join(input, errors)?);
                self.parts.push(("many_to_many(Link)", Part::Branch(kind), span));
            }
            // An attribute without an arm here stays unread, and the caller reports it.
            _ => {}
        }
        Ok(())
    }
}

/// Parses `(Link, by = item_id, to = tag_id)`.
fn join(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Join> {
    let (mut by, mut to) = (None, None);
    let model = items::path_with_options(input, JOIN, errors, |(name, _), input, _| {
        match name {
            "by" => by = Some(items::equals(input)?),
            _ => to = Some(items::equals(input)?),
        }
        Ok(())
    })?;
    Ok(Join { model, by, to })
}

/// Parses `(Via, by = item_id)`.
fn through(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Through> {
    let mut by = None;
    let model = items::path_with_options(input, THROUGH, errors, |_, input, _| {
        by = Some(items::equals(input)?);
        Ok(())
    })?;
    Ok(Through { model, by })
}
