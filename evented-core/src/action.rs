//! What a user writes for each action: the rule on new input, and the change.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Context, Evented, Invalid};

/// A change of a record of type `M`.
///
/// The action's own serde form is what the log keeps. The two methods split what one function must not do both
/// of: [`check`](Action::check) may refuse and sees only new input, [`apply`](Action::apply) runs for new input and
/// for each replay, and cannot fail.
///
/// ```
/// # use evented_core::{Action, Context, Invalid};
/// # struct Item { archived: bool }
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Archive {
///     reason: String,
/// }
///
/// impl Action<Item> for Archive {
///     fn check(&self, item: &Item, _: &Context) -> Result<(), Invalid> {
///         if item.archived { Err(Invalid::field("archived", "is already archived")) } else { Ok(()) }
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
    /// Whether the action may be done to this record. Never called on replay: yesterday's events are facts.
    ///
    /// # Errors
    ///
    /// The faults of the input, which [`Invalid`] collects by field.
    fn check(&self, record: &M, cx: &Context) -> Result<(), Invalid> {
        let _ = (record, cx);
        Ok(())
    }

    /// The change itself. The same input gives the same state for ever: take the time, the actor and fresh ids from
    /// `cx`, never from a clock, a random source or a database.
    fn apply(&self, record: &mut M, cx: &Context);
}

/// The input of an insert: what makes a new record of type `M`.
///
/// The derive writes one (`NewItem`); a type of your own is named by `#[evented(insert = Type)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot create a `{M}`",
    label = "no `impl Create<{M}> for {Self}`",
    note = "write `impl Create<{M}> for {Self} {{ fn create(&self, key: …, cx: &Context) -> {M} {{ … }} }}`"
)]
pub trait Create<M: Evented> {
    /// Whether the record may be made. Never called on replay.
    ///
    /// # Errors
    ///
    /// The faults of the input, which [`Invalid`] collects by field.
    fn check(&self, cx: &Context) -> Result<(), Invalid> {
        let _ = cx;
        Ok(())
    }

    /// The key, where the caller gives it (`String` keys); `None` where the library or the database makes it.
    fn key(&self) -> Option<M::Key> {
        None
    }

    /// The new record. `key` is its key, or a placeholder while the database has not made it yet. Timestamps marked
    /// `inserted_at` and `updated_at` are set afterwards.
    fn create(&self, key: M::Key, cx: &Context) -> M;
}

/// An action listed in `#[evented(actions(…))]` of `M`, with its name in the log. Written by the derive.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not in the list of actions of `{M}`",
    label = "not a listed action",
    note = "add it to the model: `#[evented(actions({Self}))]`"
)]
pub trait ActionOf<M>: Action<M> + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The stable name in the log.
    const NAME: &'static str;
}
