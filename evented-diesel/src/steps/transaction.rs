//! A transaction around some steps, unless there is one.

use crate::backend::Dialect;
use crate::error::{Error, RecordName};
use crate::run::driver::Driver;

/// A transaction of ours, a savepoint in the caller's, or the caller's itself.
pub(crate) struct Transaction {
    ours: bool,
}

impl Transaction {
    /// Opens a transaction if none is open. Within the caller's, the steps are part of it.
    ///
    /// Where row and event are two statements and a failed one leaves the transaction alive, a savepoint makes sure
    /// that the caller cannot commit the one without the other.
    pub(crate) async fn open<DB: Dialect, D: Driver<DB>>(
        driver: &mut D,
        name: &RecordName,
    ) -> Result<Self, Error> {
        let of = |error| Error::database(name.clone(), error);
        if !DB::LOCKS_FIRST && driver.in_transaction().map_err(of)? {
            return Ok(Self { ours: false });
        }
        driver.begin().await.map_err(of)?;
        Ok(Self { ours: true })
    }

    /// Commits what succeeded and rolls back what did not.
    pub(crate) async fn close<DB: Dialect, D: Driver<DB>, T: Send>(
        self,
        driver: &mut D,
        name: &RecordName,
        result: Result<T, Error>,
    ) -> Result<T, Error> {
        if !self.ours {
            return result;
        }
        match result {
            Ok(value) => match driver.commit().await {
                Ok(()) => Ok(value),
                Err(error) => Err(Error::database(name.clone(), error)),
            },
            Err(error) => {
                // The first error is the one that matters; a connection that cannot roll back is broken, and Diesel
                // marks it so.
                let _ = driver.rollback().await;
                Err(error)
            }
        }
    }
}
