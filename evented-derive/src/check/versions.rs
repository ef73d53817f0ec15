//! Checks that each old version in the log leads to the current one by unambiguous steps.

use crate::errors::Errors;
use crate::model::{Field, Model};
use crate::names;

/// A version with one digit too many must not print a line for each step.
const MOST_STEPS_REPORTED: usize = 10;

/// The largest version: a log stores versions in two bytes.
const LARGEST: u32 = 32_767;

/// Checks that the log can store the version.
pub(super) fn version_is_storable(model: &Model, errors: &mut Errors) {
    if model.version.value > LARGEST {
        errors.push(
            model.version.span,
            format!("the largest version is {LARGEST}; write `#[evented(version = 1)]`"),
        );
    }
}

/// Checks that there is a step from every older version, because the log may have events of each.
pub(super) fn each_version_is_reached(model: &Model, errors: &mut Errors) {
    let is_missing = |from: &u32| {
        let upcast = model.upcasts.iter().any(|(version, _)| version.value == *from);
        let renamed = |field: &Field| field.renamed.iter().any(|renamed| renamed.version == from + 1);
        let added = |field: &Field| field.added.as_ref().is_some_and(|added| added.version == from + 1);
        !upcast && !model.fields.iter().any(|field| renamed(field) || added(field))
    };
    for from in (0..model.version.value).filter(is_missing).take(MOST_STEPS_REPORTED) {
        let to = from + 1;
        let message = format!(
            "no step from version {from} to {to}: write `upcast({from} = your_fn)`, or mark the field: \
             `#[evented(added(version = {to}))]`, `#[evented(renamed(from = \"…\", version = {to}))]`"
        );
        errors.push(model.version.span, message);
    }
}

/// Checks the upcast steps. A step from the current version or a later one would never run, and only one of two steps
/// from a version could run.
pub(super) fn upcasts_are_steps_of_the_model(model: &Model, errors: &mut Errors) {
    let current = model.version.value;
    for (index, (from, _)) in model.upcasts.iter().enumerate() {
        let version = from.value;
        if version >= current {
            let reason = format!("no step starts at version {version}: the model's version is {current}");
            let next = u64::from(version) + 1;
            errors.push(
                from.span,
                format!("{reason}; write `#[evented(version = {next})]` if the step is intended"),
            );
        }
        if model.upcasts[..index].iter().any(|(earlier, _)| earlier.value == version) {
            let reason = format!("version {version} has a step already");
            errors.push(from.span, format!("{reason}; write `upcast({version} = your_fn)` once"));
        }
    }
}

/// Checks renamed and added fields in the same way. Their version is the one that a step leads to.
pub(super) fn renames_are_steps_of_the_model(model: &Model, errors: &mut Errors) {
    let current = model.version.value;
    for added in model.fields.iter().filter_map(|field| field.added.as_ref()) {
        if added.version == 0 {
            let message = "no version precedes version 0; write `#[evented(added(version = 1))]`";
            errors.push(added.span, message);
        } else if added.version > current {
            let reason =
                format!("version {} does not exist: the model's version is {current}", added.version);
            let form = format!("#[evented(version = {})]", added.version);
            errors.push(added.span, format!("{reason}; write `{form}` on the struct"));
        }
    }
    for renamed in model.fields.iter().flat_map(|field| &field.renamed) {
        let version = renamed.version;
        if version == 0 {
            let form = format!("renamed(from = \"{}\", version = 1)", renamed.from);
            errors.push(renamed.span, format!("no version precedes version 0; write `#[evented({form})]`"));
        } else if version > current {
            let reason = format!("version {version} does not exist: the model's version is {current}");
            let form = format!("#[evented(version = {version})]");
            errors.push(renamed.span, format!("{reason}; write `{form}` on the struct"));
        }
    }
}

/// Checks that renames are unambiguous. A step moves a value from its old name to its new one. If two fields would
/// take the same value, or one would overwrite a value that the other has yet to read, the user must write a
/// function.
pub(super) fn old_names_are_unambiguous(model: &Model, errors: &mut Errors) {
    let mut seen = Vec::new();
    for field in &model.fields {
        for renamed in &field.renamed {
            let (from, version) = (renamed.from.as_str(), renamed.version);
            let by_hand = format!("write the step as `upcast({} = your_fn)`", version.saturating_sub(1));
            if let Some(other) = model.fields.iter().find(|other| is_called(other, from, version, field)) {
                let reason = format!("the current field `{}` conflicts with this rename", other.ident);
                errors.push(renamed.span, format!("{reason}; {by_hand}"));
            }
            if seen.iter().any(|(_, earlier, at)| (*earlier, *at) == (from, version)) {
                let reason = format!("two fields are renamed from `{from}` at version {version}");
                errors.push(renamed.span, format!("{reason}; {by_hand}"));
            } else if seen.iter().any(|(earlier, _, at)| *earlier == &field.ident && *at == version) {
                let reason = format!("`{}` is renamed twice at version {version}", field.ident);
                let form = format!("#[evented(renamed(from = \"{from}\", version = {version}))]");
                errors.push(renamed.span, format!("{reason}; write `{form}` once"));
            }
            seen.push((&field.ident, from, version));
        }
    }
}

/// Whether the other field has this name at the version. A field has its current name from its last rename on.
fn is_called(other: &Field, name: &str, version: u32, field: &Field) -> bool {
    let since = other.renamed.iter().map(|renamed| renamed.version).max().unwrap_or(0);
    other.ident != field.ident && names::plain(&other.ident) == name && since <= version
}
