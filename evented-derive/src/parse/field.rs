//! Parses `#[evented(…)]` on a field, and combines all attributes of the field.

use proc_macro2::Span;
use syn::parse::ParseStream;
use syn::{Attribute, Ident, Path, Type};

use super::diesel::OnField;
use super::items::{self, Form};
use super::key;
use crate::errors::Errors;
use crate::model::{Added, Field, FieldKind, KeyKind, Omitted, Owner, Renamed, Spanned};
use crate::names;

/// Each attribute of a field with its form. The first is the example for a name that resembles no attribute.
pub(super) const FORMS: &[Form] = &[
    ("id", "#[evented(id)]"),
    ("key", "#[evented(key = Uuid)]"),
    ("given", "#[evented(given)]"),
    ("inserted_at", "#[evented(inserted_at)]"),
    ("updated_at", "#[evented(updated_at)]"),
    ("revision", "#[evented(revision)]"),
    ("renamed", RENAMED),
    ("added", ADDED),
    ("embed", EMBED),
    ("skip", "#[evented(skip)]"),
    ("skip_insert", "#[evented(skip_insert)]"),
    ("skip_update", "#[evented(skip_update)]"),
    ("default", DEFAULT),
    ("unordered", "#[evented(unordered)]"),
    ("generated", "#[evented(generated)]"),
    ("with", WITH),
];

const RENAMED: &str = r#"#[evented(renamed(from = "title", version = 1))]"#;

const WITH: &str = "#[evented(with = path::to::module)]";

const EMBED: &str = "#[evented(embed(street: String, city: String))]";

const DEFAULT: &str = "#[evented(default)]";

const ADDED: &str = "#[evented(added(version = 1, default = path::to::f))]";

const ADDED_OPTIONS: &[Form] = &[("version", ADDED), ("default", ADDED)];

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
    /// The attributes among `inserted_at`, `updated_at`, `revision`, `generated` and `skip` that the field has.
    roles: Vec<(&'static str, Span)>,
    key: Option<(KeyKind, Span)>,
    given: Option<Span>,
    /// The fields of the struct in a field that is embedded.
    embed: Option<Vec<(Ident, Type)>>,
    skip_insert: Option<Span>,
    skip_update: Option<Span>,
    default: Option<Omitted>,
    added: Option<Added>,
    unordered: Option<Span>,
    with: Option<(Path, Span)>,
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

    /// The fields: one, or those of an embedded struct.
    pub(super) fn into_fields(mut self, model: &Ident, is_key: bool, errors: &mut Errors) -> Vec<Field> {
        let Some(embedded) = self.marks.embed.take() else {
            return vec![self.into_field(model, is_key, errors)];
        };
        let owner = Owner {
            ident: self.ident.clone(),
            ty: names::without_self(names::ungrouped(&self.field.ty), model),
        };
        let role = self.marks.kind(is_key, &self.field.ty, errors);
        let of_one_column = self.marks.added.is_some()
            || self.marks.with.is_some()
            || self.marks.default.is_some()
            || !self.marks.renamed.is_empty();
        if role != FieldKind::Plain || of_one_column {
            let reason = "an embedded struct is several columns, and this attribute is for one";
            errors.push(self.ident.span(), format!("{reason}; write `{EMBED}` alone"));
        }
        if !self.diesel.is_embedded() {
            let reason = "Diesel reads the field as one column";
            errors.push(self.ident.span(), format!("{reason}; write `#[diesel(embed)]` beside `embed(…)`"));
        }
        let part = |(ident, ty): (Ident, Type)| Field {
            column: ident.clone(),
            unordered: self.marks.unordered.is_some() || names::mentions(&ty, "HashSet"),
            ty: names::without_self(&ty, model),
            owner: Some(owner.clone()),
            kind: FieldKind::Plain,
            given: None,
            skip_insert: self.marks.skip_insert.is_some(),
            skip_update: self.marks.skip_update.is_some(),
            default: None,
            added: None,
            renamed: Vec::new(),
            with: None,
            deserialize_as: None,
            serialize_as: None,
            docs: Vec::new(),
            ident,
        };
        embedded.into_iter().map(part).collect()
    }

    fn into_field(self, model: &Ident, is_key: bool, errors: &mut Errors) -> Field {
        let FieldDraft { field, ident, column, marks, diesel } = self;
        let ty = names::without_self(names::ungrouped(&field.ty), model);
        let kind = marks.kind(is_key, &ty, errors);
        diesel.refuse(kind, errors);
        Field {
            ident: ident.clone(),
            owner: None,
            ty,
            column,
            kind,
            given: marks.given,
            skip_insert: marks.skip_insert.is_some(),
            skip_update: marks.skip_update.is_some(),
            default: marks.default,
            added: marks.added,
            unordered: marks.unordered.is_some() || names::mentions(&field.ty, "HashSet"),
            renamed: marks.renamed,
            with: marks.with.map(|(path, _)| path),
            deserialize_as: diesel.deserialize_as.map(|ty| names::without_self(&ty, model)),
            serialize_as: diesel.serialize_as.map(|ty| names::without_self(&ty, model)),
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
            "added" => self.added = added(span, input, errors)?,
            "embed" => self.embed = Some(items::list(input, EMBED, errors, |input, _| embedded(input))?),
            "with" => self.with = Some((items::equals(input)?, span)),
            "skip_update" => self.skip_update = Some(span),
            "default" => self.default = Some(Omitted { value: items::optional(input)?, span }),
            "given" => self.given = Some(span),
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
        let added = self.added.as_ref().filter(|_| role != Some("inserted_at") && role != Some("updated_at"));
        for (name, span) in [
            ("skip_insert", self.skip_insert),
            ("skip_update", self.skip_update),
            ("default", self.default.as_ref().map(|default| default.span)),
            ("unordered", self.unordered),
            ("added", added.map(|added| added.span)),
            ("with", self.with.as_ref().map(|(_, span)| *span)),
        ] {
            if let (Some(role), Some(span)) = (role, span) {
                let reason = format!("`{name}` is for fields without another role");
                errors.push(span, format!("{reason}; write `#[evented({role})]` alone"));
            }
        }
        if let (Some(default), Some(_)) = (&self.default, self.skip_insert) {
            let reason = "a field with `skip_insert` always has the default of its type";
            errors.push(default.span, format!("{reason}; write `{DEFAULT}` alone"));
        }
        if let (false, Some((_, span))) = (is_key, self.key) {
            let reason = "`key` states what the key is made of, and this field is not the key";
            errors.push(span, format!("{reason}; write `#[evented(id, key = Uuid)]` on the key"));
        }
        if let (false, Some(span)) = (is_key, self.given) {
            let reason = "`given` says that the caller gives the key, and this field is not the key";
            errors.push(span, format!("{reason}; write `#[evented(given)]` on the key"));
        }
        match role {
            Some("id") => FieldKind::Key(self.key.map_or_else(|| key::made_of(ty, errors), |(kind, _)| kind)),
            Some("inserted_at") => FieldKind::InsertedAt,
            Some("updated_at") => FieldKind::UpdatedAt,
            Some("revision") => FieldKind::Revision,
            Some("generated") => FieldKind::Generated,
            Some("skip") => FieldKind::Skipped,
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

/// Parses `(version = 1, default = path::to::f)`, in any order. Returns `None` if a part has an error, which it reports.
fn added(span: Span, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Option<Added>> {
    let (mut version, mut default) = (None::<Spanned<u32>>, None);
    let before = errors.count();
    items::options(input, ADDED_OPTIONS, errors, |(name, _), input, _| {
        match name {
            "version" => version = Some(items::equals(input)?),
            _ => default = Some(items::equals(input)?),
        }
        Ok(())
    })?;
    match version {
        Some(version) => Ok(Some(Added { version: version.value, default, span })),
        None if errors.count() > before => Ok(None),
        None => Err(syn::Error::new(span, "`added` needs `version`")),
    }
}

/// Parses `street: String`.
fn embedded(input: ParseStream<'_>) -> syn::Result<(Ident, Type)> {
    let ident = input.parse()?;
    input.parse::<syn::Token![:]>()?;
    Ok((ident, input.parse()?))
}
