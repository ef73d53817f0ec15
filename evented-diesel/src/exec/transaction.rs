//! Opens a transaction around some steps, unless one is open.

use crate::error::{Error, Subject};
use crate::exec::executor::Executor;
use crate::sql::SqlTypes;

/// A transaction that this library opened, a savepoint in the caller's transaction, or the caller's transaction itself.
#[derive(Debug)]
pub struct Transaction {
    ours: bool,
}

impl Transaction {
    /// Opens a transaction if none is open. If the caller's transaction is open, the steps become part of it.
    ///
    /// On SQLite a write is two statements (row and event), and a failed statement leaves the transaction alive. There
    /// this method also opens a savepoint in the caller's transaction, so that the caller cannot commit one without the
    /// other.
    pub async fn open<DB: SqlTypes, D: Executor<DB>>(
        executor: &mut D,
        name: &Subject,
    ) -> Result<Self, Error> {
        if !DB::LOCKS_FIRST {
            return Self::join(executor, name).await;
        }
        executor.begin().await.map_err(|error| Error::database(name.clone(), error))?;
        Ok(Self { ours: true })
    }

    /// Like [`open`](Self::open), but if `several` is set it opens a savepoint in the caller's transaction on every
    /// database. Writes that consist of more than an event and its row set it: a refused link or a failed hook must not
    /// leave the event in the transaction.
    pub async fn around<DB: SqlTypes, D: Executor<DB>>(
        executor: &mut D,
        name: &Subject,
        several: bool,
    ) -> Result<Self, Error> {
        if !several {
            return Self::open(executor, name).await;
        }
        executor.begin().await.map_err(|error| Error::database(name.clone(), error))?;
        Ok(Self { ours: true })
    }

    /// Opens a transaction if none is open, and no savepoint in the caller's transaction. Use it for steps that undo
    /// their own changes on failure.
    pub async fn join<DB: SqlTypes, D: Executor<DB>>(
        executor: &mut D,
        name: &Subject,
    ) -> Result<Self, Error> {
        let of = |error| Error::database(name.clone(), error);
        if executor.in_transaction().map_err(of)? {
            return Ok(Self { ours: false });
        }
        executor.begin().await.map_err(of)?;
        Ok(Self { ours: true })
    }

    /// Like [`close`](Self::close), for an attempt that may have failed because another writer was first (`Ok(None)`).
    /// If `hooked` is set, it then rolls back what the hook wrote for the attempt.
    pub async fn close_attempt<DB: SqlTypes, D: Executor<DB>, T: Send>(
        self,
        executor: &mut D,
        name: &Subject,
        result: Result<Option<T>, Error>,
        hooked: bool,
    ) -> Result<Option<T>, Error> {
        if hooked && self.ours && matches!(result, Ok(None)) {
            executor.rollback().await.map_err(|error| Error::database(name.clone(), error))?;
            return Ok(None);
        }
        self.close(executor, name, result).await
    }

    /// Commits if the result is `Ok`, otherwise rolls back. Does neither in the caller's own transaction.
    pub async fn close<DB: SqlTypes, D: Executor<DB>, T: Send>(
        self,
        executor: &mut D,
        name: &Subject,
        result: Result<T, Error>,
    ) -> Result<T, Error> {
        if !self.ours {
            return result;
        }
        match result {
            Ok(value) => match executor.commit().await {
                Ok(()) => Ok(value),
                Err(error) => Err(Error::database(name.clone(), error).of_write(false)),
            },
            Err(error) => {
                // The first error is the one that matters. A connection that cannot roll back is broken, and Diesel
                // marks it as such.
                let _ = executor.rollback().await;
                Err(error)
            }
        }
    }
}
