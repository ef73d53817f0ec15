//! Attributes of the struct that are unknown, misplaced, repeated, or of another form.

use evented_diesel::Evented;

#[derive(Evented)]
#[evented(versoin = 1)]
#[evented(colour = "red")]
#[evented(skip_insert)]
#[evented(schema = "a", schema = "b")]
struct Unknown {
    id: i32,
}

#[derive(Evented)]
#[evented]
struct Bare {
    id: i32,
}

#[derive(Evented)]
#[evented = "items"]
struct Assigned {
    id: i32,
}

#[derive(Evented)]
#[evented("items")]
struct Literal {
    id: i32,
}

#[derive(Evented)]
#[evented(schema = items)]
#[evented(version = "1")]
#[evented(actions(update, Close(as = "shut"), delete(name = "drop")))]
#[evented(retired("shut"))]
#[evented(scopes(org, ()))]
#[evented(log(table = "log", db_schema = audit, only = true))]
#[evented(insert = "NewItem", update)]
#[evented(check = |item| true, savepoint(with = 7))]
#[evented(upcast(f))]
#[evented(drift = adpot)]
#[evented(crate = "evented_diesel")]
struct OtherForms {
    id: i32,
}

#[derive(Evented)]
#[evented(version = -1)]
#[evented(actions(Archive(name = archive), Open(aliases(shut)), "close", &Item))]
#[evented(retired(shut = f, "lost" = 7))]
#[evented(savepoint())]
#[evented(scopes(org = "org_id", (org = 1)))]
#[evented(upcast("0" = f, 1 = 2))]
#[evented(drift = ignore)]
struct OtherValues {
    id: i32,
}

fn main() {}
