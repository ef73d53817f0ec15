//! The auto traits that users rely on: a type that loses one breaks their programs.

use std::panic::{RefUnwindSafe, UnwindSafe};

use evented_diesel::checkpoints::{Checkpoint, CheckpointReport, EventProof, LogProof};
use evented_diesel::stream::{ChangePage, LogReader, ReadPoint};
use evented_diesel::verify::{Finding, Issue};
use evented_diesel::{
    Batch, Changeset, Channel, Command, Context, Entry, Error, Event, Id, KeyValue, Meta, PendingEvent,
    RawPayload, Recorded, Scope, Subject, ValidationErrors,
};
use evented_feed::{
    Change, Feed, Hub, HubBuilder, HubError, HubStatus, Interruption, Position, RecvError, StartError,
    SubscriptionInfo, TransactionFeed, WalHubBuilder,
};
use evented_tests::models::Item;
use evented_wal::{Config, Lsn, Message, Tail, WalError};

fn shared<T: Send + Sync + Unpin + 'static>() {}
fn sent<T: Send + Unpin + 'static>() {}
fn cloned<T: Clone + Send + Sync + Unpin + 'static>() {}
fn unwound<T: UnwindSafe + RefUnwindSafe>() {}
fn reported<T: std::error::Error + Send + Sync + Unpin + 'static>() {}

#[test]
fn values_are_sent_and_shared_between_threads() {
    cloned::<Changeset>();
    cloned::<Channel<Item>>();
    cloned::<Command<Item>>();
    cloned::<Batch<Item>>();
    cloned::<Context>();
    cloned::<Event<Item>>();
    cloned::<Id<Item>>();
    cloned::<KeyValue>();
    cloned::<Meta>();
    cloned::<PendingEvent<Item>>();
    cloned::<Position>();
    cloned::<RawPayload>();
    cloned::<Recorded<Item>>();
    cloned::<Scope<Item>>();
    cloned::<Subject>();
    cloned::<Checkpoint>();
    cloned::<Finding>();
    cloned::<Issue>();
    cloned::<CheckpointReport>();
    cloned::<EventProof>();
    cloned::<LogProof>();
    cloned::<Change<Item>>();
    cloned::<HubStatus>();
    cloned::<SubscriptionInfo>();
    cloned::<Config>();
    cloned::<Lsn>();
    cloned::<Message>();
    shared::<Entry<Item>>();
    shared::<ReadPoint<Item>>();
    sent::<ChangePage<Item>>();
}

#[test]
fn what_reads_and_listens_moves_between_threads() {
    cloned::<Hub>();
    sent::<HubBuilder>();
    sent::<WalHubBuilder>();
    sent::<Feed<Item>>();
    sent::<TransactionFeed<Item>>();
    sent::<LogReader<Item>>();
    sent::<Tail>();
}

#[test]
fn errors_are_sent_shared_and_reported() {
    reported::<Error>();
    reported::<ValidationErrors>();
    reported::<StartError>();
    reported::<HubError>();
    reported::<Interruption>();
    reported::<RecvError>();
    reported::<WalError>();
}

#[test]
fn values_survive_a_panic_that_is_caught() {
    unwound::<Changeset>();
    unwound::<Id<Item>>();
    unwound::<KeyValue>();
    unwound::<Position>();
    unwound::<Lsn>();
}
