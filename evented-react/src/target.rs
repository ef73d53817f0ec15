//! What receives the deliveries of an input: a handler or an effect.

use std::sync::Arc;

use crate::delivery::{Delivery, Place};
use crate::effect::{EffectCall, Perform};
use crate::failure::Failure;
use crate::handler::{BoxFuture, Reaction};
use crate::item::{Call, Work};

/// What receives the deliveries of an input.
pub(crate) enum Target<T, C> {
    Handler(Arc<dyn Reaction<T, C>>),
    Effect(Arc<dyn Perform<T>>),
}

impl<T: Send + Sync + 'static, C: Send + 'static> Target<T, C> {
    /// Returns the work of a delivery.
    pub(crate) fn work(&self, value: T) -> Work<C> {
        match self {
            Self::Handler(handler) => {
                Work::Call(Box::new(HandlerCall { value, handler: Arc::clone(handler) }))
            }
            Self::Effect(effect) => Work::Effect(Box::new(EffectCall { value, effect: Arc::clone(effect) })),
        }
    }
}

impl<T, C> Clone for Target<T, C> {
    fn clone(&self) -> Self {
        match self {
            Self::Handler(handler) => Self::Handler(Arc::clone(handler)),
            Self::Effect(effect) => Self::Effect(Arc::clone(effect)),
        }
    }
}

/// A handler with what it receives.
pub(crate) struct HandlerCall<T, C> {
    pub(crate) value: T,
    pub(crate) handler: Arc<dyn Reaction<T, C>>,
}

impl<T: Send + Sync, C: Send> Call<C> for HandlerCall<T, C> {
    fn call<'a>(&'a self, place: Place<'a>, conn: &'a mut C) -> BoxFuture<'a, Result<(), Failure>> {
        self.handler.react(Delivery { value: &self.value, place }, conn)
    }
}
