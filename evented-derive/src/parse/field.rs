//! Parses `#[evented(…)]` on a field, and combines all attributes of the field.

use proc_macro2::Span;
use syn::parse::ParseStream;
use syn::{Attribute, Ident, Type};

use super::diesel::OnField;
use super::items::{self, Form};
use super::{key, serde};
use crate::errors::Errors;
use crate::model::{Field, FieldKind, KeyKind, Renamed, Spanned};
use crate::names;

/// Each attribute of a field with its form. The first is the example for a name that resembles no attribute.
pub(super) const FORMS: &[Form] = &[
    ("id", "#[evented(id)]"),
    ("key", "#[evented(key = Uuid)]"),
    ("inserted_at", "#[evented(inserted_at)]"),
    ("updated_at", "#[evented(updated_at)]"),
    ("revision", "#[evented(revision)]"),
    ("renamed", RENAMED),
    ("skip_insert", "#[evented(skip_insert)]"),
    ("unordered", "#[evented(unordered)]"),
    ("generated", "#[evented(generated)]"),
];

const RENAMED: &str = r#"#[evented(renamed(from = "title", version = 1))]"#;

const RENAMED_OPTIONS: &[Form] = &[("from", RENAMED), ("version", RENAMED)];

/// A field as read, before it is known which field is the key.
pub(super) struct FieldDraft<'a> {
    field: &'a syn::Field,
    pub(super) ident: &'a Ident,
    pub(super) column: Ident,
    marks: Marks,
    diesel: OnField,
}

/// The content of `#[evented(…)]`.
#[derive(Default)]
struct Marks {
    id: Option<Span>,
    /// The attributes among `inserted_at`, `updated_at`, `revision` and `generated` that the field has.
    roles: Vec<(&'static str, Span)>,
    key: Option<(KeyKind, Span)>,
    skip_insert: Option<Span>,
    unordered: Option<Span>,
    renamed: Vec<Renamed>,
}

impl<'a> FieldDraft<'a> {
    pub(super) fn read(field: &'a syn::Field, errors: &mut Errors) -> Option<FieldDraft<'a>> {
        let ident = field.ident.as_ref()?;
        let marks = Marks::read(&field.attrs, errors);
        let mut diesel = OnField::read(&field.attrs, errors);
        let column = diesel.column.take().unwrap_or_else(|| ident.clone());
        Some(FieldDraft { field, ident, column, marks, diesel })
    }

    /// The span of the attribute that marks the field as the key.
    pub(super) fn id(&self) -> Option<Span> {
        self.marks.id
    }

    pub(super) fn into_field(self, model: &Ident, is_key: bool, errors: &mut Errors) -> Field {
        let FieldDraft { field, ident, column, marks, diesel } = self;
        let ty = names::without_self(names::ungrouped(&field.ty), model);
        let kind = marks.kind(is_key, &ty, errors);
        diesel.refuse(kind, errors);
        if kind != FieldKind::Generated {
            serde::refuse(&field.attrs, errors);
        }
        Field {
            ident: ident.clone(),
            vis: field.vis.clone(),
            ty,
            column,
            kind,
            skip_insert: marks.skip_insert.is_some(),
            unordered: marks.unordered.is_some() || names::mentions(&field.ty, "HashSet"),
            renamed: marks.renamed,
            deserialize_as: diesel.deserialize_as.map(|ty| names::without_self(&ty, model)),
            docs: field.attrs.iter().filter(|attribute| attribute.path().is_ident("doc")).cloned().collect(),
        }
    }
}

impl Marks {
    fn read(attributes: &[Attribute], errors: &mut Errors) -> Marks {
        let mut marks = Marks::default();
        let mut seen = Vec::new();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("evented")) {
            items::each_of(attribute, FORMS[0].1, errors, |input, errors| {
                let unknown =
                    |name: &Ident| items::unknown(name, FORMS, super::container::FORMS, "the struct");
                // This is the only attribute that may be repeated.
                seen.retain(|seen| *seen != "renamed");
                items::named(input, FORMS, unknown, &mut seen, errors, |form, span, input, errors| {
                    marks.value(form.0, span, input, errors)
                })
            });
        }
        marks
    }

    fn value(
        &mut self,
        name: &'static str,
        span: Span,
        input: ParseStream<'_>,
        errors: &mut Errors,
    ) -> syn::Result<()> {
        match name {
            "id" => self.id = Some(span),
            "key" => {
                // If the value is wrong, no other error about the key is reported.
                self.key = Some((KeyKind::Uuid, span));
                self.key = Some((key::value(input)?, span));
            }
            "renamed" => self.renamed.extend(renamed(span, input, errors)?),
            "skip_insert" => self.skip_insert = Some(span),
            "unordered" => self.unordered = Some(span),
            role if self.roles.iter().any(|(known, _)| *known == role) => {}
            role => self.roles.push((role, span)),
        }
        Ok(())
    }

    /// The role of the field. A field has one role at most. Only the key and the fields without a role may have
    /// further attributes.
    fn kind(&self, is_key: bool, ty: &Type, errors: &mut Errors) -> FieldKind {
        let mut roles = self.roles.iter();
        let role = if is_key { Some("id") } else { roles.next().map(|(role, _)| *role) };
        for (other, span) in roles {
            let role = role.unwrap_or_default();
            let message =
                format!("a field has one role; write `#[evented({role})]` or `#[evented({other})]`");
            errors.push(*span, message);
        }
        for (name, span) in [("skip_insert", self.skip_insert), ("unordered", self.unordered)] {
            if let (Some(role), Some(span)) = (role, span) {
                let reason = format!("`{name}` is for fields without another role");
                errors.push(span, format!("{reason}; write `#[evented({role})]` alone"));
            }
        }
        if let (false, Some((_, span))) = (is_key, self.key) {
            let reason = "`key` states what the key is made of, and this field is not the key";
            errors.push(span, format!("{reason}; write `#[evented(id, key = Uuid)]` on the key"));
        }
        match role {
            Some("id") => FieldKind::Key(self.key.map_or_else(|| key::made_of(ty, errors), |(kind, _)| kind)),
            Some("inserted_at") => FieldKind::InsertedAt,
            Some("updated_at") => FieldKind::UpdatedAt,
            Some("revision") => FieldKind::Revision,
            Some("generated") => FieldKind::Generated,
            _ => FieldKind::Plain,
        }
    }
}

/// Parses `(from = "title", version = 1)`, in any order. Returns `None` if a part has an error, which it reports.
fn renamed(span: Span, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Option<Renamed>> {
    let (mut from, mut version) = (None::<Spanned<String>>, None::<Spanned<u32>>);
    let before = errors.count();
    items::options(input, RENAMED_OPTIONS, errors, |(name, _), input, _| {
        match name {
            "from" => from = Some(items::equals(input)?),
            _ => version = Some(items::equals(input)?),
        }
        Ok(())
    })?;
    match (from, version) {
        (Some(from), Some(version)) => Ok(Some(Renamed { from: from.value, version: version.value, span })),
        _ if errors.count() > before => Ok(None),
        _ => Err(syn::Error::new(span, "`renamed` needs `from` and `version`")),
    }
}
