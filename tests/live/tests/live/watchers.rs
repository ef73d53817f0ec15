//! What the values of a type need of each model.

use evented_live::LiveModel as _;
use evented_live::{Watcher, Watchers, watchers};
use evented_live_tests::board::{Comment, Post, PostTree, TaggingTree, Thread};
use evented_live_tests::{Person, Task};

fn of(watchers: &Watchers) -> Vec<(&'static str, Vec<&'static str>)> {
    watchers.iter().map(|Watcher { schema, by, .. }| (*schema, by.clone())).collect()
}

#[test]
fn a_tree_needs_the_models_and_the_foreign_keys_of_all_its_branches() {
    let expected = [
        ("comments", vec!["post_id", "author_id"]),
        ("people", vec![]),
        ("posts", vec!["editor_id", "parent_id"]),
        ("reactions", vec!["comment_id"]),
        ("taggings", vec!["post_id", "tag_id"]),
        ("tags", vec![]),
    ];
    assert_eq!(of(&watchers::<PostTree>()), expected);
    assert_eq!(watchers::<PostTree>().get("reactions").map(|it| it.by.clone()), Some(vec!["comment_id"]));
    assert_eq!(watchers::<PostTree>().get("tasks"), None);
}

#[test]
fn a_tree_that_contains_itself_is_described_once() {
    assert_eq!(of(&watchers::<Thread>()), [("posts", vec!["parent_id"])]);
}

#[test]
fn watchers_accumulate() {
    let all = watchers::<Task>().and::<Thread>().and::<TaggingTree>().and::<Comment>().and::<Person>();
    let all = all.by(Post::fields().org_id).by(Task::fields().org_id).by(Post::fields().org_id);
    let expected = [
        ("comments", vec![]),
        ("people", vec![]),
        ("posts", vec!["parent_id", "org_id"]),
        ("taggings", vec!["post_id", "tag_id"]),
        ("tags", vec![]),
        ("tasks", vec!["org_id"]),
    ];
    assert_eq!(of(&all), expected);
}
