//! The rules that hold parts of a model against each other. Each rule is a function, which says why it is one
//! and reports all that breaks it.

mod actions;
mod fields;
mod log;
mod logs;
mod versions;

#[cfg(test)]
pub(crate) use self::actions::METHODS;
pub(crate) use self::log::check as check_log;
use crate::errors::Errors;
use crate::model::Model;

/// Reports everything in the model that does not go together.
pub(crate) fn check(model: &Model, errors: &mut Errors) {
    versions::each_version_is_reached(model, errors);
    versions::upcasts_are_steps_of_the_model(model, errors);
    versions::renames_are_steps_of_the_model(model, errors);
    versions::old_names_are_unambiguous(model, errors);
    actions::methods_are_free(model, errors);
    actions::log_names_are_unique(model, errors);
    actions::aliases_name_an_action(model, errors);
    actions::names_fit(model, errors);
    actions::log_schema_is_an_identifier(model, errors);
    logs::a_log_is_shared_or_of_ones_own(model, errors);
    logs::keys_fit_the_log(model, errors);
    logs::without_a_table_there_is_no_row(model, errors);
    logs::savepoints_come_now_and_then(model, errors);
    fields::scopes_are_fields(model, errors);
    if fields::scopes_are_distinct(model, errors) {
        fields::scopes_can_be_named(model, errors);
    }
    fields::roles_are_single(model, errors);
    fields::types_fit_the_roles(model, errors);
    fields::columns_are_distinct(model, errors);
}
