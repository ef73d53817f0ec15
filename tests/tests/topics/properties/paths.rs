//! Asserts that every way through a history leads to the same state.

use std::fmt::Debug;

use evented_core::{Replay, State};
use evented_diesel::{Evented, Model, ModelOn, read};
use evented_tests::db::Setting;

/// Asserts that a replay from any savepoint has the same state, at each later revision, as the replay of the whole
/// history, and that the database returns this state.
pub(crate) async fn meet<S: Setting, M>(db: &mut S, key: M::Key)
where
    M: ModelOn<S::Backend> + PartialEq + Debug,
    M::Key: evented_diesel::IntoRecordRef<M>,
{
    let history = db.run(read::History::<M>::new(key.clone())).await.unwrap();
    let mut whole = Replay::<M>::new(key.clone());
    // The running replays, each of which began at another savepoint.
    let mut begun: Vec<Replay<M>> = Vec::new();
    for event in history.iter().map(|entry| &entry.event) {
        whole.apply(event.data()).unwrap();
        for late in &mut begun {
            late.apply(event.data()).unwrap();
        }
        if event.action() == "savepoint" {
            let mut late = Replay::new(key.clone());
            late.apply(event.data()).unwrap();
            begun.push(late);
        }
        for late in &begun {
            assert!(same(late.state(), whole.state()), "{late:?}\n{whole:?}");
        }
        assert!(
            whole.agrees_with(event.version(), &event.state()).unwrap(),
            "the digest of {event:?}\n{whole:?}"
        );
    }
    let given = db.run(read::Replay::<M>::new(key).state()).await.unwrap();
    assert!(same(&given, whole.state()), "{given:?}\n{whole:?}");
}

fn same<M: Model + PartialEq>(one: &State<M>, other: &State<M>) -> bool {
    match (one, other) {
        // Two representations of one JSON value are equal.
        (State::Live(one), State::Live(other)) => digest(one) == digest(other) && one.key() == other.key(),
        (one, other) => one == other,
    }
}

fn digest<M: Evented>(state: &M) -> evented_diesel::Digest {
    state.state_digest().unwrap()
}
