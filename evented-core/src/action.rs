//! The traits that a user implements for an action: the check of new input, and the change.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Context, Evented, ValidationErrors};

/// A change of a record of type `M`.
///
/// The log stores the serde form of the action. The trait has two methods because one function must not do both:
/// [`check`](Action::check) may refuse the action and runs for new input only; [`apply`](Action::apply) runs for new
/// input and on each replay, and cannot fail.
///
/// ```
/// # use evented_core::{Action, Context, ValidationErrors};
/// # struct Item { archived: bool }
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Archive {
///     reason: String,
/// }
///
/// impl Action<Item> for Archive {
///     fn check(&self, item: &Item, _: &Context) -> Result<(), ValidationErrors> {
///         if item.archived { Err(ValidationErrors::field("archived", "is already archived")) } else { Ok(()) }
///     }
///     fn apply(&self, item: &mut Item, _: &Context) {
///         item.archived = true;
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an action of `{M}`",
    label = "no `impl Action<{M}> for {Self}`",
    note = "write `impl Action<{M}> for {Self} {{ fn apply(&self, record: &mut {M}, cx: &Context) {{ … }} }}`"
)]
pub trait Action<M> {
    /// Checks whether the action is allowed on this record. Replay never calls it: events in the log are facts.
    /// Default: `Ok`.
    ///
    /// # Errors
    ///
    /// The errors of the input, which [`ValidationErrors`] collects by field.
    fn check(&self, record: &M, cx: &Context) -> Result<(), ValidationErrors> {
        let _ = (record, cx);
        Ok(())
    }

    /// Changes the record. The same input must always give the same state: take the time, the actor and new ids from
    /// `cx`, never from a clock, a random source or a database.
    fn apply(&self, record: &mut M, cx: &Context);
}

/// The input of an insert, from which a new record of type `M` is created.
///
/// The derive generates one (`NewItem` for `Item`). `#[evented(insert = Type)]` names a type of your own instead.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot create a `{M}`",
    label = "no `impl Create<{M}> for {Self}`",
    note = "write `impl Create<{M}> for {Self} {{ fn create(&self, key: …, cx: &Context) -> {M} {{ … }} }}`"
)]
pub trait Create<M: Evented> {
    /// Checks whether the record may be created. Replay never calls it. Default: `Ok`.
    ///
    /// # Errors
    ///
    /// The errors of the input, which [`ValidationErrors`] collects by field.
    fn check(&self, cx: &Context) -> Result<(), ValidationErrors> {
        let _ = cx;
        Ok(())
    }

    /// The key, if the caller chooses it (`String` keys). `None` if the library or the database makes it, which is
    /// the default.
    fn key(&self) -> Option<M::Key> {
        None
    }

    /// The fields that are left to the database, which has a `DEFAULT` for their columns: their indices in
    /// [`Evented::FIELDS`]. The library inserts the row first, and then records what the database wrote. Default: none.
    fn left_to_database(&self) -> Vec<usize> {
        Vec::new()
    }

    /// The input with the values that the caller left out: those that the program knows, and with a `row` also those that
    /// the database wrote. `None` if nothing is missing, which is the default. The event has the completed input.
    fn completed(&self, row: Option<&M>) -> Option<Self>
    where
        Self: Sized,
    {
        let _ = row;
        None
    }

    /// Creates the record. `key` is its key, or a placeholder if the database has not made it yet. The library sets
    /// the fields marked `inserted_at` and `updated_at` afterwards.
    fn create(&self, key: M::Key, cx: &Context) -> M;
}

/// An action listed in `#[evented(actions(…))]` of `M`, with its name in the log. The derive implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not in the list of actions of `{M}`",
    label = "not a listed action",
    note = "add it to the model: `#[evented(actions({Self}))]`"
)]
pub trait ActionOf<M>: Action<M> + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The action's name in the log. It must not change.
    const NAME: &'static str;
    /// The action's old names, which events in the log may have.
    const ALIASES: &'static [&'static str] = &[];
}
