//! What can be run on a connection.

use crate::backend::Dialect;
use crate::error::Error;
use crate::run::driver::Driver;

/// A command or a reading, built first and run later, in either face.
///
/// Implemented by this library's own values; you name it only in bounds.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be run on a connection of `{DB}`",
    note = "a command runs on the databases that have all the types of its model's columns"
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
