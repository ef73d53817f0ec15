//! Computes what an action would change.

use evented_core::{ActionOf, Changeset};

use crate::error::Error;
use crate::model::{Model, Record};
use crate::write::options::Options;

/// Computes what an action would change, without running it.
///
/// # Errors
///
/// The errors of running the action.
pub(crate) fn changeset<M: Model, A: ActionOf<M>>(record: &M, action: &A) -> Result<Changeset, Error> {
    let name = || Record::<M>::new(record.key()).name();
    let cx = Options::default().context::<M>();
    let draft = evented_core::decide_change(record, action, &cx)
        .map_err(|reason| Error::undecided(name(), reason))?;
    Changeset::between(Some(record), Some(&draft.after)).map_err(|source| Error::field(name(), source))
}
