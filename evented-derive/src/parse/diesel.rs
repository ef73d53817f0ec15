//! Parses the attributes in `#[diesel(…)]` that define where a model is stored. Diesel's own derives read the others,
//! and report what is wrong in them.

use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Attribute, Ident, LitStr, Meta, Path, Token, Type};

use super::items;
use crate::errors::Errors;
use crate::model::{BelongsTo, FieldKind, KeyKind};
use crate::names;

const TABLE: &str = "#[diesel(table_name = items)]";
const PRIMARY_KEY: &str = "#[diesel(primary_key(id))]";
const COLUMN: &str = "#[diesel(column_name = title)]";
const DESERIALIZE_AS: &str = "#[diesel(deserialize_as = Stored)]";
const SERIALIZE_AS: &str = "#[diesel(serialize_as = Stored)]";

/// Diesel's attributes on the struct.
#[derive(Default)]
pub(super) struct OnStruct {
    pub(super) table: Option<Path>,
    /// The columns of the primary key. Empty: not stated.
    pub(super) primary_key: Vec<Ident>,
    pub(super) parents: Vec<BelongsTo>,
}

impl OnStruct {
    pub(super) fn read(attributes: &[Attribute], errors: &mut Errors) -> OnStruct {
        let mut read = OnStruct::default();
        each(attributes, errors, |name, input, errors| match name.to_string().as_str() {
            "table_name" => explained(TABLE, read.table_name(input, errors)),
            "primary_key" => explained(PRIMARY_KEY, read.primary_key(input, errors)),
            "belongs_to" => {
                // Diesel reports what is wrong in it.
                read.parents.extend(belongs_to(&input.fork()));
                skip(input)
            }
            _ => skip(input),
        });
        read
    }

    fn table_name(&mut self, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<()> {
        let table: Path = items::equals(input)?;
        if self.table.is_some() {
            errors.push_on(&table, format!("a model has one table; write `{TABLE}` once"));
        }
        self.table = Some(table);
        items::end(input)
    }

    fn primary_key(&mut self, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<()> {
        self.primary_key = items::list(input, PRIMARY_KEY, errors, |input, _| input.parse::<Ident>())?;
        items::end(input)
    }
}

/// Parses `(Parent)` or `(Parent, foreign_key = column)`.
fn belongs_to(input: ParseStream<'_>) -> syn::Result<BelongsTo> {
    let content;
    syn::parenthesized!(content in input);
    let parent: Path = content.parse()?;
    if !content.is_empty() {
        content.parse::<Token![,]>()?;
    }
    let columns = content.parse_terminated(foreign_key, Token![,])?;
    let by_name = || parent.segments.last().map(|last| names::default_foreign_key(&last.ident));
    match columns.last().cloned().or_else(by_name) {
        Some(column) => Ok(BelongsTo { parent, column }),
        None => Err(content.error("expected a path")),
    }
}

/// Parses `foreign_key = column`.
fn foreign_key(input: ParseStream<'_>) -> syn::Result<Ident> {
    let name: Ident = input.parse()?;
    let column = items::equals(input)?;
    if name == "foreign_key" {
        Ok(column)
    } else {
        Err(syn::Error::new(name.span(), "expected `foreign_key`"))
    }
}

/// Diesel's attributes on a field.
#[derive(Default)]
pub(super) struct OnField {
    pub(super) column: Option<Ident>,
    pub(super) deserialize_as: Option<Type>,
    pub(super) serialize_as: Option<Type>,
    /// The names of the other attributes, which are checked once the role of the field is known.
    others: Vec<Ident>,
}

impl OnField {
    pub(super) fn read(attributes: &[Attribute], errors: &mut Errors) -> OnField {
        let mut read = OnField::default();
        each(attributes, errors, |name, input, _| match name.to_string().as_str() {
            "column_name" => explained(COLUMN, read.column_name(input)),
            "deserialize_as" => explained(DESERIALIZE_AS, read_type(&mut read.deserialize_as, input)),
            "serialize_as" => {
                read.others.push(name);
                explained(SERIALIZE_AS, read_type(&mut read.serialize_as, input))
            }
            _ => {
                read.others.push(name);
                skip(input)
            }
        });
        read
    }

    /// Parses the name of a column: an identifier or a string, as in Diesel.
    fn column_name(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        input.parse::<Token![=]>()?;
        let (name, span) = if input.peek(LitStr) {
            let literal: LitStr = input.parse()?;
            (literal.value(), literal.span())
        } else {
            let column: Ident = input.parse()?;
            (names::plain(&column), column.span())
        };
        let column = names::ident(name.trim_start_matches("r#"), span);
        let reason =
            "a column is an identifier in Diesel's `table!`, where `#[sql_name]` gives it any other name";
        self.column =
            Some(column.ok_or_else(|| syn::Error::new(span, format!("not an identifier: {reason}")))?);
        items::end(input)
    }

    /// Whether the field is a struct of several columns.
    pub(super) fn is_embedded(&self) -> bool {
        self.others.iter().any(|name| name == "embed")
    }

    /// Reports the attributes that prevent a field of this kind from being recorded.
    pub(super) fn refuse(&self, kind: FieldKind, errors: &mut Errors) {
        for name in &self.others {
            if let Some(message) = refusal(&name.to_string(), kind) {
                errors.push(name.span(), message);
            }
        }
    }
}

/// Parses `= Type`.
fn read_type(ty: &mut Option<Type>, input: ParseStream<'_>) -> syn::Result<()> {
    *ty = Some(items::equals(input)?);
    items::end(input)
}

fn refusal(name: &str, kind: FieldKind) -> Option<&'static str> {
    // The library only reads fields that the database generates, and the database makes integer keys.
    if kind == FieldKind::Skipped {
        return None;
    }
    let generated = kind == FieldKind::Generated;
    let made_by_database =
        generated || matches!(kind, FieldKind::Key(KeyKind::I16 | KeyKind::I32 | KeyKind::I64));
    match name {
        "embed" => Some(
            "evented must know each column by name, and an embedded struct hides them; write \
             `#[evented(embed(street: String, city: String))]` with the struct's fields",
        ),
        "serialize_as" if matches!(kind, FieldKind::Key(_)) => Some(
            "evented converts a key by its own rules; leave out `serialize_as`, and name the type that the column has: \
             `#[evented(key = String)]`",
        ),
        "skip_insertion" if kind == FieldKind::Plain => {
            Some("the database would set a value that the log does not contain; add `#[evented(generated)]`")
        }
        "skip_insertion" if !made_by_database => {
            Some("evented sets this field on insert; leave out `skip_insertion`")
        }
        "select_expression" | "select_expression_type" if !generated => {
            Some("an expression is no column, and evented reads and writes columns; add `#[evented(skip)]`")
        }
        _ => None,
    }
}

/// Calls `item` with the name of each item. `item` reads the item's value or leaves it.
fn each(
    attributes: &[Attribute],
    errors: &mut Errors,
    mut item: impl FnMut(Ident, ParseStream<'_>, &mut Errors) -> syn::Result<()>,
) {
    let lists = attributes.iter().filter(|attribute| attribute.path().is_ident("diesel"));
    for attribute in lists.filter(|attribute| matches!(attribute.meta, Meta::List(_))) {
        items::each_of(attribute, TABLE, errors, |input, errors| match input.call(Ident::parse_any) {
            Ok(name) => item(name, input, errors),
            Err(_) => Ok(()),
        });
    }
}

fn skip(input: ParseStream<'_>) -> syn::Result<()> {
    items::skip_type(input);
    Ok(())
}

fn explained(form: &str, read: syn::Result<()>) -> syn::Result<()> {
    read.map_err(|error| items::explain(&error, form))
}
