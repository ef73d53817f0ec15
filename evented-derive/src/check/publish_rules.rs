//! Checks the changes for which a model publishes domain events.

use quote::ToTokens as _;

use crate::errors::Errors;
use crate::model::{Field, FieldKind, Model, On};
use crate::names;

/// A field that is not recorded never differs.
pub(super) fn fields_are_of_the_model(model: &Model, errors: &mut Errors) {
    let is_recorded = |field: &&Field| !matches!(field.kind, FieldKind::Key(_) | FieldKind::Skipped);
    let known: Vec<String> =
        model.fields.iter().filter(is_recorded).map(|field| names::plain(&field.ident)).collect();
    let fields = model.publishes.iter().filter_map(|publish| match &publish.on {
        On::Update(fields) => Some(fields),
        On::Insert | On::Delete | On::Action(_) => None,
    });
    for field in fields.flatten() {
        let name = names::plain(field);
        if !known.contains(&name) {
            let near = names::nearest(&name, known.iter().map(String::as_str));
            let meant = names::did_you_mean(near);
            errors.push(
                field.span(),
                format!("no recorded field `{name}`{meant} write `publish(on(update(field)) = Event)`"),
            );
        }
    }
}

/// An action that the model does not have never happens.
pub(super) fn actions_are_of_the_model(model: &Model, errors: &mut Errors) {
    for publish in &model.publishes {
        let On::Action(path) = &publish.on else { continue };
        if !model.actions.iter().any(|action| action.ty == *path) {
            let action = path.to_token_stream();
            errors.push_on(
                path,
                format!("`{action}` is not in `actions(…)` of the model; write `actions({action})`"),
            );
        }
    }
}
