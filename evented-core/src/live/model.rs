//! The trait of models with live values.

use crate::Evented;

/// A model with typed fields for live queries: `#[evented(live)]`. The derive implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no live values",
    label = "`#[evented(live)]` is missing",
    note = "write `#[evented(live)]` on the model: its fields become values that filters and orders are made of"
)]
pub trait LiveModel: Evented {
    /// The fields, each as a [`Field`](super::Field).
    type LiveFields: Copy;

    /// Whether the database generates fields of the model, so that an event does not say all of the row.
    const HAS_GENERATED: bool;

    /// Returns the fields.
    fn fields() -> Self::LiveFields;

    /// Whether two records have equal fields.
    fn same(&self, other: &Self) -> bool;
}
