//! The items of a temporary database, so that there is something to see.

use evented_diesel::async_prelude::*;

use crate::access::{VIEWERS, Viewer};
use crate::board::Board;
use crate::database::Conn;
use crate::failed::Failed;
use crate::model::{Comment, Item, Move, NewComment, NewItem, NewTag, NewTagging, Rename, Tag, Tagging};
use crate::rank::between;
use crate::state::State;

/// An item: its column, its title, its tags, and its comments with the index of their author among the viewers.
type Sample = (State, &'static str, &'static [&'static str], &'static [(usize, &'static str)]);

const ARK: &[Sample] = &[
    (
        State::Todo,
        "Invite the neighbours to the opening",
        &["event"],
        &[(1, "The hall holds eighty people.")],
    ),
    (State::Todo, "Order chairs for the reading room", &["purchase", "room"], &[]),
    (State::Todo, "Find out why the back door sticks", &["repair"], &[(0, "It is worse after rain.")]),
    (
        State::Doing,
        "Repaint the entrance",
        &["room", "repair"],
        &[
            (0, "The first coat is on."),
            (1, "Could the door stay white?"),
            (0, "Yes, only the walls are green."),
        ],
    ),
    (State::Doing, "Write the autumn programme", &["event", "text"], &[(1, "Two readings are still open.")]),
    (State::Done, "Replace the lamp above the stairs", &["repair"], &[(0, "Thanks!")]),
    (State::Done, "Print new membership cards", &["purchase"], &[]),
];

const BAY: &[Sample] = &[
    (State::Todo, "Check the mooring lines", &["boats"], &[(2, "Two of them are worn.")]),
    (State::Doing, "Service the outboard motor", &["boats", "repair"], &[]),
];

/// Fills the boards of both organisations.
pub async fn fill(board: &Board) -> Result<(), Failed> {
    let work = board.run(async move |mut conn| {
        let (ada, ben) = (VIEWERS[0].1, VIEWERS[2].1);
        for (viewer, samples) in [(ada, ARK), (ben, BAY)] {
            let mut rank = None;
            for sample in samples {
                rank = Some(item(viewer, sample, rank, &mut conn).await?);
            }
        }
        Ok(())
    });
    work.await
}

/// Adds an item behind a rank, and returns its own.
async fn item(
    viewer: Viewer,
    sample: &Sample,
    low: Option<String>,
    conn: &mut Conn,
) -> Result<String, Failed> {
    let (state, title, tags, comments) = *sample;
    let rank = between(low.as_deref(), None);
    let draft = title.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let new = NewItem { org_id: viewer.org, title: draft, state: State::Todo, rank: rank.clone() };
    let item = Item::insert(new).by(viewer.login).run(conn).await?;
    let item = item.rename(Rename { title: title.to_owned() }).by(viewer.login).run(conn).await?;
    if state != State::Todo {
        item.shift(Move { state, rank: rank.clone() }).by(viewer.login).run(conn).await?;
    }
    for name in tags {
        let new = NewTag { org_id: viewer.org, name: (*name).to_owned() };
        let tag = Tag::upsert(new).on((crate::model::tags::org_id, crate::model::tags::name)).or_ignore();
        let tag_id = tag.by(viewer.login).run(conn).await?.into_record().id;
        let new = NewTagging { item_id: item.id, tag_id, org_id: viewer.org };
        Tagging::insert(new).by(viewer.login).run(conn).await?;
    }
    for (author, text) in comments {
        let author = VIEWERS[*author].1;
        let new = NewComment {
            org_id: author.org,
            item_id: item.id,
            author_id: author.person,
            text: (*text).to_owned(),
        };
        Comment::insert(new).by(author.login).run(conn).await?;
    }
    Ok(rank)
}
