//! Attributes of a field that are unknown, misplaced, repeated, or of another form.

use evented_diesel::Evented;

#[derive(Evented)]
#[evented(version = 1)]
struct Item {
    #[evented(key = u64)]
    id: ItemId,
    #[evented(skip_isnert)]
    a: i32,
    #[evented(private)]
    b: i32,
    #[evented(version = 1)]
    c: i32,
    #[evented(generated, generated)]
    d: i32,
    #[evented(renamed = "title")]
    e: i32,
    #[evented(renamed(from = "title"))]
    f: i32,
    #[evented(renamed(form = "title", version = "1"))]
    g: i32,
    #[evented(skip_insert = true)]
    h: i32,
    #[evented]
    i: i32,
}

fn main() {}
