//! What can be run on a connection.

use crate::backend::Dialect;
use crate::error::Error;
use crate::run::driver::Driver;

/// A command or a reading, built first and run later, in either face.
///
/// Implemented by this library's own values; you name it only in bounds.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be run: on no database do all the model's fields have the types of their columns",
    note = "to see which field it is, add `#[derive(Queryable, Selectable)]` to the model, and \
            `#[diesel(check_for_backend(diesel::sqlite::Sqlite))]` or `(diesel::pg::Pg)`"
)]
pub trait Operation<DB: Dialect>: Send {
    /// What it gives.
    type Output: Send;

    /// The steps.
    #[doc(hidden)]
    fn perform<D: Driver<DB>>(
        self,
        driver: &mut D,
    ) -> impl Future<Output = Result<Self::Output, Error>> + Send;
}
