//! Checks that the parts of a model are consistent. Each rule is a function, which documents its reason and reports
//! every violation.

mod action_names;
mod domain_events;
mod fields;
mod log_rules;
mod logs;
mod publish_rules;
mod tree_rules;
mod versions;

#[cfg(test)]
pub(crate) use self::action_names::METHODS;
pub(crate) use self::domain_events::{check_bus, check_event};
pub(crate) use self::log_rules::check as check_log;
pub(crate) use self::tree_rules::check as check_tree;
use crate::errors::Errors;
use crate::model::Model;

/// Reports every inconsistency of the model.
pub(crate) fn check(model: &Model, errors: &mut Errors) {
    versions::version_is_storable(model, errors);
    versions::each_version_is_reached(model, errors);
    versions::upcasts_are_steps_of_the_model(model, errors);
    versions::renames_are_steps_of_the_model(model, errors);
    versions::old_names_are_unambiguous(model, errors);
    action_names::methods_are_free(model, errors);
    action_names::variants_are_free(model, errors);
    action_names::log_names_are_unique(model, errors);
    action_names::names_fit(model, errors);
    action_names::names_are_of_generated_types(model, errors);
    action_names::db_schema_is_an_identifier(model, errors);
    logs::a_log_is_shared_or_of_ones_own(model, errors);
    logs::keys_fit_the_log(model, errors);
    logs::given_has_an_effect(model, errors);
    logs::without_a_table_there_is_no_row(model, errors);
    logs::savepoints_come_now_and_then(model, errors);
    publish_rules::fields_are_of_the_model(model, errors);
    publish_rules::actions_are_of_the_model(model, errors);
    fields::scopes_are_fields(model, errors);
    if fields::scopes_are_distinct(model, errors) {
        fields::scopes_can_be_named(model, errors);
        fields::scopes_have_their_own_form(model, errors);
    }
    fields::defaults_have_an_effect(model, errors);
    fields::children_refer_to_the_key(model, errors);
    fields::roles_are_single(model, errors);
    fields::types_fit_the_roles(model, errors);
    fields::names_are_distinct(model, errors);
    fields::columns_are_distinct(model, errors);
}
