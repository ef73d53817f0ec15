//! Every way through a history leads to the same state.

use std::fmt::Debug;

use evented_core::{Replay, State};
use evented_diesel::{Evented, Model, Rows, read};
use evented_tests::db::Setting;

/// Asserts that replays which start at any savepoint, at any revision after it, meet the replay of the whole history,
/// and that this is what the database gives.
pub(crate) async fn meet<S: Setting, M>(db: &mut S, key: M::Key)
where
    M: Rows<S::Backend> + PartialEq + Debug,
    M::Key: evented_diesel::IntoTarget<M>,
{
    let history = db.run(read::History::<M>::new(key.clone())).await.unwrap();
    let events: Vec<_> = history.into_iter().map(|entry| entry.event.stored).collect();
    let mut whole = Replay::<M>::new(key.clone());
    // Replays on their way, each begun at another savepoint.
    let mut begun: Vec<Replay<M>> = Vec::new();
    for event in &events {
        whole.apply(event).unwrap();
        for late in &mut begun {
            late.apply(event).unwrap();
        }
        if event.action == "savepoint" {
            let mut late = Replay::new(key.clone());
            late.apply(event).unwrap();
            begun.push(late);
        }
        for late in &begun {
            assert!(same(late.state(), whole.state()), "{late:?}\n{whole:?}");
        }
        assert!(whole.agrees_with(event).unwrap(), "the digest of {event:?}\n{whole:?}");
    }
    let given = db.run(read::Replay::<M>::new(key).state()).await.unwrap();
    assert!(same(&given, whole.state()), "{given:?}\n{whole:?}");
}

fn same<M: Model + PartialEq>(one: &State<M>, other: &State<M>) -> bool {
    match (one, other) {
        // Two forms of one JSON value are the same value.
        (State::Live(one), State::Live(other)) => digest(one) == digest(other) && one.key() == other.key(),
        (one, other) => one == other,
    }
}

fn digest<M: Evented>(state: &M) -> evented_diesel::Digest {
    state.state_digest().unwrap()
}
