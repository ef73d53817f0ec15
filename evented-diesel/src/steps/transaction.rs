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
        if !DB::LOCKS_FIRST {
            return Self::join(driver, name).await;
        }
        driver.begin().await.map_err(|error| Error::database(name.clone(), error))?;
        Ok(Self { ours: true })
    }

    /// [`open`](Self::open), and a savepoint in the caller's transaction on every database where an event comes with more
    /// than its row: a link that is refused, or the model's hook, must not leave it there.
    pub(crate) async fn around<DB: Dialect, D: Driver<DB>>(
        driver: &mut D,
        name: &RecordName,
        several: bool,
    ) -> Result<Self, Error> {
        if !several {
            return Self::open(driver, name).await;
        }
        driver.begin().await.map_err(|error| Error::database(name.clone(), error))?;
        Ok(Self { ours: true })
    }

    /// Opens a transaction if none is open, and makes no savepoint in the caller's: for steps that take themselves
    /// back.
    pub(crate) async fn join<DB: Dialect, D: Driver<DB>>(
        driver: &mut D,
        name: &RecordName,
    ) -> Result<Self, Error> {
        let of = |error| Error::database(name.clone(), error);
        if driver.in_transaction().map_err(of)? {
            return Ok(Self { ours: false });
        }
        driver.begin().await.map_err(of)?;
        Ok(Self { ours: true })
    }

    /// [`close`](Self::close) for a try that may have come to nothing, as another writer was first: what a hook wrote for
    /// it is taken back, too.
    pub(crate) async fn close_try<DB: Dialect, D: Driver<DB>, T: Send>(
        self,
        driver: &mut D,
        name: &RecordName,
        result: Result<Option<T>, Error>,
        hooked: bool,
    ) -> Result<Option<T>, Error> {
        if hooked && self.ours && matches!(result, Ok(None)) {
            driver.rollback().await.map_err(|error| Error::database(name.clone(), error))?;
            return Ok(None);
        }
        self.close(driver, name, result).await
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
