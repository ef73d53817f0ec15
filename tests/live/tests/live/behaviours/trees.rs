//! Trees of associations: what comes, goes and moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use evented_diesel::prelude::*;
use evented_feed::{Channel, Policy};
use evented_diesel::migrations::Database;
use evented_live::{Filter, LiveDsl as _, LiveError, LiveModel as _, Status};
use evented_tests::db::Db;
use evented_live_tests::board::{
    Comment, CommentChanges, CommentTree, NewComment, NewPost, NewReaction, NewTag, NewTagging, Post, PostChanges, PostTree,
    Reaction, Tag, TagChanges, Tagging, TaggingTree, Thread, comment, post,
};
use evented_live_tests::{Kit as _, NewPerson, Person, PersonChanges, Runs, Task, eventually, until};

use super::{Conn, Source, World};

fn texts(post: &PostTree) -> Vec<&str> {
    post.comments.iter().map(|it| it.comment.text.as_str()).collect()
}

fn tags(post: &PostTree) -> Vec<&str> {
    post.tags.iter().map(|tag| tag.name.as_str()).collect()
}

fn tag(name: &str) -> NewTag {
    NewTag { name: name.to_owned(), hidden: false }
}

#[tokio::test(flavor = "multi_thread")]
async fn children_come_go_and_move() {
    let mut world = World::of_board::<Source>().await;
    let a = world.db.run(Post::insert(post(1, 1, "a"))).await.unwrap();
    let b = world.db.run(Post::insert(post(1, 2, "b"))).await.unwrap();
    let one = world.db.run(Comment::insert(comment(&a, 1, "one"))).await.unwrap();
    let mut list = world.store.open(PostTree::live().order(|p| p.rank.asc())).await.unwrap();
    assert_eq!((list.get().len(), texts(&list.get()[0])), (2, vec!["one"]));
    assert!(list.status().is_exact());

    // Inserted: it appears in its parent, in the order of the branch, which is a window.
    for (rank, text) in [(3, "three"), (2, "two"), (4, "four")] {
        world.db.run(Comment::insert(comment(&a, rank, text))).await.unwrap();
    }
    until(&mut list, "a window of comments", |list| texts(&list[0]) == ["four", "three", "two"]).await;
    // Moved: it leaves the old parent and joins the new one.
    let moved = CommentChanges { post_id: Some(b.id), rank: Some(9), ..Default::default() };
    let one = world.db.run(one.update(moved)).await.unwrap();
    until(&mut list, "another parent", |list| texts(&list[1]) == ["one"]).await;
    // Deleted.
    world.db.run(one.delete()).await.unwrap();
    until(&mut list, "no child", |list| list[1].comments.is_empty()).await;
    // Within the window, and behind it.
    let four = list.get()[0].comments[0].comment.to_record();
    world.db.run(four.update(CommentChanges { rank: Some(0), ..Default::default() })).await.unwrap();
    until(&mut list, "another order", |list| texts(&list[0]) == ["three", "two", "four"]).await;

    // A parent that is deleted, and one that comes with children that were there.
    let orphan = NewComment { text: "orphan".into(), ..comment(&b, 5, "") };
    world.db.run(Comment::insert(orphan)).await.unwrap();
    until(&mut list, "a child of the second", |list| texts(&list[1]) == ["orphan"]).await;
    let mut second = world.store.open(PostTree::live().one(b.id)).await.unwrap();
    world.db.run(b.delete()).await.unwrap();
    until(&mut list, "one parent", |list| list.len() == 1).await;
    until(&mut second, "no parent", Option::is_none).await;
    world.db.run(Post::insert(post(1, 7, "c"))).await.unwrap();
    until(&mut list, "a new parent", |list| list.len() == 2 && list[1].comments.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parents_and_second_keys_are_followed() {
    let mut world = World::of_board::<Source>().await;
    let ann = world.db.run(Person::insert(NewPerson { name: "Ann".into() })).await.unwrap();
    let bob = world.db.run(Person::insert(NewPerson { name: "Bob".into() })).await.unwrap();
    let top = world.db.run(Post::insert(post(1, 1, "top"))).await.unwrap();
    let new = NewPost { editor_id: Some(ann.id), parent_id: Some(top.id), ..post(2, 1, "a") };
    let a = world.db.run(Post::insert(new)).await.unwrap();
    let new = NewComment { author_id: Some(bob.id), ..comment(&a, 1, "hello") };
    let hello = world.db.run(Comment::insert(new)).await.unwrap();
    let mut list = world.store.open(PostTree::live().filter(|p| p.org_id.eq(2))).await.unwrap();
    let names = |post: &PostTree| {
        let name = |person: &Option<_>| person.as_ref().map(|it: &evented_live::Row<Person>| it.name.clone());
        (name(&post.editor), name(&post.comments[0].author), post.parent.as_ref().map(|it| it.title.clone()))
    };
    let some = |name: &str| Some(name.to_owned());
    assert_eq!(names(&list.get()[0]), (some("Ann"), some("Bob"), some("top")));

    world.db.run(bob.update(PersonChanges { name: Some("Bert".into()) })).await.unwrap();
    until(&mut list, "another name", |list| names(&list[0]).1 == some("Bert")).await;
    // The first shows another person, and the second none.
    world.db.run(a.update(PostChanges { editor_id: Some(Some(bob.id)), ..Default::default() })).await.unwrap();
    until(&mut list, "another editor", |list| names(&list[0]).0 == some("Bert")).await;
    world.db.run(hello.update(CommentChanges { author_id: Some(None), ..Default::default() })).await.unwrap();
    until(&mut list, "no author", |list| names(&list[0]).1.is_none()).await;
    // A parent that is deleted leaves `None`.
    world.db.run(top.delete()).await.unwrap();
    until(&mut list, "no parent", |list| names(&list[0]).2.is_none()).await;
    let update = PersonChanges { name: Some("Beth".into()) };
    let bob = world.db.run(bob.update(update)).await.unwrap();
    until(&mut list, "the editor's name", |list| names(&list[0]).0 == some("Beth")).await;
    world.db.run(bob.delete()).await.unwrap();
    until(&mut list, "no editor", |list| list[0].editor.is_none()).await;
    assert!(list.status().is_exact());
}

#[tokio::test(flavor = "multi_thread")]
async fn links_join_and_part() {
    let mut world = World::of_board::<Source>().await;
    let a = world.db.run(Post::insert(post(1, 1, "a"))).await.unwrap();
    let red = world.db.run(Tag::insert(tag("red"))).await.unwrap();
    let blue = world.db.run(Tag::insert(tag("blue"))).await.unwrap();
    let link = |tag: &Tag| Tagging::insert(NewTagging { post_id: a.id, tag_id: tag.id, weight: 1 });
    let linked = world.db.run(link(&red)).await.unwrap();
    let mut one = world.store.open(PostTree::live().one(a.id)).await.unwrap();
    let has = |names: &'static [&str]| move |one: &Option<PostTree>| tags(one.as_ref().unwrap()) == names;
    assert!(has(&["red"])(&one.get()));
    world.db.run(link(&blue)).await.unwrap();
    until(&mut one, "a link joins", has(&["blue", "red"])).await;
    world.db.run(linked.delete()).await.unwrap();
    until(&mut one, "an unlink parts", has(&["blue"])).await;
    world.db.run(blue.update(TagChanges { hidden: Some(true), ..Default::default() })).await.unwrap();
    until(&mut one, "it is filtered", has(&[])).await;
    let unhide = TagChanges { hidden: Some(false), name: Some("azure".into()) };
    world.db.run(blue.update(unhide)).await.unwrap();
    until(&mut one, "it is back", has(&["azure"])).await;
    world.db.run(blue.delete()).await.unwrap();
    until(&mut one, "the tag is gone", has(&[])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_behind_the_children_is_shown_as_one_list() {
    let mut world = World::of_board::<Source>().await;
    let a = world.db.run(Post::insert(post(1, 1, "a"))).await.unwrap();
    let b = world.db.run(Post::insert(post(1, 2, "b"))).await.unwrap();
    let one = world.db.run(Comment::insert(comment(&a, 1, "one"))).await.unwrap();
    let two = world.db.run(Comment::insert(comment(&a, 2, "two"))).await.unwrap();
    let react = |to: &Comment, kind: &str| Reaction::insert(NewReaction { comment_id: to.id, kind: kind.into() });
    world.db.run(react(&one, "m")).await.unwrap();
    let mut tree = world.store.open(PostTree::live().one(a.id)).await.unwrap();
    let kinds = |tree: &Option<PostTree>| {
        tree.as_ref().unwrap().reactions.iter().map(|it| it.kind.clone()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&tree.get()), ["m"]);
    world.db.run(react(&two, "a")).await.unwrap();
    until(&mut tree, "of both", |tree| kinds(tree) == ["a", "m"]).await;
    // The comment takes its reactions with it.
    world.db.run(one.update(CommentChanges { post_id: Some(b.id), ..Default::default() })).await.unwrap();
    until(&mut tree, "of the other alone", |tree| kinds(tree) == ["a"]).await;
    let of_comment = &tree.get().unwrap().comments[0];
    assert_eq!(of_comment.reactions.len(), 1, "{of_comment:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_contains_itself_to_its_depth() {
    let mut world = World::of_board::<Source>().await;
    let mut posts = vec![world.db.run(Post::insert(post(9, 0, "0"))).await.unwrap()];
    for rank in 1..5_i16 {
        let parent_id = posts.last().map(|post| post.id);
        let new = NewPost { parent_id, ..post(1, rank, &rank.to_string()) };
        posts.push(world.db.run(Post::insert(new)).await.unwrap());
    }
    let mut thread = world.store.open(Thread::live().one(posts[0].id)).await.unwrap();
    fn depth(thread: &Thread) -> usize {
        1 + thread.below.first().map_or(0, depth)
    }
    assert_eq!(depth(&thread.get().unwrap()), 3, "two levels below the first");
    let cut = PostChanges { parent_id: Some(None), ..Default::default() };
    world.db.run(posts[1].update(cut)).await.unwrap();
    until(&mut thread, "alone", |thread| depth(thread.as_ref().unwrap()) == 1).await;
    // A circle ends at the depth.
    let circle = PostChanges { parent_id: Some(Some(posts[0].id)), ..Default::default() };
    world.db.run(posts[0].update(circle)).await.unwrap();
    until(&mut thread, "a circle", |thread| depth(thread.as_ref().unwrap()) == 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_of_a_record_that_comes_later() {
    let mut world = World::of_board::<Source>().await;
    let post_ = world.db.run(Post::insert(post(1, 1, "a"))).await.unwrap();
    let red = world.db.run(Tag::insert(tag("red"))).await.unwrap();
    let key = (post_.id, red.id);
    let mut tree = world.store.open(TaggingTree::live().one(key)).await.unwrap();
    assert!(tree.get().is_none());
    let new = NewTagging { post_id: post_.id, tag_id: red.id, weight: 1 };
    world.db.run(Tagging::insert(new)).await.unwrap();
    let tree = until(&mut tree, "it is there", Option::is_some).await.unwrap();
    assert_eq!((tree.post.unwrap().title.as_str(), tree.tag.unwrap().name.as_str()), ("a", "red"));
    let id = post_.id;
    let other = world.db.run(Post::insert(post(1, 1, "b"))).await.unwrap();
    let many = world.store.open(PostTree::live().many([other.id, id])).await.unwrap();
    assert_eq!(many.get().iter().map(|it| it.post.title.as_str()).collect::<Vec<_>>(), ["b", "a"]);
}

/// A viewer of one organisation, who sees no comment by this person.
struct Viewer {
    org: i32,
    blocked: i32,
}

impl Policy<Post> for Viewer {
    fn may_see(&self, post: &Post) -> bool {
        post.org_id == self.org
    }
    fn filter(&self) -> Option<Filter<Post>> {
        Some(Post::fields().org_id.eq(self.org))
    }
}
impl Policy<Comment> for Viewer {
    fn may_see(&self, comment: &Comment) -> bool {
        comment.author_id != Some(self.blocked)
    }
}
macro_rules! sees_all {
    ($($model:ty),*) => {$(
        impl Policy<$model> for Viewer {
            fn may_see(&self, _: &$model) -> bool {
                true
            }
        }
    )*};
}
sees_all!(Reaction, Tag, Tagging, Person);

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_asked_of_every_record_of_a_tree() {
    let mut world = World::of_board::<Source>().await;
    let ann = world.db.run(Person::insert(NewPerson { name: "Ann".into() })).await.unwrap();
    let theirs = world.db.run(Post::insert(post(2, 1, "theirs"))).await.unwrap();
    let new = NewPost { parent_id: Some(theirs.id), ..post(1, 1, "mine") };
    let mine = world.db.run(Post::insert(new)).await.unwrap();
    for rank in 0..30 {
        let new = NewComment { author_id: Some(ann.id), ..comment(&mine, rank, "hidden") };
        world.db.run(Comment::insert(new)).await.unwrap();
    }
    let seen = world.db.run(Comment::insert(comment(&mine, -1, "seen"))).await.unwrap();
    let viewer = Viewer { org: 1, blocked: ann.id };
    let mut list = world.store.open(PostTree::live().allowed_by(viewer)).await.unwrap();
    let titles = |list: &evented_live::List<PostTree>| list.iter().map(|it| it.post.title.clone()).collect::<Vec<_>>();
    assert_eq!(titles(&list.get()), ["mine"]);
    assert_eq!(texts(&list.get()[0]), ["seen"], "the window reads on behind what is hidden");
    assert!(list.get()[0].parent.is_none(), "a parent that the viewer may not see");
    // It becomes hidden, and another becomes seen.
    let hide = CommentChanges { author_id: Some(Some(ann.id)), ..Default::default() };
    world.db.run(seen.update(hide)).await.unwrap();
    until(&mut list, "hidden", |list| list[0].comments.is_empty()).await;
    let move_to = PostChanges { org_id: Some(1), ..Default::default() };
    world.db.run(theirs.update(move_to)).await.unwrap();
    until(&mut list, "two", |list| list.len() == 2 && list.iter().any(|it| it.parent.is_some())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_is_read_again_when_rights_change_elsewhere() {
    /// May see comments while a switch is on.
    struct Switched(Arc<AtomicBool>);
    impl Policy<Comment> for Switched {
        fn may_see(&self, _: &Comment) -> bool {
            self.0.load(Ordering::SeqCst)
        }
    }
    impl Policy<Reaction> for Switched {
        fn may_see(&self, _: &Reaction) -> bool {
            true
        }
    }
    impl Policy<Person> for Switched {
        fn may_see(&self, _: &Person) -> bool {
            true
        }
    }
    struct OfPosts(Switched);
    impl Policy<Post> for OfPosts {
        fn may_see(&self, _: &Post) -> bool {
            true
        }
        fn key(&self) -> Option<String> {
            Some("group".to_owned())
        }
    }
    macro_rules! of_switch {
        ($($model:ty),*) => {$(
            impl Policy<$model> for OfPosts {
                fn may_see(&self, record: &$model) -> bool {
                    Policy::<$model>::may_see(&self.0, record)
                }
            }
        )*};
    }
    of_switch!(Comment, Reaction, Person);
    impl Policy<Tag> for OfPosts {
        fn may_see(&self, _: &Tag) -> bool {
            true
        }
    }
    impl Policy<Tagging> for OfPosts {
        fn may_see(&self, _: &Tagging) -> bool {
            true
        }
    }
    let mut world = World::of_board::<Source>().await;
    let a = world.db.run(Post::insert(post(1, 1, "a"))).await.unwrap();
    world.db.run(Comment::insert(comment(&a, 1, "one"))).await.unwrap();
    let switch = Arc::new(AtomicBool::new(true));
    let policy = OfPosts(Switched(Arc::clone(&switch)));
    let mut tree = world.store.open(PostTree::live().one(a.id).allowed_by(policy)).await.unwrap();
    assert_eq!(texts(tree.get().as_ref().unwrap()), ["one"]);
    for shown in [false, true, false] {
        switch.store(shown, Ordering::SeqCst);
        world.store.reauthorise("group");
        until(&mut tree, "the new rights", |tree| tree.as_ref().unwrap().comments.len() == usize::from(shown)).await;
    }
    eventually("it is exact", async || tree.status().is_exact()).await;
}

/// A viewer that may subscribe to no posts.
struct Nobody;
impl Policy<Post> for Nobody {
    fn may_subscribe(&self, _: &Channel<Post>) -> bool {
        false
    }
    fn may_see(&self, _: &Post) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_is_shared_and_goes_with_its_viewers() {
    let mut world = World::of_board::<Source>().await;
    world.db.run(Post::insert(post(1, 1, "a"))).await.unwrap();
    let query = || PostTree::live().filter(|p| p.org_id.eq(1)).order(|p| p.rank.asc());
    let one = world.store.open(query()).await.unwrap();
    let other = world.store.open(query()).await.unwrap();
    assert_eq!(world.store.status().values, 1, "equal queries are one value");
    let flat = world.store.open(CommentTree::live()).await.unwrap();
    assert_eq!(world.store.status().values, 2);
    drop((one, other, flat));
    let refused = world.store.open(Thread::live().allowed_by(Nobody)).await.unwrap_err();
    assert!(matches!(refused, LiveError::Denied(_)), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_has_trees_and_lists_of_one_cut() {
    let mut world = World::of_board::<Source>().await;
    let mut set = world.store.set();
    let trees = set.sync("trees", PostTree::live()).unwrap();
    let posts = set.sync("posts", Post::live()).unwrap();
    set.ready().await.unwrap();
    for number in 0..40 {
        let new = world.db.run(Post::insert(post(1, number, "x"))).await.unwrap();
        world.db.run(Comment::insert(comment(&new, 1, "y"))).await.unwrap();
    }
    loop {
        let (of_trees, of_posts) = (set.get(trees).unwrap(), set.get(posts).unwrap());
        let ids: Vec<_> = of_trees.iter().map(|tree| tree.post.id).collect();
        assert_eq!(ids, of_posts.iter().map(|post| post.id).collect::<Vec<_>>(), "all labels of one cut");
        if ids.len() == 40 && of_trees.iter().all(|tree| tree.comments.len() == 1) {
            break;
        }
        tokio::time::timeout(Duration::from_secs(100), set.changed()).await.unwrap().unwrap().unwrap();
    }
    eventually("it is exact", async || set.status().is_exact()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_set_with_a_tree_goes_on_while_others_write() {
    let world = World::of_board::<Source>().await;
    let mut set = world.store.set();
    let trees = set.sync("trees", PostTree::live().order(|p| p.rank.desc()).limit(5)).unwrap();
    let posts = set.sync("posts", Post::live().order(|p| p.rank.desc()).limit(5)).unwrap();
    // An answer belongs to no cut, and holds nobody back.
    let runs = Arc::<Runs>::default();
    let count = set.sync("count", Conn::count(&world.store, Task::changes(), 1, &runs)).unwrap();
    set.ready().await.unwrap();
    let (mut writer, done) = (world.db.connect().await, Arc::new(AtomicBool::new(false)));
    let ends = Arc::clone(&done);
    let writing = tokio::spawn(async move {
        let mut rank = 0_i16;
        while !ends.load(Ordering::SeqCst) {
            // Each needs its comments, its tags and its reactions to be read.
            rank = rank.saturating_add(1);
            writer.run(Post::insert(post(1, rank, "x"))).await.unwrap();
        }
    });
    for _ in 0..20 {
        tokio::time::timeout(Duration::from_secs(100), set.changed()).await.unwrap().unwrap().unwrap();
        let (of_trees, of_posts) = (set.get(trees).unwrap(), set.get(posts).unwrap());
        let ids: Vec<_> = of_trees.iter().map(|tree| tree.post.id).collect();
        assert_eq!(ids, of_posts.iter().map(|post| post.id).collect::<Vec<_>>(), "all labels of one cut");
    }
    assert!(!writing.is_finished() && set.get(count).is_some());
    done.store(true, Ordering::SeqCst);
    writing.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_transaction_is_open_a_new_tree_is_as_it_was_read() {
    use evented_test_server::{Cluster, Settings};
    if Db::<Conn>::DATABASE == Database::Sqlite || <Source as evented_live_tests::Source<Conn>>::HEARS_SQL {
        return;
    }
    // A transaction holds the log of the whole server: the test has one of its own.
    let cluster = Cluster::start(Settings::default()).unwrap();
    let url = cluster.url();
    let mut world = World::of_board_on::<evented_live_tests::Log>(Db::on(|| url).await, Duration::from_millis(100)).await;
    let a = world.db.run(Post::insert(post(1, 1, "a"))).await.unwrap();
    world.db.run(Comment::insert(comment(&a, 1, "one"))).await.unwrap();
    let mut holder = world.db.connect().await;
    holder.begin().await;
    holder.run(Comment::insert(comment(&a, 2, "open"))).await.unwrap();
    world.db.run(Comment::insert(comment(&a, 3, "three"))).await.unwrap();

    let mut tree = world.store.open(PostTree::live().one(a.id)).await.unwrap();
    assert!(matches!(tree.status(), Status::AsRead), "{:?}", tree.status());
    assert_eq!(texts(tree.get().as_ref().unwrap()), ["three", "one"], "as read");
    holder.commit().await;
    let all = |tree: &Option<PostTree>| texts(tree.as_ref().unwrap()) == ["three", "open", "one"];
    until(&mut tree, "the commit", all).await;
    eventually("it is exact", async || tree.status().is_exact()).await;
}
