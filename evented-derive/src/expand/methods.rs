//! What users call: the commands and readings of a model, and one method for each of its actions.

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
    let target = quote!(impl #private::IntoTarget<Self>);
    quote! {
        /// Commands and readings. Each is a value: run it with `.run(&mut conn)`.
        #[automatically_derived]
        #[allow(dead_code)]
        impl #ident {
            /// Makes a record.
            #vis fn insert(new: #new) -> #private::Command<Self> {
                #private::Command::insert(new)
            }
            /// Changes some fields.
            #vis fn update(&self, changes: #changes) -> #private::Command<Self> {
                #private::Command::change(self, changes)
            }
            /// Removes the record; its log stays.
            #vis fn delete(&self) -> #private::Command<Self> {
                #private::Command::delete(self)
            }
            /// Removes the record with this key; its log stays.
            #vis fn delete_by(target: #target) -> #private::Command<Self> {
                #private::Command::delete(target)
            }
            /// Runs any action of this model on a record, or on the record with a key.
            #vis fn execute<A: #private::ActionOf<Self>>(target: #target, action: A) -> #private::Command<Self> {
                #private::Command::change(target, action)
            }
            #(#own)*
            /// What an action would change, without writing anything.
            ///
            /// # Errors
            ///
            /// Those of running it: the faults of the input, a value that cannot be stored.
            #vis fn changeset<A: #private::ActionOf<Self>>(
                &self,
                action: &A,
            ) -> ::core::result::Result<#private::Changeset, #private::Error> {
                #private::changeset(self, action)
            }
            /// Writes the whole state into the log, so that replay may start there.
            #vis fn savepoint(target: #target) -> #private::Command<Self> {
                #private::Command::savepoint(target)
            }
            /// The state of a record, from its log alone: now, as of a time, or at a revision.
            #vis fn replay(target: #target) -> #private::Replay<Self> {
                #private::Replay::new(target)
            }
            /// The events of a record, each with what it changed.
            #vis fn history(target: #target) -> #private::History<Self> {
                #private::History::new(target)
            }
            /// The events of a record from its last savepoint on.
            #vis fn recent_events(target: #target) -> #private::History<Self> {
                #private::History::recent(target)
            }
            /// The events of a record up to one of them.
            #vis fn previous_events(event: &#private::Event<Self>) -> #private::History<Self> {
                #private::History::up_to(event)
            }
            /// The events of this record, as a Diesel query: load it as `Event`.
            #vis fn events(&self) -> <Self as #private::EventsOf>::Query {
                #private::EventsOf::events_of(self)
            }
            /// Replays a record from each of its savepoints, and looks whether all paths meet.
            #vis fn verify_savepoints(target: #target) -> #private::VerifySavepoints<Self> {
                #private::VerifySavepoints::new(target)
            }
            /// Replays every record through today's code, and compares with what was recorded.
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
            /// The changes of all records, as they happen, or of those that are asked for: see `Hub`.
            #vis fn changes() -> #private::Channel<Self> {
                #private::Channel::all()
            }
            /// The last position of the log.
            #vis fn last_position() -> #private::LastPosition<Self> {
                #private::LastPosition::new()
            }
        }
    }
}

/// What only makes sense where there are rows.
fn with_table(model: &Model, private: &TokenStream) -> TokenStream {
    let vis = &model.vis;
    let target = quote!(impl #private::IntoTarget<Self>);
    quote! {
        /// Writes the missing row of a record that the log says is live.
        #vis fn materialize(target: #target) -> #private::Materialize<Self> {
            #private::Materialize::new(target)
        }
        /// Compares every row with its log.
        #vis fn verify_table() -> #private::VerifyTable<Self> {
            #private::VerifyTable::new()
        }
        /// Makes every row what its log says.
        #vis fn rebuild() -> #private::Rebuild<Self> {
            #private::Rebuild::new()
        }
        /// Gives each row that has no event a first one.
        #vis fn bring_up() -> #private::BringUp<Self> {
            #private::BringUp::new()
        }
    }
}
