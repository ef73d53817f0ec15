//! What a store is asked to watch.

use std::sync::Arc;

use evented_core::Channel;
use evented_core::live::{AllowedBy, Items, Policies};
use evented_diesel::{ItemOn, LiveOn};

use crate::engine::Engine;
use crate::error::LiveError;
use crate::reader::Reader;
use crate::watch::Watching;

/// A value, a channel, or a tuple of up to six: `(&cards, Item::changes(), Tag::changes())`.
///
/// A value is a record, a [`Row`](crate::Row), a tree, or an `Option`, a `Vec` or a [`List`](crate::List) of these.
pub trait Watchable<E: Reader>: sealed::Watchable<E> {}
impl<E: Reader, W: sealed::Watchable<E>> Watchable<E> for W {}

pub(crate) mod sealed {
    use super::{Engine, LiveError, Reader, Watching};

    pub trait Watchable<E: Reader> {
        /// Checks that the policies allow the channels. This runs user code: the caller must not hold a lock.
        fn check(&self) -> Result<(), LiveError>;
        /// Finds whether the hub reads all models.
        #[expect(private_interfaces, reason = "users cannot name the trait")]
        fn want(&self, engine: &Engine<E>) -> Result<(), LiveError>;
        #[expect(private_interfaces, reason = "users cannot name the trait")]
        fn add(self, watching: &mut Watching);
    }
}

/// A value of trees, of which a policy decides what is seen: [`allowed`].
#[derive(Debug)]
pub struct Allowed<'v, V, P> {
    value: &'v V,
    policy: Arc<P>,
}

/// Narrows the changes of a value of trees to what a policy allows: `store.subscribe(live::allowed(&cards, viewer))`. `P` is a
/// policy of each model of the tree.
pub fn allowed<V: Items<Item: AllowedBy<P>>, P>(value: &V, policy: P) -> Allowed<'_, V, P> {
    Allowed { value, policy: Arc::new(policy) }
}

impl<E: Reader, V: Items<Item: ItemOn<E::Db> + Clone + Send + 'static>> sealed::Watchable<E> for &V {
    fn check(&self) -> Result<(), LiveError> {
        Ok(())
    }
    #[expect(private_interfaces, reason = "users cannot name the trait")]
    fn want(&self, engine: &Engine<E>) -> Result<(), LiveError> {
        engine.want_items::<V::Item>()
    }
    #[expect(private_interfaces, reason = "users cannot name the trait")]
    fn add(self, watching: &mut Watching) {
        watching.add_value::<E::Db, _>(self.items().into_iter().cloned().collect(), Policies::default());
    }
}

impl<E, V, P> sealed::Watchable<E> for Allowed<'_, V, P>
where
    E: Reader,
    V: Items<Item: ItemOn<E::Db> + AllowedBy<P> + Clone + Send + 'static>,
{
    fn check(&self) -> Result<(), LiveError> {
        Ok(())
    }
    #[expect(private_interfaces, reason = "users cannot name the trait")]
    fn want(&self, engine: &Engine<E>) -> Result<(), LiveError> {
        engine.want_items::<V::Item>()
    }
    #[expect(private_interfaces, reason = "users cannot name the trait")]
    fn add(self, watching: &mut Watching) {
        let mut policies = Policies::default();
        <V::Item as AllowedBy<P>>::allow(&self.policy, &mut policies);
        watching.add_value::<E::Db, _>(self.value.items().into_iter().cloned().collect(), policies);
    }
}

impl<E: Reader, M: LiveOn<E::Db>> sealed::Watchable<E> for Channel<M> {
    fn check(&self) -> Result<(), LiveError> {
        Ok(Self::check(self)?)
    }
    #[expect(private_interfaces, reason = "users cannot name the trait")]
    fn want(&self, engine: &Engine<E>) -> Result<(), LiveError> {
        engine.want::<M>()
    }
    #[expect(private_interfaces, reason = "users cannot name the trait")]
    fn add(self, watching: &mut Watching) {
        watching.add_channel(self);
    }
}

macro_rules! tuples {
    ($(($($name:ident),*))*) => {$(
        impl<E: Reader, $($name: sealed::Watchable<E>),*> sealed::Watchable<E> for ($($name,)*) {
            fn check(&self) -> Result<(), LiveError> {
                #[allow(non_snake_case)]
                let ($($name,)*) = self;
                $($name.check()?;)*
                Ok(())
            }
            #[expect(private_interfaces, reason = "users cannot name the trait")]
            fn want(&self, engine: &Engine<E>) -> Result<(), LiveError> {
                #[allow(non_snake_case)]
                let ($($name,)*) = self;
                $($name.want(engine)?;)*
                Ok(())
            }
            #[expect(private_interfaces, reason = "users cannot name the trait")]
            fn add(self, watching: &mut Watching) {
                #[allow(non_snake_case)]
                let ($($name,)*) = self;
                $($name.add(watching);)*
            }
        }
    )*};
}
tuples! { (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, F) (A, B, C, D, F, G) }
