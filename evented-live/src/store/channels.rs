//! The channels on which a change makes a computed value be read again.

use evented_core::{Channel, Denied};
use evented_diesel::LiveOn;

use crate::engine::Engine;
use crate::error::LiveError;
use crate::reader::Reader;

/// One channel, or a tuple of up to four: `(Item::changes(), Tag::changes())`.
pub trait Channels<E: Reader>: sealed::Channels<E> {}
impl<E: Reader, C: sealed::Channels<E>> Channels<E> for C {}

pub(crate) mod sealed {
    use super::{Denied, Engine, LiveError, Reader};

    pub trait Channels<E: Reader> {
        /// Checks that the policies allow the channels. This runs user code: the caller must not hold a lock.
        fn check(&self) -> Result<(), Denied>;
        /// Makes a change on the channels concern a computed value.
        #[expect(private_interfaces, reason = "users cannot name the trait")]
        fn listen(&self, engine: &mut Engine<E>, computed: u64) -> Result<(), LiveError>;
    }
}

impl<E: Reader, M: LiveOn<E::Db>> sealed::Channels<E> for Channel<M> {
    fn check(&self) -> Result<(), Denied> {
        Self::check(self)
    }

    #[expect(private_interfaces, reason = "users cannot name the trait")]
    fn listen(&self, engine: &mut Engine<E>, computed: u64) -> Result<(), LiveError> {
        engine.values::<M>()?.listen(self.clone(), computed);
        Ok(())
    }
}

macro_rules! tuples {
    ($(($($name:ident),*))*) => {$(
        impl<E: Reader, $($name: sealed::Channels<E>),*> sealed::Channels<E> for ($($name,)*) {
            fn check(&self) -> Result<(), Denied> {
                #[allow(non_snake_case)]
                let ($($name,)*) = self;
                $($name.check()?;)*
                Ok(())
            }

            #[expect(private_interfaces, reason = "users cannot name the trait")]
            fn listen(&self, engine: &mut Engine<E>, computed: u64) -> Result<(), LiveError> {
                #[allow(non_snake_case)]
                let ($($name,)*) = self;
                $($name.listen(engine, computed)?;)*
                Ok(())
            }
        }
    )*};
}
tuples! { (A) (A, B) (A, B, C) (A, B, C, D) }
