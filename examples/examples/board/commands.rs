//! What a page can do: each command is written to the log, and every page learns of it through its events.

use axum::Json;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use evented_diesel::async_prelude::*;
use serde::{Deserialize, Serialize};

use crate::access::Viewer;
use crate::board::Board;
use crate::database::Conn;
use crate::failed::Failed;
use crate::model::{
    Comment, Item, Move, NewComment, NewItem, NewTag, NewTagging, Person, PersonChanges, Rename, Tag,
    Tagging, items, taggings,
};
use crate::rank::between;
use crate::revision::{Made, Shown};
use crate::state::State;

/// The key of a new record.
#[derive(Serialize)]
pub struct Added<T> {
    id: T,
}

#[derive(Deserialize)]
pub struct Title {
    title: String,
    #[serde(default = "first")]
    state: State,
}

fn first() -> State {
    State::Todo
}

/// Adds an item, at the end of a column.
pub async fn add(
    Shared(board): Shared<Board>,
    viewer: Viewer,
    Json(Title { title, state }): Json<Title>,
) -> Result<(StatusCode, Json<Added<Id<Item>>>), Failed> {
    let added = board.run(async move |mut conn| {
        let add = conn.immediate_transaction::<_, Failed, _>(async |conn| {
            let rank = place(viewer, state, None, None, conn).await?;
            let new = Item::insert(NewItem { org_id: viewer.org, title, state, rank }).by(viewer.login);
            Ok(new.run(conn).await?)
        });
        add.await
    });
    Ok((StatusCode::CREATED, Json(Added { id: added.await?.id })))
}

#[derive(Deserialize)]
pub struct NewTitle {
    title: String,
}

/// Gives an item another title.
pub async fn rename(
    Shared(board): Shared<Board>,
    Path(id): Path<Id<Item>>,
    viewer: Viewer,
    Shown(revision): Shown,
    Json(NewTitle { title }): Json<NewTitle>,
) -> Result<Made, Failed> {
    let renamed = board.run(async move |mut conn| {
        let item = mine(viewer, id, &mut conn).await?;
        let rename = item.rename(Rename { title }).expecting(revision).by(viewer.login);
        Ok(rename.run(&mut conn).await?)
    });
    Ok(Made(renamed.await?.revision))
}

/// A place on the board: before an item of a column, or at its end.
#[derive(Deserialize)]
pub struct Place {
    state: State,
    before: Option<Id<Item>>,
}

/// Moves an item.
pub async fn shift(
    Shared(board): Shared<Board>,
    Path(id): Path<Id<Item>>,
    viewer: Viewer,
    Shown(revision): Shown,
    Json(Place { state, before }): Json<Place>,
) -> Result<Made, Failed> {
    let moved = board.run(async move |mut conn| {
        // The lock is taken before the neighbours are read, so that no other item gets the same rank.
        let shift = conn.immediate_transaction::<_, Failed, _>(async |conn| {
            let item = mine(viewer, id, conn).await?;
            let rank = place(viewer, state, Some(id), before, conn).await?;
            Ok(item.shift(Move { state, rank }).expecting(revision).by(viewer.login).run(conn).await?)
        });
        shift.await
    });
    Ok(Made(moved.await?.revision))
}

/// Deletes an item, with its comments and taggings.
pub async fn delete(
    Shared(board): Shared<Board>,
    Path(id): Path<Id<Item>>,
    viewer: Viewer,
    Shown(revision): Shown,
) -> Result<StatusCode, Failed> {
    let deleted = board.run(async move |mut conn| {
        let item = mine(viewer, id, &mut conn).await?;
        Ok(item.delete().expecting(revision).by(viewer.login).run(&mut conn).await?)
    });
    deleted.await.map(|_| StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
pub struct Text {
    text: String,
}

/// Comments on an item.
pub async fn comment(
    Shared(board): Shared<Board>,
    Path(item_id): Path<Id<Item>>,
    viewer: Viewer,
    Json(Text { text }): Json<Text>,
) -> Result<(StatusCode, Json<Added<Id<Comment>>>), Failed> {
    let added = board.run(async move |mut conn| {
        mine(viewer, item_id, &mut conn).await?;
        let new = NewComment { org_id: viewer.org, item_id, author_id: viewer.person, text };
        Ok(Comment::insert(new).by(viewer.login).run(&mut conn).await?)
    });
    Ok((StatusCode::CREATED, Json(Added { id: added.await?.id })))
}

#[derive(Deserialize)]
pub struct Name {
    name: String,
}

/// Tags an item. A tag that the organisation does not have is created.
pub async fn tag(
    Shared(board): Shared<Board>,
    Path(item_id): Path<Id<Item>>,
    viewer: Viewer,
    Json(Name { name }): Json<Name>,
) -> Result<StatusCode, Failed> {
    let tagged = board.run(async move |mut conn| {
        let tag = conn.immediate_transaction::<_, Failed, _>(async |conn| {
            mine(viewer, item_id, conn).await?;
            let new = NewTag { org_id: viewer.org, name: name.trim().to_owned() };
            let tag = Tag::upsert(new).on((crate::model::tags::org_id, crate::model::tags::name)).or_ignore();
            let tag_id = tag.by(viewer.login).run(conn).await?.into_record().id;
            let new = NewTagging { item_id, tag_id, org_id: viewer.org };
            Ok(Tagging::upsert(new).or_ignore().by(viewer.login).run(conn).await?)
        });
        tag.await
    });
    tagged.await.map(|_| StatusCode::NO_CONTENT)
}

/// Takes a tag from an item.
pub async fn untag(
    Shared(board): Shared<Board>,
    Path((item_id, tag_id)): Path<(Id<Item>, Id<Tag>)>,
    viewer: Viewer,
) -> Result<StatusCode, Failed> {
    let untagged = board.run(async move |mut conn| {
        let own = taggings::table.find((item_id, tag_id)).filter(taggings::org_id.eq(viewer.org));
        let tagging: Option<Tagging> = own.select(Tagging::as_select()).first(&mut conn).await.optional()?;
        let tagging = tagging.ok_or(Failed::NotFound)?;
        Ok(tagging.delete().by(viewer.login).run(&mut conn).await?)
    });
    untagged.await.map(|_| StatusCode::NO_CONTENT)
}

/// Gives the viewer another name, which is shown at each comment of theirs.
pub async fn rename_me(
    Shared(board): Shared<Board>,
    viewer: Viewer,
    Json(Name { name }): Json<Name>,
) -> Result<StatusCode, Failed> {
    let changes = PersonChanges { name: Some(name) };
    let named = board.run(async move |mut conn| {
        Ok(Person::execute_on(viewer.person, changes).by(viewer.login).run(&mut conn).await?)
    });
    named.await.map(|_| StatusCode::NO_CONTENT)
}

/// Reads an item of the viewer's own board.
pub async fn mine(viewer: Viewer, id: Id<Item>, conn: &mut Conn) -> Result<Item, Failed> {
    let own = items::table.find(id).filter(items::org_id.eq(viewer.org)).select(Item::as_select());
    own.first(conn).await.optional()?.ok_or(Failed::NotFound)
}

/// Returns a rank in a column: before an item, or at the end. The item that is moved is no neighbour of itself.
async fn place(
    viewer: Viewer,
    state: State,
    moved: Option<Id<Item>>,
    before: Option<Id<Item>>,
    conn: &mut Conn,
) -> Result<String, Failed> {
    let column = items::table.filter(items::org_id.eq(viewer.org)).filter(items::state.eq(state));
    let ranks = column.order((items::rank, items::id)).select((items::id, items::rank));
    let mut ranks: Vec<(Id<Item>, String)> = ranks.load(conn).await?;
    ranks.retain(|(id, _)| Some(*id) != moved);
    let end = ranks.len();
    // A neighbour that has left the column meanwhile is the end.
    let at = ranks.iter().position(|(id, _)| Some(*id) == before).unwrap_or(end);
    let low = at.checked_sub(1).map(|at| ranks[at].1.as_str());
    Ok(between(low, ranks.get(at).map(|(_, rank)| rank.as_str())))
}
