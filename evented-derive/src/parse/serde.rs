//! Parses `#[serde(…)]` on fields. Serde's derives convert the whole struct, but the log stores each field
//! separately, so some of serde's attributes would have no effect on the log.

use syn::ext::IdentExt;
use syn::{Attribute, Ident, Meta};

use super::items;
use crate::errors::Errors;

/// Reports the attributes that a recorded field must not have.
pub(super) fn refuse(attributes: &[Attribute], errors: &mut Errors) {
    let lists = attributes.iter().filter(|attribute| attribute.path().is_ident("serde"));
    for attribute in lists.filter(|attribute| matches!(attribute.meta, Meta::List(_))) {
        // Serde reports what is written wrong.
        items::each_of(attribute, "#[serde(default)]", errors, |input, errors| {
            if let Ok(name) = input.call(Ident::parse_any)
                && let Some(message) = refusal(&name.to_string())
            {
                errors.push(name.span(), message);
            }
            Ok(())
        });
    }
}

fn refusal(name: &str) -> Option<&'static str> {
    match name {
        "skip" | "skip_serializing" | "skip_deserializing" => Some(
            "the log stores every column: a skipped field would be lost on replay; \
             mark it `#[evented(generated)]` if the database generates its value",
        ),
        "flatten" => Some(
            "the log stores each field under its own name: a flattened one has none; \
             leave out `flatten` and store the struct as one JSON column",
        ),
        "with" | "serialize_with" | "deserialize_with" => Some(
            "the log stores each field by its type's own serde form; \
             use a newtype with its own Serialize and Deserialize",
        ),
        _ => None,
    }
}
