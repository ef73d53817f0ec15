//! The models of a tree: how their rows are read.

use std::any::{Any, TypeId};
use std::sync::Arc;

use evented_core::live::{QueryId, Route, Tree, TreeState};
use evented_diesel::spi::ModelVisitor;
use evented_diesel::{LiveOn, TreeOn};

use crate::error::LiveError;
use crate::fill::{Arrivals, Arrived, FillJob, For, together};
use crate::reader::{Job, Reader};
use crate::shared::Shared;

/// What the reads of a tree need.
pub(super) struct Context {
    pub(super) id: u64,
    /// How often the tree has begun again: what was read before is not taken.
    pub(super) began: u64,
    pub(super) store: Arc<Shared>,
    pub(super) arrivals: Arrivals,
    pub(super) most_rows: usize,
    pub(super) route: Route,
}

/// Reads to make, each with whether it opens a value.
pub(super) type Jobs<E> = Vec<(bool, Box<dyn Job<E>>)>;

/// A model of a tree, with its type erased.
pub(super) struct ModelOf<E, T: Tree> {
    pub(super) model: TypeId,
    pub(super) schema: &'static str,
    /// Takes the reads that are wanted.
    pub(super) jobs: fn(&mut TreeState<T>, &Context) -> Jobs<E>,
    /// Takes what was read; the list and why, if it could not be read.
    pub(super) arrived: fn(&mut TreeState<T>, Box<dyn Any + Send>) -> Option<Failed>,
    /// Reads a list again.
    pub(super) read_again: fn(&mut TreeState<T>, QueryId, u64),
}

/// A list that could not be read.
pub(super) struct Failed {
    pub(super) list: QueryId,
    pub(super) generation: u64,
    pub(super) error: LiveError,
}

/// The models of a tree.
pub(super) struct Models<E, T: Tree>(pub(super) Vec<ModelOf<E, T>>);

impl<E: Reader, T: TreeOn<E::Db>> Models<E, T> {
    pub(super) fn of_tree() -> Self {
        let mut models = Self(Vec::new());
        T::visit(&mut models);
        models
    }
}

impl<E: Reader, T: Tree> ModelVisitor<E::Db> for Models<E, T> {
    fn model<M: LiveOn<E::Db>>(&mut self) {
        let model = TypeId::of::<M>();
        if !self.0.iter().any(|other| other.model == model) {
            self.0.push(ModelOf {
                model,
                schema: M::SCHEMA,
                jobs: jobs::<E, T, M>,
                arrived: arrived::<T, M>,
                read_again: |state, list, generation| state.read_again::<M>(list, generation),
            });
        }
    }
}

fn jobs<E: Reader, T: Tree, M: LiveOn<E::Db>>(state: &mut TreeState<T>, context: &Context) -> Jobs<E> {
    let jobs = together(state.take_wanted::<M>()).into_iter().map(|wanted| {
        let opens = state.value().is_none();
        let job = FillJob {
            wanted,
            most_rows: context.most_rows,
            to: For::Tree(context.id, context.began, TypeId::of::<M>()),
            shared: Arc::clone(&context.store),
            arrivals: Arc::clone(&context.arrivals),
        };
        (opens, Box::new(job) as Box<dyn Job<E>>)
    });
    jobs.collect()
}

fn arrived<T: Tree, M: evented_core::live::LiveModel>(
    state: &mut TreeState<T>,
    arrived: Box<dyn Any + Send>,
) -> Option<Failed> {
    let Arrived::<M> { id, generation, read } = *arrived.downcast().ok()?;
    match read {
        Ok((fill, marker)) => {
            state.filled::<M>(id, generation, fill, marker);
            None
        }
        Err(error) => Some(Failed { list: id, generation, error }),
    }
}
