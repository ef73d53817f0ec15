//! Opens computed values: any query of Diesel's, read again when a change is on its channels.

use std::any::Any;
use std::fmt::{self, Debug};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use diesel::QueryResult;
use diesel::connection::LoadConnection;
use event_listener::Event;
use evented_diesel::spi::BlockingExecutor;
use evented_diesel::{Error, EventedBackend, Subject};

use super::channels::sealed as sealed_channels;
use super::{BlockingStore, Channels, Inner, sealed};
use crate::cell::Watched;
use crate::computed::{Answer, Ask, Asking};
use crate::error::LiveError;
use crate::reader::Reader;
use crate::shared::lock;

/// A query whose answer is read again when a change is on its channels: [`Store::requery`](crate::Store::requery). Open it with
/// [`Store::open`](super::Store::open), or put it into a set.
#[must_use = "a query does nothing until a store opens it"]
pub struct Requery<E: Reader, T> {
    key: String,
    channels: Box<dyn sealed_channels::Channels<E> + Send>,
    query: Box<dyn Ask<E>>,
    answer: PhantomData<fn() -> T>,
}

impl<E: Reader, T> Requery<E, T> {
    fn new(key: &dyn Debug, channels: impl Channels<E> + Send + 'static, query: Box<dyn Ask<E>>) -> Self {
        Self { key: format!("{key:?}"), channels: Box::new(channels), query, answer: PhantomData }
    }
}

impl<E: Reader, T> fmt::Debug for Requery<E, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requery").field("key", &self.key).finish_non_exhaustive()
    }
}

impl<E: Reader, T: Clone + PartialEq + Send + Sync + 'static> sealed::Openable<E> for Requery<E, T> {
    type Value = Answer<T>;

    #[expect(private_interfaces, reason = "users cannot name the trait")]
    fn watch(self, inner: &Inner<E>, changed: &Arc<Event>) -> Result<Watched<Answer<T>>, LiveError> {
        self.channels.check()?;
        let mut engine = lock(&inner.engine);
        if let Some(watched) = engine.computed.find::<T>(&self.key, changed) {
            return Ok(watched);
        }
        let id = engine.ids.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if let Err(error) = self.channels.listen(&mut engine, id) {
            engine.unlisten(id);
            return Err(error);
        }
        let query = Arc::new(Mutex::new(Some(self.query)));
        let watched = engine.computed.add(id, self.key, query, changed);
        engine.send_jobs();
        Ok(watched)
    }
}

/// Names the query in errors.
fn failed(error: diesel::result::Error) -> Error {
    Error::database(Subject::Object { kind: "query", name: String::new() }, error)
}

struct Blocking<F>(F);

impl<C, T, F> Ask<BlockingExecutor<Box<C>>> for Blocking<F>
where
    C: Send,
    T: Send + 'static,
    F: FnMut(&mut C) -> QueryResult<T> + Send,
{
    fn ask<'a>(&'a mut self, executor: &'a mut BlockingExecutor<Box<C>>) -> Asking<'a> {
        let answer = (self.0)(&mut executor.0).map_err(failed);
        Box::pin(std::future::ready(answer.map(|answer| Box::new(answer) as Box<dyn Any + Send>)))
    }
}

impl<C: LoadConnection<Backend: EventedBackend> + Send + 'static> BlockingStore<C> {
    /// Makes a query of any query of Diesel's: a join, a total. It is read again when a change is on one of the
    /// channels, at most every 50 milliseconds, and published if it differs. Viewers with an equal `key` and the same type
    /// share one value, with the query and the channels of the first: put everything into the key that they depend on. The value is always [as read](crate::Status::AsRead).
    ///
    /// ```ignore
    /// let totals = store.requery(("totals", org), Item::changes().scope(Item::ORG.eq(org)), move |conn| {
    ///     items::table.filter(items::org_id.eq(org)).count().get_result::<i64>(conn)
    /// });
    /// ```
    pub fn requery<T, F>(
        &self,
        key: impl Debug,
        channels: impl Channels<BlockingExecutor<Box<C>>> + Send + 'static,
        query: F,
    ) -> Requery<BlockingExecutor<Box<C>>, T>
    where
        T: Clone + PartialEq + Send + Sync + 'static,
        F: FnMut(&mut C) -> QueryResult<T> + Send + 'static,
    {
        Requery::new(&key, channels, Box::new(Blocking(query)))
    }
}

#[cfg(feature = "__async")]
pub use asynchronous::BoxedAnswer;

#[cfg(feature = "__async")]
mod asynchronous {
    use std::any::Any;
    use std::fmt::Debug;
    use std::pin::Pin;

    use diesel::QueryResult;
    use diesel_async::AsyncConnection;
    use evented_diesel::EventedBackend;
    use evented_diesel::spi::AsyncExecutor;

    use super::{Ask, Asking, Channels, Requery, failed};
    use crate::store::spawn::AsyncStore;

    struct Async<F>(F);

    /// An answer that is awaited on a connection.
    pub type BoxedAnswer<'c, T> = Pin<Box<dyn Future<Output = QueryResult<T>> + Send + 'c>>;

    impl<C, T, F> Ask<AsyncExecutor<Box<C>>> for Async<F>
    where
        C: Send,
        T: Send + 'static,
        F: for<'c> FnMut(&'c mut C) -> BoxedAnswer<'c, T> + Send,
    {
        fn ask<'a>(&'a mut self, executor: &'a mut AsyncExecutor<Box<C>>) -> Asking<'a> {
            let answer = (self.0)(&mut executor.0);
            Box::pin(async move {
                answer.await.map(|answer| Box::new(answer) as Box<dyn Any + Send>).map_err(failed)
            })
        }
    }

    impl<C: AsyncConnection<Backend: EventedBackend> + Send + 'static> AsyncStore<C> {
        /// Makes a query of any query of Diesel's: a join, a total. It is read again when a change is on one of the
        /// channels, at most every 50 milliseconds, and published if it differs. Viewers with an equal `key` and the same
        /// type share one value, with the query and the channels of the first: put everything into the key that they depend on. The value is always [as read](crate::Status::AsRead).
        ///
        /// ```ignore
        /// let totals = store.requery(("totals", org), Item::changes().scope(Item::ORG.eq(org)), move |conn| {
        ///     Box::pin(items::table.filter(items::org_id.eq(org)).count().get_result::<i64>(conn))
        /// });
        /// ```
        pub fn requery<T, F>(
            &self,
            key: impl Debug,
            channels: impl Channels<AsyncExecutor<Box<C>>> + Send + 'static,
            query: F,
        ) -> Requery<AsyncExecutor<Box<C>>, T>
        where
            T: Clone + PartialEq + Send + Sync + 'static,
            F: for<'c> FnMut(&'c mut C) -> BoxedAnswer<'c, T> + Send + 'static,
        {
            Requery::new(&key, channels, Box::new(Async(query)))
        }
    }
}
