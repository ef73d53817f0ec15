//! Compares the whole output on SQLite, word for word.

use super::*;

#[test]
fn the_story_is_what_it_says() {
    let mut conn = database::sqlite(":memory:").unwrap();
    let mut out = Vec::new();
    story::tell(&mut conn, database::QUERIES_SQLITE, &mut out).unwrap();
    let expected = "
Ada opens a room. Ben asks, Ada answers.

Ben edits his question, twice. The rows say what is said now.
  11:31  ben: Lunch at 13, in the garden?  (edited)
  11:32  ada: Yes!

What the question said before, who changed it and when. Each edit knows what it replaced.
  11:31  ben  insert  Lunch at 12?
  11:35  ben  edit    Lunch at 13?, replaces revision 1
  11:37  ben  edit    Lunch at 13, in the garden?, replaces revision 2

What Ada said yes to: the question as it was at that minute.
  11:31  ben: Lunch at 12?

Ada may not put words into Ben's mouth:
  author is ben: nobody else edits the message

The room is closed. The hook of the messages reads that in the same transaction:
  room_id names a room that is closed

The log of both models, in the order in which it all happened.
  rooms     1  insert
  messages  1  insert
  messages  1  insert
  messages  2  edit
  messages  3  edit
  rooms     2  close
";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
