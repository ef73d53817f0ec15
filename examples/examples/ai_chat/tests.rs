//! Compares the whole output on SQLite, word for word.

use super::*;

#[test]
fn the_story_is_what_it_says() {
    let mut out = Vec::new();
    story::tell(&mut database::sqlite(":memory:").unwrap(), &mut out).unwrap();
    let expected = "
Ada asks and the small model answers; she asks on.
  ada: Name a river.
     ai: The Danube.  [small, 2 tokens]
        ada: How long is it?
           ai: 2,850 km.  [small, 2 tokens]

She has the large model answer her first prompt as well: a branch. The first one stays.
  ada: Name a river.
     ai: The Danube.  [small, 2 tokens]
        ada: How long is it?
           ai: 2,850 km.  [small, 2 tokens]
     ai: The Rhine, from the Alps to the sea.  [large, 8 tokens]
        ada: And how long is it?
           ai: 1,233 km.  [large, 2 tokens]

From the last leaf to the root by the links, and back: what the model was shown.
  ada: Name a river.
  ai: The Rhine, from the Alps to the sea.
  ada: And how long is it?
  ai: 1,233 km.

The conversation before the branch, and now: replayed from the log, which is all there is.
  Rivers: 2 prompts, 2 answers
  Rivers: 3 prompts, 4 answers

A turn is linked to turns of its own conversation only. The database would refuse another.
  refused: `continues` leads out of the conversation

Each write replays a conversation. A savepoint every six events keeps that short; read now:
  savepoint, prompt, answer

Every event against its hash, every state against today's code:
  0 and 0 findings
";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
