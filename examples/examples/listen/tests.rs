//! Compares the whole output, word for word.

use super::*;

#[test]
fn a_write_reaches_the_subscribers_of_its_channels() {
    let folder = tempfile::tempdir().unwrap();
    let mut out = Vec::new();
    both(&folder.path().join("listen.db").to_string_lossy(), &mut out).unwrap();
    let expected = r#"Ada buys a lamp for organisation 1.
    ada  insert    is new: Lamp, 40 €
Ben buys a chair for organisation 2.
    nothing
Ada renames the lamp.
    ada  rename    was changed: name: "Lamp" → "Desk lamp"
Ben says what it is worth by now.
    ben  update    was changed: price: 40 → 35
Ben gives the chair to organisation 1.
    ben  transfer  came in: Chair, 90 €
Ada gives the lamp to organisation 2.
    ada  transfer  left: Desk lamp, 35 €
Ben renames it there.
    nothing
Ada throws the chair away.
    ada  delete    is gone: Chair, 90 €
"#;
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
