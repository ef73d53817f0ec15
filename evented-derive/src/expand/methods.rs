//! Generates the methods that users call: the commands and reads of a model, and one method for each of its actions.

use proc_macro2::TokenStream;
use quote::quote;

use super::Names;
use crate::model::Model;

pub(super) fn expand(model: &Model, Names { private, new, changes, .. }: &Names) -> TokenStream {
    let ident = &model.ident;
    let vis = &model.vis;
    let own = model.actions.iter().map(|action| {
        let (method, ty) = (&action.method, &action.ty);
        let link = quote!(#ty).to_string().replace(' ', "");
        let doc = format!("Action `{}`: [`{link}`] says what it does.", action.name);
        quote! {
            #[doc = #doc]
            #vis fn #method(&self, action: #ty) -> #private::Command<Self> {
                #private::Command::change(self, action)
            }
        }
    });
    let with_table = model.log_only.is_none().then(|| with_table(model, private));
    let target = quote!(impl #private::IntoRecordRef<Self>);
    quote! {
        /// Commands and reads. Each is a value that does nothing until `.run(&mut conn)`.
        #[automatically_derived]
        #[allow(dead_code)]
        impl #ident {
            /// Creates a record.
            #vis fn insert(new: #new) -> #private::Command<Self> {
                #private::Command::insert(new)
            }
            /// Changes some fields of the record.
            #vis fn update(&self, changes: #changes) -> #private::Command<Self> {
                #private::Command::change(self, changes)
            }
            /// Deletes the record. Its events stay in the log.
            #vis fn delete(&self) -> #private::Command<Self> {
                #private::Command::delete(self)
            }
            /// Deletes the record with this key. Its events stay in the log.
            #vis fn delete_by(target: #target) -> #private::Command<Self> {
                #private::Command::delete(target)
            }
            /// Runs any action of this model on a record, given by reference or by its key.
            #vis fn execute<A: #private::ActionOf<Self>>(target: #target, action: A) -> #private::Command<Self> {
                #private::Command::change(target, action)
            }
            #(#own)*
            /// What an action would change. Writes nothing.
            ///
            /// # Errors
            ///
            /// The errors of running the action: errors of the input, or a value that cannot be stored.
            #vis fn changeset<A: #private::ActionOf<Self>>(
                &self,
                action: &A,
            ) -> ::core::result::Result<#private::Changeset, #private::Error> {
                #private::changeset(self, action)
            }
            /// Writes the whole state into the log, so that replay may start from it.
            #vis fn savepoint(target: #target) -> #private::Command<Self> {
                #private::Command::savepoint(target)
            }
            /// The state of a record, replayed from its log: now, as of a time, or at a revision.
            #vis fn replay(target: #target) -> #private::Replay<Self> {
                #private::Replay::new(target)
            }
            /// The events of a record, each with what it changed.
            #vis fn history(target: #target) -> #private::History<Self> {
                #private::History::new(target)
            }
            /// The events of a record, starting with its last savepoint.
            #vis fn recent_events(target: #target) -> #private::History<Self> {
                #private::History::recent(target)
            }
            /// The events of a record up to the given one.
            #vis fn previous_events(event: &#private::Event<Self>) -> #private::History<Self> {
                #private::History::up_to(event)
            }
            /// The events of this record as a Diesel query, which loads them as `Event`.
            #vis fn events(&self) -> <Self as #private::EventsOf>::Query {
                #private::EventsOf::events_of(self)
            }
            /// Replays a record from each of its savepoints, and checks that all replays give the same state.
            #vis fn verify_savepoints(target: #target) -> #private::VerifySavepoints<Self> {
                #private::VerifySavepoints::new(target)
            }
            /// Replays every record with the current code, and compares the states with the recorded digests.
            #vis fn verify_replay() -> #private::VerifyReplay<Self> {
                #private::VerifyReplay::new()
            }
            /// Checks one record: its events, their replay, and its row.
            #vis fn verify(target: #target) -> #private::Verify<Self> {
                #private::Verify::new(target)
            }
            #with_table
            /// Every record as it was when the log had reached a position, in pages.
            #vis fn table_at(position: i64) -> #private::TableAt<Self> {
                #private::TableAt::new(position)
            }
            /// The channel of all changes, for a hub of `evented-feed`. Its methods narrow it to a record or a scope.
            #vis fn changes() -> #private::Channel<Self> {
                #private::Channel::all()
            }
            /// Takes a read point: which changes the current transaction sees, so that rows read in it and later
            /// changes fit together.
            #vis fn read_point() -> #private::TakeReadPoint<Self> {
                #private::TakeReadPoint::of_model()
            }
            /// The last position of the log.
            #vis fn last_position() -> #private::LastPosition<Self> {
                #private::LastPosition::new()
            }
        }
    }
}

/// Generates the methods that need rows.
fn with_table(model: &Model, private: &TokenStream) -> TokenStream {
    let vis = &model.vis;
    let target = quote!(impl #private::IntoRecordRef<Self>);
    quote! {
        /// Writes the missing row of a record that exists in the log.
        #vis fn materialize(target: #target) -> #private::Materialize<Self> {
            #private::Materialize::new(target)
        }
        /// Compares every row with its log.
        #vis fn verify_table() -> #private::VerifyTable<Self> {
            #private::VerifyTable::new()
        }
        /// Sets every row to the state in its log.
        #vis fn rebuild() -> #private::Rebuild<Self> {
            #private::Rebuild::new()
        }
        /// Writes a first event for each row that has none.
        #vis fn backfill() -> #private::Backfill<Self> {
            #private::Backfill::new()
        }
    }
}
