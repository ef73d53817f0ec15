//! A struct without the derive is no model.

use evented_diesel::Command;
use evented_diesel::migrations::Migrations;

struct Plain {
    id: i32,
}

fn wrong(_: Command<Plain>) {
    let _ = Migrations::new().log::<Plain>();
}

fn main() {}
